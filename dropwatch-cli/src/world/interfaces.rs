//! The name of an interface of which only the index is known.

use std::{
    collections::HashMap,
    fs,
    time::{Duration, Instant},
};

use super::pace::{Now, Pace};
use crate::drop::{Device, Name};

/// Interfaces come and go, and can be renamed.
const MAX_AGE: Duration = Duration::from_secs(10);
/// How long it is believed that there is no such interface.
const MAX_AGE_OF_NONE: Duration = Duration::from_secs(1);
/// Most interfaces that are kept.
const MAX_INTERFACES: usize = 1 << 13;

/// Names of interfaces by their network namespace and index.
pub struct Interfaces {
    cache: HashMap<(u32, u32), Entry>,
    /// This process's own namespace, which it can ask about.
    own: Option<u32>,
    now: Now,
    pace: Pace,
    fixed: bool,
}

#[derive(Clone, Copy)]
struct Entry {
    name: Option<Name>,
    since: Instant,
}

impl Interfaces {
    /// Knows those that it learns of, and in its own namespace all.
    pub fn new(own: Option<u32>, now: Now) -> Self {
        Self { cache: HashMap::new(), own, now, pace: Pace::default(), fixed: false }
    }

    /// Knows these and no others.
    pub fn fixed(names: impl IntoIterator<Item = ((u32, u32), Name)>) -> Self {
        let since = Instant::now();
        let entry = |name| Entry { name: Some(name), since };
        Self {
            cache: names.into_iter().map(|(key, name)| (key, entry(name))).collect(),
            fixed: true,
            ..Self::new(None, Box::new(Instant::now))
        }
    }

    /// A drop told the name of this one.
    pub fn learn(&mut self, netns: u32, device: &Device) {
        if !self.fixed {
            let since = (self.now)();
            self.insert((netns, device.index), Entry { name: Some(device.name), since });
        }
    }

    /// From now on the interface is called so.
    pub fn learn_name(&mut self, netns: u32, index: u32, name: Name) {
        let since = (self.now)();
        self.insert((netns, index), Entry { name: Some(name), since });
    }

    /// The name of the interface with this index. What only processes in the namespace can tell
    /// is asked of `others`: all its interfaces, or none where there is no such process.
    pub fn name(
        &mut self,
        netns: u32,
        index: u32,
        others: impl FnOnce() -> Option<Vec<(u32, Name)>>,
    ) -> Option<Name> {
        let key = (netns, index);
        let known = self.cache.get(&key).copied();
        if self.fixed {
            return known?.name;
        }
        let now = (self.now)();
        if let Some(Entry { name, since }) = known {
            let max_age = if name.is_some() { MAX_AGE } else { MAX_AGE_OF_NONE };
            if now.saturating_duration_since(since) < max_age {
                return name;
            }
        }
        let name = if self.own == Some(netns) {
            of_index(index)
        } else {
            if !self.pace.permits(now) {
                return None;
            }
            let all = others().unwrap_or_default();
            self.pace.spent(now, (self.now)());
            for &(index, name) in &all {
                self.insert((netns, index), Entry { name: Some(name), since: now });
            }
            all.iter().find(|(found, _)| *found == index).map(|&(_, name)| name)
        };
        self.insert(key, Entry { name, since: now });
        name
    }

    fn insert(&mut self, key: (u32, u32), entry: Entry) {
        if self.cache.len() >= MAX_INTERFACES && !self.cache.contains_key(&key) {
            self.cache.clear();
        }
        self.cache.insert(key, entry);
    }
}

/// The interfaces in the namespace of a process, as far as they have addresses or groups; that is
/// what everyone may read.
pub fn of_process(pid: u32) -> Vec<(u32, Name)> {
    let read = |file: &str| fs::read(format!("/proc/{pid}/net/{file}")).unwrap_or_default();
    // Where the number of the index stands, in which base, and where the name.
    [(&read("dev_mcast")[..], 0, 10, 1), (&read("igmp"), 0, 10, 1), (&read("if_inet6"), 1, 16, 5)]
        .into_iter()
        .flat_map(|(text, index, radix, name)| parse(text, index, radix, name))
        .collect()
}

/// Reads the lines that begin with a number or, in `if_inet6`, with an address.
fn parse(text: &[u8], index: usize, radix: u32, name: usize) -> Vec<(u32, Name)> {
    let line = |line: &[u8]| {
        // The groups of the interface before are on lines that begin with blanks.
        if line.first().is_none_or(u8::is_ascii_whitespace) {
            return None;
        }
        let words: Vec<&[u8]> =
            line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
        let index = str::from_utf8(words.get(index)?).ok()?;
        Some((u32::from_str_radix(index, radix).ok()?, to_name(words.get(name)?)?))
    };
    text.split(|&byte| byte == b'\n').filter_map(line).collect()
}

fn to_name(bytes: &[u8]) -> Option<Name> {
    let mut field = [0; libc::IFNAMSIZ];
    field.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(Name::of_field(field))
}

/// The interface with this index in this process's network namespace.
fn of_index(index: u32) -> Option<Name> {
    let mut name = [0_u8; libc::IFNAMSIZ];
    // SAFETY: the function writes a name of at most so many bytes.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
    (!found.is_null()).then(|| Name::of_field(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::pace::TestClock;

    fn name(text: &str) -> Name {
        to_name(text.as_bytes()).expect("a name")
    }

    fn none() -> Option<Vec<(u32, Name)>> {
        None
    }

    #[test]
    fn what_a_drop_told_is_known_for_a_while() {
        let clock = TestClock::new();
        let mut interfaces = Interfaces::new(None, clock.now());
        assert_eq!(interfaces.name(1, 2, none), None);
        interfaces.learn(1, &Device { name: name("eth0"), index: 2, kind: 1 });
        assert_eq!(interfaces.name(1, 2, none), Some(name("eth0")));
        assert_eq!(interfaces.name(2, 2, none), None, "of another namespace");
        interfaces.learn(1, &Device { name: name("lan"), index: 2, kind: 1 });
        assert_eq!(interfaces.name(1, 2, none), Some(name("lan")));
        clock.pass(10_000);
        assert_eq!(interfaces.name(1, 2, none), None);
    }

    #[test]
    fn the_own_namespace_is_asked() {
        let mut interfaces = Interfaces::new(Some(1), TestClock::new().now());
        let all = || panic!("no process has to be asked");
        assert_eq!(interfaces.name(1, 1, all), Some(name("lo")));
        assert_eq!(interfaces.name(1, 0, all), None);
    }

    #[test]
    fn processes_of_others_are_asked_once_for_all() {
        let clock = TestClock::new();
        let mut interfaces = Interfaces::new(Some(9), clock.now());
        let asked = std::cell::Cell::new(0);
        let all = || {
            asked.set(asked.get() + 1);
            Some(vec![(1, name("lo")), (2, name("veth0"))])
        };
        assert_eq!(interfaces.name(1, 2, all), Some(name("veth0")));
        assert_eq!(interfaces.name(1, 1, all), Some(name("lo")));
        assert_eq!(asked.get(), 1);
        assert_eq!(interfaces.name(1, 3, all), None, "not so soon");
        clock.pass(50);
        assert_eq!(interfaces.name(1, 3, all), None);
        assert_eq!(interfaces.name(1, 3, all), None, "known not to be there");
        assert_eq!(asked.get(), 2);
    }

    #[test]
    fn memory_is_bounded() {
        let mut interfaces = Interfaces::new(None, TestClock::new().now());
        for index in 0..MAX_INTERFACES as u32 + 10 {
            interfaces.learn(1, &Device { name: name("x"), index, kind: 1 });
        }
        assert!(interfaces.cache.len() <= MAX_INTERFACES);
    }

    #[test]
    fn the_files_of_a_process_are_understood() {
        let igmp = b"Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n\
            1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n\
            12\twlp0s20f3 :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n";
        assert_eq!(parse(igmp, 0, 10, 1), [(1, name("lo")), (12, name("wlp0s20f3"))]);
        let inet6 = b"00000000000000000000000000000001 01 80 10 80       lo\n\
            fe800000000000000000000000000001 0c 40 20 80  br-lan\n";
        assert_eq!(parse(inet6, 1, 16, 5), [(1, name("lo")), (12, name("br-lan"))]);
        let mcast = b"2    eth0            1     0     01005e000001\n";
        assert_eq!(parse(mcast, 0, 10, 1), [(2, name("eth0"))]);
        assert_eq!(parse(b"\nx\n1\n9 far_too_long_for_a_name\n", 0, 10, 1), []);
    }

    #[test]
    fn a_process_in_a_namespace_tells_its_interfaces() {
        // There may be no address in the namespace that this runs in.
        for (index, name) in of_process(std::process::id()) {
            assert_eq!(of_index(index), Some(name));
        }
    }

    #[test]
    fn fixed_ones_do_not_change() {
        let mut interfaces = Interfaces::fixed([((1, 2), name("eth0"))]);
        interfaces.learn(1, &Device { name: name("lan"), index: 2, kind: 1 });
        assert_eq!(interfaces.name(1, 2, none), Some(name("eth0")));
        assert_eq!(interfaces.name(1, 1, none), None);
    }
}

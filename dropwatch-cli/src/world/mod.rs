//! What is known of the machine besides its drops: who owns sockets, and what namespaces,
//! interfaces, cgroups and users are called.
//!
//! All of it is looked up when a drop asks for it, and kept for a while. Looking up takes less
//! than a tenth of the time; what may not be looked up yet is unknown, and can be asked again.

pub mod cgroups;
pub mod container;
pub mod interfaces;
pub mod netns;
pub mod owners;
pub mod pace;
pub mod users;

use std::{cell::RefCell, os::unix::ffi::OsStrExt, path::PathBuf, rc::Rc, time::Instant};

use cgroups::Cgroups;
use interfaces::Interfaces;
use netns::{Namespaces, NetnsName};
use owners::{Owner, Owners};
use pace::Now;
use users::Users;

use crate::{
    drop::{Device, Drop, Name, Socket},
    iterators::Iterators,
    write::{decimal, escape, push},
};

/// How long what is known is taken for true without asking again, in nanoseconds between drops.
/// What was looked up is kept for seconds anyway, but what is unknown may be known soon.
const EDITION_NS: u64 = 20_000_000;

/// What is known of the machine.
pub struct World {
    /// Who owns sockets.
    pub owners: Owners,
    /// What network namespaces are called.
    pub namespaces: Namespaces,
    /// What interfaces are called; see [`World::interface`].
    pub interfaces: Interfaces,
    /// What cgroups are called.
    pub cgroups: Cgroups,
    /// What users are called.
    pub users: Users,
    edition: Edition,
    told: Told,
}

/// See [`World::edition`].
#[derive(Default)]
struct Edition {
    number: u64,
    /// The boot time of the drop with which it began.
    since: u64,
}

/// Devices of which drops have told in an edition, by network namespace and index: each in the place
/// that these two give, since to remember all would cost more than to learn some twice.
#[derive(Default)]
struct Told {
    edition: u64,
    devices: [(u32, u32); 16],
}

/// What a world knows that does not change.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Owners by the socket's inode and its address.
    pub owners: Vec<((u64, u64), Owner)>,
    /// Network namespaces by their inode numbers.
    pub namespaces: Vec<(u32, NetnsName)>,
    /// Interfaces by network namespace and index.
    pub interfaces: Vec<((u32, u32), Name)>,
    /// Cgroups by their ids.
    pub cgroups: Vec<(u64, PathBuf)>,
    /// Users by their ids.
    pub users: Vec<(u32, Vec<u8>)>,
}

impl World {
    /// The running kernel's; without iterators nobody knows about processes. Best made while
    /// there are capabilities to look at the first process.
    pub fn of_running_kernel(iterators: Option<Iterators>) -> Self {
        let iterators = iterators.map(|iterators| Rc::new(RefCell::new(iterators)));
        let owners = match iterators.clone() {
            Some(iterators) => Owners::new(
                Box::new(move |each| iterators.borrow_mut().each_socket_owner(each)),
                now(),
            ),
            None => Owners::fixed([]),
        };
        let processes = iterators.map(|iterators| -> netns::Scan {
            Box::new(move |each| iterators.borrow_mut().each_process(each))
        });
        Self {
            owners,
            namespaces: Namespaces::new(netns::Sources::of_running_kernel(processes), now()),
            interfaces: Interfaces::new(netns::own(), now()),
            cgroups: Cgroups::of_running_kernel(now()),
            users: Users::of_machine(now()),
            edition: Edition::default(),
            told: Told::default(),
        }
    }

    /// Knows nothing.
    pub fn nothing() -> Self {
        Self::fixed(Facts::default())
    }

    /// Knows this and nothing else.
    pub fn fixed(facts: Facts) -> Self {
        Self {
            owners: Owners::fixed(facts.owners),
            namespaces: Namespaces::fixed(facts.namespaces, now()),
            interfaces: Interfaces::fixed(facts.interfaces),
            cgroups: Cgroups::fixed(facts.cgroups),
            users: Users::fixed(facts.users),
            edition: Edition::default(),
            told: Told::default(),
        }
    }

    /// For a drop at this boot time in nanoseconds, a number that is another one when what was
    /// known of the world for earlier ones is no longer to be taken for true. It saves asking
    /// for each of many drops, and asking costs at least a look at the clock.
    pub fn edition(&mut self, boot_ns: u64) -> u64 {
        let Edition { number, since } = &mut self.edition;
        if boot_ns.abs_diff(*since) >= EDITION_NS {
            *number += 1;
            *since = boot_ns;
        }
        *number
    }

    /// A drop whose device is named tells of it, for others that only know its index.
    pub fn learn_device(&mut self, drop: &Drop) {
        let (Some(netns), Some(device)) = (drop.netns, &drop.device) else { return };
        let edition = self.edition(drop.boot_ns);
        if self.told.edition != edition {
            self.told = Told { edition, ..Told::default() };
        }
        let place = (netns ^ device.index) as usize % self.told.devices.len();
        if self.told.devices[place] != (netns, device.index) {
            self.told.devices[place] = (netns, device.index);
            self.interfaces.learn(netns, device);
        }
    }

    /// To be called when the world has been told what it did not know: begins a new edition.
    pub fn renew(&mut self) {
        self.edition.number += 1;
    }

    /// The process that has the socket open.
    pub fn owner(&mut self, socket: &Socket) -> Option<Owner> {
        self.owners.owner(socket)
    }

    /// The name of the interface with this index in this network namespace. The drop's own device
    /// may be the one, and is remembered for other drops.
    pub fn interface(
        &mut self,
        netns: Option<u32>,
        index: u32,
        device: Option<&Device>,
    ) -> Option<Name> {
        let netns = netns?;
        if let Some(device) = device {
            self.interfaces.learn(netns, device);
            if device.index == index {
                return Some(device.name);
            }
        }
        let namespaces = &mut self.namespaces;
        self.interfaces.name(netns, index, || {
            let pid = namespaces.process_in(netns)?;
            let all = interfaces::of_process(pid);
            // Meanwhile it may be another process, or in another namespace.
            namespaces.is_in(pid, netns).then_some(all)
        })
    }

    /// What the network namespace is called, if it has a name.
    pub fn netns(&mut self, inum: u32) -> Option<String> {
        match &*self.namespaces.name(inum) {
            NetnsName::Unknown(_) => None,
            NetnsName::Named(name) => Some(lossy(name)),
            name => Some(name.to_string()),
        }
    }

    /// The user's name.
    pub fn user(&mut self, uid: u32) -> Option<String> {
        self.users.name(uid).map(lossy)
    }

    /// The cgroup's path.
    pub fn cgroup(&mut self, id: u64) -> Option<String> {
        self.cgroups.path(id).map(|path| lossy(path.as_os_str().as_bytes()))
    }

    /// Appends what the network namespace is called, or its number: `net:[4026531840]`.
    pub fn write_netns(&mut self, inum: u32, out: &mut Vec<u8>) {
        self.namespaces.name(inum).write(out);
    }

    /// Appends the interface's name, or its index: `if2`.
    pub fn write_interface(
        &mut self,
        netns: Option<u32>,
        index: u32,
        device: Option<&Device>,
        out: &mut Vec<u8>,
    ) {
        match self.interface(netns, index, device) {
            Some(name) => name.write(out),
            None => push(out, format_args!("if{index}")),
        }
    }

    /// Appends the user's name, or the id.
    pub fn write_user(&mut self, uid: u32, out: &mut Vec<u8>) {
        match self.users.name(uid) {
            Some(name) => escape(name, out),
            None => decimal(out, uid),
        }
    }

    /// Appends the cgroup's path, or the id.
    pub fn write_cgroup(&mut self, id: u64, out: &mut Vec<u8>) {
        match self.cgroups.path(id) {
            Some(path) => escape(path.as_os_str().as_bytes(), out),
            None => push(out, format_args!("{id}")),
        }
    }
}

/// For formats that have a way of their own to write what is not printable.
fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn now() -> Now {
    Box::new(Instant::now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(bytes: &[u8]) -> Name {
        let mut field = [0; 16];
        field[..bytes.len()].copy_from_slice(bytes);
        Name::of_field(field)
    }

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn what_has_no_name_is_a_number() {
        let mut world = World::nothing();
        assert_eq!(text(|out| world.write_netns(4_026_531_840, out)), "net:[4026531840]");
        assert_eq!(text(|out| world.write_interface(Some(1), 2, None, out)), "if2");
        assert_eq!(text(|out| world.write_interface(None, 2, None, out)), "if2");
        assert_eq!(text(|out| world.write_user(1000, out)), "1000");
        assert_eq!(text(|out| world.write_cgroup(u64::MAX, out)), "18446744073709551615");
        assert_eq!((world.netns(1), world.user(1), world.cgroup(1)), (None, None, None));
    }

    #[test]
    fn names_are_escaped_as_text_and_whole_for_others() {
        let mut world = World::fixed(Facts {
            namespaces: vec![(1, NetnsName::Named(b"a\x1b".to_vec()))],
            interfaces: vec![((1, 2), name(b"v\xff"))],
            cgroups: vec![(3, "/a\nb".into())],
            users: vec![(4, b"x\t".to_vec())],
            ..Facts::default()
        });
        assert_eq!(text(|out| world.write_netns(1, out)), "a\\u{1b}");
        assert_eq!(text(|out| world.write_interface(Some(1), 2, None, out)), "v\\xff");
        assert_eq!(text(|out| world.write_cgroup(3, out)), "/a\\nb");
        assert_eq!(text(|out| world.write_user(4, out)), "x\\t");
        assert_eq!(world.netns(1).as_deref(), Some("a\x1b"));
        assert_eq!(world.cgroup(3).as_deref(), Some("/a\nb"));
        assert_eq!(world.user(4).as_deref(), Some("x\t"));
    }

    #[test]
    fn a_drop_tells_of_its_own_device() {
        let mut world = World::nothing();
        let device = Device { name: name(b"eth0"), index: 2, kind: 1 };
        assert_eq!(world.interface(Some(1), 2, Some(&device)), Some(name(b"eth0")));
        assert_eq!(world.interface(Some(1), 3, Some(&device)), None);

        let drop = Drop { netns: Some(2), device: Some(device), ..Drop::UNKNOWN };
        world = World { interfaces: Interfaces::new(None, now()), ..World::nothing() };
        assert_eq!(world.interface(Some(2), 2, None), None);
        world.learn_device(&drop);
        assert_eq!(world.interface(Some(2), 2, None), Some(name(b"eth0")));
    }
}

//! `--interface` for packets that have left their device: TCP takes a packet from its device before
//! its socket handles it, and only the index of the one that it came in by is left, which means
//! something in its network namespace only.

use std::{
    collections::BTreeSet,
    ffi::CStr,
    fs::{self, File},
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::PathBuf,
    thread,
};

use dropwatch_common::filter::{EXCLUDED_INPUT, WANTED_INPUT, input_key};

use super::{list::Wishes, name::NamePattern};

/// A key of the map `INPUTS`, and what it is to hold.
pub type Entry = (u64, u32);

/// The devices that have such names now, in all network namespaces that can be entered.
pub fn entries(wishes: &Wishes<NamePattern>) -> Vec<Entry> {
    if wishes.is_empty() {
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let mut entries = Vec::new();
    for file in namespaces().iter().filter_map(|path| File::open(path).ok()) {
        let Ok(inode) = file.metadata().map(|data| data.ino() as u32) else { continue };
        if seen.insert(inode) {
            let devices = devices(&file).into_iter();
            entries.extend(devices.filter_map(|(index, name)| {
                let bits = bits(wishes, &name);
                (bits != 0).then(|| (input_key(inode, index), bits))
            }));
        }
    }
    entries
}

fn bits(wishes: &Wishes<NamePattern>, name: &[u8]) -> u32 {
    let any = |patterns: &[NamePattern]| patterns.iter().any(|pattern| pattern.matches(name));
    let wanted = if any(&wishes.wanted) { WANTED_INPUT } else { 0 };
    let excluded = if any(&wishes.excluded) { EXCLUDED_INPUT } else { 0 };
    wanted | excluded
}

/// Files of network namespaces: our own, those with a name, and those of processes.
fn namespaces() -> Vec<PathBuf> {
    let in_folder = |folder: &str| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let mut paths = vec![PathBuf::from("/proc/self/ns/net")];
    paths.extend(in_folder("/run/netns"));
    paths.extend(in_folder("/proc").into_iter().map(|process| process.join("ns/net")));
    paths
}

/// Indexes and names of the devices in a network namespace; none where it cannot be entered.
fn devices(namespace: &File) -> Vec<(u32, Vec<u8>)> {
    let inside = || {
        // SAFETY: the call takes an open file and an integer, and moves this thread only.
        let entered = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
        if entered == 0 { own_devices() } else { Vec::new() }
    };
    // The thread ends there, so that nobody has to come back.
    thread::scope(|scope| scope.spawn(inside).join().unwrap_or_default())
}

fn own_devices() -> Vec<(u32, Vec<u8>)> {
    // SAFETY: the list, where there is one, ends with an index of 0 and is freed once.
    unsafe {
        let list = libc::if_nameindex();
        if list.is_null() {
            return Vec::new();
        }
        let mut devices = Vec::new();
        let mut each = list;
        while (*each).if_index != 0 {
            devices.push(((*each).if_index, CStr::from_ptr((*each).if_name).to_bytes().to_vec()));
            each = each.add(1);
        }
        libc::if_freenameindex(list);
        devices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_known_by_their_names() {
        let wishes = |text: &str| {
            Wishes::parse("--interface", &[text.to_owned()], NamePattern::parse).expect(text)
        };
        let own = fs::metadata("/proc/self/ns/net").expect("a namespace").ino() as u32;
        let lo = own_devices().into_iter().find(|(_, name)| name == b"lo").expect("loopback").0;
        let key = input_key(own, lo);
        let bits = |text: &str| {
            let wishes = wishes(text);
            let own: Vec<_> = own_devices()
                .into_iter()
                .map(|(index, name)| (input_key(own, index), bits(&wishes, &name)))
                .collect();
            own.into_iter().find(|(each, _)| *each == key).map(|(_, bits)| bits)
        };
        assert_eq!(bits("lo"), Some(WANTED_INPUT));
        assert_eq!(bits("!l*"), Some(EXCLUDED_INPUT));
        assert_eq!(bits("lo,!lo"), Some(WANTED_INPUT | EXCLUDED_INPUT));
        assert_eq!(bits("eth0"), Some(0));
    }
}

//! Network namespaces, and files that tell of their counters as long as they are open.
//!
//! They are opened while there are capabilities to enter a namespace, and read without any. An
//! open file keeps its namespace from going away.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::{
        fd::AsFd,
        unix::fs::{FileExt, MetadataExt},
    },
    path::{Path, PathBuf},
    thread,
};

use caps::{CapSet, Capability};
use rustix::{
    process::{Resource, getrlimit},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use super::{
    counters::{self, Counters},
    links::{Links, Socket},
};

/// Most namespaces of which counters are read.
const MAX_NAMESPACES: usize = 256;
/// Open files for each.
const FILES: u64 = 4;
/// Open files that are left for everything else.
const OTHER_FILES: u64 = 224;
const OWN: &str = "/proc/self/ns/net";
/// Where namespaces have names.
const NAMES: [&str; 2] = ["/run/netns", "/run/docker/netns"];

/// What counts in a network namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The counters of protocols.
    pub protocols: Counters,
    /// The interfaces with theirs.
    pub links: Links,
}

/// A network namespace whose counters can be read.
#[derive(Debug)]
pub struct Namespace {
    /// Its inode number.
    pub inum: u32,
    snmp: File,
    netstat: File,
    /// None where the kernel has no IPv6.
    snmp6: Option<File>,
    links: Socket,
}

/// The namespaces that could be opened, and how many could not.
#[derive(Debug, Default)]
pub struct Opened {
    /// Those that could.
    pub namespaces: Vec<Namespace>,
    /// So many there are more than can be looked at.
    pub beyond: usize,
    /// Whether there are some that may not be looked at, or perhaps are.
    pub refused: bool,
}

impl Namespace {
    /// The one of this thread.
    fn of_thread(inum: u32) -> io::Result<Self> {
        let open = |name: &str| File::open(Path::new("/proc/thread-self/net").join(name));
        Ok(Self {
            inum,
            snmp: open("snmp")?,
            netstat: open("netstat")?,
            snmp6: open("snmp6").ok(),
            links: Socket::new()?,
        })
    }

    /// What it has counted.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self) -> io::Result<State> {
        let mut protocols = Counters::new();
        counters::add_pairs(&read(&self.snmp)?, &mut protocols);
        counters::add_pairs(&read(&self.netstat)?, &mut protocols);
        if let Some(snmp6) = &self.snmp6 {
            counters::add_lines(&read(snmp6)?, &mut protocols);
        }
        Ok(State { protocols, links: self.links.links()? })
    }
}

/// All of a file of `/proc`, from its begin; it is made anew each time.
pub fn read(file: &File) -> io::Result<String> {
    let mut text = vec![0; 16 << 10];
    let mut len = 0;
    loop {
        match file.read_at(&mut text[len..], len as u64)? {
            0 => break,
            read => len += read,
        }
        if len == text.len() {
            text.resize(2 * len, 0);
        }
    }
    text.truncate(len);
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Opens this process's namespace and all others, of those that are wanted. Has to be called while
/// there are the capabilities for it.
pub fn open(is_wanted: impl Fn(u32) -> bool) -> Opened {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = (limit.saturating_sub(OTHER_FILES) / FILES) as usize;
    let own = inode(Path::new(OWN));
    let (mut found, hidden) = find();
    found.retain(|inum, _| is_wanted(*inum) && Some(*inum) != own);
    let own = own.filter(|own| is_wanted(*own));
    // A thread of its own enters them, and ends.
    thread::scope(|scope| {
        let opener = scope.spawn(move || open_each(own, found, room.min(MAX_NAMESPACES)));
        let opened = opener.join().unwrap_or_default();
        Opened { refused: opened.refused || hidden, ..opened }
    })
}

fn open_each(own: Option<u32>, others: BTreeMap<u32, PathBuf>, room: usize) -> Opened {
    let count = usize::from(own.is_some()) + others.len();
    let mut opened = Opened { beyond: count.saturating_sub(room), ..Opened::default() };
    let own = own.map(Namespace::of_thread);
    let others = others.into_iter().map(|(inum, path)| enter(inum, &path));
    // Lazily, so that no more are entered than there is room for.
    for namespace in own.into_iter().chain(others).take(room) {
        match namespace {
            Ok(namespace) => opened.namespaces.push(namespace),
            // It went away.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => opened.refused = true,
        }
    }
    opened
}

fn enter(inum: u32, path: &Path) -> io::Result<Namespace> {
    let file = File::open(path)?;
    if file.metadata()?.ino() as u32 != inum {
        // A process has moved on, or is another one.
        return Err(io::ErrorKind::NotFound.into());
    }
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
    Namespace::of_thread(inum)
}

/// Files that stand for network namespaces: those with names, and those of processes. And whether
/// some may not be looked at.
fn find() -> (BTreeMap<u32, PathBuf>, bool) {
    // Files in the folders of names can be mere places for a namespace.
    let device = fs::metadata(OWN).map(|own| own.dev()).ok();
    let names = NAMES.into_iter().flat_map(entries);
    let is_process = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let processes = entries("/proc").filter(is_process).map(|path| path.join("ns/net"));
    let (mut found, mut hidden) = (BTreeMap::new(), false);
    for path in names.chain(processes) {
        match fs::metadata(&path) {
            Ok(metadata) if Some(metadata.dev()) == device => {
                found.entry(metadata.ino() as u32).or_insert(path);
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => hidden = true,
            Ok(_) | Err(_) => {}
        }
    }
    // Some processes are hidden from everyone, and nothing can be done about it.
    let may_look = caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_PTRACE);
    (found, hidden && !may_look.unwrap_or(false))
}

fn entries(folder: &str) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn inode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|metadata| metadata.ino() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_namespace_is_read_again_and_again() -> io::Result<()> {
        let own = inode(Path::new(OWN)).expect("a namespace");
        let opened = open(|inum| inum == own);
        assert_eq!((opened.namespaces.len(), opened.beyond), (1, 0));
        let namespace = &opened.namespaces[0];
        assert_eq!(namespace.inum, own);
        let (before, after) = (namespace.read()?, namespace.read()?);
        for name in ["UdpNoPorts", "UdpRcvbufErrors", "TcpExtListenDrops", "IpExtInNoRoutes"] {
            assert!(after.protocols[name] >= before.protocols[name], "{name}");
        }
        assert_eq!(before.protocols.len(), after.protocols.len());
        assert!(after.links.values().any(|link| link.name.bytes() == b"lo"));
        Ok(())
    }

    #[test]
    fn what_is_beyond_the_room_is_counted() {
        let paths = (1..=5).map(|inum| (inum, PathBuf::from("/nowhere"))).collect();
        let opened = open_each(Some(7), paths, 3);
        assert_eq!((opened.namespaces.len(), opened.beyond), (1, 3));
        assert_eq!(opened.namespaces[0].inum, 7);
    }
}

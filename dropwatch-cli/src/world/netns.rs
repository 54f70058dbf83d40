//! What a network namespace is called.

use std::{
    collections::HashMap,
    fmt, fs,
    os::unix::{ffi::OsStringExt, fs::MetadataExt},
    path::{Path, PathBuf},
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Result;
use dropwatch_common::owner::Process;
use log::debug;

use super::{
    container,
    pace::{Now, Pace},
};
use crate::{
    drop::Name,
    write::{escape, push},
};

/// Names and processes come and go: what is older is looked up again.
const MAX_AGE: Duration = Duration::from_secs(5);
/// Likewise for namespaces of which nothing was found.
const MAX_AGE_OF_NONE: Duration = Duration::from_secs(1);
/// Most namespaces whose names are kept.
const MAX_NAMES: usize = 1 << 12;

/// Where `ip netns` and CNI keep names.
const NAMES: &str = "/run/netns";
/// Where Docker keeps those of its sandboxes, in place of which a container says more.
const DOCKER: &str = "/run/docker/netns";

/// Goes through all processes.
pub type Scan = Box<dyn FnMut(&mut dyn FnMut(Process)) -> Result<()>>;

/// The name of a network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetnsName {
    /// That of the machine itself, in which its first process is.
    Host,
    /// It has a name in `/run/netns`, or in Docker's folder.
    Named(Vec<u8>),
    /// It has none, and this is the first process in it.
    Process {
        /// Its process id.
        pid: u32,
        /// Its name.
        comm: Name,
        /// The container it is in: `docker:0123456789ab`.
        container: Option<String>,
    },
    /// Nothing is known but this number.
    Unknown(u32),
}

impl NetnsName {
    /// Appends it as text, short enough for a column: `blue`, `nginx[4242]`.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Host => out.extend(b"host"),
            Self::Named(name) => escape(name, out),
            Self::Process { container: Some(container), .. } => escape(container.as_bytes(), out),
            Self::Process { pid, comm, container: None } => {
                escape(comm.bytes(), out);
                push(out, format_args!("[{pid}]"));
            }
            Self::Unknown(inum) => push(out, format_args!("net:[{inum}]")),
        }
    }
}

impl fmt::Display for NetnsName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        self.write(&mut text);
        formatter.write_str(&String::from_utf8_lossy(&text))
    }
}

/// Where names come from.
pub struct Sources {
    /// Folders with a file for each name, the ones that say most first.
    pub names: PathBuf,
    /// Likewise, for namespaces in which there is no container.
    pub fallback_names: PathBuf,
    /// The device that such files are on; others are only the places for them.
    pub device: Option<u64>,
    /// `/proc`, where it has the same process ids as the kernel's first process namespace.
    pub proc: Option<PathBuf>,
    /// The machine's own namespace, where that is known.
    pub host: Option<u32>,
    /// What is taken for it where no process tells.
    pub own: Option<u32>,
    /// The processes.
    pub scan: Option<Scan>,
}

impl Sources {
    /// The running kernel's. `/proc/1/ns/net` cannot be read by everyone: best done while there
    /// are capabilities.
    pub fn of_running_kernel(scan: Option<Scan>) -> Self {
        let own = fs::metadata("/proc/self/ns/net").ok();
        Self {
            names: NAMES.into(),
            fallback_names: DOCKER.into(),
            device: own.as_ref().map(MetadataExt::dev),
            proc: in_first_pid_namespace().then(|| "/proc".into()),
            host: inode(Path::new("/proc/1/ns/net")),
            own: own.map(|own| own.ino() as u32),
            scan,
        }
    }
}

/// The inode number of this process's network namespace.
pub fn own() -> Option<u32> {
    inode(Path::new("/proc/self/ns/net"))
}

fn inode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|metadata| metadata.ino() as u32)
}

/// Whether `/proc` has the process ids that the kernel itself uses.
fn in_first_pid_namespace() -> bool {
    /// `PROC_PID_INIT_INO`.
    const FIRST: u32 = 0xefff_fffc;
    inode(Path::new("/proc/self/ns/pid")) == Some(FIRST)
}

/// Finds the names of network namespaces.
pub struct Namespaces {
    /// None where names are given and do not change.
    sources: Option<Sources>,
    now: Now,
    pace: Pace,
    read: Option<Instant>,
    named: HashMap<u32, Vec<u8>>,
    fallback: HashMap<u32, Vec<u8>>,
    /// The process with the lowest id of each namespace.
    processes: HashMap<u32, Process>,
    /// What was put together of these.
    cache: HashMap<u32, Rc<NetnsName>>,
    /// Namespaces of which nothing was found, and when that was.
    none: HashMap<u32, Instant>,
}

impl Namespaces {
    /// Finds them in these sources.
    pub fn new(sources: Sources, now: Now) -> Self {
        Self { sources: Some(sources), ..Self::fixed([], now) }
    }

    /// Knows these names and no others.
    pub fn fixed(names: impl IntoIterator<Item = (u32, NetnsName)>, now: Now) -> Self {
        Self {
            sources: None,
            now,
            pace: Pace::default(),
            read: None,
            named: HashMap::new(),
            fallback: HashMap::new(),
            processes: HashMap::new(),
            cache: names.into_iter().map(|(inum, name)| (inum, Rc::new(name))).collect(),
            none: HashMap::new(),
        }
    }

    /// From now on the namespace is called so, or has no name.
    pub fn learn(&mut self, inum: u32, name: Option<String>) {
        let name = match name {
            Some(name) if name == "host" => NetnsName::Host,
            Some(name) => NetnsName::Named(name.into_bytes()),
            None => NetnsName::Unknown(inum),
        };
        if self.cache.get(&inum).is_none_or(|known| **known != name) {
            self.make_room();
            self.cache.insert(inum, Rc::new(name));
        }
    }

    /// What the namespace with this inode number is called.
    pub fn name(&mut self, inum: u32) -> Rc<NetnsName> {
        self.refresh(inum);
        if let Some(name) = self.cache.get(&inum) {
            return Rc::clone(name);
        }
        let name = Rc::new(self.compose(inum));
        if !matches!(*name, NetnsName::Unknown(_)) {
            self.make_room();
            self.cache.insert(inum, Rc::clone(&name));
        }
        name
    }

    /// A process in this namespace, as `/proc` knows it.
    pub fn process_in(&mut self, inum: u32) -> Option<u32> {
        self.refresh(inum);
        self.sources.as_ref()?.proc.as_ref()?;
        self.processes.get(&inum).map(|process| process.tgid)
    }

    /// Whether the process is in this namespace now.
    pub fn is_in(&mut self, pid: u32, inum: u32) -> bool {
        let Some(scan) = self.sources.as_mut().and_then(|sources| sources.scan.as_mut()) else {
            return false;
        };
        let mut is_in = false;
        let scanned = scan(&mut |process| is_in |= process.tgid == pid && process.netns == inum);
        scanned.is_ok() && is_in
    }

    /// Reads the sources again if they may say something else of this namespace.
    fn refresh(&mut self, inum: u32) {
        if self.sources.is_none() {
            return;
        }
        let now = (self.now)();
        let since = |time: Instant| now.saturating_duration_since(time);
        let is_fresh = if self.is_known(inum) {
            self.read.is_some_and(|time| since(time) < MAX_AGE)
        } else {
            self.none.get(&inum).is_some_and(|&time| since(time) < MAX_AGE_OF_NONE)
        };
        if is_fresh || !self.pace.permits(now) {
            return;
        }
        self.read();
        if !self.is_known(inum) {
            self.make_room();
            self.none.insert(inum, self.read.unwrap_or(now));
        }
    }

    fn is_known(&self, inum: u32) -> bool {
        self.named.contains_key(&inum)
            || self.fallback.contains_key(&inum)
            || self.processes.contains_key(&inum)
            || self.host() == Some(inum)
    }

    fn make_room(&mut self) {
        if self.cache.len().max(self.none.len()) >= MAX_NAMES {
            self.cache.clear();
            self.none.clear();
        }
    }

    fn read(&mut self) {
        let Some(sources) = &mut self.sources else { return };
        let begin = (self.now)();
        self.cache.clear();
        self.named = names(&sources.names, sources.device);
        self.fallback = names(&sources.fallback_names, sources.device);
        self.processes.clear();
        if let Some(scan) = &mut sources.scan {
            let processes = &mut self.processes;
            let mut init = None;
            let result = scan(&mut |process| {
                if process.tgid == 1 {
                    init = Some(process.netns);
                }
                if process.netns != 0 {
                    let first = processes.entry(process.netns).or_insert(process);
                    if process.tgid < first.tgid {
                        *first = process;
                    }
                }
            });
            if let Err(error) = result {
                debug!("the processes in network namespaces are unknown: {error:#}");
                processes.clear();
            }
            sources.host = sources.host.or(init).filter(|&inum| inum != 0);
        }
        let end = (self.now)();
        self.read = Some(end);
        self.pace.spent(begin, end);
    }

    fn host(&self) -> Option<u32> {
        let sources = self.sources.as_ref()?;
        sources.host.or(sources.own)
    }

    fn compose(&self, inum: u32) -> NetnsName {
        if self.host() == Some(inum) {
            return NetnsName::Host;
        }
        if let Some(name) = self.named.get(&inum) {
            return NetnsName::Named(name.clone());
        }
        let process = self.processes.get(&inum);
        let container = process.and_then(|process| self.container(process.tgid));
        match (process, self.fallback.get(&inum)) {
            (_, Some(name)) if container.is_none() => NetnsName::Named(name.clone()),
            (Some(process), _) => NetnsName::Process {
                pid: process.tgid,
                comm: Name::of_field(process.comm),
                container,
            },
            (None, _) => NetnsName::Unknown(inum),
        }
    }

    fn container(&self, pid: u32) -> Option<String> {
        let proc = self.sources.as_ref()?.proc.as_ref()?;
        let cgroups = fs::read(proc.join(pid.to_string()).join("cgroup")).ok()?;
        container::of_cgroups(&String::from_utf8_lossy(&cgroups))
    }
}

/// The names of the files in a folder, by their inode numbers.
fn names(folder: &Path, device: Option<u64>) -> HashMap<u32, Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else { return HashMap::new() };
    let mut names = HashMap::new();
    for entry in entries.flatten() {
        let Ok(metadata) = fs::metadata(entry.path()) else { continue };
        if device.is_some_and(|device| device != metadata.dev()) {
            continue;
        }
        let name = entry.file_name().into_vec();
        // Of several names the first in the alphabet, so that it is always the same.
        let first = names.entry(metadata.ino() as u32).or_insert_with(|| name.clone());
        if name < *first {
            *first = name;
        }
    }
    names
}

#[cfg(test)]
#[path = "netns_tests.rs"]
mod tests;

//! The path of a cgroup of which the id is known: the inode number of its folder.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs,
    os::unix::{
        ffi::OsStringExt,
        fs::{DirEntryExt, MetadataExt},
    },
    path::{Path, PathBuf},
    rc::Rc,
    time::{Duration, Instant},
};

use log::debug;

use super::pace::{Now, Pace};

/// How long it is believed that there is no such cgroup.
const MAX_AGE_OF_NONE: Duration = Duration::from_secs(1);
/// Most cgroups that are kept, and gone through.
const MAX_CGROUPS: usize = 1 << 14;

/// Paths of cgroups by their ids. An id is never used again, so what was found stays.
pub struct Cgroups {
    /// Where the hierarchy of version 2 is mounted.
    root: Option<PathBuf>,
    paths: HashMap<u64, Rc<Path>>,
    none: HashMap<u64, Instant>,
    now: Now,
    pace: Pace,
}

impl Cgroups {
    /// Finds them where the running kernel's are mounted.
    pub fn of_running_kernel(now: Now) -> Self {
        let mounts = fs::read("/proc/self/mounts").unwrap_or_default();
        Self::new(mount_point(&mounts), now)
    }

    /// Finds them in this folder.
    pub fn new(root: Option<PathBuf>, now: Now) -> Self {
        Self { root, paths: HashMap::new(), none: HashMap::new(), now, pace: Pace::default() }
    }

    /// Knows these and no others.
    pub fn fixed(paths: impl IntoIterator<Item = (u64, PathBuf)>) -> Self {
        let paths = paths.into_iter().map(|(id, path)| (id, Rc::from(path))).collect();
        Self { paths, ..Self::new(None, Box::new(Instant::now)) }
    }

    /// From now on this is the cgroup's path.
    pub fn learn(&mut self, id: u64, path: PathBuf) {
        if self.paths.get(&id).is_none_or(|known| **known != *path) {
            self.paths.insert(id, Rc::from(path));
        }
    }

    /// The cgroup's path, which begins with a slash. None where there is none any more, or where
    /// it may not be looked for so soon.
    pub fn path(&mut self, id: u64) -> Option<Rc<Path>> {
        if let Some(path) = self.paths.get(&id) {
            return Some(Rc::clone(path));
        }
        let root = self.root.clone()?;
        let now = (self.now)();
        let was_looked_for = self
            .none
            .get(&id)
            .is_some_and(|&time| now.saturating_duration_since(time) < MAX_AGE_OF_NONE);
        if was_looked_for || !self.pace.permits(now) {
            return None;
        }
        self.walk(&root, id);
        let end = (self.now)();
        self.pace.spent(now, end);
        debug!("{} cgroups known after {:?}", self.paths.len(), end.saturating_duration_since(now));
        let path = self.paths.get(&id).map(Rc::clone);
        if path.is_none() {
            if self.none.len() >= MAX_CGROUPS {
                self.none.clear();
            }
            self.none.insert(id, end);
        }
        path
    }

    /// Goes through all, or until so many were seen and the wanted one is among them.
    fn walk(&mut self, root: &Path, wanted: u64) {
        if self.paths.len() >= MAX_CGROUPS {
            self.paths.clear();
        }
        if let Ok(metadata) = fs::metadata(root) {
            self.paths.insert(metadata.ino(), Rc::from(Path::new("/")));
        }
        let mut folders = vec![PathBuf::from("/")];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(join(root, &folder)) else { continue };
            for entry in entries.flatten() {
                if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    continue;
                }
                let path = folder.join(entry.file_name());
                if self.paths.len() < MAX_CGROUPS || entry.ino() == wanted {
                    self.paths.insert(entry.ino(), Rc::from(path.as_path()));
                }
                folders.push(path);
            }
            if self.paths.len() >= MAX_CGROUPS && self.paths.contains_key(&wanted) {
                return;
            }
        }
    }
}

/// The folder with this path in the hierarchy.
fn join(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Where the hierarchy of version 2 is mounted, from the lines of `/proc/self/mounts`.
fn mount_point(mounts: &[u8]) -> Option<PathBuf> {
    let of_line = |line: &[u8]| {
        let mut words = line.split(|&byte| byte == b' ').skip(1);
        let (path, kind) = (words.next()?, words.next()?);
        (kind == b"cgroup2").then(|| PathBuf::from(OsString::from_vec(unescape(path))))
    };
    mounts.split(|&byte| byte == b'\n').find_map(of_line)
}

/// Blanks and backslashes stand there as three octal digits.
fn unescape(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some((&first, rest)) = bytes.split_first() {
        let octal = rest.get(..3).and_then(|digits| str::from_utf8(digits).ok());
        let byte = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match byte.filter(|_| first == b'\\') {
            Some(byte) => {
                out.push(byte);
                bytes = &rest[3..];
            }
            None => {
                out.push(first);
                bytes = rest;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::{env, process};

    use super::*;
    use crate::world::pace::TestClock;

    #[test]
    fn cgroups_are_found_by_the_inodes_of_their_folders() {
        let root = env::temp_dir().join(format!("dropwatch-cgroups-{}", process::id()));
        let inode = |path: &str| fs::metadata(root.join(path)).expect("a folder").ino();
        fs::create_dir_all(root.join("system.slice/a.service")).expect("folders");
        fs::write(root.join("cgroup.procs"), "").expect("a file");
        let clock = TestClock::new();
        let mut cgroups = Cgroups::new(Some(root.clone()), clock.now());
        let mut path = |id| cgroups.path(id).map(|path| path.display().to_string());
        assert_eq!(path(inode("")).as_deref(), Some("/"));
        assert_eq!(
            path(inode("system.slice/a.service")).as_deref(),
            Some("/system.slice/a.service")
        );
        assert_eq!(path(inode("cgroup.procs")), None);
        fs::create_dir_all(root.join("new")).expect("a folder");
        assert_eq!(path(inode("new")), None, "not so soon");
        clock.pass(50);
        assert_eq!(path(inode("new")).as_deref(), Some("/new"));
        let id = inode("new");
        fs::remove_dir_all(&root).expect("removed");
        clock.pass(100_000);
        assert_eq!(path(id).as_deref(), Some("/new"));
        assert_eq!(path(0), None);
    }

    #[test]
    fn the_mount_is_found() {
        let mounts = b"proc /proc proc rw 0 0\n\
            cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
            none /a\\040b\\134 cgroup2 rw 0 0\n";
        assert_eq!(mount_point(mounts), Some(PathBuf::from("/a b\\")));
        assert_eq!(mount_point(b"tmpfs /sys/fs/cgroup tmpfs rw 0 0\nx\n"), None);
        assert_eq!(unescape(b"\\04\\999"), b"\\04\\999");
    }

    #[test]
    fn fixed_ones_do_not_change() {
        let mut cgroups = Cgroups::fixed([(5, "/a".into())]);
        assert_eq!(cgroups.path(5).as_deref(), Some(Path::new("/a")));
        assert_eq!(cgroups.path(6), None);
    }
}

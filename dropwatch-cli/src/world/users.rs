//! Names of users, from `/etc/passwd`. The C library may know more of them, but asks the network
//! for these, which is no good idea when that is what drops packets.

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    time::{Duration, Instant, SystemTime},
};

use super::pace::Now;

/// How often it is looked whether the file has changed.
const INTERVAL: Duration = Duration::from_secs(5);

/// Names by user id.
pub struct Users {
    file: Option<PathBuf>,
    names: HashMap<u32, Vec<u8>>,
    changed: Option<SystemTime>,
    looked: Option<Instant>,
    now: Now,
}

impl Users {
    /// This machine's.
    pub fn of_machine(now: Now) -> Self {
        Self::new(Some("/etc/passwd".into()), now)
    }

    fn new(file: Option<PathBuf>, now: Now) -> Self {
        Self { file, names: HashMap::new(), changed: None, looked: None, now }
    }

    /// Knows these and no others.
    pub fn fixed(names: impl IntoIterator<Item = (u32, Vec<u8>)>) -> Self {
        let names = names.into_iter().collect();
        Self { names, ..Self::new(None, Box::new(Instant::now)) }
    }

    /// From now on the user is called so.
    pub fn learn(&mut self, uid: u32, name: Vec<u8>) {
        self.names.insert(uid, name);
    }

    /// The user's name.
    pub fn name(&mut self, uid: u32) -> Option<&[u8]> {
        self.refresh();
        self.names.get(&uid).map(Vec::as_slice)
    }

    fn refresh(&mut self) {
        let Some(file) = &self.file else { return };
        let now = (self.now)();
        if self.looked.is_some_and(|time| now.saturating_duration_since(time) < INTERVAL) {
            return;
        }
        self.looked = Some(now);
        let changed = fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
        if changed != self.changed {
            self.changed = changed;
            self.names = parse(&fs::read(file).unwrap_or_default());
        }
    }
}

/// Reads lines of `name:password:uid:…`. Of several names of one user the first counts.
fn parse(text: &[u8]) -> HashMap<u32, Vec<u8>> {
    let mut names = HashMap::new();
    for line in text.split(|&byte| byte == b'\n') {
        let mut fields = line.split(|&byte| byte == b':');
        let (Some(name), Some(uid)) = (fields.next(), fields.nth(1)) else { continue };
        if let Some(uid) = str::from_utf8(uid).ok().and_then(|uid| uid.parse().ok()) {
            names.entry(uid).or_insert_with(|| name.to_vec());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use std::{env, process};

    use super::*;
    use crate::world::pace::TestClock;

    #[test]
    fn the_first_name_of_a_user_counts() {
        let names = parse(b"root:x:0:0:root:/:/bin/sh\ntoor:x:0:0::/:\nwww:x:33:33::/:\nx:y\n#\n");
        assert_eq!(names[&0], b"root");
        assert_eq!(names[&33], b"www");
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn new_users_are_seen() {
        let file = env::temp_dir().join(format!("dropwatch-users-{}", process::id()));
        let clock = TestClock::new();
        let mut users = Users::new(Some(file.clone()), clock.now());
        assert_eq!(users.name(0), None, "there is no file");
        fs::write(&file, "root:x:0:0\n").expect("a file");
        assert_eq!(users.name(0), None, "not so soon");
        clock.pass(5_000);
        assert_eq!(users.name(0), Some(&b"root"[..]));
        fs::remove_file(&file).expect("removed");
    }

    #[test]
    fn fixed_ones_do_not_change() {
        let mut users = Users::fixed([(0, b"root".to_vec())]);
        assert_eq!(users.name(0), Some(&b"root"[..]));
        assert_eq!(users.name(1), None);
    }
}

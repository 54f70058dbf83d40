//! Which process has a socket open.
//!
//! The kernel does not lead from a socket to its processes, so all sockets of all processes are
//! gone through. That is done when a socket is asked for that is not known, and not too often:
//! until then the answer is that the owner is unknown.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use anyhow::Result;
use dropwatch_common::owner::SocketOwner;
use log::debug;

use super::pace::{Now, Pace};
use crate::drop::{Name, Socket};

/// Processes end, and sockets are handed on: what is older is looked up again.
const MAX_AGE: Duration = Duration::from_secs(5);
/// Likewise for sockets that no process had open: one may have been about to be accepted.
const MAX_AGE_OF_NONE: Duration = Duration::from_secs(1);
/// Most sockets that are kept; where there are more, those that were asked for are found anyway.
const MAX_SOCKETS: usize = 1 << 16;
/// Most sockets without an owner that are remembered.
const MAX_NONE: usize = 1 << 12;
/// The process that opens sockets for others, which are then theirs.
const INIT: u32 = 1;

/// Goes through the sockets of all processes.
pub type Scan = Box<dyn FnMut(&mut dyn FnMut(SocketOwner)) -> Result<()>>;

/// The process that a socket belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its process id.
    pub pid: u32,
    /// Its name.
    pub comm: Name,
    /// How many further processes have the socket open.
    pub others: u32,
}

/// A socket's inode, and its address. The inode is the better key: an address is used again at
/// once, an inode only after billions of others.
type Key = (u64, u64);

/// Finds out who owns sockets.
pub struct Owners {
    source: Source,
    now: Now,
    pace: Pace,
    found: BTreeMap<Key, Entry>,
    scanned: Option<Instant>,
    /// Sockets that no process had open, and when that was.
    none: HashMap<Key, Instant>,
}

enum Source {
    /// Answers do not change.
    Fixed,
    Scan(Scan),
}

struct Entry {
    owner: Owner,
    /// The process counted last: all sockets of one come in a row.
    last: u32,
}

impl Owners {
    /// Finds them by going through all sockets.
    pub fn new(scan: Scan, now: Now) -> Self {
        Self::of(Source::Scan(scan), now)
    }

    /// Knows these, by the inode and the address of the socket, and no others.
    pub fn fixed(owners: impl IntoIterator<Item = ((u64, u64), Owner)>) -> Self {
        let mut fixed = Self::of(Source::Fixed, Box::new(Instant::now));
        let entry = |owner: Owner| Entry { last: owner.pid, owner };
        fixed.found = owners.into_iter().map(|(key, owner)| (key, entry(owner))).collect();
        fixed
    }

    /// From now on the socket belongs to this process, or to none.
    pub fn learn(&mut self, socket: (u64, u64), owner: Option<Owner>) {
        match owner {
            Some(owner) => drop(self.found.insert(socket, Entry { last: owner.pid, owner })),
            None => drop(self.found.remove(&socket)),
        }
    }

    fn of(source: Source, now: Now) -> Self {
        Self {
            source,
            now,
            pace: Pace::default(),
            found: BTreeMap::new(),
            scanned: None,
            none: HashMap::new(),
        }
    }

    /// Who has this socket open: of several processes the first one that is not init. None where
    /// nobody has, or where that is not known now.
    pub fn owner(&mut self, socket: &Socket) -> Option<Owner> {
        let full = socket.details?.full?;
        let key = (full.inode?, socket.address);
        // The sock of a TCP connection may be a part of an MPTCP one, whose file it has.
        let any_address = i32::from(full.protocol) == libc::IPPROTO_TCP;
        if let Source::Fixed = self.source {
            return self.lookup(key, any_address);
        }
        let now = (self.now)();
        let since = |time: Instant| now.saturating_duration_since(time);
        let known = self.lookup(key, any_address);
        let is_fresh = match known {
            Some(_) => self.scanned.is_some_and(|time| since(time) < MAX_AGE),
            None => self.none.get(&key).is_some_and(|&time| since(time) < MAX_AGE_OF_NONE),
        };
        if is_fresh || !self.pace.permits(now) {
            return known;
        }
        self.scan(key);
        let found = self.lookup(key, any_address);
        if found.is_none() {
            if self.none.len() >= MAX_NONE {
                self.none.clear();
            }
            self.none.insert(key, self.scanned.unwrap_or(now));
        }
        found
    }

    fn lookup(&self, (inode, address): Key, any_address: bool) -> Option<Owner> {
        let exact = self.found.get(&(inode, address));
        let by_inode = || {
            let mut all = self.found.range((inode, 0)..=(inode, u64::MAX));
            all.next().map(|(_, entry)| entry).filter(|_| any_address && all.next().is_none())
        };
        exact.or_else(by_inode).map(|entry| entry.owner)
    }

    fn scan(&mut self, wanted: Key) {
        let Source::Scan(scan) = &mut self.source else { return };
        let begin = (self.now)();
        self.found.clear();
        let found = &mut self.found;
        let result = scan(&mut |socket| {
            let key = (socket.inode, socket.address);
            if found.len() < MAX_SOCKETS || found.contains_key(&key) || key.0 == wanted.0 {
                add(found, key, &socket);
            }
        });
        if let Err(error) = result {
            debug!("owners of sockets are unknown: {error:#}");
            self.found.clear();
        }
        let end = (self.now)();
        self.scanned = Some(end);
        self.pace.spent(begin, end);
    }
}

fn add(found: &mut BTreeMap<Key, Entry>, key: Key, socket: &SocketOwner) {
    let pid = socket.process.tgid;
    let comm = Name::of_field(socket.process.comm);
    let Some(entry) = found.get_mut(&key) else {
        found.insert(key, Entry { owner: Owner { pid, comm, others: 0 }, last: pid });
        return;
    };
    let owner = &mut entry.owner;
    if pid == owner.pid || pid == entry.last {
        return;
    }
    entry.last = pid;
    owner.others = owner.others.saturating_add(1);
    if owner.pid == INIT || (pid < owner.pid && pid != INIT) {
        (owner.pid, owner.comm) = (pid, comm);
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use anyhow::bail;
    use dropwatch_common::owner::Process;

    use super::*;
    use crate::{
        drop::{FullSocket, SocketDetails},
        world::pace::TestClock,
    };

    /// What a scan finds, how long it takes, and how many there were.
    #[derive(Default)]
    struct World {
        sockets: Vec<SocketOwner>,
        millis: u64,
        scans: u32,
        fails: bool,
    }

    fn setup(sockets: &[(u64, u64, u32)]) -> (Owners, Rc<RefCell<World>>, TestClock) {
        let owner = |&(inode, address, tgid): &(u64, u64, u32)| SocketOwner {
            address,
            inode,
            process: Process { tgid, netns: 1, comm: *b"server\0\0\0\0\0\0\0\0\0\0" },
        };
        let sockets = sockets.iter().map(owner).collect();
        let world = Rc::new(RefCell::new(World { sockets, millis: 1, ..World::default() }));
        let clock = TestClock::new();
        let (shared, passing) = (Rc::clone(&world), clock.clone());
        let scan: Scan = Box::new(move |each| {
            let mut world = shared.borrow_mut();
            world.scans += 1;
            passing.pass(world.millis);
            world.sockets.iter().for_each(|&socket| each(socket));
            if world.fails {
                bail!("the kernel does not like it");
            }
            Ok(())
        });
        (Owners::new(scan, clock.now()), world, clock)
    }

    fn socket(inode: u64, address: u64, protocol: i32) -> Socket {
        let full = FullSocket {
            kind: 1,
            protocol: protocol as u16,
            uid: 0,
            inode: Some(inode).filter(|&inode| inode != 0),
            cgroup: None,
        };
        let details = SocketDetails {
            family: 2,
            state: 1,
            local: None,
            remote: None,
            cookie: None,
            full: Some(full),
        };
        Socket { address, receiver: true, details: Some(details) }
    }

    fn udp(inode: u64, address: u64) -> Socket {
        socket(inode, address, libc::IPPROTO_UDP)
    }

    fn pid(owners: &mut Owners, socket: &Socket) -> Option<u32> {
        owners.owner(socket).map(|owner| owner.pid)
    }

    #[test]
    fn one_scan_is_for_all_sockets() {
        let (mut owners, world, _clock) = setup(&[(10, 1, 100), (11, 2, 101)]);
        let owner = owners.owner(&udp(10, 1)).expect("an owner");
        assert_eq!((owner.pid, owner.comm.bytes(), owner.others), (100, &b"server"[..], 0));
        assert_eq!(pid(&mut owners, &udp(11, 2)), Some(101));
        assert_eq!(world.borrow().scans, 1);
    }

    #[test]
    fn without_an_inode_nothing_is_asked() {
        let (mut owners, world, _clock) = setup(&[(0, 1, 100)]);
        assert_eq!(owners.owner(&udp(0, 1)), None);
        assert_eq!(owners.owner(&Socket { address: 1, receiver: true, details: None }), None);
        assert_eq!(world.borrow().scans, 0);
    }

    #[test]
    fn an_address_used_again_is_not_misattributed() {
        let (mut owners, _world, _clock) = setup(&[(10, 1, 100)]);
        assert_eq!(owners.owner(&udp(12, 1)), None);
        assert_eq!(owners.owner(&udp(10, 7)), None);
    }

    #[test]
    fn a_part_of_an_mptcp_connection_has_its_file() {
        let (mut owners, world, clock) = setup(&[(10, 1, 100)]);
        assert_eq!(pid(&mut owners, &socket(10, 7, libc::IPPROTO_TCP)), Some(100));
        let second = SocketOwner { address: 3, ..world.borrow().sockets[0] };
        world.borrow_mut().sockets.push(second);
        clock.pass(60_000);
        assert_eq!(pid(&mut owners, &socket(10, 7, libc::IPPROTO_TCP)), None);
        assert_eq!(pid(&mut owners, &socket(10, 3, libc::IPPROTO_TCP)), Some(100));
    }

    #[test]
    fn of_several_the_first_that_is_not_init() {
        let (mut owners, _world, _clock) =
            setup(&[(10, 1, 1), (10, 1, 1), (10, 1, 200), (10, 1, 200), (10, 1, 150)]);
        let owner = owners.owner(&udp(10, 1)).expect("an owner");
        assert_eq!((owner.pid, owner.others), (150, 2));
    }

    #[test]
    fn unknown_sockets_scan_less_than_a_tenth_of_the_time() {
        let (mut owners, world, clock) = setup(&[(1, 1, 100)]);
        world.borrow_mut().millis = 20;
        for inode in 1000..11_000 {
            assert_eq!(owners.owner(&udp(inode, 5)), None);
            clock.pass(1);
        }
        // Each takes 20 ms, and is followed by a pause of 200.
        assert!((45..=51).contains(&world.borrow().scans), "{}", world.borrow().scans);
    }

    #[test]
    fn what_was_not_looked_up_is_asked_again() {
        let (mut owners, world, clock) = setup(&[]);
        assert_eq!(owners.owner(&udp(10, 1)), None);
        let new = SocketOwner {
            address: 2,
            inode: 11,
            process: Process { tgid: 9, ..Process::default() },
        };
        world.borrow_mut().sockets.push(new);
        assert_eq!(owners.owner(&udp(11, 2)), None);
        clock.pass(50);
        assert_eq!(pid(&mut owners, &udp(11, 2)), Some(9));
        assert_eq!(world.borrow().scans, 2);
    }

    #[test]
    fn a_socket_without_an_owner_is_looked_up_once_a_second() {
        let (mut owners, world, clock) = setup(&[]);
        for _ in 0..10_000 {
            assert_eq!(owners.owner(&udp(10, 1)), None);
            assert_eq!(owners.owner(&udp(11, 2)), None);
            clock.pass(1);
        }
        assert!((18..=21).contains(&world.borrow().scans), "{}", world.borrow().scans);
    }

    #[test]
    fn owners_are_looked_up_again() {
        let (mut owners, world, clock) = setup(&[(10, 1, 100)]);
        assert_eq!(pid(&mut owners, &udp(10, 1)), Some(100));
        world.borrow_mut().sockets.clear();
        clock.pass(4_000);
        assert_eq!(pid(&mut owners, &udp(10, 1)), Some(100));
        clock.pass(1_000);
        assert_eq!(pid(&mut owners, &udp(10, 1)), None);
    }

    #[test]
    fn a_scan_that_fails_tells_nothing() {
        let (mut owners, world, clock) = setup(&[(10, 1, 100)]);
        world.borrow_mut().fails = true;
        assert_eq!(owners.owner(&udp(10, 1)), None);
        world.borrow_mut().fails = false;
        clock.pass(1_000);
        assert_eq!(pid(&mut owners, &udp(10, 1)), Some(100));
    }

    #[test]
    fn memory_is_bounded_and_what_is_wanted_found() {
        let all: Vec<_> = (1..=MAX_SOCKETS as u64 + 1000).map(|inode| (inode, 1, 5)).collect();
        let (mut owners, _world, _clock) = setup(&all);
        let last = udp(all.len() as u64, 1);
        assert_eq!(pid(&mut owners, &last), Some(5));
        assert_eq!(owners.found.len(), MAX_SOCKETS + 1);
    }

    #[test]
    fn fixed_ones_do_not_change() {
        let owner =
            Owner { pid: 3, comm: Name::of_field(*b"nc\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), others: 0 };
        let mut owners = Owners::fixed([((10, 1), owner)]);
        assert_eq!(owners.owner(&udp(10, 1)), Some(owner));
        assert_eq!(owners.owner(&udp(11, 1)), None);
    }
}

//! The machine on which the drops of [`super::traffic`] happen. Who owns sockets and what network
//! namespaces are called is looked up as on a real one, with a look at the clock each time.

use std::{fs, time::Instant};

use dropwatch::{
    clock::Clock,
    kernel::reasons::Reasons,
    render::sources::Sources,
    symbols::{Frame, Symbol, Symbols},
    world::{Facts, World, netns, netns::Namespaces, owners::Owners},
};
use dropwatch_common::owner::{Process, SocketOwner};

pub const REASONS: [(u32, &str); 8] = [
    (2, "NOT_SPECIFIED"),
    (3, "NO_SOCKET"),
    (6, "SOCKET_FILTER"),
    (8, "UDP_CSUM"),
    (11, "NETFILTER_DROP"),
    (15, "SOCKET_RCVBUFF"),
    (33, "TCP_INVALID_SEQUENCE"),
    (52, "NEIGH_FAILED"),
];
/// Devices, and the network namespaces they are in.
pub const PLACES: u64 = 8;
pub const TASKS: u64 = 16;
pub const SOCKETS: u64 = 256;
pub const LOCATIONS: u64 = 24;
pub const STACKS: u64 = 64;
/// Frames of a stack, and how many of them are the tracer's.
pub const DEPTH: u64 = 24;
pub const OVERHEAD: usize = 4;

const FIRST: u64 = 0xffff_ffff_8100_0000;

pub fn location(number: u64) -> u64 {
    FIRST + 0x1235 * number
}

/// Stacks have their outermost frames in common.
pub fn stack(number: u64) -> Vec<u64> {
    let frame = |depth| {
        let branch = if depth < DEPTH / 2 { number % STACKS } else { 0 };
        location(100 + depth + DEPTH * branch)
    };
    (0..DEPTH).map(frame).collect()
}

pub fn task(number: u64) -> ([u8; 16], u32) {
    let mut comm = [0; 16];
    let name = ["nginx", "systemd-resolve", "kworker/2:1-eve", "swapper/3"][number as usize % 4];
    comm[..name.len()].copy_from_slice(name.as_bytes());
    (comm, 1000 + 777 * number as u32)
}

pub fn netns(place: u64) -> u32 {
    4_026_531_840 + place as u32 % 4
}

pub fn socket(number: u64) -> (u64, u64) {
    (0xffff_8881_0000_0000 + 0x980 * number, 100_000 + number)
}

pub fn uid(number: u64) -> u32 {
    [0, 33, 101, 1000][number as usize % 4]
}

pub fn cgroup(number: u64) -> u64 {
    4000 + number % 16
}

pub fn sources() -> Sources {
    let names = REASONS.map(|(number, name)| (number, name.to_owned()));
    Sources {
        reasons: Reasons::of_trace_event(&names),
        symbols: symbols(),
        clock: Clock::fixed(1_795_446_245_000_000_000),
        world: world(),
    }
}

fn world() -> World {
    let cgroups = (0..16)
        .map(|number| (cgroup(number), format!("/system.slice/service-{number}.service").into()));
    let users = [(0, "root"), (33, "www-data"), (101, "resolve"), (1000, "somebody")];
    let mut world = World::fixed(Facts {
        cgroups: cgroups.collect(),
        users: users.map(|(uid, name)| (uid, name.into())).into(),
        ..Facts::default()
    });
    let process = |number: u64| {
        let (comm, tgid) = task(number % TASKS);
        Process { tgid, netns: netns(number), comm }
    };
    let owners = move |each: &mut dyn FnMut(SocketOwner)| {
        (0..SOCKETS).for_each(|number| {
            let (address, inode) = socket(number);
            each(SocketOwner { address, inode, process: process(number) });
        });
        Ok(())
    };
    let processes = move |each: &mut dyn FnMut(Process)| {
        (0..TASKS).for_each(|number| each(process(number)));
        Ok(())
    };
    world.owners = Owners::new(Box::new(owners), Box::new(Instant::now));
    let sources = netns::Sources {
        names: "/nowhere".into(),
        fallback_names: "/nowhere".into(),
        device: None,
        proc: None,
        host: Some(netns(0)),
        own: None,
        scan: Some(Box::new(processes)),
    };
    world.namespaces = Namespaces::new(sources, Box::new(Instant::now));
    world
}

pub fn symbols() -> Symbols {
    Symbols::of_frames((0..100 + DEPTH * STACKS).map(|number| {
        let name = format!("__netif_receive_skb_{}", number % 1000);
        let (module, source, inlined) = (None, None, Vec::new());
        let symbol = Symbol { name, offset: 0x8d, module, source, inlined };
        Frame { address: location(number), symbol: Some(symbol) }
    }))
}

/// Addresses in functions of the running kernel.
pub fn addresses_of_running_kernel() -> impl Iterator<Item = u64> + Clone {
    let symbols = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let address = |line: &str| {
        let mut words = line.split(' ');
        let address = u64::from_str_radix(words.next()?, 16).ok()?;
        words.next().is_some_and(|kind| kind.eq_ignore_ascii_case("t")).then_some(address + 1)
    };
    let addresses: Vec<_> = symbols.lines().filter_map(address).filter(|&it| it > 1).collect();
    // From all over the kernel.
    let count = addresses.len();
    (0..count).map(move |number| addresses[number * 7919 % count])
}

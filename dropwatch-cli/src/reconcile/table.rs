//! The table of counters and drops.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{Ended, movement::Movement};
use crate::{
    counts::Snapshot,
    render::{
        plain_table::{Line, write_aligned},
        sources::Sources,
    },
    write::push,
};

/// Columns of numbers: how far a counter moved, and how many drops were seen.
const NUMBERS: usize = 2;
/// So many reasons are named in a line.
const MAX_REASONS: usize = 6;

/// Drops with all in common that tells what counts them.
struct Seen {
    netns: Option<u32>,
    reason: String,
    protocol: Option<u16>,
    function: Option<String>,
    interface: Option<u32>,
    drops: u64,
    /// Whether a counter that moved counts them.
    is_counted: bool,
}

/// Appends a line for each counter that moved, one for the drops of each namespace that none of
/// them counts, and remarks.
pub fn text(ended: &Ended, snapshot: &Snapshot, sources: &mut Sources) -> String {
    let mut seen = seen(snapshot, sources);
    let heading = ["MOVED", "SEEN", "NETNS", "COUNTER", "REASONS"];
    let mut lines = vec![heading.map(|name| name.as_bytes().to_vec()).to_vec()];
    lines.extend(ended.movements.iter().map(|it| counted(it, &mut seen, sources)));
    lines.extend(uncounted(ended, &seen, sources));
    let mut out = Vec::new();
    if lines.len() > 1 {
        write_aligned(&lines, NUMBERS, &mut out);
    } else {
        out.extend(b"dropwatch: no counter of losses has moved, and no drop was seen\n");
    }
    if !ended.gone.is_empty() {
        let names = ended.gone.iter().map(|gone| {
            let mut name = Vec::new();
            gone.name.write(&mut name);
            name.extend(b" of ");
            sources.world.write_netns(gone.netns, &mut name);
            String::from_utf8_lossy(&name).into_owned()
        });
        let names = names.collect::<Vec<_>>().join(", ");
        push(&mut out, format_args!("dropwatch: gone with their counters: {names}\n"));
    }
    if ended.is_narrowed {
        out.extend(b"dropwatch: SEEN is what passed the filters, and counters count everything\n");
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn seen(snapshot: &Snapshot, sources: &mut Sources) -> Vec<Seen> {
    let seen = snapshot.rows.iter().map(|(key, drops)| Seen {
        netns: key.netns,
        reason: match key.reason {
            Some(raw) => sources.reasons.name(raw).to_owned(),
            None => "unknown".to_owned(),
        },
        protocol: key.protocol,
        function: key.location.and_then(|location| {
            let frame = sources.symbols.frame(location);
            frame.symbol.as_ref().map(|symbol| symbol.name.clone())
        }),
        interface: key.interface.map(|interface| interface.index),
        drops: *drops,
        is_counted: false,
    });
    seen.collect()
}

/// The line of a counter that moved.
fn counted(movement: &Movement, seen: &mut [Seen], sources: &mut Sources) -> Line {
    let Movement { netns, link, mapping, by } = movement;
    let belongs = |it: &Seen| {
        let is_there = link.is_none_or(|(index, _)| it.interface == Some(index));
        is_there && mapping.counts(&it.reason, it.protocol, it.function.as_deref())
    };
    let (mut reasons, mut elsewhere) = (BTreeMap::new(), 0);
    for it in seen.iter_mut().filter(|it| belongs(it)) {
        if netns.is_none() || it.netns == *netns {
            it.is_counted = true;
            *reasons.entry(it.reason.as_str()).or_insert(0) += it.drops;
        } else if it.netns.is_none() && link.is_none() {
            elsewhere += it.drops;
        }
    }
    let sum: u64 = reasons.values().sum();
    let mut said = Vec::new();
    if sum > 0 {
        said.push(names(&reasons));
    } else if !mapping.reasons.is_empty() {
        said.push(format!("no {}", mapping.reasons.join(", no ")));
    }
    if *by > sum && !mapping.note.is_empty() {
        said.push(mapping.note.to_owned());
    }
    if elsewhere > 0 {
        said.push(format!("{elsewhere} more of no known namespace"));
    }
    let mut counter = Vec::new();
    if let Some((_, name)) = link {
        name.write(&mut counter);
        counter.push(b' ');
    }
    counter.extend(mapping.counter.as_bytes());
    let numbers = [by.to_string(), sum.to_string()].map(String::into_bytes);
    let place = match netns {
        Some(inum) => name_of(*inum, sources),
        None => b"(all)".to_vec(),
    };
    numbers.into_iter().chain([place, counter, said.join("; ").into_bytes()]).collect()
}

/// A line for each namespace that has drops which none of the counters that moved counts.
fn uncounted(ended: &Ended, seen: &[Seen], sources: &mut Sources) -> Vec<Line> {
    let mut namespaces: BTreeMap<Option<u32>, BTreeMap<&str, u64>> = BTreeMap::new();
    for it in seen.iter().filter(|it| !it.is_counted) {
        let reasons = namespaces.entry(it.netns).or_default();
        *reasons.entry(it.reason.as_str()).or_insert(0) += it.drops;
    }
    let mut line = |(netns, reasons): (Option<u32>, BTreeMap<&str, u64>)| {
        let place = netns.map_or_else(|| b"-".to_vec(), |inum| name_of(inum, sources));
        let (counter, remark) = match netns {
            None => ("(any)", "; of no known namespace"),
            Some(inum) if ended.namespaces.contains(&inum) => ("(none of these)", ""),
            Some(_) => (
                "(unknown)",
                "; its counters are unknown, it was not there at the start or not entered",
            ),
        };
        let sum: u64 = reasons.values().sum();
        let said = names(&reasons) + remark;
        let cells = [b"-".to_vec(), sum.to_string().into_bytes(), place];
        cells.into_iter().chain([counter.into(), said.into_bytes()]).collect()
    };
    namespaces.into_iter().map(&mut line).collect()
}

/// Reasons by how often they happened; the number is told where there are several.
fn names(reasons: &BTreeMap<&str, u64>) -> String {
    let mut sorted: Vec<_> = reasons.iter().collect();
    sorted.sort_by_key(|(_, drops)| Reverse(**drops));
    if let [(name, _)] = sorted[..] {
        return (*name).to_owned();
    }
    let mut named: Vec<_> =
        sorted.iter().take(MAX_REASONS).map(|(name, drops)| format!("{name} {drops}")).collect();
    if sorted.len() > MAX_REASONS {
        let rest: u64 = sorted[MAX_REASONS..].iter().map(|(_, drops)| **drops).sum();
        named.push(format!("others {rest}"));
    }
    named.join(", ")
}

fn name_of(inum: u32, sources: &mut Sources) -> Vec<u8> {
    let mut name = Vec::new();
    sources.world.write_netns(inum, &mut name);
    name
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use dropwatch_common::counters::Counters;

    use super::*;
    use crate::{
        counts::key::{Interface, Key},
        drop::Name,
        kernel::reasons::Reasons,
        reconcile::{
            mapping::{LINKS, MACHINE, PROTOCOLS},
            movement::Gone,
        },
        symbols::{Frame, Symbol, Symbols},
        world::{Facts, World, netns::NetnsName},
    };

    const BLUE: u32 = 1;
    const GREEN: u32 = 2;

    fn name(bytes: &[u8]) -> Name {
        let mut field = [0; 16];
        field[..bytes.len()].copy_from_slice(bytes);
        Name::of_field(field)
    }

    fn sources() -> Sources {
        let names = [(2, "NO_SOCKET"), (3, "UNHANDLED_PROTO"), (4, "NETFILTER_DROP")];
        let function = |address, name: &str| {
            let name = name.to_owned();
            let symbol = Symbol { name, offset: 1, module: None, source: None, inlined: vec![] };
            Frame { address, symbol: Some(symbol) }
        };
        let named = |name: &str| NetnsName::Named(name.as_bytes().to_vec());
        Sources {
            reasons: Reasons::of_trace_event(&names.map(|(raw, name)| (raw, name.to_owned()))),
            symbols: Symbols::of_frames([
                function(10, "__udp4_lib_rcv"),
                function(11, "tcp_v4_rcv"),
            ]),
            world: World::fixed(Facts {
                namespaces: vec![(BLUE, named("blue")), (GREEN, named("green"))],
                ..Facts::default()
            }),
            ..Sources::of_recording()
        }
    }

    fn movement(netns: Option<u32>, counter: &str, by: u64) -> Movement {
        let mut all = PROTOCOLS.iter().chain(LINKS).chain(MACHINE);
        let mapping = all.find(|mapping| mapping.counter == counter).expect(counter);
        let is_of_link = LINKS.iter().any(|mapping| mapping.counter == counter);
        let link = is_of_link.then_some((5, name(b"eth0")));
        Movement { netns, link, mapping, by }
    }

    fn text(ended: &Ended, rows: &[(Key, u64)]) -> String {
        let rows = rows.to_vec();
        let counters = Counters::default();
        let snapshot = Snapshot { at: Instant::now(), rows, other: 0, counters };
        super::text(ended, &snapshot, &mut sources())
    }

    fn key(netns: Option<u32>, reason: u32, location: u64, index: u32) -> Key {
        Key {
            netns,
            reason: Some(reason),
            location: Some(location),
            protocol: Some(0x0800),
            interface: Some(Interface { index, name: None }),
            ..Key::default()
        }
    }

    #[test]
    fn counters_stand_beside_the_drops_that_they_count() {
        let ended = Ended {
            movements: vec![
                movement(Some(BLUE), "UdpNoPorts", 200),
                movement(Some(BLUE), "UdpMemErrors", 1),
                movement(Some(BLUE), "rx_missed_errors", 1204),
                movement(Some(BLUE), "rx_dropped", 10),
                movement(None, "softnet dropped", 3),
            ],
            gone: vec![Gone { netns: BLUE, name: name(b"veth1") }],
            namespaces: vec![BLUE],
            is_narrowed: true,
        };
        let rows = [
            (key(Some(BLUE), 2, 10, 5), 150),
            (key(Some(BLUE), 2, 10, 6), 50),
            // By TCP, and in another namespace, and in one that is not known.
            (key(Some(BLUE), 2, 11, 5), 7),
            (key(Some(GREEN), 2, 10, 5), 9),
            (key(None, 2, 10, 0), 4),
            // At eth0, and at another device.
            (key(Some(BLUE), 3, 12, 5), 8),
            (key(Some(BLUE), 3, 12, 6), 1),
            (key(Some(BLUE), 4, 12, 6), 30),
        ];
        let expected = "\
MOVED  SEEN  NETNS  COUNTER                REASONS
  200   200  blue   UdpNoPorts             NO_SOCKET; 4 more of no known namespace
    1     0  blue   UdpMemErrors           no PROTO_MEM
 1204     0  blue   eth0 rx_missed_errors  the NIC dropped these before any skb existed
   10     8  blue   eth0 rx_dropped        UNHANDLED_PROTO; dropped by the driver or device, where no skb tells a reason
    3     0  (all)  softnet dropped        no CPU_BACKLOG
    -     4  -      (any)                  NO_SOCKET; of no known namespace
    -    38  blue   (none of these)        NETFILTER_DROP 30, NO_SOCKET 7, UNHANDLED_PROTO 1
    -     9  green  (unknown)              NO_SOCKET; its counters are unknown, it was not there at the start or not entered
dropwatch: gone with their counters: veth1 of blue
dropwatch: SEEN is what passed the filters, and counters count everything
";
        assert_eq!(text(&ended, &rows), expected);
    }

    #[test]
    fn where_nothing_happened_that_is_said() {
        let text = text(&Ended::default(), &[]);
        assert_eq!(text, "dropwatch: no counter of losses has moved, and no drop was seen\n");
    }
}

//! Which counters of losses moved between two readings.

use super::{
    counters::{Counters, moved},
    links::Link,
    mapping::{LINKS, MACHINE, Mapping, PROTOCOLS},
    namespaces::State,
};
use crate::drop::Name;

/// A counter that moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Inode number of the network namespace; none for a counter of the whole machine.
    pub netns: Option<u32>,
    /// Index and name of the interface, where it is one of an interface.
    pub link: Option<(u32, Name)>,
    /// What the counter means.
    pub mapping: &'static Mapping,
    /// How far it moved.
    pub by: u64,
}

/// An interface that is no longer where it was, and whose counters nobody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Its name.
    pub name: Name,
}

/// The counters of a network namespace that moved. A new interface has counted from zero.
pub fn of_namespace(netns: u32, before: &State, after: &State) -> Vec<Movement> {
    let netns = Some(netns);
    let mut movements = between(PROTOCOLS, netns, None, &before.protocols, &after.protocols);
    let nothing = Counters::new();
    for (index, Link { name, counters }) in &after.links {
        let before = before.links.get(index).map_or(&nothing, |link| &link.counters);
        movements.extend(between(LINKS, netns, Some((*index, *name)), before, counters));
    }
    movements
}

/// The interfaces of a network namespace that went away.
pub fn gone(netns: u32, before: &State, after: &State) -> Vec<Gone> {
    let gone = before.links.iter().filter(|(index, _)| !after.links.contains_key(index));
    gone.map(|(_, link)| Gone { netns, name: link.name }).collect()
}

/// The counters of the whole machine that moved.
pub fn of_machine(before: &Counters, after: &Counters) -> Vec<Movement> {
    between(MACHINE, None, None, before, after)
}

fn between(
    mappings: &'static [Mapping],
    netns: Option<u32>,
    link: Option<(u32, Name)>,
    before: &Counters,
    after: &Counters,
) -> Vec<Movement> {
    let movement = |mapping: &'static Mapping| {
        let after = *after.get(mapping.counter)?;
        // `/proc` leaves some out as long as they are zero.
        let before = before.get(mapping.counter).copied().unwrap_or(0);
        let by = moved(before, after);
        (by > 0).then_some(Movement { netns, link, mapping, by })
    };
    mappings.iter().filter_map(movement).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(all: &[(&str, u64)]) -> Counters {
        all.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
    }

    fn link(name: &[u8], all: &[(&str, u64)]) -> Link {
        let mut field = [0; 16];
        field[..name.len()].copy_from_slice(name);
        Link { name: Name::of_field(field), counters: counters(all) }
    }

    #[test]
    fn only_losses_that_moved_are_told() {
        let before = State {
            protocols: counters(&[("UdpNoPorts", 5), ("UdpInDatagrams", 1), ("IpInDiscards", 3)]),
            ..State::default()
        };
        let after = State {
            protocols: counters(&[("UdpNoPorts", 7), ("UdpInDatagrams", 9), ("UdpMemErrors", 2)]),
            ..State::default()
        };
        let movements = of_namespace(9, &before, &after);
        let told: Vec<_> = movements.iter().map(|it| (it.mapping.counter, it.by)).collect();
        assert_eq!(told, [("UdpNoPorts", 2), ("UdpMemErrors", 2)]);
        assert!(movements.iter().all(|it| it.netns == Some(9) && it.link.is_none()));
        let softnet = |dropped| counters(&[("softnet dropped", dropped)]);
        assert_eq!(of_machine(&softnet(1), &softnet(1)), []);
        assert_eq!(of_machine(&softnet(1), &softnet(4))[0].by, 3);
    }

    #[test]
    fn interfaces_come_and_go() {
        let missed = |number| [("rx_missed_errors", number), ("rx_packets", number)];
        let state = |links: &[(u32, Link)]| State {
            links: links.iter().cloned().collect(),
            ..State::default()
        };
        let before = state(&[
            (1, link(b"stays", &missed(10))),
            (2, link(b"goes", &missed(20))),
            (3, link(b"renamed", &missed(30))),
        ]);
        let after = state(&[
            (1, link(b"stays", &missed(14))),
            (3, link(b"other", &missed(35))),
            (4, link(b"goes", &missed(6))),
        ]);
        let movements = of_namespace(9, &before, &after);
        let told = |movement: &Movement| {
            let (index, name) = movement.link.expect("an interface");
            (index, name.bytes().to_vec(), movement.by)
        };
        let told: Vec<_> = movements.iter().map(told).collect();
        let expected = [(1, &b"stays"[..], 4), (3, b"other", 5), (4, b"goes", 6)];
        assert_eq!(told, expected.map(|(index, name, by)| (index, name.to_vec(), by)));
        let gone = gone(9, &before, &after);
        assert_eq!(gone.len(), 1);
        assert_eq!(gone[0].name.bytes(), b"goes");
    }
}

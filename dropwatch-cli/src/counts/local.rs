//! Counting drops that have come out of the kernel: for the table at the end of a stream.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use dropwatch_common::counters::Counters;
use foldhash::fast::RandomState;

use super::{
    Snapshot,
    key::{Flow, Interface, Key},
};
use crate::drop::Drop;

/// Counts drops by key, of which there are so many at most.
#[derive(Debug)]
pub struct LocalCounts {
    counts: HashMap<Key, u64, RandomState>,
    max_keys: usize,
    by_flow: bool,
    other: u64,
    /// When the first and the last drop happened.
    times: Option<(u64, u64)>,
}

impl LocalCounts {
    /// Counts by all parts of a key, by flows only where they are asked for.
    pub fn new(max_keys: usize, by_flow: bool) -> Self {
        Self { counts: HashMap::default(), max_keys, by_flow, other: 0, times: None }
    }

    /// Counts a drop.
    pub fn add(&mut self, drop: &Drop) {
        let (first, last) = self.times.unwrap_or((u64::MAX, 0));
        self.times = Some((first.min(drop.boot_ns), last.max(drop.boot_ns)));
        let key = Key::of_drop(drop, self.by_flow);
        let is_full = self.counts.len() >= self.max_keys;
        match self.counts.get_mut(&key) {
            Some(count) => *count += 1,
            None if is_full => self.other += 1,
            None => {
                self.counts.insert(key, 1);
            }
        }
    }

    /// How long it took from the first drop to the last, in seconds; at least one, since a few
    /// drops at once are not thousands in a second.
    pub fn seconds(&self) -> f64 {
        let (first, last) = self.times.unwrap_or_default();
        Duration::from_nanos(last - first).as_secs_f64().max(1.0)
    }

    /// What was counted.
    pub fn snapshot(&self) -> Snapshot {
        let rows = self.counts.iter().map(|(key, count)| (*key, *count)).collect();
        let counters = Counters::default();
        Snapshot { at: Instant::now(), rows, other: self.other, counters }
    }
}

impl Key {
    /// What a drop is counted by, as the BPF program counts.
    pub fn of_drop(drop: &Drop, by_flow: bool) -> Self {
        let interface = match &drop.device {
            Some(device) => Some(Interface { index: device.index, name: Some(device.name) }),
            None => drop.iif.map(|index| Interface { index, name: None }),
        };
        let flow = || {
            let packet = drop.packet();
            let addresses = packet.source().zip(packet.destination());
            addresses.map(|(source, destination)| Flow {
                source,
                destination,
                ports: packet.ports(),
                l4: packet.l4(),
            })
        };
        Self {
            reason: drop.reason,
            location: Some(drop.location),
            protocol: drop.protocol,
            interface,
            netns: drop.netns,
            flow: if by_flow { flow() } else { None },
        }
    }
}

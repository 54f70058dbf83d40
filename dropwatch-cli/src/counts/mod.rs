//! Counting drops instead of showing each.

pub mod key;
pub mod table;

use std::time::Instant;

use dropwatch_common::counters::Counters;

use key::Key;

/// What was counted up to a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The moment.
    pub at: Instant,
    /// Drops since the start by key, in no order, each key once.
    pub rows: Vec<(Key, u64)>,
    /// Drops since the start for whose key there was no room.
    pub other: u64,
    /// What the BPF program counted besides.
    pub counters: Counters,
}

//! Counting drops instead of showing each.

mod batch;
pub mod kernel;
pub mod key;
pub mod local;
mod raw;
pub mod table;

use std::time::Instant;

use dropwatch_common::counters::Counters;

use key::Key;

/// What was counted up to a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The moment.
    pub at: Instant,
    /// Drops since the start by key, in no order. A key can be there more than once, each with a
    /// part of its drops.
    pub rows: Vec<(Key, u64)>,
    /// Drops since the start for whose key there was no room.
    pub other: u64,
    /// What the BPF program counted besides.
    pub counters: Counters,
}

impl Snapshot {
    /// Whether every drop that passed the filters is in a row or in `other`, but for those that
    /// were left out on purpose.
    pub fn is_complete(&self) -> bool {
        let Counters { matched, sampled_out, rate_limited, .. } = self.counters;
        let counted: u64 = self.rows.iter().map(|(_, drops)| drops).sum();
        counted + self.other + sampled_out + rate_limited >= matched
    }
}

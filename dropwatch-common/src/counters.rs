//! The counters that the BPF program keeps for each processor.

/// What happened to the drops that one processor saw. Nothing is lost without being counted.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Drops for which the program ran.
    pub seen: u64,
    /// Of these, drops that passed the filters.
    pub matched: u64,
    /// Of these, drops that sampling left out.
    pub sampled_out: u64,
    /// Of the rest, drops that were more than the limit of a second.
    pub rate_limited: u64,
    /// Of the rest, drops whose record found no room in the ring.
    pub lost: u64,
    /// Drops for which a stack was asked and none could be taken.
    pub stack_failed: u64,
}

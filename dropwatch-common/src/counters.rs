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
    /// Counted drops for whose key the table has no room.
    pub other: u64,
}

impl core::ops::Add for Counters {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            seen: self.seen + other.seen,
            matched: self.matched + other.matched,
            sampled_out: self.sampled_out + other.sampled_out,
            rate_limited: self.rate_limited + other.rate_limited,
            lost: self.lost + other.lost,
            stack_failed: self.stack_failed + other.stack_failed,
            other: self.other + other.other,
        }
    }
}

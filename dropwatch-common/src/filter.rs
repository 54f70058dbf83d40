//! The filters that the tool sets before it loads the BPF program.
//!
//! They are globals like the configuration: what is empty is pruned by the verifier. Of each
//! kind, something that is wanted has to be there, if anything is wanted, and nothing that is
//! excluded; all kinds have to agree.

use core::hint::black_box;

/// Name of the `.rodata` global holding a [`ReasonFilter`].
pub const REASON_FILTER_GLOBAL: &str = "REASON_FILTER";

/// Name of the `.rodata` global holding [`Filters`].
pub const FILTERS_GLOBAL: &str = "FILTERS";

/// So many alternatives of one kind there can be.
pub const MAX_ALTERNATIVES: usize = 32;

/// The filters besides that by reason.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filters {
    /// `sk_buff::protocol`, in host byte order.
    pub protocol: Choice<Ranges>,
    /// `sk_buff::len`.
    pub len: Choice<Ranges>,
    /// Process ids of the interrupted task.
    pub pid: Choice<Ranges>,
    /// Inode numbers of network namespaces.
    pub netns: Choice<Ranges>,
    /// Protocols in the IP header (`IPPROTO_*`), behind extension headers.
    pub l4: Choice<Ranges>,
    /// Source ports.
    pub source_port: Choice<Ranges>,
    /// Destination ports.
    pub destination_port: Choice<Ranges>,
    /// Ports of which either may be meant.
    pub port: Choice<Ranges>,
    /// Indexes of devices, of which `skb_iif` is one where the skb has no device. They and the
    /// names are alternatives.
    pub interface_index: Choice<Ranges>,
    /// Names of the interrupted task.
    pub comm: Choice<Names>,
    /// Names of devices.
    pub interface: Choice<Names>,
    /// What the map `FUNCTIONS` holds: 1 where locations are wanted, and only those pass.
    pub wanted_functions: u32,
    /// What the map `HOSTS` holds: the `WANTED_*` bits in it. A packet has to have each.
    pub wanted_hosts: u32,
}

/// In the map `HOSTS`: a source address that is wanted.
pub const WANTED_SOURCE: u32 = 1 << 0;
/// A destination address that is wanted.
pub const WANTED_DESTINATION: u32 = 1 << 1;
/// An address that is wanted on either side.
pub const WANTED_HOST: u32 = 1 << 2;
/// A source address that is excluded.
pub const EXCLUDED_SOURCE: u32 = 1 << 3;
/// A destination address that is excluded.
pub const EXCLUDED_DESTINATION: u32 = 1 << 4;
/// An address that is excluded on either side.
pub const EXCLUDED_HOST: u32 = 1 << 5;

/// In the map `FUNCTIONS`: a location that is wanted.
pub const WANTED_FUNCTION: u32 = 1 << 0;
/// A location that is excluded.
pub const EXCLUDED_FUNCTION: u32 = 1 << 1;

/// In the map `INPUTS`: a device that is wanted.
pub const WANTED_INPUT: u32 = 1 << 0;
/// A device that is excluded.
pub const EXCLUDED_INPUT: u32 = 1 << 1;

/// The key in the map `INPUTS` of the device with this index in a network namespace.
#[inline(always)]
pub fn input_key(netns: u32, index: u32) -> u64 {
    (netns as u64) << 32 | index as u64
}

/// What is wanted of one kind, and what is excluded.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice<T> {
    /// The alternatives; all where there are none.
    pub wanted: T,
    /// Excluded even where it is wanted.
    pub excluded: T,
}

/// Ranges of numbers.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranges {
    /// How many there are.
    pub len: u64,
    /// First and last number of each.
    pub bounds: [[u64; 2]; MAX_ALTERNATIVES],
}

/// Names of up to 16 bytes, or what they begin with.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names {
    /// How many there are.
    pub len: u64,
    /// The names, in the order of their bytes in memory.
    pub names: [Name; MAX_ALTERNATIVES],
}

/// A name and which of its bits matter.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// The bytes, zero behind the name.
    pub value: [u64; 2],
    /// All ones where the bytes have to be equal.
    pub mask: [u64; 2],
}

impl Filters {
    /// Lets everything pass.
    pub const ALL: Self = Self {
        protocol: Choice::RANGES,
        len: Choice::RANGES,
        pid: Choice::RANGES,
        netns: Choice::RANGES,
        l4: Choice::RANGES,
        source_port: Choice::RANGES,
        destination_port: Choice::RANGES,
        port: Choice::RANGES,
        interface_index: Choice::RANGES,
        comm: Choice::NAMES,
        interface: Choice::NAMES,
        wanted_functions: 0,
        wanted_hosts: 0,
    };
}

impl Choice<Ranges> {
    /// Any number.
    pub const RANGES: Self = Self { wanted: Ranges::NONE, excluded: Ranges::NONE };
}

impl Choice<Names> {
    /// Any name.
    pub const NAMES: Self = Self { wanted: Names::NONE, excluded: Names::NONE };
}

impl Ranges {
    /// No number.
    pub const NONE: Self = Self { len: 0, bounds: [[0; 2]; MAX_ALTERNATIVES] };
}

impl Names {
    /// No name.
    pub const NONE: Self =
        Self { len: 0, names: [Name { value: [0; 2], mask: [0; 2] }; MAX_ALTERNATIVES] };
}

/// Subsystems that [`ReasonFilter`] can hold; kernels up to 7.3 have at most 4.
pub const FILTER_SUBSYSTEMS: usize = 16;
/// Reasons of one subsystem that [`ReasonFilter`] can hold; kernels up to 7.3 have at most 132.
pub const FILTER_REASONS: usize = 512;

const WORD_BITS: usize = u64::BITS as usize;
const WORDS: usize = FILTER_SUBSYSTEMS * FILTER_REASONS / WORD_BITS;
const _: () = assert!(WORDS.is_power_of_two());

/// The drop reasons that pass: one bit for each, plus one answer for all that have no bit.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonFilter {
    bits: [u64; WORDS],
    /// 1 when a reason that is beyond the bits passes.
    others: u64,
}

impl ReasonFilter {
    /// A filter that passes all reasons, or none.
    pub const fn new(pass: bool) -> Self {
        Self { bits: [if pass { u64::MAX } else { 0 }; WORDS], others: pass as u64 }
    }

    /// Lets the raw reason pass, or not. Answers false for a reason that has no bit.
    pub fn set(&mut self, reason: u32, pass: bool) -> bool {
        let Some((word, mask)) = Self::position(reason) else { return false };
        if pass {
            self.bits[word] |= mask;
        } else {
            self.bits[word] &= !mask;
        }
        true
    }

    /// Whether the raw reason passes.
    #[inline(always)]
    pub fn passes(&self, reason: u32) -> bool {
        match Self::position(reason) {
            Some((word, mask)) => self.bits[word] & mask != 0,
            None => self.others != 0,
        }
    }

    /// Word and mask of a reason's bit. The high 16 bits of a reason are its subsystem.
    #[inline(always)]
    fn position(reason: u32) -> Option<(usize, u64)> {
        let (subsystem, number) = ((reason >> 16) as usize, (reason & 0xffff) as usize);
        if subsystem >= FILTER_SUBSYSTEMS || number >= FILTER_REASONS {
            return None;
        }
        let bit = subsystem * FILTER_REASONS + number;
        // The mask changes nothing. It shows the verifier that the index is in bounds, which that
        // of Linux 6.1 cannot see by itself; the compiler, which can, must not take it away.
        Some((black_box(bit / WORD_BITS) & (WORDS - 1), 1 << (bit % WORD_BITS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_changes_one_reason_only() {
        let mut filter = ReasonFilter::new(false);
        for reason in [0, 63, 64, 511, 0x3_0001, 0xf_01ff] {
            assert!(!filter.passes(reason));
            assert!(filter.set(reason, true));
            assert!(filter.passes(reason));
            assert!(!filter.passes(reason ^ 1));
            assert!(!filter.passes(reason ^ 0x1_0000));
            assert!(filter.set(reason, false));
            assert_eq!(filter, ReasonFilter::new(false));
        }
    }

    #[test]
    fn reasons_without_a_bit_follow_the_default() {
        for reason in [512, 0x10_0000, 0xffff_0001, u32::MAX] {
            let mut filter = ReasonFilter::new(true);
            assert!(!filter.set(reason, false));
            assert!(filter.passes(reason));
            assert!(!ReasonFilter::new(false).passes(reason));
        }
    }
}

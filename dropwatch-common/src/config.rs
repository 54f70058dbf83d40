//! The globals that the tool sets before it loads the BPF program.
//!
//! They live in `.rodata`, which is frozen before the program is verified: the verifier knows
//! their values, so a feature that is off is pruned and costs nothing.

use core::hint::black_box;

/// An offset for a field that this kernel does not have.
pub const NO_FIELD: u32 = u32::MAX;

/// Name of the `.rodata` global holding a [`Config`].
pub const CONFIG_GLOBAL: &str = "CONFIG";

/// Name of the `.rodata` global holding a [`ReasonFilter`].
pub const REASON_FILTER_GLOBAL: &str = "REASON_FILTER";

/// What the program reads and reports. Set once, before the program is loaded.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the fields are in the kernel's structs; for the program that uses BTF.
    pub structs: StructOffsets,
    /// Where the fields are in the trace event; for the program that does without BTF.
    pub event: EventOffsets,
    /// 1 when the tracepoint passes a drop reason (kernel 5.17 and later).
    pub has_reason: u32,
    /// 1 when the tracepoint passes `rx_sk` (kernel 6.11 and later).
    pub has_rx_sk: u32,
    /// 1 to filter by [`ReasonFilter`].
    pub filter_reasons: u32,
    /// 1 to send a stack with each record.
    pub stacks: u32,
    /// Bytes waiting in the ring from which on the reader is woken without delay.
    pub wake_at: u32,
    /// The core reason for which the tracepoint `qdisc_drop` tells a finer one (kernel 7.1 and
    /// later); 0 where there is none.
    pub coarse_qdisc_reason: u32,
}

impl Config {
    /// Knows no field and asks for nothing.
    pub const EMPTY: Self = Self {
        structs: StructOffsets { skb_protocol: NO_FIELD, skb_len: NO_FIELD, task_comm: NO_FIELD },
        event: EventOffsets {
            location: NO_FIELD,
            protocol: NO_FIELD,
            reason: NO_FIELD,
            rx_sk: NO_FIELD,
        },
        has_reason: 0,
        has_rx_sk: 0,
        filter_reasons: 0,
        stacks: 0,
        wake_at: 0,
        coarse_qdisc_reason: 0,
    };
}

/// Byte offsets of fields in kernel structs, or [`NO_FIELD`].
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StructOffsets {
    /// `sk_buff::protocol`, 2 bytes in network byte order.
    pub skb_protocol: u32,
    /// `sk_buff::len`, 4 bytes.
    pub skb_len: u32,
    /// `task_struct::comm`, 16 bytes.
    pub task_comm: u32,
}

/// Byte offsets of fields in the trace event `skb:kfree_skb`, or [`NO_FIELD`]. They stand in
/// the event's `format` file in tracefs.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventOffsets {
    /// `location`, 8 bytes.
    pub location: u32,
    /// `protocol`, 2 bytes in host byte order.
    pub protocol: u32,
    /// `reason`, 4 bytes.
    pub reason: u32,
    /// `rx_sk`, 8 bytes.
    pub rx_sk: u32,
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

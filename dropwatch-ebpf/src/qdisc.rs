//! The finer reasons of queue disciplines.
//!
//! Since Linux 7.1 a packet that a queue discipline drops is freed with one core reason,
//! QDISC_DROP. The finer one is passed by a tracepoint of its own,
//! `trace_qdisc_drop(qdisc, txq, dev, skb, reason)`, just before the packet is freed.

use aya_ebpf::programs::BtfTracePointContext;

use crate::{globals, maps};

/// A packet that a queue discipline is about to free, by address, and why.
#[repr(C)]
pub struct QdiscDrop {
    skb: u64,
    reason: u64,
}

/// Keeps the reason until the packet is freed.
#[inline(always)]
pub fn remember(ctx: &BtfTracePointContext) {
    let Some(last) = maps::qdisc_drop() else { return };
    *last = QdiscDrop { skb: ctx.arg(3), reason: ctx.arg::<u32>(4).into() };
}

/// The finer reason, where this is the packet that a queue discipline dropped just now and it
/// had one: reasons that carry no subsystem say nothing.
#[inline(always)]
pub fn finest_reason(skb: u64, reason: u32) -> u32 {
    if globals::coarse_qdisc_reason() != Some(reason) {
        return reason;
    }
    match maps::qdisc_drop() {
        Some(last) if last.skb == skb && last.reason >> 16 != 0 => {
            last.skb = 0;
            last.reason as u32
        }
        _ => reason,
    }
}

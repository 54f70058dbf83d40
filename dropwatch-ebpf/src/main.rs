//! The BPF programs of dropwatch: they describe every dropped packet that passes the filters in
//! a record in the ring.
//!
//! The way of a drop: count it, filter it, describe it, put it into the ring. There are two
//! programs for the tracepoint `skb:kfree_skb`, of which one is attached, and one that learns finer
//! reasons.

#![no_std]
#![no_main]

mod btf_event;
mod filter;
mod globals;
mod maps;
mod qdisc;
mod ring;
mod stack;
mod task;
mod trace_event;

use aya_ebpf::{
    EbpfContext,
    macros::{btf_tracepoint, tracepoint},
    programs::{BtfTracePointContext, TracePointContext},
};
use dropwatch_common::record::DropRecord;

/// For kernels with BTF: reads the skb and the task where BTF says their fields are.
#[btf_tracepoint(function = "kfree_skb")]
pub fn kfree_skb(ctx: BtfTracePointContext) -> i32 {
    let reason = btf_event::reason(&ctx);
    report(&ctx, reason, || btf_event::describe(&ctx, reason));
    0
}

/// Why a queue discipline drops a packet, which it frees next (kernel 7.1 and later).
#[btf_tracepoint(function = "qdisc_drop")]
pub fn qdisc_drop(ctx: BtfTracePointContext) -> i32 {
    qdisc::remember(&ctx);
    0
}

/// For kernels without: reads what the trace event has.
#[tracepoint(category = "skb", name = "kfree_skb")]
pub fn kfree_skb_event(ctx: TracePointContext) -> u32 {
    let reason = trace_event::reason(&ctx);
    report(&ctx, reason, || trace_event::describe(&ctx, reason));
    0
}

#[inline(always)]
fn report(ctx: &impl EbpfContext, reason: Option<u32>, describe: impl FnOnce() -> DropRecord) {
    let Some(counters) = maps::counters() else { return };
    counters.seen += 1;
    if !filter::passes(reason) {
        return;
    }
    counters.matched += 1;
    if globals::stacks() {
        stack::send(ctx, counters, describe());
    } else {
        ring::send(counters, describe());
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier refuses a program in which this can be reached.
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

//! The BPF programs of dropwatch: they describe every dropped packet that passes the filters in
//! a record in the ring.
//!
//! The way of a drop: filter it, describe it, put it into the ring; or count it. Of the programs for
//! the tracepoint `skb:kfree_skb` one is attached, that for what the user wants and the kernel has:
//! the verifier takes its time for all that a program might do. One more learns finer reasons.

#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod btf_event;
mod cast;
mod context;
mod count;
mod device;
mod filter;
mod globals;
mod kernel;
mod maps;
mod owners;
mod packet;
mod qdisc;
mod ring;
mod sample;
mod skb;
mod socket;
mod source;
mod stack;
mod task;
mod trace_event;

use aya_ebpf::{
    macros::{btf_tracepoint, tracepoint},
    programs::{BtfTracePointContext, TracePointContext},
};

use dropwatch_common::count::PerProcessor;

use crate::{btf_event::BtfEvent, source::Source, trace_event::TraceEvent};

/// For kernels with BTF: sends a record of each drop.
#[btf_tracepoint(function = "kfree_skb")]
pub fn kfree_skb(ctx: BtfTracePointContext) -> i32 {
    let drop = BtfEvent::new(&ctx);
    if let Some(processor) = chosen(&drop) {
        ring::send(processor, &drop);
    }
    0
}

/// The same with the kernel stack.
#[btf_tracepoint(function = "kfree_skb")]
pub fn kfree_skb_stack(ctx: BtfTracePointContext) -> i32 {
    let drop = BtfEvent::new(&ctx);
    if let Some(processor) = chosen(&drop) {
        stack::send(&ctx, processor, &drop);
    }
    0
}

/// Counts drops in place of sending them.
#[btf_tracepoint(function = "kfree_skb")]
pub fn kfree_skb_count(ctx: BtfTracePointContext) -> i32 {
    let drop = BtfEvent::new(&ctx);
    if let Some(processor) = chosen(&drop) {
        count::count(&ctx, processor, &drop);
    }
    0
}

/// Why a queue discipline drops a packet, which it frees next (kernel 7.1 and later).
#[btf_tracepoint(function = "qdisc_drop")]
pub fn qdisc_drop(ctx: BtfTracePointContext) -> i32 {
    qdisc::remember(&ctx);
    0
}

/// For kernels without: sends a record of what the trace event has.
#[tracepoint(category = "skb", name = "kfree_skb")]
pub fn kfree_skb_event(ctx: TracePointContext) -> u32 {
    let drop = TraceEvent::new(&ctx);
    if let Some(processor) = chosen(&drop) {
        ring::send(processor, &drop);
    }
    0
}

/// The same with the kernel stack.
#[tracepoint(category = "skb", name = "kfree_skb")]
pub fn kfree_skb_event_stack(ctx: TracePointContext) -> u32 {
    let drop = TraceEvent::new(&ctx);
    if let Some(processor) = chosen(&drop) {
        stack::send(&ctx, processor, &drop);
    }
    0
}

/// Counts drops in place of sending them.
#[tracepoint(category = "skb", name = "kfree_skb")]
pub fn kfree_skb_event_count(ctx: TracePointContext) -> u32 {
    let drop = TraceEvent::new(&ctx);
    if let Some(processor) = chosen(&drop) {
        count::count(&ctx, processor, &drop);
    }
    0
}

/// Counts a drop as seen. What this processor keeps for itself, where the drop is to be reported.
#[inline(always)]
fn chosen(drop: &impl Source) -> Option<&'static mut PerProcessor> {
    let processor = maps::processor()?;
    let counters = &mut processor.counters;
    counters.seen += 1;
    if !filter::passes(drop, counters.seen) {
        return None;
    }
    counters.matched += 1;
    sample::takes(counters).then_some(processor)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier refuses a program in which this can be reached.
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

//! The BPF programs of dropwatch: they describe every dropped packet that passes the filters in
//! a record in the ring.
//!
//! The way of a drop: count it, filter it, describe it, put it into the ring. There are two
//! programs for the tracepoint `skb:kfree_skb`, of which one is attached, and one that learns finer
//! reasons.

#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod btf_event;
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
    EbpfContext,
    macros::{btf_tracepoint, tracepoint},
    programs::{BtfTracePointContext, TracePointContext},
};

use dropwatch_common::count::BY_NOTHING;

use crate::{btf_event::BtfEvent, globals::config, source::Source, trace_event::TraceEvent};

/// For kernels with BTF: reads the skb and the task where BTF says their fields are.
#[btf_tracepoint(function = "kfree_skb")]
pub fn kfree_skb(ctx: BtfTracePointContext) -> i32 {
    report(&ctx, &BtfEvent::new(&ctx));
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
    report(&ctx, &TraceEvent::new(&ctx));
    0
}

#[inline(always)]
fn report(ctx: &impl EbpfContext, drop: &impl Source) {
    let Some(processor) = maps::processor() else { return };
    let counters = &mut processor.counters;
    counters.seen += 1;
    if !filter::passes(drop, counters.seen) {
        return;
    }
    counters.matched += 1;
    if !sample::takes(counters) {
        return;
    }
    if config!(count_by) != BY_NOTHING {
        count::count(ctx, processor, drop);
    } else if config!(stacks) != 0 {
        stack::send(ctx, counters, drop);
    } else {
        ring::send(counters, drop, 0);
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

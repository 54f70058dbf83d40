//! The BPF program of dropwatch: it describes every dropped packet that passes the filters in
//! a record in the ring.
//!
//! The way of a drop: count it, filter it, describe it, put it into the ring. Kernel structs
//! are read at offsets that the tool resolved from the kernel's BTF (see [`globals`]).

#![no_std]
#![no_main]

mod filter;
mod globals;
mod maps;
mod ring;
mod skb;
mod stack;
mod task;

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use skb::Skb;

/// `skb:kfree_skb` through the kernel's BTF. Its arguments are those of
/// `trace_kfree_skb(skb, location, reason[, rx_sk])`; `rx_sk` came with kernel 6.11.
#[btf_tracepoint(function = "kfree_skb")]
pub fn kfree_skb(ctx: BtfTracePointContext) -> i32 {
    let Some(counters) = maps::counters() else { return 0 };
    counters.seen += 1;

    let reason = ctx.arg::<u32>(2);
    if !filter::passes(reason) {
        return 0;
    }
    counters.matched += 1;

    let record = skb::describe(&ctx, Skb::new(ctx.arg(0)), reason);
    if globals::stacks() {
        stack::send(&ctx, counters, record);
    } else {
        ring::send(counters, record);
    }
    0
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier refuses a program in which this can be reached.
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

//! Describing a drop by the trace event, as `/sys/kernel/tracing/events/skb/kfree_skb/format`
//! lays it out, where the kernel has no BTF.

use aya_ebpf::{
    EbpfContext,
    helpers::{
        bpf_probe_read_kernel,
        generated::{bpf_get_smp_processor_id, bpf_ktime_get_boot_ns},
    },
    programs::TracePointContext,
};
use dropwatch_common::record::{DropRecord, FLAG_COMM, FLAG_PROTOCOL, FLAG_REASON, FLAG_RX_SK};

use crate::{globals, task};

/// The raw drop reason, where the event has one.
#[inline(always)]
pub fn reason(ctx: &TracePointContext) -> Option<u32> {
    if !globals::has_reason() {
        return None;
    }
    read(ctx, globals::event_reason()?)
}

/// Everything that the record of a drop holds but its stack.
#[inline(always)]
pub fn describe(ctx: &TracePointContext, reason: Option<u32>) -> DropRecord {
    let (pid, tgid) = task::ids();
    let mut record = DropRecord {
        // SAFETY: the helper takes nothing and always succeeds.
        boot_ns: unsafe { bpf_ktime_get_boot_ns() },
        // SAFETY: as above.
        cpu: unsafe { bpf_get_smp_processor_id() },
        pid,
        tgid,
        ..DropRecord::default()
    };
    if let Some(location) = globals::event_location().and_then(|offset| read(ctx, offset)) {
        record.location = location;
    }
    if let Some(reason) = reason {
        record.flags |= FLAG_REASON;
        record.reason = reason;
    }
    if let Some(protocol) = globals::event_protocol().and_then(|offset| read(ctx, offset)) {
        record.flags |= FLAG_PROTOCOL;
        record.protocol = protocol;
    }
    if let Some(rx_sk) = globals::event_rx_sk().and_then(|offset| read(ctx, offset)) {
        record.flags |= FLAG_RX_SK;
        record.rx_sk = rx_sk;
    }
    if let Some(comm) = task::comm_by_helper() {
        record.flags |= FLAG_COMM;
        record.comm = comm;
    }
    record
}

/// A field of the event. Loads from the context itself would need offsets that are constants
/// in the program's code.
#[inline(always)]
fn read<T>(ctx: &TracePointContext, offset: usize) -> Option<T> {
    // SAFETY: the helper copes with any address.
    unsafe { bpf_probe_read_kernel(ctx.as_ptr().byte_add(offset).cast::<T>()) }.ok()
}

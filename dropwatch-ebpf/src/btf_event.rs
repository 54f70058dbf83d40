//! Describing a drop through BTF. The tracepoint's arguments are those of
//! `trace_kfree_skb(skb, location[, reason[, rx_sk]])`: `reason` came with Linux 5.17, `rx_sk`
//! with 6.11.

use core::ffi::c_void;

use aya_ebpf::{
    helpers::generated::{bpf_get_smp_processor_id, bpf_ktime_get_boot_ns},
    programs::BtfTracePointContext,
};
use dropwatch_common::record::{
    DropRecord, FLAG_COMM, FLAG_LEN, FLAG_PROTOCOL, FLAG_REASON, FLAG_RX_SK,
};

use crate::{globals, qdisc, task};

/// The raw drop reason, where the tracepoint passes one.
#[inline(always)]
pub fn reason(ctx: &BtfTracePointContext) -> Option<u32> {
    globals::has_reason().then(|| qdisc::finest_reason(ctx.arg(0), ctx.arg(2)))
}

/// Everything that the record of a drop holds but its stack.
#[inline(always)]
pub fn describe(ctx: &BtfTracePointContext, reason: Option<u32>) -> DropRecord {
    let skb = Skb(ctx.arg(0));
    let (pid, tgid) = task::ids();
    let mut record = DropRecord {
        // SAFETY: the helper takes nothing and always succeeds.
        boot_ns: unsafe { bpf_ktime_get_boot_ns() },
        // SAFETY: as above.
        cpu: unsafe { bpf_get_smp_processor_id() },
        location: ctx.arg(1),
        pid,
        tgid,
        ..DropRecord::default()
    };
    if let Some(reason) = reason {
        record.flags |= FLAG_REASON;
        record.reason = reason;
    }
    if let Some(protocol) = skb.protocol() {
        record.flags |= FLAG_PROTOCOL;
        record.protocol = protocol;
    }
    if let Some(len) = skb.len() {
        record.flags |= FLAG_LEN;
        record.len = len;
    }
    if globals::has_rx_sk() {
        record.flags |= FLAG_RX_SK;
        record.rx_sk = ctx.arg(3);
    }
    if let Some(comm) = task::comm_by_btf().or_else(task::comm_by_helper) {
        record.flags |= FLAG_COMM;
        record.comm = comm;
    }
    record
}

/// A `struct sk_buff` of the kernel, behind a pointer that the verifier knows the type of: it
/// checks each load against the kernel's BTF, so that no helper has to be called.
#[derive(Clone, Copy)]
struct Skb(*const c_void);

impl Skb {
    /// The EtherType in host byte order.
    #[inline(always)]
    fn protocol(self) -> Option<u16> {
        let offset = globals::skb_protocol()?;
        // SAFETY: this kernel's sk_buff has a field of this type at this offset.
        Some(u16::from_be(unsafe { self.0.byte_add(offset).cast::<u16>().read_volatile() }))
    }

    /// The length in bytes.
    #[inline(always)]
    fn len(self) -> Option<u32> {
        let offset = globals::skb_len()?;
        // SAFETY: as above.
        Some(unsafe { self.0.byte_add(offset).cast::<u32>().read_volatile() })
    }
}

//! Describing a dropped packet.

use core::ffi::c_void;

use aya_ebpf::{
    helpers::generated::{bpf_get_smp_processor_id, bpf_ktime_get_boot_ns},
    programs::BtfTracePointContext,
};
use dropwatch_common::record::{COMM_LEN, DropRecord, FLAG_COMM, FLAG_RX_SK, FLAG_SKB_FIELDS};

use crate::{globals, task};

/// A `struct sk_buff` of the kernel, behind a pointer that the verifier knows the type of.
#[derive(Clone, Copy)]
pub struct Skb(*const c_void);

impl Skb {
    #[inline(always)]
    pub fn new(pointer: *const c_void) -> Self {
        Self(pointer)
    }

    /// The EtherType in host byte order, and the length in bytes.
    #[inline(always)]
    fn protocol_and_len(self) -> Option<(u16, u32)> {
        let (protocol, len) = (globals::skb_protocol()?, globals::skb_len()?);
        // SAFETY: the offsets are those of fields of these types in this kernel's sk_buff,
        // and the verifier checks each load against the kernel's BTF.
        unsafe {
            let protocol = self.0.byte_add(protocol).cast::<u16>().read_volatile();
            Some((u16::from_be(protocol), self.0.byte_add(len).cast::<u32>().read_volatile()))
        }
    }
}

/// Everything that the record of a drop holds but its stack.
#[inline(always)]
pub fn describe(ctx: &BtfTracePointContext, skb: Skb, reason: u32) -> DropRecord {
    let mut flags = 0;
    let (protocol, len) = match skb.protocol_and_len() {
        Some(fields) => {
            flags |= FLAG_SKB_FIELDS;
            fields
        }
        None => (0, 0),
    };
    let comm = match task::comm() {
        Some(comm) => {
            flags |= FLAG_COMM;
            comm
        }
        None => [0; COMM_LEN],
    };
    let rx_sk = if globals::has_rx_sk() {
        flags |= FLAG_RX_SK;
        ctx.arg::<u64>(3)
    } else {
        0
    };
    let (pid, tgid) = task::ids();
    DropRecord {
        // SAFETY: the helper takes nothing and always succeeds.
        boot_ns: unsafe { bpf_ktime_get_boot_ns() },
        location: ctx.arg(1),
        rx_sk,
        reason,
        pid,
        tgid,
        // SAFETY: as above.
        cpu: unsafe { bpf_get_smp_processor_id() },
        len,
        protocol,
        flags,
        stack_len: 0,
        reserved: 0,
        comm,
    }
}

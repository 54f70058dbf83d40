//! Records with a stack.

use aya_ebpf::{EbpfContext, helpers::generated::bpf_get_stack};
use aya_log_ebpf::debug;
use dropwatch_common::{
    counters::Counters,
    record::{DropRecord, FLAG_STACK_FAILED, MAX_RECORD_SIZE, MAX_STACK_DEPTH},
};

use crate::{maps, ring};

/// A record of full size. It is too large for the program's own stack of 512 bytes.
#[repr(C)]
pub struct Scratch {
    record: DropRecord,
    addresses: [u64; MAX_STACK_DEPTH],
}

const ADDRESS_SIZE: usize = size_of::<u64>();
const _: () = assert!(size_of::<Scratch>() == MAX_RECORD_SIZE);

/// Sends a record with the kernel stack behind it. Where none can be taken, the record says so
/// and goes alone.
#[inline(always)]
pub fn send(ctx: &impl EbpfContext, counters: &mut Counters, record: DropRecord) {
    let Some(scratch) = maps::scratch() else { return };
    scratch.record = record;
    let capacity = MAX_STACK_DEPTH * ADDRESS_SIZE;
    // SAFETY: the kernel writes at most `capacity` bytes, and the addresses have as many.
    let size = unsafe {
        bpf_get_stack(ctx.as_ptr(), scratch.addresses.as_mut_ptr().cast(), capacity as u32, 0)
    };
    let size = if size > 0 && size <= capacity as i64 {
        size as usize
    } else {
        debug!(ctx, "no stack for the drop at {:x}: bpf_get_stack gave {}", record.location, size);
        counters.stack_failed += 1;
        scratch.record.flags |= FLAG_STACK_FAILED;
        0
    };
    scratch.record.stack_len = (size / ADDRESS_SIZE) as u32;
    let start = (&raw const *scratch).cast::<u8>();
    // SAFETY: the record and `size` bytes of addresses were written just now.
    let bytes = unsafe { core::slice::from_raw_parts(start, size_of::<DropRecord>() + size) };
    ring::send_bytes(counters, bytes);
}

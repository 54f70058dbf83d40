//! Records with a stack.

use core::hint::black_box;

use aya_ebpf::{EbpfContext, helpers::generated::bpf_get_stack};
use aya_log_ebpf::debug;
use dropwatch_common::{
    count::PerProcessor,
    record::{DropRecord, FLAG_STACK_FAILED, MAX_STACK_DEPTH},
};

use crate::{maps, ring, source::Source, task};

/// A record of full size. It is too large for the program's own stack of 512 bytes.
#[repr(C)]
pub struct Scratch {
    /// 1 while a record is being assembled.
    busy: u64,
    record: DropRecord,
    /// One more than a stack can have, so that the size in bytes is a power of two.
    addresses: [u64; MAX_STACK_DEPTH + 1],
}

const ADDRESS_SIZE: usize = size_of::<u64>();
const SIZE_MASK: usize = (MAX_STACK_DEPTH + 1) * ADDRESS_SIZE - 1;
const _: () = assert!((SIZE_MASK + 1).is_power_of_two());

/// Sends a record with the kernel stack behind it. Where none can be taken, the record says so
/// and goes alone.
#[inline(always)]
pub fn send(ctx: &impl EbpfContext, processor: &mut PerProcessor, drop: &impl Source) {
    let Some(scratch) = maps::scratch() else { return };
    let counters = &mut processor.counters;
    // Before Linux 6.2 an interrupt can have the program run once more on a processor on which it
    // has not ended. What that began to assemble is not to be touched, and there is no other room.
    let busy = &raw mut scratch.busy;
    // SAFETY: the pointer is that of a field of this processor's own element.
    if unsafe { busy.read_volatile() } != 0 {
        counters.lost += 1;
        return;
    }
    // SAFETY: as above.
    unsafe { busy.write_volatile(1) };
    let now = task::now();
    drop.describe(&mut scratch.record, &mut processor.run_queue);
    scratch.record.boot_ns = now;
    let capacity = MAX_STACK_DEPTH * ADDRESS_SIZE;
    // SAFETY: the kernel writes at most `capacity` bytes, and the addresses have as many.
    let size = unsafe {
        bpf_get_stack(ctx.as_ptr(), scratch.addresses.as_mut_ptr().cast(), capacity as u32, 0)
    };
    let size = if size > 0 && size <= capacity as i64 {
        size as usize
    } else {
        debug!(ctx, "no stack for the drop at {:x}: bpf_get_stack gave {}", drop.location(), size);
        counters.stack_failed += 1;
        scratch.record.flags |= FLAG_STACK_FAILED;
        0
    };
    // The mask changes nothing. It shows the verifier that the size is in bounds, which that of
    // Linux 6.1 cannot see by itself; the compiler, which can, must not take it away.
    let size = black_box(size) & SIZE_MASK;
    scratch.record.stack_len = (size / ADDRESS_SIZE) as u16;
    let start = (&raw const scratch.record).cast::<u8>();
    // SAFETY: the record and `size` bytes of addresses were written just now.
    let bytes = unsafe { core::slice::from_raw_parts(start, size_of::<DropRecord>() + size) };
    ring::send_bytes(counters, bytes);
    // SAFETY: as above.
    unsafe { busy.write_volatile(0) };
}

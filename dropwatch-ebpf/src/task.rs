//! The task that was running when the packet was dropped. In interrupt context that is
//! whoever was interrupted.

use aya_ebpf::helpers::{
    bpf_get_current_comm,
    generated::{
        bpf_get_current_pid_tgid, bpf_get_current_task_btf, bpf_get_smp_processor_id,
        bpf_ktime_get_boot_ns,
    },
};
use dropwatch_common::record::{DropRecord, FLAG_COMM, FLAG_CONTEXT};

use crate::{btf_event::known, context, globals::offset, kernel::Struct};

/// Writes when, on which processor and in which task the drop happened, and gives the flags that
/// say what of it is known.
#[inline(always)]
pub fn describe(record: &mut DropRecord) -> u32 {
    let mut flags = 0;
    (record.pid, record.tgid) = ids();
    // SAFETY: the helper takes nothing and always succeeds.
    record.boot_ns = unsafe { bpf_ktime_get_boot_ns() };
    // SAFETY: as above.
    record.cpu = unsafe { bpf_get_smp_processor_id() };
    record.preempt_count = known(context::preempt_count(), FLAG_CONTEXT, &mut flags);
    let comm = known(comm_words(), FLAG_COMM, &mut flags);
    // SAFETY: both are 16 bytes of integers.
    record.comm = unsafe { core::mem::transmute::<[u64; 2], [u8; 16]>(comm) };
    record.stack_len = 0;
    flags
}

/// Thread id and process id.
#[inline(always)]
pub fn ids() -> (u32, u32) {
    // SAFETY: the helper takes nothing and always succeeds.
    let ids = unsafe { bpf_get_current_pid_tgid() };
    (ids as u32, (ids >> 32) as u32)
}

/// The task's name as two words of 8 bytes each in the order of memory.
///
/// Two loads from the task cost a small part of what `bpf_get_current_comm` does, which is asked
/// where the kernel's `task_struct` is not known.
#[inline(always)]
pub fn comm_words() -> Option<[u64; 2]> {
    let Some(offset) = offset!(task_comm) else {
        // SAFETY: both are 16 bytes of integers.
        return bpf_get_current_comm().ok().map(|comm| unsafe { core::mem::transmute(comm) });
    };
    // SAFETY: the helper takes nothing and always succeeds.
    let task = Struct::new(unsafe { bpf_get_current_task_btf() }.cast());
    Some([task.read(offset), task.read(offset + size_of::<u64>())])
}

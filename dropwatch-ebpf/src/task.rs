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

/// `CLOCK_BOOTTIME` in nanoseconds.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: the helper takes nothing and always succeeds.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// Writes on which processor and in which task the drop happened, and gives the flags that say
/// what of it is known.
#[inline(always)]
pub fn describe(record: &mut DropRecord) -> u32 {
    let mut flags = 0;
    // SAFETY: the helper takes nothing and always succeeds.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    record.cpu = cpu;
    let task = current();
    (record.pid, record.tgid) = task.and_then(ids_of).unwrap_or_else(ids);
    let preempt_count = task.and_then(|task| context::preempt_count(task, cpu));
    record.preempt_count = known(preempt_count, FLAG_CONTEXT, &mut flags);
    let comm = match task {
        Some(task) => comm_of(task),
        None => current_comm(),
    };
    let comm = known(comm, FLAG_COMM, &mut flags);
    // SAFETY: both are 16 bytes of integers.
    record.comm = unsafe { core::mem::transmute::<[u64; 2], [u8; 16]>(comm) };
    record.stack_len = 0;
    flags
}

/// The task, where this kernel gives programs a pointer to it. One call of a helper for all that
/// is read from it, where each takes about as long as a dozen loads.
#[inline(always)]
fn current() -> Option<Struct> {
    offset!(task_comm)?;
    // SAFETY: the helper takes nothing and always succeeds.
    Some(Struct::new(unsafe { bpf_get_current_task_btf() }.cast()))
}

#[inline(always)]
fn ids_of(task: Struct) -> Option<(u32, u32)> {
    Some((task.read(offset!(task_pid)?), task.read(offset!(task_tgid)?)))
}

/// Thread id and process id.
#[inline(always)]
pub fn ids() -> (u32, u32) {
    // SAFETY: the helper takes nothing and always succeeds.
    let ids = unsafe { bpf_get_current_pid_tgid() };
    (ids as u32, (ids >> 32) as u32)
}

/// The task's name as two words of 8 bytes each in the order of memory.
#[inline(always)]
pub fn comm_words() -> Option<[u64; 2]> {
    match current() {
        Some(task) => comm_of(task),
        None => current_comm(),
    }
}

/// Two loads from the task cost a small part of what `bpf_get_current_comm` does.
#[inline(always)]
fn comm_of(task: Struct) -> Option<[u64; 2]> {
    let offset = offset!(task_comm)?;
    Some([task.read(offset), task.read(offset + size_of::<u64>())])
}

#[inline(always)]
fn current_comm() -> Option<[u64; 2]> {
    // SAFETY: both are 16 bytes of integers.
    bpf_get_current_comm().ok().map(|comm| unsafe { core::mem::transmute(comm) })
}

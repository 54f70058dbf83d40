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

use crate::{
    btf_event::known,
    cast, context,
    globals::{config, offset},
    kernel::Struct,
};

/// `CLOCK_BOOTTIME` in nanoseconds.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: the helper takes nothing and always succeeds.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// Writes on which processor and in which task the drop happened, and gives the flags that say
/// what of it is known.
///
/// Where this kernel can cast, the processor's run queue is looked for once. From then on it leads
/// to the task: what runs on a processor is its run queue's current task, and none is being
/// exchanged for another while a packet is freed.
#[inline(always)]
pub fn describe(record: &mut DropRecord, run_queue: &mut u64) -> u32 {
    // SAFETY: the helper takes nothing and always succeeds.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    record.cpu = cpu;
    record.stack_len = 0;
    let can_cast = config!(casts.run_queue) != 0;
    let kept = &raw mut *run_queue;
    // Read back it is the same to the verifier, whether it was looked for or not.
    // SAFETY: the pointer is that of a reference.
    let looked_up = || unsafe { kept.read_volatile() };
    if can_cast && looked_up() == 0 {
        let task = current().map(|task| cast::untrusted(task, config!(casts.task)));
        let found = task.and_then(|task| context::run_queue(task, cpu));
        // SAFETY: as above.
        unsafe { kept.write_volatile(found.map_or(0, Struct::address)) };
    }
    if let Some(run_queue) = cast::run_queue(looked_up())
        && let Some(task) = offset!(rq_curr).and_then(|offset| run_queue.follow(offset))
    {
        return describe_task(record, task, Some(run_queue));
    }
    match current().filter(|_| !can_cast) {
        Some(task) => describe_task(record, task, context::run_queue(task, cpu)),
        None => describe_current(record),
    }
}

#[inline(always)]
fn describe_task(record: &mut DropRecord, task: Struct, run_queue: Option<Struct>) -> u32 {
    let mut flags = 0;
    (record.pid, record.tgid) = ids_of(task).unwrap_or_else(ids);
    let preempt_count = context::preempt_count(task, run_queue);
    record.preempt_count = known(preempt_count, FLAG_CONTEXT, &mut flags);
    flags | set_comm(record, comm_of(task))
}

/// What helpers tell of the task that the program has no pointer to.
#[inline(always)]
fn describe_current(record: &mut DropRecord) -> u32 {
    (record.pid, record.tgid) = ids();
    record.preempt_count = 0;
    set_comm(record, current_comm())
}

#[inline(always)]
fn set_comm(record: &mut DropRecord, comm: Option<[u64; 2]>) -> u32 {
    let mut flags = 0;
    let comm = known(comm, FLAG_COMM, &mut flags);
    // SAFETY: both are 16 bytes of integers.
    record.comm = unsafe { core::mem::transmute::<[u64; 2], [u8; 16]>(comm) };
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

//! The context that the kernel was in: a task, or an interrupt of it.

use aya_ebpf::helpers::bpf_probe_read_kernel;
use dropwatch_common::config::NO_FIELD;

use crate::{
    cast::Bytes,
    globals::{config, offset},
    kernel::Struct,
};

/// The run queue of the processor that a task runs on.
#[inline(always)]
pub fn run_queue(task: Struct, cpu: u32) -> Option<Struct> {
    let run_queue = task.follow(offset!(task_cfs_rq)?)?.follow(offset!(cfs_rq_rq)?)?;
    (run_queue.read::<u32>(offset!(rq_cpu)?) == cpu).then_some(run_queue)
}

/// This processor's `preempt_count`, where it is known where to find it.
///
/// The kernel gives programs the address of such a variable only if it was built to keep its name.
/// Its distance from another is always known, and a task leads to one: the run queue of the
/// processor that it runs on.
#[inline(always)]
pub fn preempt_count(task: Struct, run_queue: Option<Struct>) -> Option<u32> {
    if config!(preempt_count.in_task) != NO_FIELD {
        return Some(task.read(config!(preempt_count.in_task) as usize));
    }
    let distance = config!(preempt_count.from_rq);
    if distance == 0 {
        return None;
    }
    let address = run_queue?.address().wrapping_add(distance as i64 as u64);
    match Bytes::at(address) {
        Some(bytes) => Some(bytes.read(0)),
        // SAFETY: the helper copes with any address.
        None => unsafe { bpf_probe_read_kernel(address as *const u32) }.ok(),
    }
}

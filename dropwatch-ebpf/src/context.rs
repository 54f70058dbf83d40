//! The context that the kernel was in: a task, or an interrupt of it.

use aya_ebpf::helpers::bpf_probe_read_kernel;
use dropwatch_common::config::NO_FIELD;

use crate::{
    globals::{config, offset},
    kernel::Struct,
};

/// This processor's `preempt_count`, where it is known where to find it.
#[inline(always)]
pub fn preempt_count(task: Struct, cpu: u32) -> Option<u32> {
    if config!(preempt_count.in_task) != NO_FIELD {
        return Some(task.read(config!(preempt_count.in_task) as usize));
    }
    let distance = config!(preempt_count.from_rq);
    if distance == 0 {
        return None;
    }
    // The kernel gives programs the address of such a variable only if it was built to keep its
    // name. Its distance from another is always known, and the task leads to one: the run queue of
    // the processor that it runs on.
    let rq = task.follow(offset!(task_cfs_rq)?)?.follow(offset!(cfs_rq_rq)?)?;
    if rq.read::<u32>(offset!(rq_cpu)?) != cpu {
        return None;
    }
    let address = rq.address().wrapping_add(distance as i64 as u64);
    // SAFETY: the helper copes with any address.
    unsafe { bpf_probe_read_kernel(address as *const u32) }.ok()
}

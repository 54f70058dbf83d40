//! The task that was running when the packet was dropped. In interrupt context that is
//! whoever was interrupted.

use aya_ebpf::helpers::{
    bpf_get_current_comm,
    generated::{bpf_get_current_pid_tgid, bpf_get_current_task_btf},
};
use dropwatch_common::record::COMM_LEN;

use crate::globals;

/// Thread id and process id.
#[inline(always)]
pub fn ids() -> (u32, u32) {
    // SAFETY: the helper takes nothing and always succeeds.
    let ids = unsafe { bpf_get_current_pid_tgid() };
    (ids as u32, (ids >> 32) as u32)
}

/// The task's name, or none where the kernel's `task_struct` is not known.
///
/// Two loads from the task cost a small part of what `bpf_get_current_comm` does.
#[inline(always)]
pub fn comm_by_btf() -> Option<[u8; COMM_LEN]> {
    let offset = globals::task_comm()?;
    // SAFETY: `comm` is an array of COMM_LEN bytes at this offset of the running task, and
    // the verifier checks both loads against the kernel's BTF.
    unsafe {
        let comm = bpf_get_current_task_btf().byte_add(offset).cast::<u64>();
        let halves = [comm.read_volatile(), comm.add(1).read_volatile()];
        Some(core::mem::transmute::<[u64; 2], [u8; COMM_LEN]>(halves))
    }
}

/// The task's name, where the kernel has no BTF.
#[inline(always)]
pub fn comm_by_helper() -> Option<[u8; COMM_LEN]> {
    bpf_get_current_comm().ok()
}

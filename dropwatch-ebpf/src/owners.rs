//! Iterators over the kernel's processes: which of them has a socket open, and which is in a
//! network namespace. They run when the tool asks, and not when packets are dropped.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{bpf_seq_write, bpf_sock_from_file};
use dropwatch_common::owner::{Process, SocketOwner};

use crate::{device, globals::offset, kernel::Struct};

/// Where in `struct bpf_iter__task` and `struct bpf_iter__task_file` are the pointers to
/// `bpf_iter_meta`, whose first field is the file to write, to the task and to the file.
const META: usize = 0;
const SEQ: usize = 0;
const TASK: usize = 8;
const FILE: usize = 24;

/// Writes a [`SocketOwner`] for each socket that a process has open.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub extern "C" fn socket_owners(ctx: *const c_void) -> i32 {
    let _ = write_socket_owner(Struct::new(ctx));
    0
}

/// Writes a [`Process`] for each process that has a network namespace.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
pub extern "C" fn processes(ctx: *const c_void) -> i32 {
    let _ = write_process(Struct::new(ctx));
    0
}

#[inline(always)]
fn write_socket_owner(ctx: Struct) -> Option<()> {
    let (task, file) = (ctx.follow(TASK)?, ctx.follow(FILE)?);
    // SAFETY: the helper takes a file of the kernel.
    let socket = unsafe { bpf_sock_from_file(file.pointer()) };
    if socket.is_null() {
        return None;
    }
    let sock: u64 = Struct::new(socket.cast()).read(offset!(socket_sk)?);
    let inode = file.follow(offset!(file_inode)?)?.read(offset!(inode_number)?);
    let owner = SocketOwner { address: sock, inode, process: process(task)? };
    write(ctx, &owner)
}

#[inline(always)]
fn write_process(ctx: Struct) -> Option<()> {
    let task = ctx.follow(TASK)?;
    let (pid, tgid): (u32, u32) = (task.read(offset!(task_pid)?), task.read(offset!(task_tgid)?));
    if pid != tgid {
        return None;
    }
    write(ctx, &process(task)?)
}

#[inline(always)]
fn process(task: Struct) -> Option<Process> {
    let leader = task.follow(offset!(task_group_leader)?)?;
    let comm = offset!(task_comm)?;
    let words = [leader.read::<u64>(comm), leader.read(comm + size_of::<u64>())];
    // A process that ends has none any more.
    let netns = || {
        let namespaces = task.follow(offset!(task_nsproxy)?)?;
        device::netns(namespaces.follow(offset!(nsproxy_net)?)?)
    };
    Some(Process {
        tgid: task.read(offset!(task_tgid)?),
        netns: netns().unwrap_or(0),
        // SAFETY: both are 16 bytes of integers.
        comm: unsafe { core::mem::transmute::<[u64; 2], [u8; 16]>(words) },
    })
}

#[inline(always)]
fn write<T>(ctx: Struct, value: &T) -> Option<()> {
    let seq = ctx.follow(META)?.follow(SEQ)?;
    // SAFETY: the helper takes the file that the iterator writes, and memory that is initialised.
    let failed =
        unsafe { bpf_seq_write(seq.pointer(), (&raw const *value).cast(), size_of::<T>() as u32) };
    (failed == 0).then_some(())
}

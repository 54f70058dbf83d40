//! A system call filter, as containers have one.

use std::{io, mem::offset_of, ptr};

use anyhow::{Result, ensure};

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO,
    seccomp_data, sock_filter, sock_fprog,
};

/// Has the kernel answer to this command of bpf(2) that it is not permitted: to this thread,
/// for good, and to what it starts.
///
/// # Errors
/// When the kernel does not take the filter.
pub fn forbid_bpf(command: u32) -> Result<()> {
    let instruction = |code: u32, jf, k| sock_filter { code: code as u16, jt: 0, jf, k };
    let load = |offset| instruction(BPF_LD | BPF_W | BPF_ABS, 0, offset as u32);
    // Where a value is another one, so many instructions are left out.
    let only_if = |value, else_skip| instruction(BPF_JMP | BPF_JEQ | BPF_K, else_skip, value);
    let answer = |answer| instruction(BPF_RET | BPF_K, 0, answer);
    let mut instructions = [
        load(offset_of!(seccomp_data, nr)),
        only_if(libc::SYS_bpf as u32, 3),
        // The lower half of the first argument, on a machine that begins with it.
        load(offset_of!(seccomp_data, args)),
        only_if(command, 1),
        answer(SECCOMP_RET_ERRNO | libc::EPERM as u32),
        answer(SECCOMP_RET_ALLOW),
    ];
    let filter =
        sock_fprog { len: instructions.len() as u16, filter: ptr::from_mut(&mut instructions[0]) };
    // SAFETY: the filter and its instructions outlive the call, which copies them.
    let set = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const filter)
    };
    ensure!(set == 0, "cannot set a system call filter: {}", io::Error::last_os_error());
    Ok(())
}

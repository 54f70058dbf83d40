//! Loading a BPF program by hand.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use anyhow::{Context, Result, ensure};

const BPF_PROG_LOAD: i64 = 5;
const BPF_OBJ_PIN: i64 = 6;
const BPF_PROG_TYPE_SCHED_CLS: u32 = 3;

/// `r0 = imm`, and `exit`.
const MOV_R0: u64 = 0xb7;
const EXIT: u64 = 0x95;

/// The begin of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
struct ProgramAttributes {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
}

/// The begin of `union bpf_attr` for `BPF_OBJ_PIN`.
#[repr(C)]
struct PinAttributes {
    path: u64,
    program: u32,
    flags: u32,
}

/// A classifier of packets that answers the same for each.
///
/// # Errors
/// When the kernel does not take it.
pub fn classifier(answer: u32) -> Result<OwnedFd> {
    let instructions = [MOV_R0 | u64::from(answer) << 32, EXIT];
    let attributes = ProgramAttributes {
        program_type: BPF_PROG_TYPE_SCHED_CLS,
        instruction_count: instructions.len() as u32,
        instructions: instructions.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
    };
    let fd = bpf(BPF_PROG_LOAD, &attributes).context("cannot load a classifier")?;
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Gives a program a name in a BPF file system.
///
/// # Errors
/// When that is not possible there.
pub fn pin(program: &OwnedFd, path: &Path) -> Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let attributes =
        PinAttributes { path: name.as_ptr() as u64, program: program.as_raw_fd() as u32, flags: 0 };
    bpf(BPF_OBJ_PIN, &attributes).with_context(|| format!("cannot pin {}", path.display()))?;
    Ok(())
}

fn bpf<T>(command: i64, attributes: &T) -> Result<i32> {
    // SAFETY: the attributes are a prefix of those that the kernel expects, of the size told,
    // and what they point to outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    ensure!(result >= 0, "bpf({command}): {}", io::Error::last_os_error());
    Ok(result as i32)
}

//! What only the `bpf` system call can do: having the kernel time all programs, and the cheapest
//! program that there can be.

use anyhow::{Context as _, Result, ensure};
use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

const PROG_LOAD: libc::c_long = 5;
const RAW_TRACEPOINT_OPEN: libc::c_long = 17;
const PROG_GET_NEXT_ID: libc::c_long = 11;
const TASK_FD_QUERY: libc::c_long = 20;
const LINK_CREATE: libc::c_long = 28;
const ENABLE_STATS: libc::c_long = 32;

const PROG_TYPE_SCHED_CLS: u32 = 3;
const PROG_TYPE_RAW_TRACEPOINT: u32 = 17;
const TCX_EGRESS: u32 = 47;
const STATS_RUN_TIME: u32 = 0;

/// `r0 = 0`, and `exit`.
const EMPTY: [u64; 2] = [0xb7, 0x95];

/// The kernel times BPF programs as long as this exists. It is an open file and not
/// `kernel.bpf_stats_enabled`, so the kernel ends it however this process ends.
#[derive(Debug)]
pub struct Stats(#[expect(dead_code, reason = "held open")] OwnedFd);

impl Stats {
    /// Begins it.
    pub fn enable() -> Result<Self> {
        bpf(ENABLE_STATS, &StatsAttributes { kind: STATS_RUN_TIME })
            .map(Self)
            .context("the kernel does not time BPF programs; that needs Linux 5.8 and root")
    }
}

/// The next higher id of a program that there is; the kernel gives higher ones to later programs.
pub fn program_after(id: u32) -> Option<u32> {
    let mut attributes = NextAttributes { id, next: 0, flags: 0 };
    // SAFETY: as below.
    let answer = unsafe {
        let size = size_of::<NextAttributes>();
        libc::syscall(libc::SYS_bpf, PROG_GET_NEXT_ID, &raw mut attributes, size)
    };
    (answer == 0).then_some(attributes.next)
}

/// Whether a process's open file is an event of perf to which a BPF program is attached.
pub fn has_program(pid: u32, fd: u32) -> bool {
    let mut attributes = QueryAttributes { pid, fd, ..QueryAttributes::default() };
    // SAFETY: the attributes are a prefix of those that the kernel expects, of the size told; it
    // writes to them no more than that.
    let answer = unsafe {
        let size = size_of::<QueryAttributes>();
        libc::syscall(libc::SYS_bpf, TASK_FD_QUERY, &raw mut attributes, size)
    };
    answer == 0
}

/// A program that does nothing, attached to the raw tracepoint `kfree_skb`: what merely being
/// called costs.
#[derive(Debug)]
pub struct Floor {
    /// The program.
    pub program: OwnedFd,
    #[expect(dead_code, reason = "held open")]
    link: OwnedFd,
}

impl Floor {
    /// Attaches it.
    pub fn attach() -> Result<Self> {
        let program = load(PROG_TYPE_RAW_TRACEPOINT, &EMPTY, *b"bench_floor\0\0\0\0\0");
        let program = program.context("cannot load an empty program")?;
        let attributes = TracepointAttributes {
            name: c"kfree_skb".as_ptr() as u64,
            program: program.as_raw_fd() as u32,
            reserved: 0,
        };
        let link = bpf(RAW_TRACEPOINT_OPEN, &attributes).context("cannot attach to kfree_skb")?;
        Ok(Self { program, link })
    }
}

/// A program that sees each packet that a device is to send.
#[derive(Debug)]
pub struct Egress(#[expect(dead_code, reason = "held open")] OwnedFd);

impl Egress {
    /// Attaches these instructions to a device of this thread's network namespace.
    pub fn attach(instructions: &[u64], device: u32) -> Result<Self> {
        let program = load(PROG_TYPE_SCHED_CLS, instructions, *b"bench_egress\0\0\0\0")?;
        let attributes = LinkAttributes {
            program: program.as_raw_fd() as u32,
            device,
            attach_type: TCX_EGRESS,
            flags: 0,
            relative: 0,
            reserved: 0,
            revision: 0,
        };
        // The link holds the program.
        bpf(LINK_CREATE, &attributes)
            .map(Self)
            .context("cannot attach to a device; that needs Linux 6.6")
    }
}

fn load(kind: u32, instructions: &[u64], name: [u8; 16]) -> Result<OwnedFd> {
    let attributes = ProgramAttributes {
        kind,
        instruction_count: instructions.len() as u32,
        instructions: instructions.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
        name,
    };
    bpf(PROG_LOAD, &attributes).context("cannot load a program")
}

/// The begin of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
struct ProgramAttributes {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
}

/// The begin of `union bpf_attr` for `BPF_RAW_TRACEPOINT_OPEN`.
#[repr(C)]
struct TracepointAttributes {
    name: u64,
    program: u32,
    reserved: u32,
}

/// The begin of `union bpf_attr` for `BPF_LINK_CREATE` at a device.
#[repr(C)]
struct LinkAttributes {
    program: u32,
    device: u32,
    attach_type: u32,
    flags: u32,
    relative: u32,
    reserved: u32,
    revision: u64,
}

/// `union bpf_attr` for `BPF_PROG_GET_NEXT_ID`: where to begin, and room for the answer.
#[repr(C)]
struct NextAttributes {
    id: u32,
    next: u32,
    flags: u32,
}

/// `union bpf_attr` for `BPF_TASK_FD_QUERY`: what is asked, and room for the answer.
#[repr(C)]
#[derive(Default)]
struct QueryAttributes {
    pid: u32,
    fd: u32,
    flags: u32,
    buffer_len: u32,
    buffer: u64,
    program_id: u32,
    kind: u32,
    offset: u64,
    address: u64,
}

/// `union bpf_attr` for `BPF_ENABLE_STATS`.
#[repr(C)]
struct StatsAttributes {
    kind: u32,
}

/// One of the commands that answer with a file descriptor.
fn bpf<T>(command: libc::c_long, attributes: &T) -> Result<OwnedFd> {
    // SAFETY: the attributes are a prefix of those that the kernel expects, of the size told,
    // and what they point to outlives the call.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    ensure!(fd >= 0, "bpf({command}): {}", io::Error::last_os_error());
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

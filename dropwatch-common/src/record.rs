//! The record that the BPF program puts into the ring for each matched drop.
//!
//! A record is one [`DropRecord`], followed by [`DropRecord::stack_len`] return addresses of
//! 8 bytes each where stacks were asked for. The stack travels with its drop, so that it can
//! never be another drop's.

use core::mem::{offset_of, size_of};

/// Most frames that a stack can hold; the default of `kernel.perf_event_max_stack`.
pub const MAX_STACK_DEPTH: usize = 127;

/// Length of `task_struct::comm`, terminating zero included (`TASK_COMM_LEN`).
pub const COMM_LEN: usize = 16;

/// [`DropRecord::reason`] is what the tracepoint passed (kernel 5.17 and later).
pub const FLAG_REASON: u16 = 1 << 0;
/// [`DropRecord::protocol`] was read.
pub const FLAG_PROTOCOL: u16 = 1 << 1;
/// [`DropRecord::len`] was read.
pub const FLAG_LEN: u16 = 1 << 2;
/// [`DropRecord::comm`] was read from the current task.
pub const FLAG_COMM: u16 = 1 << 3;
/// [`DropRecord::rx_sk`] is what the tracepoint passed (kernel 6.11 and later).
pub const FLAG_RX_SK: u16 = 1 << 4;
/// A stack was asked for and the kernel could not give one.
pub const FLAG_STACK_FAILED: u16 = 1 << 5;

/// One dropped packet, as the tracepoint `skb:kfree_skb` saw it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropRecord {
    /// `CLOCK_BOOTTIME` in nanoseconds (`bpf_ktime_get_boot_ns`).
    pub boot_ns: u64,
    /// Return address of the call that freed the packet; the tracepoint's `location`.
    pub location: u64,
    /// Kernel address of the receiving `struct sock`, 0 where there is none; see [`FLAG_RX_SK`].
    pub rx_sk: u64,
    /// Raw `enum skb_drop_reason` with the subsystem in the high 16 bits; see [`FLAG_REASON`].
    pub reason: u32,
    /// `task_struct::pid` of the interrupted task: the thread id.
    pub pid: u32,
    /// `task_struct::tgid` of the interrupted task: what user space calls the process id.
    pub tgid: u32,
    /// Processor on which the packet was dropped.
    pub cpu: u32,
    /// `sk_buff::len`: bytes from the skb's data pointer on, at this layer; see [`FLAG_LEN`].
    pub len: u32,
    /// `sk_buff::protocol`, an EtherType, converted to host byte order; see [`FLAG_PROTOCOL`].
    pub protocol: u16,
    /// `FLAG_*` bits: which of the other fields hold something.
    pub flags: u16,
    /// Number of return addresses behind this struct.
    pub stack_len: u32,
    /// Always zero.
    pub reserved: u32,
    /// Name of the interrupted task, ending in zero bytes; see [`FLAG_COMM`].
    pub comm: [u8; COMM_LEN],
}

const _: () = assert!(size_of::<DropRecord>() == 72);
const _: () = assert!(offset_of!(DropRecord, comm) + COMM_LEN == size_of::<DropRecord>());

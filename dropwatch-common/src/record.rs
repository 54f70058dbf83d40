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

/// Length of `net_device::name`, terminating zero included (`IFNAMSIZ`).
pub const INTERFACE_LEN: usize = 16;

/// So many bytes of a packet's headers travel with its drop. That holds Ethernet with two VLAN
/// tags, IPv6 and TCP with all options, or a tunnel's headers and those of the packet in it.
pub const PACKET_LEN: usize = 128;

/// An offset in [`PacketRecord`] for a header that the kernel had not set.
pub const NO_HEADER: u16 = u16::MAX;

/// [`DropRecord::reason`] is what the tracepoint passed (kernel 5.17 and later).
pub const FLAG_REASON: u32 = 1 << 0;
/// [`DropRecord::protocol`] was read.
pub const FLAG_PROTOCOL: u32 = 1 << 1;
/// [`DropRecord::len`] was read.
pub const FLAG_LEN: u32 = 1 << 2;
/// [`DropRecord::comm`] was read from the current task.
pub const FLAG_COMM: u32 = 1 << 3;
/// [`DropRecord::preempt_count`] was read.
pub const FLAG_CONTEXT: u32 = 1 << 4;
/// A stack was asked for and the kernel could not give one.
pub const FLAG_STACK_FAILED: u32 = 1 << 5;
/// The name, index and type in [`DropRecord::device`] are those of the skb's device.
pub const FLAG_DEVICE: u32 = 1 << 6;
/// [`DeviceRecord::skb_iif`] was read.
pub const FLAG_IIF: u32 = 1 << 7;
/// [`DeviceRecord::netns`] is the device's network namespace, or else the socket's.
pub const FLAG_NETNS: u32 = 1 << 8;
/// The addresses and ports, family, state and cookie in [`DropRecord::socket`] were read.
pub const FLAG_SOCKET: u32 = 1 << 9;
/// The socket is the one that was to receive the packet, as the tracepoint passes it (kernel 6.11
/// and later); otherwise it is the one that the skb belongs to.
pub const FLAG_RECEIVER: u32 = 1 << 10;
/// The socket is a full one: its type, protocol, uid, inode and cgroup were read too.
pub const FLAG_FULL_SOCKET: u32 = 1 << 11;
/// [`SocketRecord::cgroup`] was read.
pub const FLAG_CGROUP: u32 = 1 << 12;
/// [`DropRecord::packet`] holds headers.
pub const FLAG_PACKET: u32 = 1 << 13;
/// The skb carries a VLAN tag beside its bytes.
pub const FLAG_VLAN: u32 = 1 << 14;
/// The skb belongs to a socket ([`FLAG_SOCKET`] may tell of another).
pub const FLAG_OWNED: u32 = 1 << 15;

/// One dropped packet, as the tracepoint `skb:kfree_skb` saw it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropRecord {
    /// `CLOCK_BOOTTIME` in nanoseconds (`bpf_ktime_get_boot_ns`).
    pub boot_ns: u64,
    /// Return address of the call that freed the packet; the tracepoint's `location`.
    pub location: u64,
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
    /// `FLAG_*` bits: which of the other fields hold something.
    pub flags: u32,
    /// The kernel's `preempt_count`, which tells in what context it was; see [`FLAG_CONTEXT`].
    pub preempt_count: u32,
    /// `sk_buff::protocol`, an EtherType, converted to host byte order; see [`FLAG_PROTOCOL`].
    pub protocol: u16,
    /// Number of return addresses behind this struct.
    pub stack_len: u16,
    /// Name of the interrupted task, ending in zero bytes; see [`FLAG_COMM`].
    pub comm: [u8; COMM_LEN],
    /// Where the packet was.
    pub device: DeviceRecord,
    /// What the packet was.
    pub packet: PacketRecord,
    /// Whose the packet was; only with [`FLAG_OWNED`] or [`FLAG_RECEIVER`]. It is the last, so that
    /// the memory is not touched for packets that are no socket's.
    pub socket: SocketRecord,
}

/// The device and the network namespace of a dropped packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceRecord {
    /// `net_device::name`, ending in zero bytes.
    pub name: [u8; INTERFACE_LEN],
    /// `net_device::ifindex`.
    pub index: u32,
    /// `sk_buff::skb_iif`: index of the device that the packet came in by, 0 where it did not.
    pub skb_iif: u32,
    /// Inode number of the network namespace (`ns_common::inum`).
    pub netns: u32,
    /// `net_device::type`, an `ARPHRD_*`.
    pub kind: u16,
    /// Always zero.
    pub reserved: u16,
}

/// The socket of a dropped packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketRecord {
    /// Kernel address of the `struct sock`.
    pub address: u64,
    /// `skc_cookie`, 0 where nobody has asked for it.
    pub cookie: u64,
    /// Inode of the socket's file, 0 where no process has it open.
    pub inode: u64,
    /// Id of the cgroup that the socket was made in: the inode number of its folder.
    pub cgroup: u64,
    /// `sk_uid`, in the first user namespace.
    pub uid: u32,
    /// `skc_family`: an `AF_*`.
    pub family: u16,
    /// `sk_type`: a `SOCK_*`.
    pub kind: u16,
    /// `sk_protocol`: an `IPPROTO_*`, where the family is an IP one.
    pub protocol: u16,
    /// `skc_num`, the local port in host byte order.
    pub local_port: u16,
    /// `skc_dport`, converted to host byte order.
    pub remote_port: u16,
    /// `skc_state`: a `TCP_*` state, also for other protocols.
    pub state: u8,
    /// Always zero.
    pub reserved: u8,
    /// Local address in network byte order; an IPv4 one is in the first four bytes.
    pub local: [u8; 16],
    /// Remote address, likewise.
    pub remote: [u8; 16],
}

/// The first bytes of a dropped packet. Offsets count from the first of [`Self::bytes`].
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketRecord {
    /// Where `mac_header` points to, or [`NO_HEADER`].
    pub mac: u16,
    /// Where `network_header` points to, or [`NO_HEADER`].
    pub network: u16,
    /// Where `transport_header` points to, or [`NO_HEADER`].
    pub transport: u16,
    /// How many of the bytes were copied.
    pub len: u16,
    /// How many there were in one piece, at most 65535.
    pub linear_len: u16,
    /// Tag protocol of the VLAN tag beside the bytes, in host byte order; see [`FLAG_VLAN`].
    pub vlan_proto: u16,
    /// That tag's control information: priority, drop-eligible bit, and VLAN id.
    pub vlan_tci: u16,
    /// Always zero.
    pub reserved: u16,
    /// The bytes; what is behind [`Self::len`] means nothing.
    pub bytes: [u8; PACKET_LEN],
}

impl Default for PacketRecord {
    fn default() -> Self {
        Self {
            mac: NO_HEADER,
            network: NO_HEADER,
            transport: NO_HEADER,
            len: 0,
            linear_len: 0,
            vlan_proto: 0,
            vlan_tci: 0,
            reserved: 0,
            bytes: [0; PACKET_LEN],
        }
    }
}

const _: () = assert!(size_of::<DeviceRecord>() == 32);
const _: () = assert!(size_of::<SocketRecord>() == 80);
const _: () = assert!(size_of::<PacketRecord>() == 16 + PACKET_LEN);
const _: () = assert!(size_of::<DropRecord>() == 64 + 32 + 80 + 16 + PACKET_LEN);
const _: () = assert!(offset_of!(DropRecord, device) == 64);

//! A dropped packet, decoded.

use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
    net::{IpAddr, SocketAddr},
};

use dropwatch_common::record::{COMM_LEN, PACKET_LEN};

use crate::{
    packet::{Packet, Snapshot},
    write::{escape, is_plain, short},
};

/// One drop. A field that the kernel could not give is none, never a made-up value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drop {
    /// When: `CLOCK_BOOTTIME` in nanoseconds.
    pub boot_ns: u64,
    /// Why: raw `enum skb_drop_reason`, the subsystem in the high 16 bits.
    pub reason: Option<u32>,
    /// Where: return address of the call that freed the packet.
    pub location: u64,
    /// The processor it happened on.
    pub cpu: u32,
    /// Thread id of the task that was running, possibly just interrupted.
    pub pid: u32,
    /// Process id of that task.
    pub tgid: u32,
    /// Name of that task.
    pub comm: Option<Name>,
    /// Whether the task was at work itself or interrupted.
    pub context: Option<Context>,
    /// EtherType in host byte order; 0 where the packet has none.
    pub protocol: Option<u16>,
    /// Length in bytes from the layer on at which the packet was dropped.
    pub len: Option<u32>,
    /// The device that the packet was at.
    pub device: Option<Device>,
    /// Index of the device that the packet came in by; 0 where it did not come in.
    pub iif: Option<u32>,
    /// Inode number of the network namespace, the device's or else the socket's.
    pub netns: Option<u32>,
    /// The socket that was to receive the packet, or else the one that it belongs to.
    pub socket: Option<Socket>,
    /// Whether the packet belongs to a socket: the sender's, or the receiver's where it was found
    /// early.
    pub owned: bool,
    /// The packet's headers.
    pub headers: Option<Headers>,
    /// The VLAN tag beside the headers: tag protocol, and control information.
    pub vlan: Option<(u16, u16)>,
    /// The kernel stack, where one was asked for.
    pub stack: Option<Stack>,
}

/// Which way a packet was going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It was received by this machine, or this network namespace.
    In,
    /// It was sent from here.
    Out,
    /// It came in by one device and was to leave by another.
    Forward,
}

impl Drop {
    /// Which way the packet was going, where that can be told.
    pub fn direction(&self) -> Option<Direction> {
        if self.socket.as_ref().is_some_and(|socket| socket.receiver) {
            return Some(Direction::In);
        }
        // Where it is no network's, as with UNIX sockets, the owner may be either end.
        if self.protocol == Some(0) && self.device.is_none() {
            return None;
        }
        match (self.iif?, &self.device) {
            // It has not come in yet, or never did: only what sends has a socket by then.
            (0, _) => self.owned.then_some(Direction::Out),
            (iif, Some(device)) if device.index != iif => Some(Direction::Forward),
            _ => Some(Direction::In),
        }
    }
}

impl Drop {
    /// Whether the kernel's structs could be read, so that what is not there is known not to be.
    pub fn is_read(&self) -> bool {
        // All of its kinds of packets have this field.
        self.iif.is_some()
    }

    /// What the headers say.
    pub fn packet(&self) -> Packet {
        let Some(headers) = &self.headers else { return Packet::default() };
        Packet::parse(&Snapshot {
            bytes: headers.bytes(),
            mac: headers.mac,
            network: headers.network,
            transport: headers.transport,
            protocol: self.protocol.unwrap_or(0),
            vlan: self.vlan,
            cut: headers.linear_len > headers.len,
        })
    }
}

/// The context in which the kernel dropped a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// The running task's own.
    Task,
    /// A soft interrupt: the running task was interrupted.
    Softirq,
    /// A hardware interrupt.
    Hardirq,
    /// A non-maskable interrupt.
    Nmi,
}

impl Context {
    /// What `preempt_count` tells (`linux/preempt.h`, the same layout since 5.10: 8 bits each for
    /// preemption and soft interrupts, 4 each for hard and non-maskable ones).
    pub fn of_preempt_count(count: u32) -> Self {
        // Each level of disabled soft interrupts counts 2, serving one counts 1.
        const SERVING_SOFTIRQ: u32 = 1 << 8;
        const HARDIRQ: u32 = 0xf << 16;
        const NMI: u32 = 0xf << 20;
        if count & NMI != 0 {
            Self::Nmi
        } else if count & HARDIRQ != 0 {
            Self::Hardirq
        } else if count & SERVING_SOFTIRQ != 0 {
            Self::Softirq
        } else {
            Self::Task
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Softirq => "softirq",
            Self::Hardirq => "hardirq",
            Self::Nmi => "nmi",
        }
    }
}

/// A network device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name, which is unique in its network namespace.
    pub name: Name,
    /// Its index, likewise.
    pub index: u32,
    /// Its type, an `ARPHRD_*`.
    pub kind: u16,
}

/// A socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Kernel address of the `struct sock`.
    pub address: u64,
    /// Whether it was to receive the packet; kernel 6.11 and later tell. Otherwise the packet
    /// belongs to it.
    pub receiver: bool,
    /// What is known of it; without BTF nothing is.
    pub details: Option<SocketDetails>,
}

impl Hash for Socket {
    /// By its address, which hardly two share.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address.hash(state);
    }
}

/// What all sockets have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketDetails {
    /// Its family, an `AF_*`.
    pub family: u16,
    /// Its state, a `TCP_*` state.
    pub state: u8,
    /// Where it is bound to, for IP.
    pub local: Option<SocketAddr>,
    /// What it is connected to, for IP.
    pub remote: Option<SocketAddr>,
    /// The cookie, where somebody has asked for it.
    pub cookie: Option<u64>,
    /// What only full sockets have; those that begin or end a TCP connection are not.
    pub full: Option<FullSocket>,
}

/// What full sockets have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FullSocket {
    /// Its type, a `SOCK_*`.
    pub kind: u16,
    /// Its protocol, an `IPPROTO_*` for IP.
    pub protocol: u16,
    /// The user it belongs to.
    pub uid: u32,
    /// Inode number of its file, where a process has it open.
    pub inode: Option<u64>,
    /// Id of the cgroup that it was made in.
    pub cgroup: Option<u64>,
}

/// The first bytes of a packet, and where the kernel had found headers in them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Headers {
    pub(crate) bytes: [u8; PACKET_LEN],
    pub(crate) len: usize,
    /// How many bytes there were in one piece, at most 65535.
    pub linear_len: usize,
    /// Offset of the link-layer header.
    pub mac: Option<usize>,
    /// Offset of the network header.
    pub network: Option<usize>,
    /// Offset of the transport header.
    pub transport: Option<usize>,
}

impl Headers {
    /// The bytes that were copied.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len.min(PACKET_LEN)]
    }
}

impl std::fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Headers")
            .field("mac", &self.mac)
            .field("network", &self.network)
            .field("transport", &self.transport)
            .field("linear_len", &self.linear_len)
            .field("bytes", &format_args!("{:02x?}", self.bytes()))
            .finish()
    }
}

/// The kernel stack of a drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stack {
    /// Return addresses, innermost first, the tracer's own included.
    Addresses(Box<[u64]>),
    /// The kernel could not take one.
    Unavailable,
}

/// A task's or a device's name: up to 16 bytes that need not be text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// Zero behind the name.
    bytes: [u8; COMM_LEN],
    len: u8,
}

impl Name {
    /// The name in a field that zero bytes fill up.
    pub fn of_field(bytes: [u8; COMM_LEN]) -> Self {
        // As one number, whose lowest byte is the first. The lowest bit that is left is that of
        // the first zero byte.
        const ONES: u128 = u128::from_le_bytes([0x01; COMM_LEN]);
        const TOPS: u128 = u128::from_le_bytes([0x80; COMM_LEN]);
        let field = u128::from_le_bytes(bytes);
        let zeros = field.wrapping_sub(ONES) & !field & TOPS;
        let len = zeros.trailing_zeros() / u8::BITS;
        // What is behind the zero is of no name.
        let name = if zeros == 0 { field } else { field & !(u128::MAX << (u8::BITS * len)) };
        Self { bytes: name.to_le_bytes(), len: len as u8 }
    }

    /// Whether it is of printable ASCII without quotes and backslashes, which stands for itself
    /// wherever it is written.
    pub(crate) fn is_plain(&self) -> bool {
        // All of the field, since that is done at once.
        let odd = |any, &byte: &u8| any | ((byte != 0) & !is_plain(byte));
        !self.bytes.iter().fold(false, odd)
    }

    /// Appends a name that stands for itself.
    pub(crate) fn write_plain(&self, out: &mut Vec<u8>) {
        short(out, &self.bytes, self.len.into());
    }

    /// Appends it as text, escaped.
    pub fn write(&self, out: &mut Vec<u8>) {
        if self.is_plain() { self.write_plain(out) } else { escape(self.bytes(), out) }
    }

    /// The name's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Hash for Name {
    /// As one number, since what is behind the name is zero.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_le_bytes(self.bytes));
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "\"{}\"", self.bytes().escape_ascii())
    }
}

/// An IP address in the kernel's order: of 16 bytes, or of the first four of them.
pub(crate) fn ip(family: u16, bytes: [u8; 16]) -> Option<IpAddr> {
    match i32::from(family) {
        libc::AF_INET => Some(IpAddr::from([bytes[0], bytes[1], bytes[2], bytes[3]])),
        libc::AF_INET6 => Some(IpAddr::from(bytes)),
        _ => None,
    }
}

#[cfg(test)]
impl Drop {
    /// One about which nothing is known, for tests to build on.
    pub(crate) const UNKNOWN: Self = Self {
        boot_ns: 0,
        reason: None,
        location: 0,
        cpu: 0,
        pid: 0,
        tgid: 0,
        comm: None,
        context: None,
        protocol: None,
        len: None,
        device: None,
        iif: None,
        netns: None,
        socket: None,
        owned: false,
        headers: None,
        vlan: None,
        stack: None,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drop(protocol: u16, iif: Option<u32>, device: Option<u32>, owned: bool) -> Drop {
        let device = device.map(|index| {
            let name = Name::of_field([0; COMM_LEN]);
            Device { name, index, kind: 1 }
        });
        Drop { protocol: Some(protocol), device, iif, owned, ..Drop::UNKNOWN }
    }

    #[test]
    fn the_direction_is_told_where_it_is_known() {
        const IPV4: u16 = 0x0800;
        for (drop, direction) in [
            (drop(IPV4, Some(2), Some(2), false), Some(Direction::In)),
            (drop(IPV4, Some(2), Some(2), true), Some(Direction::In)),
            (drop(IPV4, Some(2), None, false), Some(Direction::In)),
            (drop(IPV4, Some(2), Some(3), false), Some(Direction::Forward)),
            (drop(IPV4, Some(0), None, true), Some(Direction::Out)),
            (drop(IPV4, Some(0), Some(3), true), Some(Direction::Out)),
            (drop(IPV4, Some(0), Some(3), false), None),
            (drop(IPV4, None, None, true), None),
            // Of a raw device.
            (drop(0, Some(0), Some(3), true), Some(Direction::Out)),
            // Of a UNIX socket or netlink.
            (drop(0, Some(0), None, true), None),
        ] {
            assert_eq!(drop.direction(), direction, "{drop:?}");
        }
    }

    #[test]
    fn a_name_ends_at_the_first_zero() {
        for (field, name) in [
            (b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", &b""[..]),
            (b"a\0b\x80\x01\0\0\0\0\0\0\0\0\0\0\0", b"a"),
            (
                b"\x01\x80\xff\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\0",
                b"\x01\x80\xff\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01",
            ),
            (b"sixteen bytes !!", b"sixteen bytes !!"),
        ] {
            assert_eq!(Name::of_field(*field).bytes(), name);
        }
    }

    #[test]
    fn names_are_equal_whatever_is_left_behind_them() {
        let name = Name::of_field(*b"lan\0old name\0\0\0\0");
        assert_eq!(name, Name::of_field(*b"lan\0\0\0\0\0\0\0\0\0\0\0\0\0"));
        assert_ne!(name, Name::of_field(*b"lan0\0\0\0\0\0\0\0\0\0\0\0\0"));
    }

    #[test]
    fn the_innermost_context_counts() {
        for (count, context) in [
            (0, Context::Task),
            // Disabled preemption and soft interrupts.
            (0x0000_0203, Context::Task),
            (0x0000_0100, Context::Softirq),
            (0x0000_0301, Context::Softirq),
            (0x0001_0100, Context::Hardirq),
            (0x0011_0101, Context::Nmi),
            // No need to reschedule, on x86.
            (0x8000_0000, Context::Task),
        ] {
            assert_eq!(Context::of_preempt_count(count), context, "{count:#x}");
        }
    }
}

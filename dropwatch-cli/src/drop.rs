//! A dropped packet, decoded.

use dropwatch_common::record::COMM_LEN;

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
    pub comm: Option<Comm>,
    /// EtherType in host byte order; 0 where the packet has none.
    pub protocol: Option<u16>,
    /// Length in bytes from the layer on at which the packet was dropped.
    pub len: Option<u32>,
    /// Kernel address of the receiving socket, 0 where there is none; kernel 6.11 and later.
    pub rx_sk: Option<u64>,
    /// The kernel stack, where one was asked for.
    pub stack: Option<Stack>,
}

/// The kernel stack of a drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stack {
    /// Return addresses, innermost first, the tracer's own included.
    Addresses(Box<[u64]>),
    /// The kernel could not take one.
    Unavailable,
}

/// A task's name: up to 16 bytes that need not be text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comm {
    pub(crate) bytes: [u8; COMM_LEN],
    pub(crate) len: usize,
}

impl Comm {
    /// The name's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len.min(COMM_LEN)]
    }
}

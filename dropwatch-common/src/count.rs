//! Counting in the kernel: what drops are counted by, and where the counts are.
//!
//! Each processor counts in a small table of its own, the [`Slot`]s. A key that comes again finds
//! its slot and adds one; a key that finds another there adds that one's count to the map of all
//! processors, in which every key has its place before it has a slot. A key's drops are those in
//! the map and in the slots together.

use core::mem::{offset_of, size_of};

use crate::{counters::Counters, record::INTERFACE_LEN};

/// [`Config::count_by`](crate::config::Config::count_by): nothing is counted, drops are sent.
pub const BY_NOTHING: u32 = 0;
/// Drops are counted by [`CountKey`] in the map `COUNTS`.
pub const BY_KEY: u32 = 1;
/// Drops are counted by [`FlowKey`] in the map `FLOWS`.
pub const BY_FLOW: u32 = 2;

/// [`CountKey::reason`] is known.
pub const KEY_REASON: u16 = 1 << 0;
/// [`CountKey::protocol`] is known.
pub const KEY_PROTOCOL: u16 = 1 << 1;
/// [`CountKey::index`] is known.
pub const KEY_INTERFACE: u16 = 1 << 2;
/// [`CountKey::netns`] is known.
pub const KEY_NETNS: u16 = 1 << 3;

/// What drops are counted by: the parts that cost next to nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CountKey {
    /// Return address of the call that freed the packet.
    pub location: u64,
    /// Raw `enum skb_drop_reason`.
    pub reason: u32,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Index of the device, or else of the one that the packet came in by; 0 where there is none.
    pub index: u32,
    /// EtherType in host byte order.
    pub protocol: u16,
    /// `KEY_*` bits: which parts are known. The others are 0.
    pub flags: u16,
}

/// [`FlowKey::source`] and [`FlowKey::destination`] are known.
pub const FLOW_ADDRESSES: u16 = 1 << 0;
/// [`FlowKey::source_port`] and [`FlowKey::destination_port`] are known.
pub const FLOW_PORTS: u16 = 1 << 1;
/// [`FlowKey::l4`] is known.
pub const FLOW_L4: u16 = 1 << 2;

/// What drops are counted by where flows are asked for.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FlowKey {
    /// The rest of the key.
    pub key: CountKey,
    /// Source address in network byte order, IPv4 mapped into IPv6.
    pub source: [u32; 4],
    /// Destination address, likewise.
    pub destination: [u32; 4],
    /// Source port in host byte order.
    pub source_port: u16,
    /// Destination port, likewise.
    pub destination_port: u16,
    /// Protocol in the IP header.
    pub l4: u16,
    /// `FLOW_*` bits: which parts are known. The others are 0.
    pub flags: u16,
}

/// What the maps hold for a key.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Drops, without those that are still in slots.
    pub drops: u64,
    /// `net_device::name` of the first one's device, all zero where there was none.
    pub name: [u8; INTERFACE_LEN],
}

/// How many slots a processor has.
pub const SLOTS: usize = 128;

/// A key's drops on one processor that are not in the map yet.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// The key.
    pub key: CountKey,
    /// Drops; 0 where the slot is free.
    pub drops: u64,
}

/// What a processor keeps for itself.
///
/// The kernel copies it for the tool from the first byte to the last while the program goes on.
/// A key that takes a slot raises [`Self::begun`] before and [`Self::ended`] after: where a copy
/// has both equal, each slot's key and count belong together.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerProcessor {
    /// How often a slot has been taken.
    pub ended: u64,
    /// What happened to drops.
    pub counters: Counters,
    /// 1 while slots are being changed.
    pub busy: u64,
    /// Address of this processor's `struct rq`; 0 until it was looked for.
    pub run_queue: u64,
    /// Counts by key.
    pub slots: [Slot; SLOTS],
    /// How often a slot was about to be taken.
    pub begun: u64,
}

impl Default for PerProcessor {
    fn default() -> Self {
        Self {
            ended: 0,
            counters: Counters::default(),
            busy: 0,
            run_queue: 0,
            slots: [Slot::default(); SLOTS],
            begun: 0,
        }
    }
}

/// A drop of this key is to be sent as a sample, when the next one comes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleRequest {
    /// The key.
    pub key: CountKey,
    /// 1 until the sample was sent.
    pub wanted: u64,
}

const _: () = assert!(size_of::<CountKey>() == 24);
const _: () = assert!(size_of::<FlowKey>() == 64);
const _: () = assert!(size_of::<Slot>() == 32);
const _: () = assert!(SLOTS.is_power_of_two());
// The kernel gives each processor 32 KiB for a value at most.
const _: () = assert!(size_of::<PerProcessor>() <= 32 << 10);
const _: () = assert!(offset_of!(PerProcessor, ended) == 0);
const _: () = assert!(offset_of!(PerProcessor, begun) + 8 == size_of::<PerProcessor>());

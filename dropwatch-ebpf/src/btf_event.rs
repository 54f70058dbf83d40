//! A drop through BTF. The tracepoint's arguments are those of
//! `trace_kfree_skb(skb, location[, reason[, rx_sk]])`: `reason` came with Linux 5.17, `rx_sk`
//! with 6.11.

use core::ffi::c_void;

use aya_ebpf::programs::BtfTracePointContext;
use dropwatch_common::record::{
    DropRecord, FLAG_DEVICE, FLAG_IIF, FLAG_LEN, FLAG_NETNS, FLAG_OWNED, FLAG_PROTOCOL,
    FLAG_REASON, FLAG_RECEIVER, FLAG_VLAN,
};

use crate::{
    cast,
    globals::config,
    kernel::Struct,
    packet::{self, Headers},
    qdisc,
    skb::Skb,
    socket::Socket,
    source::{Source, Whereabouts},
    task,
};

/// The tracepoint's arguments.
pub struct BtfEvent<'a> {
    ctx: &'a BtfTracePointContext,
    /// Means nothing where the tracepoint passes none.
    reason: u32,
}

impl<'a> BtfEvent<'a> {
    #[inline(always)]
    pub fn new(ctx: &'a BtfTracePointContext) -> Self {
        let reason =
            if config!(has_reason) != 0 { qdisc::finest_reason(ctx.arg(0), ctx.arg(2)) } else { 0 };
        Self { ctx, reason }
    }

    #[inline(always)]
    fn skb(&self) -> Skb {
        Skb::new(Struct::new(self.ctx.arg(0)))
    }

    /// The socket that was to receive the packet.
    #[inline(always)]
    fn receiver(&self) -> Option<Socket> {
        if config!(has_rx_sk) == 0 {
            return None;
        }
        let sock: *const c_void = self.ctx.arg(3);
        (!sock.is_null())
            .then(|| Socket::new(cast::untrusted(Struct::new(sock), config!(casts.sock))))
    }

    /// Writes where the packet was, and gives the flags that say so.
    #[inline(always)]
    fn describe_device(&self, record: &mut DropRecord) -> u32 {
        let mut flags = 0;
        let device = self.skb().device();
        let name = device.and_then(|device| device.name());
        set_name(record, name.unwrap_or_default());
        record.device.index = known(device.and_then(|it| it.index()), FLAG_DEVICE, &mut flags);
        record.device.kind = device.and_then(|device| device.kind()).unwrap_or(0);
        record.device.skb_iif = known(self.skb().iif(), FLAG_IIF, &mut flags);
        record.device.reserved = 0;
        set_netns(record, device.and_then(|device| device.netns()));
        flags
    }

    /// Writes whose the packet was, with the socket's network namespace where the device's is not
    /// known, and gives the flags that say so.
    #[inline(always)]
    fn describe_socket(&self, record: &mut DropRecord) -> u32 {
        let mut flags = 0;
        if let Some(receiver) = self.receiver() {
            flags |= FLAG_RECEIVER | describe(receiver, record);
            if self.skb().socket().is_some() {
                flags |= FLAG_OWNED;
            }
        } else if let Some(owner) = self.skb().socket() {
            flags |= FLAG_OWNED | describe(owner, record);
        }
        if has_netns(record) { flags | FLAG_NETNS } else { flags }
    }
}

impl Source for BtfEvent<'_> {
    #[inline(always)]
    fn reason(&self) -> Option<u32> {
        (config!(has_reason) != 0).then_some(self.reason)
    }

    #[inline(always)]
    fn location(&self) -> u64 {
        self.ctx.arg(1)
    }

    #[inline(always)]
    fn protocol(&self) -> Option<u16> {
        self.skb().protocol()
    }

    #[inline(always)]
    fn len(&self) -> Option<u32> {
        self.skb().len()
    }

    #[inline(always)]
    fn netns(&self) -> Option<u32> {
        if let Some(netns) = self.skb().device().and_then(|device| device.netns()) {
            return Some(netns);
        }
        if let Some(socket) = self.receiver() {
            return socket.netns();
        }
        self.skb().socket()?.netns()
    }

    #[inline(always)]
    fn interface_index(&self) -> Option<u32> {
        match self.skb().device() {
            Some(device) => device.index(),
            None => self.skb().iif().filter(|&index| index != 0),
        }
    }

    #[inline(always)]
    fn interface_name(&self) -> Option<[u64; 2]> {
        self.skb().device()?.name()
    }

    #[inline(always)]
    fn whereabouts(&self) -> Whereabouts {
        if let Some(device) = self.skb().device() {
            return Whereabouts { netns: device.netns(), index: device.index() };
        }
        let socket = match self.receiver() {
            Some(receiver) => Some(receiver),
            None => self.skb().socket(),
        };
        Whereabouts { netns: socket.and_then(|socket| socket.netns()), index: self.skb().iif() }
    }

    #[inline(always)]
    fn headers(&self) -> Headers {
        packet::headers(self.skb())
    }

    #[inline(always)]
    fn describe(&self, record: &mut DropRecord, run_queue: &mut u64) {
        let skb = self.skb();
        let mut flags = self.describe_device(record);
        flags |= self.describe_socket(record);
        record.location = self.location();
        record.reason = known(self.reason(), FLAG_REASON, &mut flags);
        record.protocol = known(skb.protocol(), FLAG_PROTOCOL, &mut flags);
        record.len = known(skb.len(), FLAG_LEN, &mut flags);
        flags |= packet::describe(skb, &mut record.packet);
        let vlan = skb.vlan();
        if vlan.is_some() {
            flags |= FLAG_VLAN;
        }
        record.packet.vlan_proto = vlan.as_ref().map_or(0, |tag| tag.proto);
        record.packet.vlan_tci = vlan.as_ref().map_or(0, |tag| tag.tci);
        record.flags = flags | task::describe(record, run_queue);
    }
}

#[inline(always)]
fn describe(socket: Socket, record: &mut DropRecord) -> u32 {
    if !has_netns(record) {
        set_netns(record, socket.netns());
    }
    socket.describe(&mut record.socket)
}

/// Writes the device's name. Zeros that the compiler may join with those of other fields become a
/// function that writes byte by byte.
#[inline(always)]
fn set_name(record: &mut DropRecord, name: [u64; 2]) {
    // SAFETY: both are 16 bytes of integers, and the record's are aligned to 8.
    unsafe { (&raw mut record.device.name).cast::<[u64; 2]>().write_volatile(name) };
}

/// Writes the network namespace, 0 where it is not known.
///
/// Read back from the record it is the same to the verifier, whichever way it came. In a variable
/// it would not be, and all that follows would be checked for each of the ways.
#[inline(always)]
fn set_netns(record: &mut DropRecord, netns: Option<u32>) {
    // SAFETY: the pointer is that of a field.
    unsafe { (&raw mut record.device.netns).write_volatile(netns.unwrap_or(0)) };
}

#[inline(always)]
fn has_netns(record: &DropRecord) -> bool {
    // SAFETY: as above.
    unsafe { (&raw const record.device.netns).read_volatile() != 0 }
}

/// A value or 0, with its flag where it is known.
#[inline(always)]
pub fn known<T: Default>(value: Option<T>, flag: u32, flags: &mut u32) -> T {
    if value.is_some() {
        *flags |= flag;
    }
    value.unwrap_or_default()
}

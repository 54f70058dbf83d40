//! The packet's headers: a copy for the record, and what the filters ask of them.

use core::hint::black_box;

use aya_ebpf::helpers::{
    bpf_probe_read_kernel, generated::bpf_probe_read_kernel as bpf_probe_read_kernel_bytes,
};
use dropwatch_common::record::{FLAG_PACKET, NO_HEADER, PACKET_LEN, PacketRecord};

use crate::{
    cast::Bytes,
    skb::{Buffer, Skb},
};

const ETHERNET_LEN: u32 = 14;
const VLAN_LEN: u32 = 4;
/// A link-layer header is at most Ethernet with two tags, and some alignment. One that is further
/// away is not this packet's.
const MAX_MAC_LEN: u32 = 32;
const ETH_P_IP: u16 = 0x0800;
const ETH_P_ARP: u16 = 0x0806;
const ETH_P_8021Q: u16 = 0x8100;
const ETH_P_IPV6: u16 = 0x86dd;
const ETH_P_8021AD: u16 = 0x88a8;

/// An IPv6 address, or an IPv4 one mapped into it, in network byte order.
pub type Address = [u32; 4];

/// What the filters ask of a packet. None is what the packet does not have, or what is not there
/// any more or not yet.
pub struct Headers {
    /// Source and destination; for ARP those of the protocol.
    pub addresses: Option<(Address, Address)>,
    /// The protocol in the IP header, behind extension headers.
    pub l4: Option<u8>,
    /// Source and destination port.
    pub ports: Option<(u16, u16)>,
}

impl Headers {
    pub const NONE: Self = Self { addresses: None, l4: None, ports: None };

    #[inline(always)]
    pub fn source_port(&self) -> Option<u64> {
        self.ports.map(|(source, _)| source.into())
    }

    #[inline(always)]
    pub fn destination_port(&self) -> Option<u64> {
        self.ports.map(|(_, destination)| destination.into())
    }
}

/// The offset of the first header, of those that are believable.
#[inline(always)]
fn start(buffer: &Buffer) -> Option<u32> {
    let within = |offset: Option<u32>| offset.filter(|&offset| offset < buffer.tail);
    match (within(buffer.mac), within(buffer.network)) {
        (Some(mac), Some(network)) if mac <= network && network - mac <= MAX_MAC_LEN => Some(mac),
        (_, Some(network)) => Some(network),
        (mac, None) => mac,
    }
}

/// Copies the headers into the record, and gives the flags that say so.
#[inline(always)]
pub fn describe(skb: Skb, record: &mut PacketRecord) -> u32 {
    record.reserved = 0;
    match describe_buffer(skb, record) {
        Some(()) => FLAG_PACKET,
        None => {
            record.mac = NO_HEADER;
            record.network = NO_HEADER;
            record.transport = NO_HEADER;
            record.len = 0;
            record.linear_len = 0;
            0
        }
    }
}

#[inline(always)]
fn describe_buffer(skb: Skb, record: &mut PacketRecord) -> Option<()> {
    // Sockets that are no network's, as those of UNIX, have packets without headers.
    if skb.protocol()? == 0 {
        return None;
    }
    let buffer = skb.buffer()?;
    let start = start(&buffer)?;
    let linear = buffer.tail - start;
    let relative = |offset: Option<u32>| match offset {
        Some(offset) if offset >= start && offset - start < NO_HEADER.into() => {
            (offset - start) as u16
        }
        _ => NO_HEADER,
    };
    record.mac = relative(buffer.mac);
    record.network = relative(buffer.network);
    record.transport = relative(buffer.transport);
    record.linear_len = if linear > 0xffff { 0xffff } else { linear as u16 };
    let len = if linear as usize > PACKET_LEN { PACKET_LEN as u32 } else { linear };
    record.len = len as u16;
    copy(record, len, buffer.head + u64::from(start))
}

/// Copies so many bytes of the headers.
#[inline(always)]
fn copy(record: &mut PacketRecord, len: u32, from: u64) -> Option<()> {
    let Some(from_bytes) = Bytes::at(from) else {
        // Once more for the verifier, which has lost sight of the bound by here.
        let len = black_box(len);
        if len as usize > PACKET_LEN {
            return None;
        }
        let to = record.bytes.as_mut_ptr().cast();
        // SAFETY: there is room for so many bytes, and the helper copes with any address.
        let failed = unsafe { bpf_probe_read_kernel_bytes(to, len, from as *const _) };
        return (failed == 0).then_some(());
    };
    let to = record.bytes.as_mut_ptr().cast::<u64>();
    for word in 0..PACKET_LEN / size_of::<u64>() {
        // What follows the last byte within its word is the buffer's too.
        if len as usize <= word * size_of::<u64>() {
            break;
        }
        // SAFETY: the bytes are so many words, which are aligned as the record is.
        unsafe { to.add(word).write_volatile(from_bytes.read(word * size_of::<u64>())) };
    }
    Some(())
}

/// Reads a part of the linear part, if it is whole.
#[inline(always)]
fn read<T: Copy>(buffer: &Buffer, offset: u32) -> Option<T> {
    if offset + size_of::<T>() as u32 > buffer.tail {
        return None;
    }
    // SAFETY: the helper copes with any address.
    unsafe { bpf_probe_read_kernel((buffer.head + u64::from(offset)) as *const T) }.ok()
}

/// What the filters ask of a packet.
#[inline(always)]
pub fn headers(skb: Skb) -> Headers {
    find(skb).unwrap_or(Headers::NONE)
}

#[inline(always)]
fn find(skb: Skb) -> Option<Headers> {
    let mut protocol = skb.protocol().filter(|&protocol| protocol != 0)?;
    let buffer = skb.buffer()?;
    let within = |offset: &u32| *offset < buffer.tail;
    let mut network = match buffer.network.filter(within) {
        Some(network) => network,
        None => {
            let network = buffer.mac.filter(within)? + ETHERNET_LEN;
            // Not every device's link-layer header is Ethernet's.
            let ether_type: u16 = read(&buffer, network - 2)?;
            if u16::from_be(ether_type) != protocol {
                return None;
            }
            network
        }
    };
    for _ in 0..2 {
        if protocol == ETH_P_8021Q || protocol == ETH_P_8021AD {
            let tag: [u16; 2] = read(&buffer, network)?;
            protocol = u16::from_be(tag[1]);
            network += VLAN_LEN;
        }
    }
    match protocol {
        ETH_P_IP => ipv4(&buffer, network),
        ETH_P_IPV6 => ipv6(&buffer, network),
        ETH_P_ARP => arp(&buffer, network),
        _ => None,
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Ipv4 {
    version_and_len: u8,
    tos: u8,
    total_len: u16,
    id: u16,
    fragment: u16,
    ttl: u8,
    protocol: u8,
    checksum: u16,
    source: u32,
    destination: u32,
}

#[inline(always)]
fn ipv4(buffer: &Buffer, offset: u32) -> Option<Headers> {
    const FRAGMENT_OFFSET: u16 = 0x1fff;
    let header: Ipv4 = read(buffer, offset)?;
    let len = u32::from(header.version_and_len & 0xf) * 4;
    if header.version_and_len >> 4 != 4 || len < size_of::<Ipv4>() as u32 {
        return None;
    }
    let first = u16::from_be(header.fragment) & FRAGMENT_OFFSET == 0;
    Some(Headers {
        addresses: Some((mapped(header.source), mapped(header.destination))),
        l4: Some(header.protocol),
        ports: if first { ports(buffer, offset + len, header.protocol) } else { None },
    })
}

#[inline(always)]
fn mapped(address: u32) -> Address {
    [0, 0, 0xffff_u32.to_be(), address]
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Ipv6 {
    version_and_flow: u32,
    payload_len: u16,
    next: u8,
    hop_limit: u8,
    source: Address,
    destination: Address,
}

#[inline(always)]
fn ipv6(buffer: &Buffer, offset: u32) -> Option<Headers> {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const FRAGMENT: u8 = 44;
    const AUTHENTICATION: u8 = 51;
    const DESTINATION: u8 = 60;
    const MAX_EXTENSIONS: usize = 8;
    let header: Ipv6 = read(buffer, offset)?;
    if u32::from_be(header.version_and_flow) >> 28 != 6 {
        return None;
    }
    let mut headers = Headers {
        addresses: Some((header.source, header.destination)),
        l4: Some(header.next),
        ports: None,
    };
    let (mut next, mut offset) = (header.next, offset + size_of::<Ipv6>() as u32);
    for _ in 0..MAX_EXTENSIONS {
        let is_extension =
            matches!(next, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION);
        if !is_extension {
            break;
        }
        let Some(extension) = read::<[u8; 4]>(buffer, offset) else { return Some(headers) };
        let len = u32::from(extension[1]);
        offset += match next {
            FRAGMENT => 8,
            AUTHENTICATION => (len + 2) * 4,
            _ => (len + 1) * 8,
        };
        let later =
            next == FRAGMENT && u16::from_be_bytes([extension[2], extension[3]]) & 0xfff8 != 0;
        next = extension[0];
        headers.l4 = Some(next);
        if later {
            return Some(headers);
        }
    }
    headers.ports = ports(buffer, offset, next);
    Some(headers)
}

#[repr(C, packed)]
#[derive(Clone, Copy)]
struct Arp {
    hardware: u16,
    protocol: u16,
    lens: [u8; 2],
    operation: u16,
    sender_mac: [u8; 6],
    sender: u32,
    target_mac: [u8; 6],
    target: u32,
}

#[inline(always)]
fn arp(buffer: &Buffer, offset: u32) -> Option<Headers> {
    let header: Arp = read(buffer, offset)?;
    if header.lens != [6, 4] || u16::from_be(header.protocol) != ETH_P_IP {
        return None;
    }
    Some(Headers {
        addresses: Some((mapped(header.sender), mapped(header.target))),
        ..Headers::NONE
    })
}

#[inline(always)]
fn ports(buffer: &Buffer, offset: u32, protocol: u8) -> Option<(u16, u16)> {
    const TCP: u8 = 6;
    const UDP: u8 = 17;
    const DCCP: u8 = 33;
    const SCTP: u8 = 132;
    const UDP_LITE: u8 = 136;
    if !matches!(protocol, TCP | UDP | DCCP | SCTP | UDP_LITE) {
        return None;
    }
    let ports: [u16; 2] = read(buffer, offset)?;
    Some((u16::from_be(ports[0]), u16::from_be(ports[1])))
}

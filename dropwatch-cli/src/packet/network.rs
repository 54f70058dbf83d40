//! The network layer: what is known of it, and how it is read.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{Ipv6FragmentHeaderSlice, Ipv6HeaderSlice};

use super::{
    Mac,
    bytes::{Payload, array, u16_at},
};

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
pub(super) const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;

/// The network layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// IPv4.
    Ipv4(Ipv4),
    /// IPv6.
    Ipv6(Ipv6),
    /// ARP or RARP.
    Arp(Arp),
    /// Another one, with this EtherType.
    Other(u16),
}

/// An IPv4 header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv4 {
    /// The source address.
    pub source: Ipv4Addr,
    /// The destination address.
    pub destination: Ipv4Addr,
    /// The time to live, in hops.
    pub ttl: u8,
    /// The differentiated services code point, the upper six bits of the TOS.
    pub dscp: u8,
    /// The explicit congestion notification, the lower two bits of the TOS.
    pub ecn: u8,
    /// The identification.
    pub identification: u16,
    /// Whether the packet must not be fragmented.
    pub dont_fragment: bool,
    /// Whether this is a fragment that others follow.
    pub more_fragments: bool,
    /// Where this fragment begins in the whole packet's payload, in bytes.
    pub fragment_offset: u16,
    /// The length of header and payload in bytes as the header says; 0 for packets of more than
    /// 64 KiB.
    pub total_length: u16,
    /// The length of the header in bytes, 20 to 60.
    pub header_length: u8,
    /// The protocol inside.
    pub protocol: u8,
}

/// An IPv6 header with its extension headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv6 {
    /// The source address.
    pub source: Ipv6Addr,
    /// The destination address.
    pub destination: Ipv6Addr,
    /// How many hops are left.
    pub hop_limit: u8,
    /// The traffic class, DSCP and ECN.
    pub traffic_class: u8,
    /// The flow label, 20 bits.
    pub flow_label: u32,
    /// The length of all that follows the fixed header, in bytes; 0 for packets of more than
    /// 64 KiB.
    pub payload_length: u16,
    /// The numbers of the extension headers.
    pub extensions: Extensions,
    /// The protocol behind the extension headers; unknown when not all of them were captured.
    pub protocol: Option<u8>,
    /// The fragment header.
    pub fragment: Option<Ipv6Fragment>,
}

/// An IPv6 fragment header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6Fragment {
    /// The identification.
    pub identification: u32,
    /// Where this fragment begins in the whole packet, in bytes.
    pub offset: u16,
    /// Whether other fragments follow.
    pub more: bool,
    /// The length of the fragment's payload in bytes, when the headers tell it.
    pub length: Option<u32>,
}

/// Up to eight numbers of extension headers, in their order; a slice of `u8`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    numbers: [u8; Self::MAX],
    len: u8,
}

/// An ARP packet for IPv4. The hardware addresses are there when they are those of Ethernet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arp {
    /// What is asked or told: 1 for a request, 2 for a reply.
    pub operation: u16,
    /// The length of the packet without padding, in bytes.
    pub length: u16,
    /// The sender's hardware address.
    pub sender_hardware: Option<Mac>,
    /// The sender's address.
    pub sender: Option<Ipv4Addr>,
    /// The target's hardware address.
    pub target_hardware: Option<Mac>,
    /// The target's address.
    pub target: Option<Ipv4Addr>,
}

/// What is behind the headers of IP.
#[derive(Clone, Copy)]
pub(super) struct Behind<'a> {
    /// The protocol and its bytes, unless they are unknown or in an earlier fragment.
    pub(super) protocol: Option<u8>,
    pub(super) payload: Payload<'a>,
}

impl Extensions {
    const MAX: usize = 8;
}

impl std::ops::Deref for Extensions {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.numbers[..usize::from(self.len)]
    }
}

impl Ipv4 {
    /// Reads a header, of which the options need not be captured.
    pub(super) fn parse(bytes: &[u8]) -> Option<(Self, Behind<'_>)> {
        let fixed: &[u8; 20] = bytes.first_chunk()?;
        let header_length = (fixed[0] & 0x0f) * 4;
        if fixed[0] >> 4 != 4 || header_length < 20 {
            return None;
        }
        let fragment = u16::from_be_bytes([fixed[6], fixed[7]]);
        let header = Self {
            source: Ipv4Addr::new(fixed[12], fixed[13], fixed[14], fixed[15]),
            destination: Ipv4Addr::new(fixed[16], fixed[17], fixed[18], fixed[19]),
            ttl: fixed[8],
            dscp: fixed[1] >> 2,
            ecn: fixed[1] & 3,
            identification: u16::from_be_bytes([fixed[4], fixed[5]]),
            dont_fragment: fragment & 0x4000 != 0,
            more_fragments: fragment & 0x2000 != 0,
            fragment_offset: (fragment & 0x1fff) << 3,
            total_length: u16::from_be_bytes([fixed[2], fixed[3]]),
            header_length,
            protocol: fixed[9],
        };
        let payload = Payload::new(
            bytes.get(usize::from(header_length)..).unwrap_or_default(),
            header.payload_length(),
        );
        let protocol = (header.fragment_offset == 0).then_some(header.protocol);
        Some((header, Behind { protocol, payload }))
    }

    /// The length of the payload in bytes; none where the total length is 0, which leaves it open.
    pub fn payload_length(&self) -> Option<u32> {
        let total = (self.total_length != 0).then_some(self.total_length)?;
        Some(u32::from(total.saturating_sub(u16::from(self.header_length))))
    }

    /// Whether this is one of several fragments.
    pub fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset != 0
    }
}

impl Ipv6 {
    /// Reads a header and what was captured of its extension headers.
    pub(super) fn parse(bytes: &[u8]) -> Option<(Self, Behind<'_>)> {
        let fixed = Ipv6HeaderSlice::from_slice(bytes).ok()?;
        let payload_length = fixed.payload_length();
        let mut header = Self {
            source: fixed.source_addr(),
            destination: fixed.destination_addr(),
            hop_limit: fixed.hop_limit(),
            traffic_class: fixed.traffic_class(),
            flow_label: fixed.flow_label().value(),
            payload_length,
            extensions: Extensions::default(),
            protocol: None,
            fragment: None,
        };
        let length = (payload_length != 0).then_some(u32::from(payload_length));
        let payload = Payload::new(&bytes[fixed.slice().len()..], length);
        let behind = header.walk(fixed.next_header().0, payload);
        Some((header, behind))
    }

    fn walk<'a>(&mut self, mut number: u8, mut payload: Payload<'a>) -> Behind<'a> {
        while matches!(number, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION_OPTIONS | MOBILITY) {
            let stop = Behind { protocol: None, payload };
            let Some(place) = self.extensions.numbers.get_mut(usize::from(self.extensions.len))
            else {
                return stop;
            };
            *place = number;
            self.extensions.len += 1;
            let Some([next, length]) = array(payload.bytes, 0) else { return stop };
            if number != FRAGMENT {
                payload = payload.skip((usize::from(length) + 1) * 8);
                number = next;
                continue;
            }
            let Ok(fragment) = Ipv6FragmentHeaderSlice::from_slice(payload.bytes) else {
                return stop;
            };
            payload = payload.skip(fragment.slice().len());
            number = next;
            let offset = fragment.fragment_offset().value() << 3;
            self.fragment = Some(Ipv6Fragment {
                identification: fragment.identification(),
                offset,
                more: fragment.more_fragments(),
                length: payload.len,
            });
            if offset != 0 {
                // What the header names is in the first fragment.
                self.protocol = Some(number);
                return Behind { protocol: None, payload };
            }
        }
        self.protocol = Some(number);
        Behind { protocol: Some(number), payload }
    }
}

impl Arp {
    /// Reads an ARP packet, of which the addresses need not be captured.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let hardware = u16_at(bytes, 0)?;
        let [hardware_length, length] = array(bytes, 4)?;
        if u16_at(bytes, 2)? != 0x0800 || length != 4 {
            return None;
        }
        let operation = u16_at(bytes, 6)?;
        let step = usize::from(hardware_length);
        let mac = |at| {
            // ARCNET and others have addresses that only look alike.
            let ethernet = step == 6 && matches!(hardware, 1 | 6);
            ethernet.then(|| array(bytes, at).map(Mac)).flatten()
        };
        let address = |at| array::<4>(bytes, at).map(Ipv4Addr::from);
        Some(Self {
            operation,
            length: 16 + 2 * u16::from(hardware_length),
            sender_hardware: mac(8),
            sender: address(8 + step),
            target_hardware: mac(12 + step),
            target: address(12 + 2 * step),
        })
    }
}

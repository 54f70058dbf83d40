//! Headers put together one around the other, with all fields to choose.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::frame::checksum;

/// An IPv4 header but for what follows from its payload.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4<'a> {
    /// The source address.
    pub from: Ipv4Addr,
    /// The destination address.
    pub to: Ipv4Addr,
    /// DSCP and ECN.
    pub tos: u8,
    /// The identification.
    pub id: u16,
    /// Flags and fragment offset as they are in the header.
    pub fragment: u16,
    /// The time to live.
    pub ttl: u8,
    /// The protocol inside.
    pub protocol: u8,
    /// Options, of whole words.
    pub options: &'a [u8],
}

impl Ipv4<'_> {
    /// The packet, with a right checksum.
    pub fn around(&self, payload: &[u8]) -> Vec<u8> {
        let header_len = 20 + self.options.len();
        let words = [(header_len + payload.len()) as u16, self.id, self.fragment];
        let mut header = vec![0x40 | (header_len / 4) as u8, self.tos];
        header.extend(words.map(u16::to_be_bytes).concat());
        header.extend([self.ttl, self.protocol, 0, 0]);
        header.extend([self.from.octets(), self.to.octets()].concat());
        header.extend(self.options);
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        [&header, payload].concat()
    }
}

/// An IPv6 header but for what follows from its payload.
#[derive(Clone, Copy, Debug)]
pub struct Ipv6 {
    /// The source address.
    pub from: Ipv6Addr,
    /// The destination address.
    pub to: Ipv6Addr,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// The flow label, 20 bits.
    pub flow_label: u32,
    /// The protocol, or the first extension header.
    pub next: u8,
    /// How many hops are left.
    pub hop_limit: u8,
}

impl Ipv6 {
    /// The packet.
    pub fn around(&self, payload: &[u8]) -> Vec<u8> {
        let first = 6 << 28 | u32::from(self.traffic_class) << 20 | self.flow_label;
        let len = (payload.len() as u16).to_be_bytes();
        let rest = [len[0], len[1], self.next, self.hop_limit];
        let addresses = [self.from.octets(), self.to.octets()].concat();
        [&first.to_be_bytes()[..], &rest, &addresses, payload].concat()
    }
}

/// A TCP header; the checksum is not right.
#[derive(Clone, Copy, Debug)]
pub struct Tcp<'a> {
    /// Source and destination port.
    pub ports: [u16; 2],
    /// The sequence number.
    pub seq: u32,
    /// The acknowledgment number.
    pub ack: u32,
    /// Nine bits.
    pub flags: u16,
    /// The window.
    pub window: u16,
    /// The urgent pointer.
    pub urgent: u16,
    /// Options, of whole words.
    pub options: &'a [u8],
}

impl Tcp<'_> {
    /// The segment.
    pub fn around(&self, payload: &[u8]) -> Vec<u8> {
        let words = ((20 + self.options.len()) / 4) as u16;
        let numbers = [self.seq, self.ack].map(u32::to_be_bytes).concat();
        let rest = [words << 12 | self.flags, self.window, 0x1234, self.urgent];
        let rest = rest.map(u16::to_be_bytes).concat();
        [&self.ports.map(u16::to_be_bytes).concat(), &numbers, &rest, self.options, payload]
            .concat()
    }
}

/// A UDP datagram without a checksum.
pub fn udp(ports: [u16; 2], payload: &[u8]) -> Vec<u8> {
    let words = [ports[0], ports[1], 8 + payload.len() as u16, 0];
    [&words.map(u16::to_be_bytes).concat(), payload].concat()
}

/// An ICMP message; its checksum is right for IPv4.
pub fn icmp(kind: u8, code: u8, body: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, code, 0, 0], body].concat();
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

/// A VXLAN header.
pub fn vxlan(vni: u32, inner: &[u8]) -> Vec<u8> {
    [&[8, 0, 0, 0], &(vni << 8).to_be_bytes()[..], inner].concat()
}

/// A Geneve header, with options of whole words.
pub fn geneve(vni: u32, protocol: u16, options: &[u8], inner: &[u8]) -> Vec<u8> {
    let first = [(options.len() / 4) as u8, 0];
    [&first, &protocol.to_be_bytes()[..], &(vni << 8).to_be_bytes(), options, inner].concat()
}

/// A GRE header with key and sequence number.
pub fn gre(protocol: u16, key: u32, sequence: u32, inner: &[u8]) -> Vec<u8> {
    let numbers = [key, sequence].map(u32::to_be_bytes).concat();
    [&[0x30, 0], &protocol.to_be_bytes()[..], &numbers, inner].concat()
}

/// VLAN tags, each an EtherType and control information, and the EtherType behind them.
pub fn tags(tags: &[(u16, u16)], ether_type: u16, payload: &[u8]) -> (u16, Vec<u8>) {
    let mut words: Vec<u16> = tags.iter().flat_map(|&(tpid, tci)| [tpid, tci]).collect();
    words.push(ether_type);
    let bytes = words[1..].iter().flat_map(|word| word.to_be_bytes());
    (words[0], bytes.chain(payload.iter().copied()).collect())
}

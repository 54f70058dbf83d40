//! Packets put together byte by byte.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::Mac;

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ARP: u16 = 0x0806;
/// An EtherType that is kept free for experiments.
pub const EXPERIMENTAL: u16 = 0x88b5;

/// IP's numbers of the protocols above.
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Length of an IPv4 header without options.
pub const IPV4_HEADER: usize = 20;
/// Length of a TCP header without options.
pub const TCP_HEADER: usize = 20;

/// Where the checksum stands in each header.
const IPV4_CHECKSUM: usize = 10;
const UDP_CHECKSUM: usize = 6;
const TCP_CHECKSUM: usize = 16;

/// An Ethernet frame.
pub fn ethernet(to: Mac, from: Mac, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &from, &ether_type.to_be_bytes(), payload].concat()
}

/// A UDP datagram in an IPv4 packet, with right checksums.
pub fn udp(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len()) as u16;
    let ports = [from.port(), to.port(), len, 0].map(u16::to_be_bytes).concat();
    ipv4(*from.ip(), *to.ip(), UDP, UDP_CHECKSUM, [&ports, payload].concat())
}

/// A TCP segment with SYN set in an IPv4 packet, with right checksums.
pub fn tcp_syn(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    const SYN: u16 = 0x02;
    tcp(from, to, SYN, payload)
}

/// A TCP segment that ends a connection, in IPv4.
pub fn tcp_reset(from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    const RST: u16 = 0x04;
    tcp(from, to, RST, &[])
}

fn tcp(from: SocketAddrV4, to: SocketAddrV4, flags: u16, payload: &[u8]) -> Vec<u8> {
    const FIVE_WORDS: u16 = 0x5000;
    let (sequence, window) = (7, 1024);
    let words = [from.port(), to.port(), 0, sequence, 0, 0, FIVE_WORDS | flags, window, 0, 0];
    let header = words.map(u16::to_be_bytes).concat();
    ipv4(*from.ip(), *to.ip(), TCP, TCP_CHECKSUM, [&header, payload].concat())
}

/// A request to tell the Ethernet address of `wanted`.
pub fn arp_request(mac: Mac, address: Ipv4Addr, wanted: Ipv4Addr) -> Vec<u8> {
    let ethernet_ipv4_request = [0, 1, 8, 0, 6, 4, 0, 1];
    [&ethernet_ipv4_request[..], &mac, &address.octets(), &[0; 6], &wanted.octets()].concat()
}

/// Makes the checksum of an IPv4 header wrong.
pub fn spoil_ipv4(packet: &mut [u8]) {
    spoil(packet, IPV4_CHECKSUM);
}

/// Makes the checksum of a UDP datagram wrong.
pub fn spoil_udp(packet: &mut [u8]) {
    spoil(packet, IPV4_HEADER + UDP_CHECKSUM);
}

/// Makes the checksum of a TCP segment wrong.
pub fn spoil_tcp(packet: &mut [u8]) {
    spoil(packet, IPV4_HEADER + TCP_CHECKSUM);
}

fn spoil(packet: &mut [u8], at: usize) {
    let right = [packet[at], packet[at + 1]];
    // Zero would mean that there is none.
    let wrong = if right == [0x12, 0x34] { [0x43, 0x21] } else { [0x12, 0x34] };
    packet[at..at + 2].copy_from_slice(&wrong);
}

fn ipv4(
    from: Ipv4Addr,
    to: Ipv4Addr,
    protocol: u8,
    checksum_at: usize,
    mut body: Vec<u8>,
) -> Vec<u8> {
    let len = (body.len() as u16).to_be_bytes();
    let pseudo_header = [&from.octets()[..], &to.octets(), &[0, protocol], &len].concat();
    let sum = checksum(&[&pseudo_header, &body[..]].concat());
    body[checksum_at..checksum_at + 2].copy_from_slice(&sum.to_be_bytes());

    let total = ((IPV4_HEADER + body.len()) as u16).to_be_bytes();
    let mut header = vec![0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, protocol, 0, 0];
    header.extend([from.octets(), to.octets()].concat());
    let sum = checksum(&header);
    header[IPV4_CHECKSUM..IPV4_CHECKSUM + 2].copy_from_slice(&sum.to_be_bytes());
    [header, body].concat()
}

/// The checksum of the Internet (RFC 1071).
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| [pair[0], pair.get(1).copied().unwrap_or(0)]);
    let mut sum: u32 = words.map(|pair| u32::from(u16::from_be_bytes(pair))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 1000);
    const TO: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 2), 2000);

    /// A right checksum makes the sum of all words, itself included, all ones.
    fn is_right(packet: &[u8], protocol: u8) -> (bool, bool) {
        let (header, body) = packet.split_at(IPV4_HEADER);
        let len = (body.len() as u16).to_be_bytes();
        let pseudo = [&header[12..20], &[0, protocol], &len, body].concat();
        (checksum(header) == 0, checksum(&pseudo) == 0)
    }

    #[test]
    fn checksums_are_right_until_they_are_spoilt() {
        for payload in [&b""[..], b"odd", b"even"] {
            let mut packet = udp(FROM, TO, payload);
            assert_eq!(is_right(&packet, UDP), (true, true));
            spoil_udp(&mut packet);
            assert_eq!(is_right(&packet, UDP), (true, false));
            spoil_ipv4(&mut packet);
            assert_eq!(is_right(&packet, UDP), (false, false));

            let mut packet = tcp_syn(FROM, TO, payload);
            assert_eq!(is_right(&packet, TCP), (true, true));
            spoil_tcp(&mut packet);
            assert_eq!(is_right(&packet, TCP), (true, false));
        }
    }
}

//! Packets, built by hand from their layers.

pub const A4: [u8; 4] = [10, 0, 0, 1];
pub const B4: [u8; 4] = [10, 0, 0, 2];
pub const A6: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
pub const B6: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
pub const A_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const B_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

pub fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

pub fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&B_MAC, &A_MAC, &ether_type.to_be_bytes(), payload])
}

/// The one's complement sum of the Internet protocols.
fn checksum(bytes: &[u8]) -> u16 {
    let sum = bytes.chunks(2).map(|pair| match *pair {
        [a, b] => u32::from(u16::from_be_bytes([a, b])),
        [a] => u32::from(a) << 8,
        _ => 0,
    });
    let mut sum: u32 = sum.sum();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Identification 4242, TTL 64, DSCP 46, ECN 1; `fragment` is the word of flags and offset.
pub fn ipv4_fragment(protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut header = join(&[
        &[0x45, 46 << 2 | 1],
        &(20 + payload.len() as u16).to_be_bytes(),
        &4242_u16.to_be_bytes(),
        &fragment.to_be_bytes(),
        &[64, protocol, 0, 0],
        &A4,
        &B4,
    ]);
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    join(&[&header, payload])
}

pub fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_fragment(protocol, 0x4000, payload)
}

/// Traffic class 0xb8, flow label 0x12345, hop limit 255.
pub fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    join(&[&[0x6b, 0x81, 0x23, 0x45], &length, &[next, 255], &A6, &B6, payload])
}

pub fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len() as u16).to_be_bytes();
    join(&[&source.to_be_bytes(), &destination.to_be_bytes(), &length, &[0, 0], payload])
}

/// Sequence number 123, acknowledgment 7, window 64240.
pub fn tcp(flags: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let words = 5 + options.len() as u16 / 4;
    join(&[
        &40_000_u16.to_be_bytes(),
        &8_090_u16.to_be_bytes(),
        &123_u32.to_be_bytes(),
        &7_u32.to_be_bytes(),
        &(words << 12 | flags).to_be_bytes(),
        &64_240_u16.to_be_bytes(),
        &[0, 0, 0, 9],
        options,
        payload,
    ])
}

/// MSS 1460, SACK permitted, timestamps 100 and 200, padding, window scale 7.
pub const TCP_OPTIONS: [u8; 20] =
    [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 100, 0, 0, 0, 200, 1, 3, 3, 7];

/// With a checksum, as tcpdump looks at it.
pub fn icmp(kind: u8, code: u8, body: &[u8]) -> Vec<u8> {
    let mut message = join(&[&[kind, code, 0, 0], body]);
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

pub fn arp(operation: u8, target: [u8; 6]) -> Vec<u8> {
    join(&[&[0, 1, 8, 0, 6, 4, 0, operation], &A_MAC, &A4, &target, &B4])
}

pub fn inner4() -> Vec<u8> {
    ipv4(17, &udp(5, 9, &[0; 10]))
}

pub fn inner6() -> Vec<u8> {
    ipv6(17, &udp(5, 9, &[0; 10]))
}

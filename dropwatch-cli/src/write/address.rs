//! Addresses, as the standard library writes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{number::pair, short};

/// The longest: eight groups of four digits, or an IPv4 address in an IPv6 one.
const MOST: usize = 45;

/// Text that is being put together.
struct Short {
    bytes: [u8; MOST + 4],
    len: usize,
}

impl Short {
    const EMPTY: Self = Self { bytes: [0; MOST + 4], len: 0 };

    /// The first `len` of these bytes.
    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N], len: usize) {
        if let Some(place) = self.bytes.get_mut(self.len..).and_then(|rest| rest.first_chunk_mut())
        {
            *place = bytes;
            self.len += len;
        }
    }

    #[inline]
    fn put_v4(&mut self, address: Ipv4Addr) {
        for octet in address.octets() {
            let [entry @ .., len] = OCTETS[usize::from(octet)];
            self.put(entry, len.into());
        }
        self.len -= 1;
    }

    fn put_group(&mut self, group: u16) {
        let count = (u16::BITS - (group | 1).leading_zeros()).div_ceil(4);
        let [high, low] = (group << (u16::BITS - 4 * count)).to_be_bytes();
        let ([a, b], [c, d]) = (pair(high), pair(low));
        self.put([a, b, c, d], count as usize);
    }

    fn put_v6(&mut self, address: Ipv6Addr) {
        if let Some(address) = address.to_ipv4_mapped() {
            self.put(*b"::ffff:", 7);
            return self.put_v4(address);
        }
        let groups = address.segments();
        let zeros = longest_zeros(&groups);
        for (place, group) in groups.into_iter().enumerate() {
            if zeros.contains(&place) {
                if place == zeros.start {
                    self.put(*b"::", 2);
                }
                continue;
            }
            if place > 0 && place != zeros.end {
                self.put([b':'], 1);
            }
            self.put_group(group);
        }
    }
}

/// The digits of each byte with a dot behind, and how long that is.
const OCTETS: [[u8; 5]; 256] = {
    let mut table = [[0; 5]; 256];
    let mut octet = 0;
    while octet < table.len() {
        let [hundreds, tens, ones] =
            [b'0' + (octet / 100) as u8, b'0' + (octet / 10 % 10) as u8, b'0' + (octet % 10) as u8];
        table[octet] = if octet >= 100 {
            [hundreds, tens, ones, b'.', 4]
        } else if octet >= 10 {
            [tens, ones, b'.', 0, 3]
        } else {
            [ones, b'.', 0, 0, 2]
        };
        octet += 1;
    }
    table
};

/// The first of the longest runs of zeros, where one is longer than one group; empty and behind
/// all groups where there is none.
fn longest_zeros(groups: &[u16; 8]) -> std::ops::Range<usize> {
    let mut longest = 9..9;
    let mut run = 0;
    for (place, group) in groups.iter().enumerate() {
        run = if *group == 0 { run + 1 } else { 0 };
        if run > 1 && run > longest.len() {
            longest = place + 1 - run..place + 1;
        }
    }
    longest
}

/// Appends an IP address.
pub fn address(out: &mut Vec<u8>, address: impl Into<IpAddr>) {
    let mut text = Short::EMPTY;
    match address.into() {
        IpAddr::V4(address) => {
            text.put_v4(address);
            // The first bytes hold it, and are less to copy.
            if let Some(bytes) = text.bytes.first_chunk::<16>() {
                short(out, bytes, text.len);
            }
        }
        IpAddr::V6(address) => {
            text.put_v6(address);
            short(out, &text.bytes, text.len);
        }
    }
}

/// Appends an Ethernet address: `02:00:00:00:00:01`.
pub fn hardware_address(out: &mut Vec<u8>, address: [u8; 6]) {
    let mut text = [b':'; 18];
    for (place, byte) in text.as_chunks_mut::<3>().0.iter_mut().zip(address) {
        let [high, low] = pair(byte);
        *place = [high, low, b':'];
    }
    short(out, &text, 17);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"before".to_vec();
        write(&mut out);
        String::from_utf8(out.split_off(6)).expect("text")
    }

    #[test]
    fn addresses_are_as_the_standard_library_writes_them() {
        let mut random = random::numbers();
        for _ in 0..100_000 {
            let v4 = Ipv4Addr::from_bits((random() >> 8) as u32);
            assert_eq!(text(|out| address(out, v4)), v4.to_string());
            // Of each length, and many of them zero.
            let mut groups = [0; 8];
            let nonzero = random();
            for (place, group) in groups.iter_mut().enumerate() {
                if nonzero >> place & 1 != 0 {
                    *group = (random() as u16) >> (random() % 16);
                }
            }
            let v6 = Ipv6Addr::from(groups);
            assert_eq!(text(|out| address(out, v6)), v6.to_string());
            for v6 in [v4.to_ipv6_mapped(), v4.to_ipv6_compatible()] {
                assert_eq!(text(|out| address(out, v6)), v6.to_string());
            }
        }
    }

    #[test]
    fn the_longest_fit() {
        for v6 in [Ipv6Addr::from([0xffff; 8]), Ipv4Addr::BROADCAST.to_ipv6_mapped()] {
            assert_eq!(text(|out| address(out, v6)), v6.to_string());
        }
        let mac = [0x02, 0xab, 0, 0x10, 9, 0xff];
        assert_eq!(text(|out| hardware_address(out, mac)), "02:ab:00:10:09:ff");
    }
}

//! `--src`, `--dst` and `--host`: addresses and prefixes, as the kernel's trie holds them.
//!
//! IPv4 is mapped into IPv6 there (`::ffff:0:0/96`). The trie answers with the longest prefix
//! that contains an address and with no other, so each holds also what those say that contain it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

const MAPPED: u128 = 0xffff << 32;
const MAPPED_LEN: u32 = 96;

/// What the trie is to hold: the length of a prefix, its bytes, and its `WANTED_*` and
/// `EXCLUDED_*` bits.
pub type Entry = (u32, [u8; 16], u32);

/// A prefix, or an address, which is the longest prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    v4: bool,
    bits: u128,
    len: u32,
}

impl Network {
    /// Reads an address or a prefix. Bits behind a prefix are of no matter.
    ///
    /// # Errors
    /// What is wrong with it, to stand behind the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, len) = match text.split_once('/') {
            Some((address, len)) => (address, Some(len)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| {
            "is no address; host names are not looked up: write an address or a prefix, like \
             192.0.2.7 or 2001:db8::/32"
                .to_owned()
        })?;
        let (bits, family_len) = match address {
            IpAddr::V4(address) => (address.to_ipv6_mapped().to_bits(), Ipv4Addr::BITS),
            IpAddr::V6(address) => (address.to_bits(), Ipv6Addr::BITS),
        };
        let len = match len {
            None => family_len,
            Some(len) => {
                let digits = len.bytes().all(|digit| digit.is_ascii_digit());
                let len = len.parse().ok().filter(|&len| digits && len <= family_len);
                len.ok_or_else(|| {
                    format!("has no length of a prefix: write a number up to {family_len}")
                })?
            }
        };
        Ok(Self::new(bits, len + Ipv6Addr::BITS - family_len))
    }

    /// Whether an address is in it.
    pub fn has(&self, address: IpAddr) -> bool {
        let address = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        self.contains(&Self::new(address.to_bits(), Ipv6Addr::BITS))
    }

    fn new(bits: u128, len: u32) -> Self {
        let v4 = len >= MAPPED_LEN && masked(bits, MAPPED_LEN) == MAPPED;
        Self { v4, bits: masked(bits, len), len }
    }

    /// Whether it contains all of another. No prefix of IPv6 contains one of IPv4, though the
    /// mapping makes it look so.
    fn contains(&self, other: &Self) -> bool {
        self.v4 == other.v4 && self.len <= other.len && masked(other.bits, self.len) == self.bits
    }
}

fn masked(bits: u128, len: u32) -> u128 {
    bits & u128::MAX.checked_shl(Ipv6Addr::BITS - len).unwrap_or(0)
}

/// What the trie is to hold for these prefixes, each with its bits.
pub fn entries(networks: &[(Network, u32)]) -> Vec<Entry> {
    let said = |network: &Network| {
        let containing = networks.iter().filter(|(other, _)| other.contains(network));
        containing.fold(0, |bits, (_, more)| bits | more)
    };
    let mut entries: BTreeMap<_, _> =
        networks.iter().map(|(network, _)| ((network.len, network.bits), said(network))).collect();
    // So that IPv4 is not found as part of IPv6.
    if networks
        .iter()
        .any(|(network, _)| !network.v4 && masked(MAPPED, network.len) == network.bits)
    {
        entries.entry((MAPPED_LEN, MAPPED)).or_insert(0);
    }
    entries.into_iter().map(|((len, network), bits)| (len, network.to_be_bytes(), bits)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    fn network(text: &str) -> Network {
        Network::parse(text).expect(text)
    }

    /// What the kernel's trie answers.
    fn longest(entries: &[Entry], address: u128) -> u32 {
        let containing = entries
            .iter()
            .filter(|(len, bytes, _)| masked(address, *len) == u128::from_be_bytes(*bytes));
        containing.max_by_key(|(len, ..)| len).map_or(0, |(.., bits)| *bits)
    }

    fn address(text: &str) -> u128 {
        network(text).bits
    }

    #[test]
    fn addresses_and_prefixes_are_read() {
        assert_eq!(network("192.0.2.7"), network("192.0.2.7/32"));
        assert_eq!(network("192.0.2.7/24"), network("192.0.2.0/24"));
        assert_eq!(network("::ffff:192.0.2.7"), network("192.0.2.7"));
        assert_eq!(network("::ffff:192.0.2.7/120"), network("192.0.2.0/24"));
        assert_eq!(network("2001:DB8::1/32"), network("2001:db8::/32"));
        assert_eq!((network("0.0.0.0/0").len, network("::/0").len), (96, 0));
        assert_ne!(network("::/96"), network("0.0.0.0/0"));
        for text in
            ["", "localhost", "1.2.3", "1.2.3.4.5", "fe80::1%lo", "[::1]", "1.2.3.4:80", "/8"]
        {
            let error = Network::parse(text).expect_err(text);
            assert!(error.contains("host names are not looked up"), "{text}: {error}");
        }
        for text in
            ["1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1", "1.2.3.4/+8", "::/129", "1.2.3.4/255.0.0.0"]
        {
            let error = Network::parse(text).expect_err(text);
            assert!(error.starts_with("has no length of a prefix"), "{text}: {error}");
        }
    }

    #[test]
    fn longer_prefixes_say_what_shorter_ones_say() {
        let table = entries(&[
            (network("10.0.0.0/8"), 1),
            (network("10.1.0.0/16"), 2),
            (network("10.1.2.3"), 4),
            (network("10.1.2.3"), 8),
            (network("2001:db8::/32"), 16),
        ]);
        assert_eq!(table.len(), 4);
        for (text, bits) in [
            ("10.2.0.0", 1),
            ("10.1.0.1", 3),
            ("10.1.2.3", 15),
            ("11.0.0.0", 0),
            ("2001:db8::1", 16),
            ("::10.1.2.3", 0),
        ] {
            assert_eq!(longest(&table, address(text)), bits, "{text}");
        }
    }

    #[test]
    fn ipv4_is_no_part_of_ipv6() {
        let all = entries(&[(network("::/0"), 1)]);
        assert_eq!(longest(&all, address("2001:db8::1")), 1);
        assert_eq!(longest(&all, address("192.0.2.7")), 0);
        let both =
            entries(&[(network("::/0"), 1), (network("0.0.0.0/0"), 2), (network("10.0.0.0/8"), 4)]);
        assert_eq!(longest(&both, address("::1")), 1);
        assert_eq!(longest(&both, address("192.0.2.7")), 2);
        assert_eq!(longest(&both, address("10.0.0.1")), 6);
        assert_eq!(entries(&[(network("2001:db8::/32"), 1)]).len(), 1);
    }

    #[test]
    fn the_longest_prefix_says_what_all_say() {
        let mut number = random::numbers();
        let mut random = move || number() >> 16;
        for _ in 0..2_000 {
            // Few distinct bits, so that many prefixes contain each other.
            let mut any = || {
                let low = u128::from(random()) & 0x8181;
                match random() % 3 {
                    0 => (low, 0),
                    1 => (low << 112 | low, 0),
                    _ => (MAPPED | low << 16 | low, MAPPED_LEN),
                }
            };
            let mut addresses: Vec<_> = (0..40).map(|_| any().0).collect();
            let prefixes: Vec<_> = (0..12).map(|_| any()).collect();
            let networks: Vec<_> = prefixes
                .iter()
                .map(|(bits, least)| {
                    let len = least + random() as u32 % (129 - least);
                    (Network::new(*bits, len), 1 << (random() % 6))
                })
                .collect();
            addresses.extend(networks.iter().map(|(network, _)| network.bits));
            let table = entries(&networks);
            for address in addresses {
                let exact = Network::new(address, 128);
                let naive = networks
                    .iter()
                    .filter(|(network, _)| {
                        network.v4 == exact.v4 && masked(address, network.len) == network.bits
                    })
                    .fold(0, |bits, (_, more)| bits | more);
                assert_eq!(longest(&table, address), naive, "{address:x} in {networks:x?}");
            }
        }
    }
}

//! From the kernel's keys to ours. Never panics, whatever the bytes.

use std::net::{IpAddr, Ipv6Addr};

use dropwatch_common::{
    count::{
        CountKey, FLOW_ADDRESSES, FLOW_L4, FLOW_PORTS, FlowKey, KEY_INTERFACE, KEY_NETNS,
        KEY_PROTOCOL, KEY_REASON,
    },
    record::INTERFACE_LEN,
};

use super::key::{Flow, Interface, Key};
use crate::drop::Name;

impl Key {
    /// What a key of the map `COUNTS` says; `name` is that of the device.
    pub fn of_count(key: &CountKey, name: [u8; INTERFACE_LEN]) -> Self {
        let has = |flag| key.flags & flag != 0;
        let name = Some(Name::of_field(name)).filter(|name| !name.bytes().is_empty());
        Self {
            reason: has(KEY_REASON).then_some(key.reason),
            location: Some(key.location),
            protocol: has(KEY_PROTOCOL).then_some(key.protocol),
            interface: has(KEY_INTERFACE).then_some(Interface { index: key.index, name }),
            netns: has(KEY_NETNS).then_some(key.netns),
            flow: None,
        }
    }

    /// The key in the map `COUNTS`, of which this one is without what was not known.
    pub fn to_count(&self) -> CountKey {
        let mut flags = 0;
        let mut flag = |is_known: bool, flag: u16| flags |= if is_known { flag } else { 0 };
        flag(self.reason.is_some(), KEY_REASON);
        flag(self.protocol.is_some(), KEY_PROTOCOL);
        flag(self.interface.is_some(), KEY_INTERFACE);
        flag(self.netns.is_some(), KEY_NETNS);
        CountKey {
            location: self.location.unwrap_or(0),
            reason: self.reason.unwrap_or(0),
            netns: self.netns.unwrap_or(0),
            index: self.interface.map_or(0, |interface| interface.index),
            protocol: self.protocol.unwrap_or(0),
            flags,
        }
    }

    /// What a key of the map `FLOWS` says, likewise.
    pub fn of_flow(key: &FlowKey, name: [u8; INTERFACE_LEN]) -> Self {
        let has = |flag| key.flags & flag != 0;
        let flow = has(FLOW_ADDRESSES).then(|| Flow {
            source: address(key.source),
            destination: address(key.destination),
            ports: has(FLOW_PORTS).then_some((key.source_port, key.destination_port)),
            // The kernel has it in 8 bits.
            l4: has(FLOW_L4).then_some(key.l4 as u8),
        });
        Self { flow, ..Self::of_count(&key.key, name) }
    }
}

/// Words in network byte order, IPv4 mapped into IPv6.
fn address(words: [u32; 4]) -> IpAddr {
    let mut bytes = [0; 16];
    for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    Ipv6Addr::from(bytes).to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count_key() -> CountKey {
        CountKey {
            location: 0xffff_ffff_8100_0001,
            reason: 0x3_0002,
            netns: 7,
            index: 2,
            protocol: 0x86dd,
            flags: KEY_REASON | KEY_PROTOCOL | KEY_INTERFACE | KEY_NETNS,
        }
    }

    fn words(bytes: [u8; 16]) -> [u32; 4] {
        let (words, _) = bytes.as_chunks::<4>();
        [0, 1, 2, 3].map(|at| u32::from_ne_bytes(words[at]))
    }

    #[test]
    fn every_part_arrives() {
        let key = Key::of_count(&count_key(), *b"eth0\0garbage\0\0\0\0");
        assert_eq!((key.reason, key.location), (Some(0x3_0002), Some(0xffff_ffff_8100_0001)));
        assert_eq!((key.protocol, key.netns, key.flow), (Some(0x86dd), Some(7), None));
        let interface = key.interface.expect("flagged");
        assert_eq!(interface.index, 2);
        assert_eq!(interface.name.expect("a name").bytes(), b"eth0");
        assert_eq!(key.to_count(), count_key());
    }

    #[test]
    fn what_is_not_flagged_is_unknown() {
        let key = Key::of_count(&CountKey { flags: 0, ..count_key() }, [0; 16]);
        let location = Some(0xffff_ffff_8100_0001);
        assert_eq!(key, Key { location, ..Key::default() });
        let flow = FlowKey { key: count_key(), source_port: 1, l4: 17, ..FlowKey::default() };
        assert_eq!(Key::of_flow(&flow, [0; 16]).flow, None);
        assert_eq!(Key::of_flow(&flow, [0; 16]).interface.map(|it| it.name), Some(None));
    }

    #[test]
    fn addresses_are_of_either_family() {
        let source: Ipv6Addr = "2001:db8::7".parse().expect("an address");
        let destination = std::net::Ipv4Addr::new(192, 0, 2, 9).to_ipv6_mapped();
        let flow = FlowKey {
            key: count_key(),
            source: words(source.octets()),
            destination: words(destination.octets()),
            source_port: 53,
            destination_port: 5353,
            l4: 17,
            flags: FLOW_ADDRESSES | FLOW_PORTS | FLOW_L4,
        };
        let flow = Key::of_flow(&flow, [0; 16]).flow.expect("flagged");
        assert_eq!(flow.source, IpAddr::V6(source));
        assert_eq!(flow.destination, IpAddr::from([192, 0, 2, 9]));
        assert_eq!((flow.ports, flow.l4), (Some((53, 5353)), Some(17)));
    }
}

//! What drops are counted by.

use std::net::IpAddr;

use crate::drop::Name;

/// A part of what drops are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum By {
    /// The drop reason.
    Reason,
    /// Where the packet was dropped.
    Location,
    /// The packet's EtherType.
    Protocol,
    /// The device that the packet was at.
    Interface,
    /// The network namespace.
    Netns,
    /// Addresses, ports and protocol.
    Flow,
}

impl By {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 6] =
        [Self::Reason, Self::Location, Self::Protocol, Self::Interface, Self::Netns, Self::Flow];

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reason => "reason",
            Self::Location => "location",
            Self::Protocol => "protocol",
            Self::Interface => "interface",
            Self::Netns => "netns",
            Self::Flow => "flow",
        }
    }

    /// The one of this name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.name().eq_ignore_ascii_case(name))
    }

    /// What stands over its column; the same as over that of the stream.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Reason => "REASON",
            Self::Location => "LOCATION",
            Self::Protocol => "PROTO",
            Self::Interface => "IFACE",
            Self::Netns => "NETNS",
            Self::Flow => "FLOW",
        }
    }
}

/// What drops that are counted together have in common. A part is none where it was not asked
/// for, or is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Key {
    /// Raw `enum skb_drop_reason`, the subsystem in the high 16 bits.
    pub reason: Option<u32>,
    /// Return address of the call that freed the packet.
    pub location: Option<u64>,
    /// EtherType in host byte order; 0 where the packet has none.
    pub protocol: Option<u16>,
    /// The device; with the network namespace it is unique.
    pub interface: Option<Interface>,
    /// Inode number of the network namespace.
    pub netns: Option<u32>,
    /// Who sent to whom.
    pub flow: Option<Flow>,
}

/// A network device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Interface {
    /// Its index in its network namespace. 0 for none, and for devices of different namespaces
    /// that are counted together by their name.
    pub index: u32,
    /// Its name, where that is known.
    pub name: Option<Name>,
}

/// Who sent to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flow {
    /// The sender's address.
    pub source: IpAddr,
    /// The receiver's.
    pub destination: IpAddr,
    /// Source and destination port, where the protocol has them.
    pub ports: Option<(u16, u16)>,
    /// The protocol in the IP header.
    pub l4: Option<u8>,
}

impl Key {
    /// The same without the parts that are not in `by`. Devices keep apart: one that has no name
    /// keeps its network namespace, even where that is not in `by`.
    pub fn project(&self, by: &[By]) -> Self {
        let wants = |part| by.contains(&part);
        let mut netns = self.netns.filter(|_| wants(By::Netns));
        let mut interface = self.interface.filter(|_| wants(By::Interface));
        if let Some(interface) = &mut interface
            && !wants(By::Netns)
        {
            match interface.name {
                Some(_) => interface.index = 0,
                None if interface.index != 0 => netns = self.netns,
                None => {}
            }
        }
        Self {
            reason: self.reason.filter(|_| wants(By::Reason)),
            location: self.location.filter(|_| wants(By::Location)),
            protocol: self.protocol.filter(|_| wants(By::Protocol)),
            interface,
            netns,
            flow: self.flow.filter(|_| wants(By::Flow)),
        }
    }

    /// What it is told from others by: a device's name can become known later.
    pub(crate) fn identity(&self) -> Self {
        let nameless = |interface| Interface { name: None, ..interface };
        Self { interface: self.interface.map(nameless), ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(index: u32, name: Option<&[u8]>) -> Option<Interface> {
        let name = name.map(|name| {
            let mut field = [0; 16];
            field[..name.len()].copy_from_slice(name);
            Name::of_field(field)
        });
        Some(Interface { index, name })
    }

    #[test]
    fn parts_are_found_by_their_names() {
        for by in By::ALL {
            assert_eq!(By::named(by.name()), Some(by));
            assert_eq!(By::named(&by.name().to_uppercase()), Some(by));
        }
        assert_eq!((By::named(""), By::named("reasons")), (None, None));
    }

    #[test]
    fn what_is_not_asked_for_is_forgotten() {
        let flow = Flow {
            source: [192, 0, 2, 1].into(),
            destination: [192, 0, 2, 2].into(),
            ports: Some((1, 2)),
            l4: Some(17),
        };
        let key = Key {
            reason: Some(2),
            location: Some(3),
            protocol: Some(4),
            interface: device(5, Some(b"eth0")),
            netns: Some(6),
            flow: Some(flow),
        };
        assert_eq!(key.project(&By::ALL), key);
        assert_eq!(key.project(&[]), Key::default());
        assert_eq!(key.project(&[By::Reason]), Key { reason: Some(2), ..Key::default() });
        assert_eq!(key.project(&[By::Flow]), Key { flow: Some(flow), ..Key::default() });
    }

    #[test]
    fn devices_keep_apart_but_for_equal_names() {
        let key = |netns, index, name| Key {
            netns: Some(netns),
            interface: device(index, name),
            ..Key::default()
        };
        let same = |left: Key, right: Key| {
            left.project(&[By::Interface]) == right.project(&[By::Interface])
        };
        assert!(same(key(1, 2, Some(b"lo")), key(3, 4, Some(b"lo"))));
        assert!(!same(key(1, 2, Some(b"lo")), key(1, 2, Some(b"eth0"))));
        assert!(same(key(1, 2, None), key(1, 2, None)));
        assert!(!same(key(1, 2, None), key(3, 2, None)));
        assert!(same(key(1, 0, None), key(3, 0, None)), "no device has no namespace either");
    }
}

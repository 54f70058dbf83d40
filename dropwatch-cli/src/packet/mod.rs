//! What the bytes of a dropped packet say: from a [`Snapshot`] to a [`Packet`] that owns what it
//! knows, and to text as tcpdump writes it.
//!
//! A field is there only when all its bytes were captured. Nothing here panics, whatever the bytes.

mod bytes;
mod details;
mod gre;
mod icmp;
mod icmp_text;
mod l4;
mod network;
mod parse;
mod tcp;
#[cfg(test)]
mod tests;
mod text;
mod transport;
mod tunnel;
mod write;

use std::net::IpAddr;

pub use network::{Arp, Extensions, Ipv4, Ipv6, Ipv6Fragment, Network};
pub use transport::{
    Ah, Esp, Gre, Icmp, IcmpBody, Igmp, Quoted, Sctp, Tcp, TcpOptions, TcpRest, Transport, Udp,
};

use crate::write::hardware_address;

/// The name of a protocol in IP (`IPPROTO_*`), where it has one.
pub fn protocol_name(number: u8) -> Option<&'static str> {
    write::l4_name(number)
}

/// The beginning of a packet as the kernel had it when it dropped it.
///
/// The offsets count from the begin of `bytes`. Drops happen at every layer, so each may be unset,
/// point behind `bytes`, or be left over from a layer that the packet has passed.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// The captured bytes, all of the skb's linear part.
    pub bytes: &'a [u8],
    /// Where `skb->mac_header` is.
    pub mac: Option<usize>,
    /// Where `skb->network_header` is.
    pub network: Option<usize>,
    /// Where `skb->transport_header` is. Not needed: the transport layer is found by walking the
    /// network layer, which cannot be stale.
    pub transport: Option<usize>,
    /// `skb->protocol`, an EtherType in host byte order; 0 when there is none.
    pub protocol: u16,
    /// The VLAN tag that is in the skb and not in its bytes: TPID and TCI, in host byte order.
    pub vlan: Option<(u16, u16)>,
    /// Whether the linear part went on behind `bytes`.
    pub cut: bool,
}

/// What is known of a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// The Ethernet header.
    pub link: Option<Link>,
    /// The VLAN tags, outermost first; the one that was not in the bytes leads.
    pub vlans: Vlans,
    /// The EtherType of the network layer, behind all tags, in host byte order. 0 when there is
    /// none, and then nothing else is known either.
    pub protocol: u16,
    /// The network layer.
    pub network: Option<Network>,
    /// The transport layer, when at least its first fields were captured. For IPv6 it is what
    /// follows the extension headers. A fragment that is not the first has none.
    pub transport: Option<Transport>,
    /// What the packet carries when it is a tunnel's. An inner packet has none.
    pub tunnel: Option<Box<Tunnel>>,
    /// Whether the linear part of the skb had more bytes than were captured.
    pub cut: bool,
}

/// An Ethernet header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The source address.
    pub source: Mac,
    /// The destination address.
    pub destination: Mac,
    /// The EtherType that follows the addresses, that of the first tag if there are any in the
    /// bytes; host byte order.
    pub ether_type: u16,
}

/// An Ethernet address, written as `02:00:00:00:00:01`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

/// A VLAN tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vlan {
    /// The tag's EtherType, 0x8100 or 0x88a8.
    pub tpid: u16,
    /// The VLAN, 0 to 4095.
    pub id: u16,
    /// The priority, 0 to 7.
    pub priority: u8,
    /// Whether the frame may be dropped first.
    pub drop_eligible: bool,
}

/// Up to three VLAN tags, outermost first; a slice of [`Vlan`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vlans {
    tags: [Vlan; Self::MAX],
    len: u8,
}

/// What a tunnel's packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// The kind of tunnel.
    pub kind: TunnelKind,
    /// The packet inside, when there was enough of it.
    pub inner: Option<Packet>,
}

/// The kinds of tunnels that are looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelKind {
    /// Ethernet in UDP.
    Vxlan {
        /// The network, 24 bits.
        vni: u32,
    },
    /// Ethernet or another protocol in UDP.
    Geneve {
        /// The network, 24 bits.
        vni: u32,
        /// The EtherType of what is inside, 0x6558 for Ethernet.
        protocol: u16,
    },
    /// GRE, whose fields are in [`Packet::transport`].
    Gre,
    /// IPv4 or IPv6 directly in IPv4 or IPv6.
    Ip,
}

impl Packet {
    /// Whether nothing is known but the EtherType.
    pub fn is_empty(&self) -> bool {
        self.link.is_none() && self.network.is_none() && self.vlans.is_empty()
    }

    /// The source address; the sender's for ARP.
    pub fn source(&self) -> Option<IpAddr> {
        match self.network.as_ref()? {
            Network::Ipv4(header) => Some(header.source.into()),
            Network::Ipv6(header) => Some(header.source.into()),
            Network::Arp(arp) => arp.sender.map(IpAddr::from),
            Network::Other(_) => None,
        }
    }

    /// The destination address; the target's for ARP.
    pub fn destination(&self) -> Option<IpAddr> {
        match self.network.as_ref()? {
            Network::Ipv4(header) => Some(header.destination.into()),
            Network::Ipv6(header) => Some(header.destination.into()),
            Network::Arp(arp) => arp.target.map(IpAddr::from),
            Network::Other(_) => None,
        }
    }

    /// The source and destination port, also behind an AH.
    pub fn ports(&self) -> Option<(u16, u16)> {
        self.transport.as_ref()?.ports()
    }

    /// The number of the protocol in IPv4, or behind the extension headers of IPv6. It is known
    /// for fragments too.
    pub fn l4(&self) -> Option<u8> {
        match self.network.as_ref()? {
            Network::Ipv4(header) => Some(header.protocol),
            Network::Ipv6(header) => header.protocol,
            Network::Arp(_) | Network::Other(_) => None,
        }
    }
}

impl Vlan {
    /// The tag with this EtherType and this TCI, both in host byte order.
    pub fn new(tpid: u16, tci: u16) -> Self {
        Self {
            tpid,
            id: tci & 0x0fff,
            priority: (tci >> 13) as u8,
            drop_eligible: tci & 0x1000 != 0,
        }
    }
}

impl Vlans {
    /// One that is not in the bytes, and two that are.
    const MAX: usize = 3;

    /// Tags that do not fit are not kept.
    fn push(&mut self, tag: Vlan) {
        if let Some(place) = self.tags.get_mut(usize::from(self.len)) {
            *place = tag;
            self.len += 1;
        }
    }
}

impl std::ops::Deref for Vlans {
    type Target = [Vlan];

    fn deref(&self) -> &[Vlan] {
        &self.tags[..usize::from(self.len)]
    }
}

impl Mac {
    /// Appends it.
    pub fn write(self, out: &mut Vec<u8>) {
        hardware_address(out, self.0);
    }
}

impl std::fmt::Display for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

//! Finds the link and the network layer.

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::{
    Arp, Ipv4, Ipv6, Link, Mac, Network, Packet, Snapshot, Vlan, l4, network::Behind, tunnel,
};

pub(super) const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const RARP: u16 = 0x8035;
pub(super) const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;
const ETHERNET_LEN: usize = 14;
const TAG_LEN: usize = 4;
/// How many tags are looked for in the bytes.
const MAX_TAGS: usize = 2;

/// A tag at the begin of `bytes`, what EtherType it names, and what is behind it.
fn tag(tpid: u16, bytes: &[u8]) -> Option<(Vlan, u16, &[u8])> {
    if !matches!(tpid, VLAN | SERVICE_VLAN) {
        return None;
    }
    let header = SingleVlanHeaderSlice::from_slice(bytes).ok()?;
    let tag = Vlan {
        tpid,
        id: header.vlan_identifier().value(),
        priority: header.priority_code_point().value(),
        drop_eligible: header.drop_eligible_indicator(),
    };
    Some((tag, header.ether_type().0, &bytes[TAG_LEN..]))
}

/// An Ethernet header with the tags that follow it.
struct Frame<'a> {
    link: Link,
    tags: [Option<Vlan>; MAX_TAGS],
    /// How the EtherTypes up to the network header end: that of each number of tags.
    ether_types: [u16; MAX_TAGS + 1],
    /// How many tags there are.
    tagged: usize,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let header = Ethernet2HeaderSlice::from_slice(bytes).ok()?;
        let mut ether_type = header.ether_type().0;
        let mut frame = Self {
            link: Link {
                source: Mac(header.source()),
                destination: Mac(header.destination()),
                ether_type,
            },
            tags: [None; MAX_TAGS],
            ether_types: [ether_type; MAX_TAGS + 1],
            tagged: 0,
            payload: &bytes[ETHERNET_LEN..],
        };
        while frame.tagged < MAX_TAGS
            && let Some((tag, next, behind)) = tag(ether_type, frame.payload)
        {
            frame.tags[frame.tagged] = Some(tag);
            frame.tagged += 1;
            frame.ether_types[frame.tagged] = next;
            (ether_type, frame.payload) = (next, behind);
        }
        Some(frame)
    }

    /// Whether the skb's other fields fit to there being an Ethernet header.
    fn is_believable(&self, snapshot: &Snapshot<'_>, mac: usize) -> bool {
        let Some(network) = snapshot.network else {
            return self.link.ether_type == snapshot.protocol;
        };
        let Some(between) = network.checked_sub(mac) else { return false };
        let Some(tags) = between.checked_sub(ETHERNET_LEN).map(|len| len / TAG_LEN) else {
            return false;
        };
        if between != ETHERNET_LEN + tags * TAG_LEN || tags > self.tagged {
            return false;
        }
        // Where the kernel puts a tag into a packet that it sends, `skb->protocol` becomes the
        // tag's and the network header stays where it was.
        self.ether_types[tags] == snapshot.protocol || self.link.ether_type == snapshot.protocol
    }
}

impl Packet {
    /// Reads what can be believed of a packet.
    pub fn parse(snapshot: &Snapshot<'_>) -> Self {
        let mut packet = Self { protocol: snapshot.protocol, cut: snapshot.cut, ..Self::default() };
        if snapshot.protocol == 0 {
            return packet;
        }
        if let Some((tpid, tci)) = snapshot.vlan {
            packet.vlans.push(Vlan::new(tpid, tci));
        }
        let frame = snapshot.mac.and_then(|mac| {
            let frame = Frame::parse(snapshot.bytes.get(mac..)?)?;
            frame.is_believable(snapshot, mac).then_some(frame)
        });
        if let Some(frame) = frame {
            packet.take_frame(&frame, true);
        } else if let Some(bytes) = snapshot.network.and_then(|at| snapshot.bytes.get(at..)) {
            packet.take_network(bytes, true);
        }
        packet
    }

    /// The Ethernet frame that a tunnel carries. Its own tunnels are not looked into.
    pub(super) fn inner_ethernet(bytes: &[u8]) -> Option<Self> {
        let mut packet = Self::default();
        packet.take_frame(&Frame::parse(bytes)?, false);
        Some(packet)
    }

    /// The packet of the network layer that a tunnel carries. Its own tunnels are not looked into.
    pub(super) fn inner_network(protocol: u16, bytes: &[u8]) -> Option<Self> {
        let mut packet = Self { protocol, ..Self::default() };
        packet.take_network(bytes, false);
        packet.network.is_some().then_some(packet)
    }

    fn take_frame(&mut self, frame: &Frame<'_>, outer: bool) {
        self.link = Some(frame.link);
        for &tag in frame.tags.iter().flatten() {
            self.vlans.push(tag);
        }
        self.protocol = frame.ether_types[frame.tagged];
        self.take_network(frame.payload, outer);
    }

    fn take_network(&mut self, bytes: &[u8], outer: bool) {
        let behind;
        (self.network, behind) = match self.protocol {
            IPV4 => split(Ipv4::parse(bytes), Network::Ipv4),
            IPV6 => split(Ipv6::parse(bytes), Network::Ipv6),
            ARP | RARP => (Arp::parse(bytes).map(Network::Arp), None),
            other => (Some(Network::Other(other)), None),
        };
        let Some(Behind { protocol: Some(protocol), payload }) = behind else { return };
        let version_6 = self.protocol == IPV6;
        self.transport = l4::parse(protocol, payload, version_6);
        if outer {
            self.tunnel = tunnel::parse(protocol, payload, self.transport.as_ref());
        }
    }
}

fn split<'a, T>(
    parsed: Option<(T, Behind<'a>)>,
    network: fn(T) -> Network,
) -> (Option<Network>, Option<Behind<'a>>) {
    parsed.map_or((None, None), |(header, behind)| (Some(network(header)), Some(behind)))
}

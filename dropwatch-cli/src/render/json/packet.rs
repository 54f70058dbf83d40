//! The packet of a drop, layer by layer.

use std::net::IpAddr;

use super::value::{Array, HexBytes, Plain, Quoted, Value, With, object};
use crate::{
    drop::{Drop, Headers},
    packet::{
        self, Arp, Icmp, IcmpBody, Ipv4, Ipv6, Link, Network, Packet, Quoted as QuotedPacket, Tcp,
        Transport, Tunnel, TunnelKind, Vlan,
    },
};

/// Appends the packet of a drop.
pub fn write(packet: &Packet, drop: &Drop, out: &mut Vec<u8>) {
    write_layers(packet, drop.headers.as_ref(), drop.vlan, out);
}

/// With the bytes that it is in, and the VLAN tag beside them, which is also the first of `vlans`;
/// the bytes of a packet inside of a tunnel are among the outer ones.
fn write_layers(
    packet: &Packet,
    headers: Option<&Headers>,
    tag: Option<(u16, u16)>,
    out: &mut Vec<u8>,
) {
    let (source_port, destination_port) = packet.ports().unzip();
    let network = packet.network.as_ref();
    let transport = packet.transport.as_ref();
    object! {
        // As tcpdump would write it.
        "summary": Quoted(|out| packet.write_summary(out)),
        "source": packet.source(),
        "destination": packet.destination(),
        "source_port": source_port,
        "destination_port": destination_port,
        // The protocol in the IP header.
        "l4": packet.l4().map(|raw| super::named(raw, packet::protocol_name(raw))),
        "link": packet.link.as_ref().map(link),
        "vlans": Array(packet.vlans.iter().map(vlan)),
        "ipv4": network.and_then(|it| if let Network::Ipv4(it) = it { Some(ipv4(it)) } else { None }),
        "ipv6": network.and_then(|it| if let Network::Ipv6(it) = it { Some(ipv6(it)) } else { None }),
        "arp": network.and_then(|it| if let Network::Arp(it) = it { Some(arp(it)) } else { None }),
        "tcp": transport.and_then(|it| if let Transport::Tcp(it) = it { Some(tcp(it)) } else { None }),
        "udp": transport.and_then(|it| match it {
            Transport::Udp(it) => Some(object! { "length": it.length }),
            _ => None,
        }),
        "icmp": transport.and_then(|it| match it {
            Transport::Icmp4(it) => Some(icmp(4, it)),
            Transport::Icmp6(it) => Some(icmp(6, it)),
            _ => None,
        }),
        "sctp": transport.and_then(|it| match it {
            Transport::Sctp(it) => Some(object! {
                "verification_tag": it.verification_tag,
                "chunk": it.chunk,
            }),
            _ => None,
        }),
        "gre": transport.and_then(|it| match it {
            Transport::Gre(it) => Some(object! {
                "version": it.version(),
                "protocol": it.protocol,
                "key": it.key,
                "sequence": it.sequence,
            }),
            _ => None,
        }),
        // Security parameters index of ESP or AH.
        "spi": transport.and_then(|it| match it {
            Transport::Esp(it) => Some(it.spi),
            Transport::Ah(it) => Some(it.spi),
            _ => None,
        }),
        "tunnel": packet.tunnel.as_deref().map(tunnel),
        // Where the kernel had found headers in the bytes.
        "offsets": headers.map(|it| object! {
            "link": it.mac,
            "network": it.network,
            "transport": it.transport,
        }),
        // How many bytes there were in one piece, at most 65535.
        "linear_length": headers.map(|it| it.linear_len),
        "tag": tag.map(|(tpid, tci)| object! { "tpid": tpid, "tci": tci }),
        // From the first header on.
        "bytes": headers.map(|it| HexBytes(it.bytes())),
    }
    .write(out);
}

fn link(link: &Link) -> impl Value {
    object! {
        "source": link.source,
        "destination": link.destination,
        "ether_type": link.ether_type,
    }
}

fn vlan(tag: &Vlan) -> impl Value {
    object! {
        "tpid": tag.tpid,
        "id": tag.id,
        "priority": tag.priority,
        "drop_eligible": tag.drop_eligible,
    }
}

fn ipv4(header: &Ipv4) -> impl Value {
    object! {
        "ttl": header.ttl,
        "dscp": header.dscp,
        "ecn": header.ecn,
        "id": header.identification,
        "dont_fragment": header.dont_fragment,
        "more_fragments": header.more_fragments,
        "fragment_offset": header.fragment_offset,
        "total_length": header.total_length,
        "header_length": header.header_length,
    }
}

fn ipv6(header: &Ipv6) -> impl Value {
    object! {
        "hop_limit": header.hop_limit,
        "traffic_class": header.traffic_class,
        "flow_label": header.flow_label,
        "payload_length": header.payload_length,
        "extensions": Array(header.extensions.iter().copied()),
        "fragment": header.fragment.map(|it| object! {
            "id": it.identification,
            "offset": it.offset,
            "more": it.more,
        }),
    }
}

fn arp(header: &Arp) -> impl Value {
    object! {
        "operation": header.operation,
        "sender_mac": header.sender_hardware,
        "sender": header.sender.map(IpAddr::from),
        "target_mac": header.target_hardware,
        "target": header.target.map(IpAddr::from),
    }
}

/// All but the ports, which are members of the packet, is null where it was not captured.
fn tcp(header: &Tcp) -> impl Value {
    const ACK: u16 = 0x10;
    let rest = header.rest.as_ref();
    let options = rest.map(|rest| &rest.options);
    object! {
        "flags": rest.map(|it| it.flags),
        "seq": rest.map(|it| it.sequence),
        "ack": rest.filter(|it| it.flags & ACK != 0).map(|it| it.acknowledgment),
        "window": rest.map(|it| it.window),
        "urgent": rest.map(|it| it.urgent),
        "payload_length": rest.and_then(|it| it.payload),
        "mss": options.and_then(|it| it.mss),
        "window_scale": options.and_then(|it| it.window_scale),
        "sack_permitted": options.map(|it| it.sack_permitted),
        "timestamps": options.and_then(|it| it.timestamps).map(|(value, echo)| Array([value, echo])),
    }
}

fn icmp(version: u8, message: &Icmp) -> impl Value {
    let body = &message.body;
    let (id, seq) = match body {
        IcmpBody::Echo { identifier, sequence } => (Some(*identifier), Some(*sequence)),
        _ => (None, None),
    };
    let (parameter, quoted) = match body {
        IcmpBody::Error { parameter, quoted } => (Some(*parameter), quoted.as_deref()),
        _ => (None, None),
    };
    let target = match body {
        IcmpBody::Neighbor { target } | IcmpBody::Redirect { target, .. } => Some(*target),
        IcmpBody::Group { address } => Some(*address),
        _ => None,
    };
    object! {
        "version": version,
        "type": message.kind,
        "code": message.code,
        "id": id,
        "seq": seq,
        "parameter": parameter,
        "target": target.map(IpAddr::from),
        "quoted": quoted.map(quote),
    }
}

fn quote(quoted: &QuotedPacket) -> impl Value {
    let (source_port, destination_port) = quoted.ports.unzip();
    object! {
        "source": quoted.source,
        "destination": quoted.destination,
        "l4": quoted.protocol,
        "source_port": source_port,
        "destination_port": destination_port,
    }
}

fn tunnel(tunnel: &Tunnel) -> impl Value {
    let (kind, vni) = match tunnel.kind {
        TunnelKind::Vxlan { vni } => ("vxlan", Some(vni)),
        TunnelKind::Geneve { vni, .. } => ("geneve", Some(vni)),
        TunnelKind::Gre => ("gre", None),
        TunnelKind::Ip => ("ip", None),
    };
    object! {
        "type": Plain(kind),
        "vni": vni,
        "inner": tunnel.inner.as_ref().map(|inner| With(|out| write_layers(inner, None, None, out))),
    }
}

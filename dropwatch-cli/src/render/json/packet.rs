//! The packet of a drop, layer by layer.

use serde::Serialize;

use super::text;
use crate::{
    drop::Drop,
    packet::{
        self, Arp, Icmp, IcmpBody, Ipv4, Ipv6, Network, Packet, Quoted, Tcp, Transport, Tunnel,
        TunnelKind, Vlan,
    },
};

#[derive(Serialize)]
pub struct PacketJson {
    /// As tcpdump would write it.
    summary: String,
    source: Option<String>,
    destination: Option<String>,
    source_port: Option<u16>,
    destination_port: Option<u16>,
    /// The protocol in the IP header.
    l4: Option<L4Json>,
    link: Option<LinkJson>,
    vlans: Vec<VlanJson>,
    ipv4: Option<Ipv4Json>,
    ipv6: Option<Ipv6Json>,
    arp: Option<ArpJson>,
    tcp: Option<TcpJson>,
    udp: Option<UdpJson>,
    icmp: Option<IcmpJson>,
    sctp: Option<SctpJson>,
    gre: Option<GreJson>,
    /// Security parameters index of ESP or AH.
    spi: Option<u32>,
    tunnel: Option<TunnelJson>,
    /// Where the kernel had found headers in the bytes.
    offsets: Option<OffsetsJson>,
    /// How many bytes there were in one piece, at most 65535.
    linear_length: Option<usize>,
    /// The VLAN tag that was not in the bytes; it is also the first of `vlans`.
    tag: Option<TagJson>,
    /// The bytes that were captured, in hexadecimal, from the first header on.
    bytes: Option<String>,
}

#[derive(Serialize)]
struct OffsetsJson {
    link: Option<usize>,
    network: Option<usize>,
    transport: Option<usize>,
}

#[derive(Serialize)]
struct TagJson {
    tpid: u16,
    tci: u16,
}

#[derive(Serialize)]
struct L4Json {
    raw: u8,
    name: Option<&'static str>,
}

#[derive(Serialize)]
struct LinkJson {
    source: String,
    destination: String,
    ether_type: u16,
}

#[derive(Serialize)]
struct VlanJson {
    tpid: u16,
    id: u16,
    priority: u8,
    drop_eligible: bool,
}

#[derive(Serialize)]
struct Ipv4Json {
    ttl: u8,
    dscp: u8,
    ecn: u8,
    id: u16,
    dont_fragment: bool,
    more_fragments: bool,
    fragment_offset: u16,
    total_length: u16,
    header_length: u8,
}

#[derive(Serialize)]
struct Ipv6Json {
    hop_limit: u8,
    traffic_class: u8,
    flow_label: u32,
    payload_length: u16,
    extensions: Vec<u8>,
    fragment: Option<FragmentJson>,
}

#[derive(Serialize)]
struct FragmentJson {
    id: u32,
    offset: u16,
    more: bool,
}

#[derive(Serialize)]
struct ArpJson {
    operation: u16,
    sender_mac: Option<String>,
    sender: Option<String>,
    target_mac: Option<String>,
    target: Option<String>,
}

/// All but the ports, which are members of the packet, is null where it was not captured.
#[derive(Serialize)]
struct TcpJson {
    flags: Option<u16>,
    seq: Option<u32>,
    ack: Option<u32>,
    window: Option<u16>,
    urgent: Option<u16>,
    payload_length: Option<u32>,
    mss: Option<u16>,
    window_scale: Option<u8>,
    sack_permitted: Option<bool>,
    timestamps: Option<[u32; 2]>,
}

#[derive(Serialize)]
struct UdpJson {
    length: Option<u16>,
}

#[derive(Serialize)]
struct IcmpJson {
    version: u8,
    #[serde(rename = "type")]
    kind: u8,
    code: u8,
    id: Option<u16>,
    seq: Option<u16>,
    parameter: Option<u32>,
    target: Option<String>,
    quoted: Option<QuotedJson>,
}

#[derive(Serialize)]
struct QuotedJson {
    source: String,
    destination: String,
    l4: Option<u8>,
    source_port: Option<u16>,
    destination_port: Option<u16>,
}

#[derive(Serialize)]
struct SctpJson {
    verification_tag: Option<u32>,
    chunk: Option<u8>,
}

#[derive(Serialize)]
struct GreJson {
    version: u16,
    protocol: u16,
    key: Option<u32>,
    sequence: Option<u32>,
}

#[derive(Serialize)]
struct TunnelJson {
    #[serde(rename = "type")]
    kind: &'static str,
    vni: Option<u32>,
    inner: Option<Box<PacketJson>>,
}

impl PacketJson {
    pub fn new(packet: &Packet, drop: &Drop) -> Self {
        let headers = drop.headers.as_ref();
        Self {
            offsets: headers.map(|it| OffsetsJson {
                link: it.mac,
                network: it.network,
                transport: it.transport,
            }),
            linear_length: headers.map(|it| it.linear_len),
            tag: drop.vlan.map(|(tpid, tci)| TagJson { tpid, tci }),
            bytes: headers.map(|it| hexadecimal(it.bytes())),
            ..Self::of(packet)
        }
    }

    fn of(packet: &Packet) -> Self {
        let mut summary = Vec::new();
        packet.write_summary(&mut summary);
        let (source_port, destination_port) = packet.ports().unzip();
        let network = packet.network.as_ref();
        let transport = packet.transport.as_ref();
        Self {
            summary: text(summary),
            source: packet.source().map(|it| it.to_string()),
            destination: packet.destination().map(|it| it.to_string()),
            source_port,
            destination_port,
            l4: packet.l4().map(|raw| L4Json { raw, name: packet::protocol_name(raw) }),
            link: packet.link.map(|link| LinkJson {
                source: link.source.to_string(),
                destination: link.destination.to_string(),
                ether_type: link.ether_type,
            }),
            vlans: packet.vlans.iter().map(vlan).collect(),
            ipv4: network
                .and_then(|it| if let Network::Ipv4(it) = it { Some(ipv4(it)) } else { None }),
            ipv6: network
                .and_then(|it| if let Network::Ipv6(it) = it { Some(ipv6(it)) } else { None }),
            arp: network
                .and_then(|it| if let Network::Arp(it) = it { Some(arp(it)) } else { None }),
            tcp: transport
                .and_then(|it| if let Transport::Tcp(it) = it { Some(tcp(it)) } else { None }),
            udp: transport.and_then(|it| match it {
                Transport::Udp(it) => Some(UdpJson { length: it.length }),
                _ => None,
            }),
            icmp: transport.and_then(|it| match it {
                Transport::Icmp4(it) => Some(icmp(4, it)),
                Transport::Icmp6(it) => Some(icmp(6, it)),
                _ => None,
            }),
            sctp: transport.and_then(|it| match it {
                Transport::Sctp(it) => {
                    Some(SctpJson { verification_tag: it.verification_tag, chunk: it.chunk })
                }
                _ => None,
            }),
            gre: transport.and_then(|it| match it {
                Transport::Gre(it) => Some(GreJson {
                    version: it.version(),
                    protocol: it.protocol,
                    key: it.key,
                    sequence: it.sequence,
                }),
                _ => None,
            }),
            spi: transport.and_then(|it| match it {
                Transport::Esp(it) => Some(it.spi),
                Transport::Ah(it) => Some(it.spi),
                _ => None,
            }),
            tunnel: packet.tunnel.as_deref().map(tunnel),
            offsets: None,
            linear_length: None,
            tag: None,
            bytes: None,
        }
    }
}

fn vlan(tag: &Vlan) -> VlanJson {
    let Vlan { tpid, id, priority, drop_eligible } = *tag;
    VlanJson { tpid, id, priority, drop_eligible }
}

fn ipv4(header: &Ipv4) -> Ipv4Json {
    Ipv4Json {
        ttl: header.ttl,
        dscp: header.dscp,
        ecn: header.ecn,
        id: header.identification,
        dont_fragment: header.dont_fragment,
        more_fragments: header.more_fragments,
        fragment_offset: header.fragment_offset,
        total_length: header.total_length,
        header_length: header.header_length,
    }
}

fn ipv6(header: &Ipv6) -> Ipv6Json {
    Ipv6Json {
        hop_limit: header.hop_limit,
        traffic_class: header.traffic_class,
        flow_label: header.flow_label,
        payload_length: header.payload_length,
        extensions: header.extensions.to_vec(),
        fragment: header.fragment.map(|it| FragmentJson {
            id: it.identification,
            offset: it.offset,
            more: it.more,
        }),
    }
}

fn arp(header: &Arp) -> ArpJson {
    ArpJson {
        operation: header.operation,
        sender_mac: header.sender_hardware.map(|it| it.to_string()),
        sender: header.sender.map(|it| it.to_string()),
        target_mac: header.target_hardware.map(|it| it.to_string()),
        target: header.target.map(|it| it.to_string()),
    }
}

fn tcp(header: &Tcp) -> TcpJson {
    const ACK: u16 = 0x10;
    let rest = header.rest.as_ref();
    let options = rest.map(|rest| &rest.options);
    TcpJson {
        flags: rest.map(|it| it.flags),
        seq: rest.map(|it| it.sequence),
        ack: rest.filter(|it| it.flags & ACK != 0).map(|it| it.acknowledgment),
        window: rest.map(|it| it.window),
        urgent: rest.map(|it| it.urgent),
        payload_length: rest.and_then(|it| it.payload),
        mss: options.and_then(|it| it.mss),
        window_scale: options.and_then(|it| it.window_scale),
        sack_permitted: options.map(|it| it.sack_permitted),
        timestamps: options.and_then(|it| it.timestamps).map(|(value, echo)| [value, echo]),
    }
}

fn icmp(version: u8, message: &Icmp) -> IcmpJson {
    let mut json = IcmpJson {
        version,
        kind: message.kind,
        code: message.code,
        id: None,
        seq: None,
        parameter: None,
        target: None,
        quoted: None,
    };
    match &message.body {
        IcmpBody::Echo { identifier, sequence } => {
            (json.id, json.seq) = (Some(*identifier), Some(*sequence));
        }
        IcmpBody::Error { parameter, quoted } => {
            json.parameter = Some(*parameter);
            json.quoted = quoted.as_deref().map(quote);
        }
        IcmpBody::Neighbor { target } | IcmpBody::Redirect { target, .. } => {
            json.target = Some(target.to_string());
        }
        IcmpBody::Group { address } => json.target = Some(address.to_string()),
        IcmpBody::Records { .. } | IcmpBody::Other => {}
    }
    json
}

fn quote(quoted: &Quoted) -> QuotedJson {
    let (source_port, destination_port) = quoted.ports.unzip();
    QuotedJson {
        source: quoted.source.to_string(),
        destination: quoted.destination.to_string(),
        l4: quoted.protocol,
        source_port,
        destination_port,
    }
}

fn tunnel(tunnel: &Tunnel) -> TunnelJson {
    let (kind, vni) = match tunnel.kind {
        TunnelKind::Vxlan { vni } => ("vxlan", Some(vni)),
        TunnelKind::Geneve { vni, .. } => ("geneve", Some(vni)),
        TunnelKind::Gre => ("gre", None),
        TunnelKind::Ip => ("ip", None),
    };
    let inner = tunnel.inner.as_ref().map(|inner| Box::new(PacketJson::of(inner)));
    TunnelJson { kind, vni, inner }
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digits = |byte: &u8| [byte >> 4, byte & 0xf].map(|digit| DIGITS[usize::from(digit)]);
    let mut text = String::with_capacity(2 * bytes.len());
    text.extend(bytes.iter().flat_map(digits));
    text
}

//! Looks into the packets of tunnels, one level deep.

use super::{
    Gre, Packet, Transport, Tunnel, TunnelKind,
    bytes::{Payload, array, u16_at, u32_at},
    l4, parse,
};

const ETHERNET: u16 = 0x6558;
const UDP_LEN: usize = 8;

pub(super) fn parse(
    protocol: u8,
    payload: Payload<'_>,
    transport: Option<&Transport>,
) -> Option<Box<Tunnel>> {
    let tunnel = match (protocol, transport?) {
        (l4::UDP, Transport::Udp(udp)) => {
            let of_udp = match udp.destination_port {
                // The port of IANA, and that of Linux before there was one.
                4789 | 8472 => vxlan,
                6081 => geneve,
                _ => return None,
            };
            let len = udp.payload().map(u32::from);
            of_udp(Payload::new(payload.skip(UDP_LEN).bytes, len).bytes)?
        }
        (l4::GRE, _) => {
            let (gre, inner) = Gre::parse(payload)?;
            Tunnel { kind: TunnelKind::Gre, inner: carried(gre.protocol, inner?.bytes) }
        }
        (l4::IPIP, _) => ip(parse::IPV4, payload),
        (l4::IPV6, _) => ip(parse::IPV6, payload),
        _ => return None,
    };
    Some(Box::new(tunnel))
}

fn ip(ether_type: u16, payload: Payload<'_>) -> Tunnel {
    let inner = Packet::inner_network(ether_type, payload.bytes);
    Tunnel { kind: TunnelKind::Ip, inner }
}

fn vxlan(bytes: &[u8]) -> Option<Tunnel> {
    const HAS_VNI: u8 = 0x08;
    let [flags, ..] = array::<4>(bytes, 0)?;
    let vni = u32_at(bytes, 4)? >> 8;
    (flags & HAS_VNI != 0).then(|| Tunnel {
        kind: TunnelKind::Vxlan { vni },
        inner: Packet::inner_ethernet(&bytes[8..]),
    })
}

fn geneve(bytes: &[u8]) -> Option<Tunnel> {
    let [first, _] = array(bytes, 0)?;
    let protocol = u16_at(bytes, 2)?;
    let vni = u32_at(bytes, 4)? >> 8;
    let options = usize::from(first & 0x3f) * 4;
    (first >> 6 == 0).then(|| Tunnel {
        kind: TunnelKind::Geneve { vni, protocol },
        inner: bytes.get(8 + options..).and_then(|bytes| carried(protocol, bytes)),
    })
}

fn carried(protocol: u16, bytes: &[u8]) -> Option<Packet> {
    match protocol {
        ETHERNET => Packet::inner_ethernet(bytes),
        _ if bytes.is_empty() => None,
        _ => Packet::inner_network(protocol, bytes),
    }
}

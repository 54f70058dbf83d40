//! Reads ICMP messages.

use std::net::{IpAddr, Ipv6Addr};

use super::{
    Icmp, IcmpBody, Ipv4, Ipv6, Quoted,
    bytes::{Payload, array, u16_at, u32_at},
    l4,
    network::Behind,
};

impl Icmp {
    pub(super) fn parse4(payload: Payload<'_>) -> Option<Self> {
        Self::parse(payload, |kind, bytes| match kind {
            0 | 8 | 13..=18 => echo(bytes),
            3..=5 | 11 | 12 => error(bytes, quoted4),
            _ => None,
        })
    }

    pub(super) fn parse6(payload: Payload<'_>) -> Option<Self> {
        Self::parse(payload, |kind, bytes| match kind {
            1..=4 => error(bytes, quoted6),
            128 | 129 => echo(bytes),
            130..=132 => Some(IcmpBody::Group { address: address(bytes, 8)? }),
            135 | 136 => Some(IcmpBody::Neighbor { target: address(bytes, 8)? }),
            137 => Some(IcmpBody::Redirect {
                target: address(bytes, 8)?,
                destination: address(bytes, 24)?,
            }),
            143 => Some(IcmpBody::Records { count: u16_at(bytes, 6)? }),
            _ => None,
        })
    }

    fn parse(
        Payload { bytes, len }: Payload<'_>,
        body: impl FnOnce(u8, &[u8]) -> Option<IcmpBody>,
    ) -> Option<Self> {
        let [kind, code] = array(bytes, 0)?;
        let body = body(kind, bytes).unwrap_or(IcmpBody::Other);
        Some(Self { kind, code, length: len, body })
    }
}

fn echo(bytes: &[u8]) -> Option<IcmpBody> {
    Some(IcmpBody::Echo { identifier: u16_at(bytes, 4)?, sequence: u16_at(bytes, 6)? })
}

fn error(bytes: &[u8], quoted: fn(&[u8]) -> Option<Quoted>) -> Option<IcmpBody> {
    let parameter = u32_at(bytes, 4)?;
    Some(IcmpBody::Error { parameter, quoted: quoted(&bytes[8..]).map(Box::new) })
}

fn quoted4(bytes: &[u8]) -> Option<Quoted> {
    let (header, behind) = Ipv4::parse(bytes)?;
    Some(quoted(header.source, header.destination, Some(header.protocol), behind))
}

fn quoted6(bytes: &[u8]) -> Option<Quoted> {
    let (header, behind) = Ipv6::parse(bytes)?;
    Some(quoted(header.source, header.destination, header.protocol, behind))
}

fn quoted(
    source: impl Into<IpAddr>,
    destination: impl Into<IpAddr>,
    protocol: Option<u8>,
    behind: Behind<'_>,
) -> Quoted {
    let ports = behind.protocol.and_then(|number| l4::ports(number, behind.payload.bytes));
    Quoted { source: source.into(), destination: destination.into(), protocol, ports }
}

fn address(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    array::<16>(bytes, at).map(Into::into)
}

//! Reads the transport layer.

use etherparse::UdpHeaderSlice;

use super::{
    Ah, Esp, Gre, Icmp, Igmp, Sctp, Tcp, Transport, Udp,
    bytes::{Payload, array, u16_at, u32_at},
};

pub(super) const ICMP: u8 = 1;
pub(super) const IGMP: u8 = 2;
pub(super) const IPIP: u8 = 4;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const IPV6: u8 = 41;
pub(super) const GRE: u8 = 47;
pub(super) const ESP: u8 = 50;
pub(super) const AH: u8 = 51;
pub(super) const ICMP6: u8 = 58;
pub(super) const SCTP: u8 = 132;

/// The transport layer, when its first fields are there.
pub(super) fn parse(protocol: u8, payload: Payload<'_>, version_6: bool) -> Option<Transport> {
    match protocol {
        AH => Ah::parse(payload, version_6).map(|ah| Transport::Ah(Box::new(ah))),
        _ => plain(protocol, payload, version_6),
    }
}

/// As [`parse`], without AH, of which one is enough.
fn plain(protocol: u8, payload: Payload<'_>, version_6: bool) -> Option<Transport> {
    match protocol {
        TCP => Tcp::parse(payload).map(Transport::Tcp),
        UDP => Udp::parse(payload).map(Transport::Udp),
        ICMP if !version_6 => Icmp::parse4(payload).map(Transport::Icmp4),
        ICMP6 if version_6 => Icmp::parse6(payload).map(Transport::Icmp6),
        SCTP => Sctp::parse(payload).map(Transport::Sctp),
        GRE => Gre::parse(payload).map(|(gre, _)| Transport::Gre(gre)),
        ESP => Esp::parse(payload).map(Transport::Esp),
        IGMP if !version_6 => Igmp::parse(payload).map(Transport::Igmp),
        protocol => Some(Transport::Other { protocol, length: payload.len }),
    }
}

/// The ports that TCP, UDP and SCTP begin with.
pub(super) fn ports(protocol: u8, bytes: &[u8]) -> Option<(u16, u16)> {
    if !matches!(protocol, TCP | UDP | SCTP) {
        return None;
    }
    let [a, b, c, d] = array(bytes, 0)?;
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

impl Udp {
    fn parse(Payload { bytes, .. }: Payload<'_>) -> Option<Self> {
        if let Ok(header) = UdpHeaderSlice::from_slice(bytes) {
            return Some(Self {
                source_port: header.source_port(),
                destination_port: header.destination_port(),
                length: Some(header.length()),
            });
        }
        let (source_port, destination_port) = ports(UDP, bytes)?;
        Some(Self { source_port, destination_port, length: u16_at(bytes, 4) })
    }
}

impl Sctp {
    fn parse(Payload { bytes, .. }: Payload<'_>) -> Option<Self> {
        let (source_port, destination_port) = ports(SCTP, bytes)?;
        let verification_tag = u32_at(bytes, 4);
        Some(Self {
            source_port,
            destination_port,
            verification_tag,
            chunk: bytes.get(12).copied(),
        })
    }
}

impl Esp {
    fn parse(Payload { bytes, len }: Payload<'_>) -> Option<Self> {
        Some(Self { spi: u32_at(bytes, 0)?, sequence: u32_at(bytes, 4), length: len })
    }
}

impl Ah {
    fn parse(payload: Payload<'_>, version_6: bool) -> Option<Self> {
        let [protocol, words] = array(payload.bytes, 0)?;
        let inner = payload.skip((usize::from(words) + 2) * 4);
        Some(Self {
            spi: u32_at(payload.bytes, 4)?,
            sequence: u32_at(payload.bytes, 8),
            protocol,
            inner: plain(protocol, inner, version_6),
        })
    }
}

impl Igmp {
    fn parse(Payload { bytes, .. }: Payload<'_>) -> Option<Self> {
        const REPORT_3: u8 = 0x22;
        let &kind = bytes.first()?;
        // A report of version 3 has the count of its records where others have the group.
        let report = kind == REPORT_3;
        Some(Self {
            kind,
            group: if report { None } else { array::<4>(bytes, 4).map(Into::into) },
            records: if report { u16_at(bytes, 6) } else { None },
        })
    }
}

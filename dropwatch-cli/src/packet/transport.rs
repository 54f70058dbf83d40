//! The transport layer: what is known of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The transport layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp(Tcp),
    /// UDP.
    Udp(Udp),
    /// ICMP in IPv4.
    Icmp4(Icmp),
    /// ICMP in IPv6.
    Icmp6(Icmp),
    /// SCTP.
    Sctp(Sctp),
    /// GRE; what it carries is in [`super::Packet::tunnel`].
    Gre(Gre),
    /// ESP.
    Esp(Esp),
    /// AH.
    Ah(Box<Ah>),
    /// IGMP.
    Igmp(Igmp),
    /// Another one, with this number and this length in bytes.
    Other {
        /// The number of the protocol.
        protocol: u8,
        /// The length in bytes, when the headers tell it.
        length: Option<u32>,
    },
}

/// A TCP header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// The source port.
    pub source_port: u16,
    /// The destination port.
    pub destination_port: u16,
    /// What follows the ports, when the 20 bytes of the fixed header were captured.
    pub rest: Option<TcpRest>,
}

/// What follows the ports in a TCP header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpRest {
    /// The sequence number.
    pub sequence: u32,
    /// The number that is acknowledged, if the flag for it is set.
    pub acknowledgment: u32,
    /// The flags as in the header: FIN 0x001, SYN 0x002, RST 0x004, PSH 0x008, ACK 0x010,
    /// URG 0x020, ECE 0x040, CWR 0x080, AE 0x100.
    pub flags: u16,
    /// The window, not scaled.
    pub window: u16,
    /// The urgent pointer.
    pub urgent: u16,
    /// The length of the header in bytes as it says, 0 to 60; less than 20 is an error.
    pub header_length: u8,
    /// The length of the payload in bytes, when the headers tell it.
    pub payload: Option<u32>,
    /// The options that were captured.
    pub options: TcpOptions,
}

/// The options of a TCP header that are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpOptions {
    /// The maximum segment size in bytes.
    pub mss: Option<u16>,
    /// By how many bits windows are to be shifted.
    pub window_scale: Option<u8>,
    /// Whether selective acknowledgments may be sent.
    pub sack_permitted: bool,
    /// The timestamp and the one that is echoed.
    pub timestamps: Option<(u32, u32)>,
}

/// A UDP header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udp {
    /// The source port.
    pub source_port: u16,
    /// The destination port.
    pub destination_port: u16,
    /// The length of header and payload in bytes as the header says.
    pub length: Option<u16>,
}

/// An SCTP common header and the chunk behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sctp {
    /// The source port.
    pub source_port: u16,
    /// The destination port.
    pub destination_port: u16,
    /// The verification tag.
    pub verification_tag: Option<u32>,
    /// The type of the first chunk: 0 for DATA, 1 for INIT.
    pub chunk: Option<u8>,
}

/// An ICMP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// The type.
    pub kind: u8,
    /// The code.
    pub code: u8,
    /// The length of the message in bytes, its header included, when the headers around tell it.
    pub length: Option<u32>,
    /// What the type has behind the code and the checksum.
    pub body: IcmpBody,
}

/// What the type of an ICMP message has behind the code and the checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IcmpBody {
    /// Nothing that is looked at, or it was not captured.
    Other,
    /// Of an echo or timestamp request or reply.
    Echo {
        /// The identifier.
        identifier: u16,
        /// The sequence number.
        sequence: u16,
    },
    /// Of an error, and of a redirect in IPv4.
    Error {
        /// The second word of the message: the MTU, the pointer or the router that is better, by
        /// the type.
        parameter: u32,
        /// The packet that the error is about.
        quoted: Option<Box<Quoted>>,
    },
    /// Of a neighbor solicitation or advertisement.
    Neighbor {
        /// Whose link address is asked for or told.
        target: Ipv6Addr,
    },
    /// Of a redirect in IPv6.
    Redirect {
        /// The router that is better.
        target: Ipv6Addr,
        /// For what.
        destination: Ipv6Addr,
    },
    /// Of a multicast listener message of version 1, and queries of both.
    Group {
        /// The group, `::` for all.
        address: Ipv6Addr,
    },
    /// Of a multicast listener report of version 2.
    Records {
        /// How many groups it tells about.
        count: u16,
    },
}

/// The packet that an ICMP error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// The source address.
    pub source: IpAddr,
    /// The destination address.
    pub destination: IpAddr,
    /// The protocol; unknown when not all of the extension headers of IPv6 are there.
    pub protocol: Option<u8>,
    /// The source and destination port of TCP, UDP and SCTP.
    pub ports: Option<(u16, u16)>,
}

/// A GRE header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gre {
    /// The first two bytes, the version in the lowest three bits.
    pub flags: u16,
    /// The EtherType of what is inside, 0x6558 for Ethernet.
    pub protocol: u16,
    /// The key, if there is one; of version 1, the length of the payload and the call.
    pub key: Option<u32>,
    /// The sequence number, if there is one.
    pub sequence: Option<u32>,
    /// The length in bytes, the header included, when the headers around tell it.
    pub length: Option<u32>,
}

/// The part of ESP that is not encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Esp {
    /// The security parameters index.
    pub spi: u32,
    /// The sequence number.
    pub sequence: Option<u32>,
    /// The length in bytes, the header included, when the headers around tell it.
    pub length: Option<u32>,
}

/// An authentication header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ah {
    /// The security parameters index.
    pub spi: u32,
    /// The sequence number.
    pub sequence: Option<u32>,
    /// The protocol behind the header.
    pub protocol: u8,
    /// What is behind the header.
    pub inner: Option<Transport>,
}

/// An IGMP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Igmp {
    /// The type.
    pub kind: u8,
    /// The group, if the type has one.
    pub group: Option<Ipv4Addr>,
    /// How many groups a report of version 3 tells about.
    pub records: Option<u16>,
}

impl Transport {
    /// The source and destination port.
    pub fn ports(&self) -> Option<(u16, u16)> {
        match self {
            Self::Tcp(tcp) => Some((tcp.source_port, tcp.destination_port)),
            Self::Udp(udp) => Some((udp.source_port, udp.destination_port)),
            Self::Sctp(sctp) => Some((sctp.source_port, sctp.destination_port)),
            Self::Ah(ah) => ah.inner.as_ref()?.ports(),
            _ => None,
        }
    }
}

impl Udp {
    /// The length of the payload in bytes; unknown when the header says less than it has itself,
    /// as that of a packet of more than 64 KiB does.
    pub fn payload(&self) -> Option<u16> {
        self.length?.checked_sub(8)
    }
}

impl Gre {
    /// The version: 0, or 1 for PPTP.
    pub fn version(&self) -> u16 {
        self.flags & 7
    }
}

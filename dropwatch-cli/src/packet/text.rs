//! Writes a packet on one line, in tcpdump's words.

use std::net::IpAddr;

use super::{
    Arp, Gre, Ipv4, Ipv6, Link, Mac, Network, Packet, Sctp, Tcp, Transport, Tunnel, TunnelKind,
    Udp, icmp_text, network, write,
    write::{hex, text},
};
use crate::write::{decimal, push};

const SCTP_CHUNKS: [&str; 15] = [
    "DATA",
    "INIT",
    "INIT ACK",
    "SACK",
    "HB REQ",
    "HB ACK",
    "ABORT",
    "SHUTDOWN",
    "SHUTDOWN ACK",
    "OP ERR",
    "COOKIE ECHO",
    "COOKIE ACK",
    "ECN ECHO",
    "CWR",
    "SHUTDOWN COMPLETE",
];

impl Packet {
    /// Appends the packet as one line, without the newline: as `tcpdump -nn` does, but for the
    /// time and the `IP` in front. Appends nothing when nothing is known.
    ///
    /// A layer that is not whole ends with its name, as in `[|tcp]`. All of it is printable ASCII.
    pub fn write_summary(&self, out: &mut Vec<u8>) {
        let mut tags = self.vlans.iter();
        if let Some(&tag) = tags.next() {
            write::vlan(out, tag);
        }
        for &tag in tags {
            text(out, ", ");
            write::vlan(out, tag);
        }
        if !self.vlans.is_empty() && (self.network.is_some() || self.link.is_some()) {
            text(out, ", ");
        }
        match (&self.network, &self.link) {
            (Some(Network::Ipv4(header)), _) => self.ipv4(header, out),
            (Some(Network::Ipv6(header)), _) => self.ipv6(header, out),
            (Some(Network::Arp(arp)), _) => arp.summary(out),
            (_, Some(link)) => {
                link.addresses(out);
                text(out, ", ethertype ");
                write::ether_type(out, self.protocol);
            }
            (Some(Network::Other(number)), None) => {
                text(out, "ethertype ");
                write::ether_type(out, *number);
            }
            (None, None) => {}
        }
    }

    /// Appends addresses, ports and protocol only: `10.0.0.1.40000 > 10.0.0.2.9 UDP`. For what has
    /// no addresses it is the summary.
    pub fn write_flow(&self, out: &mut Vec<u8>) {
        let (Some(source), Some(destination), Some(protocol)) =
            (self.source(), self.destination(), self.l4())
        else {
            return self.write_summary(out);
        };
        let (from, to) = self.ports().unzip();
        Self::write_end(source, from, out);
        text(out, " > ");
        Self::write_end(destination, to, out);
        out.push(b' ');
        Self::write_protocol(protocol, out);
    }

    /// Appends an address, and the port behind a dot.
    pub fn write_end(address: IpAddr, port: Option<u16>, out: &mut Vec<u8>) {
        write::address(out, address);
        if let Some(port) = port {
            out.push(b'.');
            decimal(out, port);
        }
    }

    /// Appends the name of a protocol in the IP header, or its number.
    pub fn write_protocol(number: u8, out: &mut Vec<u8>) {
        match write::l4_name(number) {
            Some(name) => text(out, name),
            None => decimal(out, number),
        }
    }

    fn ipv4(&self, header: &Ipv4, out: &mut Vec<u8>) {
        self.addresses(header.source.into(), header.destination.into(), out);
        if header.fragment_offset == 0 {
            self.layer4(Some(header.protocol), out);
        } else {
            write::lower_name(out, header.protocol);
        }
        if header.is_fragment() {
            text(out, " (frag ");
            decimal(out, header.identification);
            if let Some(length) = header.payload_length() {
                out.push(b':');
                decimal(out, length);
            }
            out.push(b'@');
            decimal(out, header.fragment_offset);
            text(out, if header.more_fragments { "+)" } else { ")" });
        }
    }

    fn ipv6(&self, header: &Ipv6, out: &mut Vec<u8>) {
        self.addresses(header.source.into(), header.destination.into(), out);
        for (place, &number) in header.extensions.iter().enumerate() {
            if place > 0 {
                out.push(b' ');
            }
            match (number, header.fragment) {
                (0, _) => text(out, "HBH"),
                (43, _) => text(out, "srcrt"),
                (60, _) => text(out, "DSTOPT"),
                (network::FRAGMENT, Some(fragment)) => {
                    text(out, "frag (");
                    decimal(out, fragment.offset);
                    if let Some(length) = fragment.length {
                        out.push(b'|');
                        decimal(out, length);
                    }
                    out.push(b')');
                }
                (network::FRAGMENT, None) => text(out, "frag"),
                _ => text(out, "mobility"),
            }
        }
        if header.fragment.is_some_and(|fragment| fragment.offset != 0) {
            return;
        }
        if !header.extensions.is_empty() {
            out.push(b' ');
        }
        self.layer4(header.protocol, out);
    }

    /// With the ports, and up to the place for what is in IP.
    fn addresses(&self, source: IpAddr, destination: IpAddr, out: &mut Vec<u8>) {
        let (from, to) = self.ports().unzip();
        Self::write_end(source, from, out);
        text(out, " > ");
        Self::write_end(destination, to, out);
        text(out, ": ");
    }

    fn layer4(&self, protocol: Option<u8>, out: &mut Vec<u8>) {
        match (&self.tunnel, &self.transport, protocol) {
            (Some(tunnel), transport, _) => tunnel.summary(transport.as_ref(), out),
            (None, Some(transport), _) => transport.summary(out),
            (None, None, Some(protocol)) => cut(protocol, out),
            (None, None, None) => text(out, "[|ip6]"),
        }
    }

    /// In front of what is carried in IP or GRE, where nothing else tells what follows.
    fn with_kind(&self, out: &mut Vec<u8>) {
        match self.network {
            Some(Network::Ipv4(_)) if self.link.is_none() => text(out, "IP "),
            Some(Network::Ipv6(_)) if self.link.is_none() => text(out, "IP6 "),
            _ => {}
        }
        self.write_summary(out);
    }
}

/// `[|tcp]`
fn cut(protocol: u8, out: &mut Vec<u8>) {
    text(out, "[|");
    write::lower_name(out, protocol);
    out.push(b']');
}

impl Transport {
    fn summary(&self, out: &mut Vec<u8>) {
        match self {
            Self::Tcp(tcp) => tcp.summary(out),
            Self::Udp(udp) => udp.summary(out),
            Self::Icmp4(icmp) => icmp_text::version4(icmp, out),
            Self::Icmp6(icmp) => icmp_text::version6(icmp, out),
            Self::Igmp(igmp) => icmp_text::igmp(igmp, out),
            Self::Sctp(sctp) => sctp.summary(out),
            Self::Gre(gre) => gre.summary(out),
            Self::Esp(esp) => {
                text(out, "ESP(spi=");
                push(out, format_args!("{:#010x}", esp.spi));
                sequence(esp.sequence, out);
                write::length(out, esp.length);
            }
            Self::Ah(ah) => {
                text(out, "AH(spi=");
                push(out, format_args!("{:#010x}", ah.spi));
                sequence(ah.sequence, out);
                text(out, ": ");
                match &ah.inner {
                    Some(inner) => inner.summary(out),
                    None => cut(ah.protocol, out),
                }
            }
            &Self::Other { protocol, length } => {
                match write::l4_name(protocol) {
                    Some(name) => text(out, name),
                    None => write::lower_name(out, protocol),
                }
                write::length(out, length);
            }
        }
    }
}

fn sequence(number: Option<u32>, out: &mut Vec<u8>) {
    if let Some(number) = number {
        text(out, ",seq=");
        hex(out, number);
    }
    out.push(b')');
}

impl Tcp {
    fn summary(&self, out: &mut Vec<u8>) {
        let Some(rest) = &self.rest else { return text(out, "[|tcp]") };
        const ACK: u16 = 0x010;
        const URG: u16 = 0x020;
        const SYN_FIN_RST: u16 = 0x007;
        text(out, "Flags [");
        for (bit, letter) in b"FSRP.UEWe".iter().enumerate() {
            if rest.flags & 1 << bit != 0 {
                out.push(*letter);
            }
        }
        text(out, if rest.flags == 0 { "none]" } else { "]" });
        let payload = rest.payload.unwrap_or(0);
        if payload > 0 || rest.flags & SYN_FIN_RST != 0 {
            text(out, ", seq ");
            decimal(out, rest.sequence);
            if payload > 0 {
                out.push(b':');
                decimal(out, rest.sequence.wrapping_add(payload));
            }
        }
        if rest.flags & ACK != 0 {
            text(out, ", ack ");
            decimal(out, rest.acknowledgment);
        }
        text(out, ", win ");
        decimal(out, rest.window);
        if rest.flags & URG != 0 {
            text(out, ", urg ");
            decimal(out, rest.urgent);
        }
        if rest.header_length < 20 {
            text(out, ", bad hdr length ");
            decimal(out, rest.header_length);
        }
        write::length(out, rest.payload);
    }
}

impl Udp {
    fn summary(&self, out: &mut Vec<u8>) {
        match (self.length, self.payload()) {
            (None, _) => text(out, "[|udp]"),
            (_, payload) => {
                text(out, "UDP");
                write::length(out, payload);
            }
        }
    }
}

impl Sctp {
    fn summary(&self, out: &mut Vec<u8>) {
        let Some(chunk) = self.chunk else { return text(out, "[|sctp]") };
        text(out, "sctp (1) [");
        match SCTP_CHUNKS.get(usize::from(chunk)) {
            Some(name) => text(out, name),
            None => push(out, format_args!("chunk {chunk:#04x}")),
        }
        out.push(b']');
    }
}

impl Gre {
    fn summary(&self, out: &mut Vec<u8>) {
        text(out, "GREv");
        decimal(out, self.version());
        if let (Some(key), 0) = (self.key, self.version()) {
            text(out, ", key=");
            hex(out, key);
        }
        if let Some(sequence) = self.sequence {
            text(out, ", seq ");
            decimal(out, sequence);
        }
        text(out, ", proto ");
        write::ether_type(out, self.protocol);
        write::length(out, self.length);
    }
}

impl Tunnel {
    fn summary(&self, transport: Option<&Transport>, out: &mut Vec<u8>) {
        match self.kind {
            TunnelKind::Vxlan { vni } => {
                text(out, "VXLAN vni ");
                decimal(out, vni);
            }
            TunnelKind::Geneve { vni, .. } => {
                text(out, "Geneve vni ");
                decimal(out, vni);
            }
            TunnelKind::Gre => {
                if let Some(Transport::Gre(gre)) = transport {
                    gre.summary(out);
                }
            }
            TunnelKind::Ip => {
                return match (&self.inner, transport) {
                    (Some(inner), _) => inner.with_kind(out),
                    (None, Some(Transport::Other { protocol, .. })) => cut(*protocol, out),
                    (None, _) => {}
                };
            }
        }
        if let Some(inner) = &self.inner {
            text(out, ": ");
            inner.write_summary(out);
        }
    }
}

impl Link {
    pub(super) fn addresses(&self, out: &mut Vec<u8>) {
        self.source.write(out);
        text(out, " > ");
        self.destination.write(out);
    }
}

impl Arp {
    fn summary(&self, out: &mut Vec<u8>) {
        text(out, "ARP, ");
        self.operation(out);
        write::length(out, Some(self.length));
    }

    fn operation(&self, out: &mut Vec<u8>) {
        match (self.operation, self.sender, self.target) {
            (1, sender, Some(target)) => {
                text(out, "Request who-has ");
                write::address(out, target);
                if let Some(mac) = self.target_hardware.filter(|&mac| mac != Mac::default()) {
                    push(out, format_args!(" ({mac})"));
                }
                if let Some(sender) = sender {
                    text(out, " tell ");
                    write::address(out, sender);
                }
            }
            (2, Some(sender), _) => {
                text(out, "Reply ");
                write::address(out, sender);
                if let Some(mac) = self.sender_hardware {
                    push(out, format_args!(" is-at {mac}"));
                }
            }
            (operation, ..) => {
                text(
                    out,
                    match operation {
                        1 => "Request",
                        2 => "Reply",
                        3 => "Reverse Request",
                        4 => "Reverse Reply",
                        8 => "Inverse Request",
                        9 => "Inverse Reply",
                        10 => "NACK Reply",
                        _ => return push(out, format_args!("Unknown ({operation})")),
                    },
                );
                match (operation, self.target_hardware, self.sender_hardware, self.target) {
                    (3, Some(target), Some(sender), _) => {
                        push(out, format_args!(" who-is {target} tell {sender}"));
                    }
                    (4, Some(hardware), _, Some(target)) => {
                        push(out, format_args!(" {hardware} at {target}"));
                    }
                    _ => {}
                }
            }
        }
    }
}

//! Writes what the one line of a packet leaves out.

use super::{
    Ipv4, Ipv6, Link, Network, Packet, TcpOptions, Transport, write,
    write::{hex, text},
};
use crate::write::{decimal, push};

impl Packet {
    /// Appends the lines that follow the summary where more is asked for: the link layer, the
    /// network layer and the TCP options, each if there is something to tell, then those of the
    /// packet inside a tunnel, two spaces further in. Each line begins with `indent` and ends with
    /// a newline.
    pub fn write_details(&self, out: &mut Vec<u8>, indent: &str) {
        self.details(out, indent, "");
    }

    fn details(&self, out: &mut Vec<u8>, indent: &str, inner_indent: &str) {
        let mut line = |write: &dyn Fn(&mut Vec<u8>)| {
            text(out, indent);
            text(out, inner_indent);
            write(out);
            out.push(b'\n');
        };
        if let Some(link) = &self.link {
            line(&|out| self.link_line(link, out));
        }
        match &self.network {
            Some(Network::Ipv4(header)) => line(&|out| header.details(out)),
            Some(Network::Ipv6(header)) => line(&|out| header.details(out)),
            Some(Network::Arp(_) | Network::Other(_)) | None => {}
        }
        if let Some(Transport::Tcp(tcp)) = &self.transport
            && let Some(rest) = &tcp.rest
            && rest.options != TcpOptions::default()
        {
            line(&|out| rest.options.details(out));
        }
        if let Some(inner) = self.tunnel.as_ref().and_then(|tunnel| tunnel.inner.as_ref()) {
            inner.details(out, indent, "  ");
        }
    }

    fn link_line(&self, link: &Link, out: &mut Vec<u8>) {
        link.addresses(out);
        text(out, ", ethertype ");
        write::ether_type(out, link.ether_type);
        for &tag in self.vlans.iter() {
            text(out, ", ");
            write::vlan(out, tag);
        }
        if self.protocol != link.ether_type {
            text(out, ", ethertype ");
            write::ether_type(out, self.protocol);
        }
    }
}

impl Ipv4 {
    fn details(&self, out: &mut Vec<u8>) {
        text(out, "tos ");
        hex(out, self.dscp << 2 | self.ecn);
        if self.ecn != 0 {
            text(out, ["", ",ECT(1)", ",ECT(0)", ",CE"][usize::from(self.ecn & 3)]);
        }
        text(out, ", ttl ");
        decimal(out, self.ttl);
        text(out, ", id ");
        decimal(out, self.identification);
        text(out, ", offset ");
        decimal(out, self.fragment_offset);
        text(
            out,
            match (self.more_fragments, self.dont_fragment) {
                (false, false) => ", flags [none]",
                (false, true) => ", flags [DF]",
                (true, false) => ", flags [+]",
                (true, true) => ", flags [+, DF]",
            },
        );
        text(out, ", proto ");
        protocol(self.protocol, out);
        text(out, ", length ");
        decimal(out, self.total_length);
    }
}

impl Ipv6 {
    fn details(&self, out: &mut Vec<u8>) {
        if self.traffic_class != 0 {
            push(out, format_args!("class {:#04x}, ", self.traffic_class));
        }
        if self.flow_label != 0 {
            push(out, format_args!("flowlabel {:#07x}, ", self.flow_label));
        }
        text(out, "hlim ");
        decimal(out, self.hop_limit);
        if let Some(number) = self.extensions.first().copied().or(self.protocol) {
            text(out, ", next-header ");
            protocol(number, out);
        }
        text(out, ", payload length: ");
        decimal(out, self.payload_length);
        if let Some(fragment) = self.fragment {
            push(out, format_args!(", frag {:#010x}:{}", fragment.identification, fragment.offset));
            text(out, if fragment.more { "+" } else { "" });
        }
        if let (Some(number), false) = (self.protocol, self.extensions.is_empty()) {
            text(out, ", proto ");
            protocol(number, out);
        }
    }
}

/// `UDP (17)`
fn protocol(number: u8, out: &mut Vec<u8>) {
    text(out, write::l4_name(number).unwrap_or("unknown"));
    text(out, " (");
    decimal(out, number);
    out.push(b')');
}

impl TcpOptions {
    fn details(&self, out: &mut Vec<u8>) {
        let mut lead = "options [";
        let mut next = |out: &mut Vec<u8>| text(out, std::mem::replace(&mut lead, ","));
        if let Some(mss) = self.mss {
            next(out);
            text(out, "mss ");
            decimal(out, mss);
        }
        if self.sack_permitted {
            next(out);
            text(out, "sackOK");
        }
        if let Some((value, echo)) = self.timestamps {
            next(out);
            text(out, "TS val ");
            decimal(out, value);
            text(out, " ecr ");
            decimal(out, echo);
        }
        if let Some(shift) = self.window_scale {
            next(out);
            text(out, "wscale ");
            decimal(out, shift);
        }
        out.push(b']');
    }
}

//! tcpdump's words for ICMP and IGMP.

use std::net::Ipv4Addr;

use super::{Icmp, IcmpBody, Igmp, Quoted, l4, write, write::text};
use crate::write::decimal;

pub(super) fn version4(icmp: &Icmp, out: &mut Vec<u8>) {
    text(out, "ICMP ");
    match icmp.body {
        IcmpBody::Error { parameter, ref quoted } => {
            error4(icmp, parameter, quoted.as_deref(), out);
        }
        _ => kind4(icmp.kind, out),
    }
    let lead = if matches!(icmp.kind, 13 | 14) { "" } else { "," };
    identity(&icmp.body, lead, out);
    write::length(out, icmp.length);
}

fn kind4(kind: u8, out: &mut Vec<u8>) {
    text(
        out,
        match kind {
            0 => "echo reply",
            3 => "unreachable",
            4 => "source quench",
            5 => "redirect",
            8 => "echo request",
            9 => "router advertisement",
            10 => "router solicitation",
            11 => "time exceeded",
            12 => "parameter problem",
            13 => "time stamp query",
            14 => "time stamp reply",
            15 => "information request",
            16 => "information reply",
            17 => "address mask request",
            18 => "address mask reply",
            _ => {
                text(out, "type-#");
                return decimal(out, kind);
            }
        },
    );
}

/// `, id 5, seq 1`, if the message has them. Time stamps have no commas.
fn identity(body: &IcmpBody, comma: &str, out: &mut Vec<u8>) {
    if let &IcmpBody::Echo { identifier, sequence } = body {
        text(out, comma);
        text(out, " id ");
        decimal(out, identifier);
        text(out, comma);
        text(out, " seq ");
        decimal(out, sequence);
    }
}

fn error4(icmp: &Icmp, parameter: u32, quoted: Option<&Quoted>, out: &mut Vec<u8>) {
    match (icmp.kind, icmp.code, quoted) {
        (3, code, Some(quoted)) => unreachable4(code, parameter, quoted, out),
        (5, code @ 0..=3, Some(quoted)) => {
            text(out, if code < 2 { "redirect " } else { "redirect-tos " });
            write::address(out, quoted.destination);
            text(out, if code % 2 == 0 { " to net " } else { " to host " });
            write::address(out, Ipv4Addr::from_bits(parameter));
        }
        (11, 0, _) => text(out, "time exceeded in-transit"),
        (11, 1, _) => text(out, "ip reassembly time exceeded"),
        (11, code, _) => {
            text(out, "time exceeded-#");
            decimal(out, code);
        }
        (12, 0, _) => {
            text(out, "parameter problem - octet ");
            decimal(out, parameter >> 24);
        }
        (12, code, _) => {
            text(out, "parameter problem - code ");
            decimal(out, code);
        }
        (kind, ..) => kind4(kind, out),
    }
}

fn unreachable4(code: u8, mtu: u32, quoted: &Quoted, out: &mut Vec<u8>) {
    text(
        out,
        match code {
            0 | 6 | 9 | 11 => "net ",
            1 | 7 | 10 | 12..=15 => "host ",
            _ => "",
        },
    );
    write::address(out, quoted.destination);
    match (code, quoted.protocol) {
        (2, Some(protocol)) => {
            text(out, " protocol ");
            decimal(out, protocol);
        }
        (3, Some(protocol)) => {
            out.push(b' ');
            port(protocol, quoted, out);
        }
        _ => {}
    }
    text(out, " unreachable");
    text(
        out,
        match code {
            4 => " - need to frag",
            5 => " - source route failed",
            6 | 7 => " - unknown",
            8 => " - source host isolated",
            9 | 10 => " - admin prohibited",
            11 | 12 => " - tos prohibited",
            13 => " - admin prohibited filter",
            14 => " - host precedence violation",
            15 => " - precedence cutoff",
            _ => "",
        },
    );
    // The upper half of the word is not the MTU's.
    if code == 4 && mtu & 0xffff != 0 {
        text(out, " (mtu ");
        decimal(out, mtu & 0xffff);
        out.push(b')');
    }
    if code > 15 {
        text(out, " - #");
        decimal(out, code);
    }
}

/// `udp port 9`
fn port(protocol: u8, quoted: &Quoted, out: &mut Vec<u8>) {
    if let l4::TCP | l4::UDP | l4::SCTP = protocol {
        write::lower_name(out, protocol);
    } else {
        text(out, "protocol ");
        decimal(out, protocol);
    }
    if let Some((_, port)) = quoted.ports {
        text(out, " port ");
        decimal(out, port);
    }
}

pub(super) fn version6(icmp: &Icmp, out: &mut Vec<u8>) {
    text(out, "ICMP6, ");
    kind6(icmp.kind, out);
    match icmp.body {
        IcmpBody::Error { parameter, ref quoted } => {
            error6(icmp, parameter, quoted.as_deref(), out);
        }
        IcmpBody::Neighbor { target } => {
            text(out, if icmp.kind == 135 { ", who has " } else { ", tgt is " });
            write::address(out, target);
        }
        IcmpBody::Redirect { target, destination } => {
            text(out, ", ");
            write::address(out, destination);
            text(out, " to ");
            write::address(out, target);
        }
        IcmpBody::Group { address } => {
            text(out, ", addr: ");
            write::address(out, address);
        }
        IcmpBody::Records { count } => records(count, out),
        IcmpBody::Echo { .. } | IcmpBody::Other => {}
    }
    identity(&icmp.body, ",", out);
    write::length(out, icmp.length);
}

fn kind6(kind: u8, out: &mut Vec<u8>) {
    text(
        out,
        match kind {
            1 => "destination unreachable",
            2 => "packet too big",
            3 => "time exceeded in-transit",
            4 => "parameter problem",
            128 => "echo request",
            129 => "echo reply",
            130 => "multicast listener query",
            131 => "multicast listener report",
            132 => "multicast listener done",
            133 => "router solicitation",
            134 => "router advertisement",
            135 => "neighbor solicitation",
            136 => "neighbor advertisement",
            137 => "redirect",
            138 => "router renumbering",
            139 => "node information query",
            140 => "node information reply",
            141 => "inverse neighbor solicitation",
            142 => "inverse neighbor advertisement",
            143 => "multicast listener report v2",
            144 => "dhaad request",
            145 => "dhaad reply",
            146 => "mobile router solicitation",
            147 => "mobile router advertisement",
            155 => "RPL",
            _ => {
                text(out, "unknown icmp6 type (");
                decimal(out, kind);
                text(out, ")");
                return;
            }
        },
    );
}

fn error6(icmp: &Icmp, parameter: u32, quoted: Option<&Quoted>, out: &mut Vec<u8>) {
    match (icmp.kind, icmp.code) {
        (1, code) => unreachable6(code, quoted, out),
        (2, _) => {
            text(out, ", mtu ");
            decimal(out, parameter);
        }
        (3, 0) => {
            if let Some(quoted) = quoted {
                text(out, " for ");
                write::address(out, quoted.destination);
            }
        }
        (3, 1) => text(out, " (reassembly)"),
        (4, code @ 0..=2) => {
            text(
                out,
                match code {
                    0 => ", erroneous - octet ",
                    1 => ", next header - octet ",
                    _ => ", option - octet ",
                },
            );
            decimal(out, parameter);
        }
        (_, code) => {
            text(out, ", unknown code (");
            decimal(out, code);
            out.push(b')');
        }
    }
}

fn unreachable6(code: u8, quoted: Option<&Quoted>, out: &mut Vec<u8>) {
    let words = match code {
        0 => ", unreachable route",
        1 => ", unreachable prohibited",
        2 => ", beyond scope",
        3 => ", unreachable address",
        4 => ", unreachable port",
        5 => ", failed policy",
        6 => ", rejected route",
        _ => {
            text(out, ", unknown unreach code (");
            decimal(out, code);
            ")"
        }
    };
    text(out, words);
    let Some(quoted) = quoted else { return };
    text(out, if code == 4 { ", " } else { " " });
    write::address(out, quoted.destination);
    match (code, quoted.protocol) {
        (2, _) => {
            text(out, ", source address ");
            write::address(out, quoted.source);
        }
        (4, Some(protocol)) => {
            out.push(b' ');
            port(protocol, quoted, out);
        }
        _ => {}
    }
}

pub(super) fn igmp(igmp: &Igmp, out: &mut Vec<u8>) {
    text(out, "igmp ");
    let words = match igmp.kind {
        0x11 => "query",
        0x12 => "v1 report",
        0x13 => "dvmrp",
        0x14 => "pimv1",
        0x16 => "v2 report",
        0x17 => "leave",
        0x1e => "mresp",
        0x1f => "mtrace",
        0x22 => "v3 report",
        _ => {
            write::hex(out, igmp.kind);
            ""
        }
    };
    text(out, words);
    if let Some(group) = igmp.group.filter(|group| !group.is_unspecified()) {
        out.push(b' ');
        write::address(out, group);
    }
    if let Some(count) = igmp.records {
        records(count, out);
    }
}

fn records(count: u16, out: &mut Vec<u8>) {
    text(out, ", ");
    decimal(out, count);
    text(out, " group record(s)");
}

//! Writes what packets have in common: addresses, lengths and names.

pub(super) use crate::write::{address, hex, text};

use super::{Vlan, l4};
use crate::{
    protocol,
    write::{decimal, push},
};

/// `, length 5`, if it is known.
pub(super) fn length(out: &mut Vec<u8>, length: Option<impl Into<u64>>) {
    if let Some(length) = length {
        text(out, ", length ");
        decimal(out, length);
    }
}

/// `vlan 7, p 3, DEI`.
pub(super) fn vlan(out: &mut Vec<u8>, tag: Vlan) {
    text(out, "vlan ");
    decimal(out, tag.id);
    text(out, ", p ");
    decimal(out, tag.priority);
    if tag.drop_eligible {
        text(out, ", DEI");
    }
}

/// `IPv4 (0x0800)`.
pub(super) fn ether_type(out: &mut Vec<u8>, number: u16) {
    let name = protocol::name(number);
    let name = if name.starts_with("0x") { "Unknown" } else { &name };
    push(out, format_args!("{name} ({number:#06x})"));
}

/// The name of a protocol in IP.
pub(super) fn l4_name(protocol: u8) -> Option<&'static str> {
    Some(match protocol {
        0 => "Options",
        l4::ICMP => "ICMP",
        l4::IGMP => "IGMP",
        l4::IPIP => "IPIP",
        l4::TCP => "TCP",
        8 => "EGP",
        l4::UDP => "UDP",
        33 => "DCCP",
        l4::IPV6 => "IPv6",
        43 => "Routing",
        44 => "Fragment",
        46 => "RSVP",
        l4::GRE => "GRE",
        l4::ESP => "ESP",
        l4::AH => "AH",
        l4::ICMP6 => "ICMPv6",
        59 => "no next header",
        60 => "Options",
        88 => "EIGRP",
        89 => "OSPF",
        97 => "EtherIP",
        103 => "PIM",
        108 => "Compressed IP",
        112 => "VRRP",
        115 => "L2TP",
        l4::SCTP => "SCTP",
        135 => "Mobile IP (new)",
        136 => "UDPLite",
        137 => "MPLS in IP",
        143 => "Ethernet",
        _ => return None,
    })
}

/// `udp`, or `ip-proto-253` when it has no name.
pub(super) fn lower_name(out: &mut Vec<u8>, protocol: u8) {
    match l4_name(protocol) {
        Some(name) => out.extend(name.bytes().map(|byte| byte.to_ascii_lowercase())),
        None => {
            text(out, "ip-proto-");
            decimal(out, protocol);
        }
    }
}

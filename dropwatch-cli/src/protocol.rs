//! Names of EtherTypes.

use std::borrow::Cow;

/// The name of `sk_buff::protocol` in host byte order: `-` where the packet has none, as those of
/// UNIX and netlink sockets; hex where the number has no usual name.
///
/// Source: `linux/if_ether.h`, and IANA's list for how they are written.
pub fn name(protocol: u16) -> Cow<'static, str> {
    match usual_name(protocol) {
        Some(name) => Cow::Borrowed(name),
        None if protocol == 0 => Cow::Borrowed("-"),
        None => Cow::Owned(format!("{protocol:#06x}")),
    }
}

/// The protocol of this name, in any case, or of one that people also use.
pub fn number(name: &str) -> Option<u16> {
    const ALSO: [(&str, u16); 5] =
        [("ip", 0x0800), ("ip4", 0x0800), ("ip6", 0x86dd), ("vlan", 0x8100), ("qinq", 0x88a8)];
    let is = |usual: &str| usual.eq_ignore_ascii_case(name);
    let also = ALSO.iter().find(|(usual, _)| is(usual)).map(|(_, protocol)| *protocol);
    also.or_else(|| (0..=u16::MAX).find(|&protocol| usual_name(protocol).is_some_and(is)))
}

fn usual_name(protocol: u16) -> Option<&'static str> {
    Some(match protocol {
        0x0001 => "802.3",
        0x0003 => "all",
        0x0004 => "802.2",
        0x000c => "CAN",
        0x000d => "CANFD",
        0x000e => "CANXL",
        0x0019 => "802.11",
        0x00f6 => "802.15.4",
        0x00fb => "MCTP",
        0x0800 => "IPv4",
        0x0806 => "ARP",
        0x22f0 => "TSN",
        0x4305 => "BATMAN",
        0x6558 => "TEB",
        0x8035 => "RARP",
        0x809b => "ATALK",
        0x80f3 => "AARP",
        0x8100 => "802.1Q",
        0x8137 => "IPX",
        0x86dd => "IPv6",
        0x8808 => "PAUSE",
        0x8809 => "SLOW",
        0x8847 => "MPLS",
        0x8848 => "MPLS-MC",
        0x8863 => "PPPoE-D",
        0x8864 => "PPPoE",
        0x888e => "EAPOL",
        0x88a2 => "AoE",
        0x88a8 => "802.1AD",
        0x88be => "ERSPAN",
        0x88cc => "LLDP",
        0x88e1 => "HomePlug",
        0x88e5 => "MACsec",
        0x88e7 => "802.1AH",
        0x88f5 => "MVRP",
        0x88f7 => "PTP",
        0x88fb => "PRP",
        0x8902 => "CFM",
        0x8906 => "FCoE",
        0x8914 => "FIP",
        0x892f => "HSR",
        0x894f => "NSH",
        0x9000 => "LOOP",
        0x9100 => "QinQ1",
        0x9200 => "QinQ2",
        0x9300 => "QinQ3",
        0xdada => "EDSA",
        _ => return None,
    })
}

/// The name, where the packet has a protocol and that has a usual name.
pub fn known(protocol: u16) -> Option<&'static str> {
    match name(protocol) {
        Cow::Borrowed("-") | Cow::Owned(_) => None,
        Cow::Borrowed(name) => Some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_protocols_have_names_and_others_a_number() {
        assert_eq!(name(0x0800), "IPv4");
        assert_eq!(name(0x86dd), "IPv6");
        assert_eq!(name(0x0806), "ARP");
        assert_eq!(name(0x8100), "802.1Q");
        assert_eq!(name(0), "-");
        assert_eq!(name(0x88b5), "0x88b5");
        assert_eq!(name(0x00ff), "0x00ff");
    }

    #[test]
    fn each_name_leads_back_to_its_number() {
        for protocol in 0..=u16::MAX {
            if let Some(name) = usual_name(protocol) {
                assert_eq!(number(name), Some(protocol), "{name}");
                assert_eq!(number(&name.to_ascii_lowercase()), Some(protocol), "{name}");
            }
        }
        assert_eq!((number("IP"), number("vlan")), (Some(0x0800), Some(0x8100)));
        assert_eq!((number("-"), number(""), number("0x0800")), (None, None, None));
    }
}

//! `--l4`: the protocol in the IP header.

use super::range::{Range, single};

/// Names as in IANA's list, and those that people also use.
const NAMES: [(&str, u64); 23] = [
    ("icmp", 1),
    ("igmp", 2),
    ("ipip", 4),
    ("tcp", 6),
    ("egp", 8),
    ("udp", 17),
    ("dccp", 33),
    ("ipv6", 41),
    ("sit", 41),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmp6", 58),
    ("icmpv6", 58),
    ("ipv6-icmp", 58),
    ("eigrp", 88),
    ("ospf", 89),
    ("pim", 103),
    ("vrrp", 112),
    ("l2tp", 115),
    ("sctp", 132),
    ("udplite", 136),
];

/// Reads one item.
///
/// # Errors
/// What is wrong with it, to stand behind the text.
pub fn parse(text: &str) -> Result<Range, String> {
    let named = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    named.map(|(_, number)| [*number; 2]).or_else(|| single(text, u8::MAX.into())).ok_or_else(|| {
        "is no protocol of the IP header; write tcp, udp, icmp, icmp6, sctp, gre, esp, ah, igmp or \
         a number up to 255"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_have_names_and_numbers() {
        for (text, number) in [("tcp", 6), ("UDP", 17), ("icmp6", 58), ("sctp", 132), ("47", 47)] {
            assert_eq!(parse(text), Ok([number; 2]), "{text}");
        }
        for text in ["256", "", "http", "-6"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

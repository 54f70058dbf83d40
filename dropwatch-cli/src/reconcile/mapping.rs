//! Which drop reasons belong to which of the kernel's counters.
//!
//! They need not be equal: a counter may count calls or datagrams where drops are counted by
//! buffer, and some count what never becomes a drop with a reason.

/// EtherTypes.
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// A counter that counts losses, and what dropwatch sees of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Its name, as `nstat` has it; that of an interface as in `/sys/class/net/DEV/statistics`.
    pub counter: &'static str,
    /// Reasons of drops that it counts, none where it counts what no buffer existed for.
    pub reasons: &'static [&'static str],
    /// EtherType of the packets, where it does not count others.
    pub protocol: Option<u16>,
    /// What the names of the functions that drop them have in them; nothing for any.
    pub function: &'static str,
    /// What it means where it moved further than drops were seen.
    pub note: &'static str,
}

impl Mapping {
    /// Whether it counts drops for this reason of packets with this EtherType, in this function,
    /// as far as they are known.
    pub fn counts(&self, reason: &str, protocol: Option<u16>, function: Option<&str>) -> bool {
        self.reasons.contains(&reason)
            && self.protocol.zip(protocol).is_none_or(|(own, other)| own == other)
            && function.is_none_or(|function| function.contains(self.function))
    }
}

const fn any(counter: &'static str, reasons: &'static [&'static str]) -> Mapping {
    Mapping { counter, reasons, protocol: None, function: "", note: "" }
}

const fn v4(
    counter: &'static str,
    function: &'static str,
    reasons: &'static [&'static str],
) -> Mapping {
    Mapping { protocol: Some(IPV4), function, ..any(counter, reasons) }
}

const fn v6(
    counter: &'static str,
    function: &'static str,
    reasons: &'static [&'static str],
) -> Mapping {
    Mapping { protocol: Some(IPV6), function, ..any(counter, reasons) }
}

const fn tcp(counter: &'static str, reasons: &'static [&'static str]) -> Mapping {
    Mapping { function: "tcp", ..any(counter, reasons) }
}

const fn note(note: &'static str, mapping: Mapping) -> Mapping {
    Mapping { note, ..mapping }
}

const UDP_ERRORS: &[&str] =
    &["SOCKET_RCVBUFF", "PROTO_MEM", "UDP_CSUM", "SOCKET_FILTER", "SECURITY_HOOK", "PKT_TOO_SMALL"];
const ON_THE_WAY_OUT: &[&str] = &["QDISC_DROP", "TC_EGRESS", "QDISC_OVERLIMIT", "QDISC_CONGESTED"];
const NIC: &str = "the NIC dropped these before any skb existed";
const DRIVER: &str = "dropped by the driver or device, where no skb tells a reason";
const REFUSED: &str =
    "also what netfilter or a full queue kept from being sent; the sender was told";
const SEGMENTS: &str = "counted once per packet, dropped as fragments";
const SYN: &str =
    "a SYN that meets a full queue is freed as if it had been used, so that no drop tells of it";

/// The counters of protocols.
pub const PROTOCOLS: &[Mapping] = &[
    v4("UdpNoPorts", "udp", &["NO_SOCKET"]),
    v4("UdpRcvbufErrors", "udp", &["SOCKET_RCVBUFF"]),
    v4("UdpMemErrors", "udp", &["PROTO_MEM"]),
    v4("UdpInCsumErrors", "udp", &["UDP_CSUM"]),
    v4("UdpInErrors", "udp", UDP_ERRORS),
    note(REFUSED, v4("UdpSndbufErrors", "", ON_THE_WAY_OUT)),
    v6("Udp6NoPorts", "udp", &["NO_SOCKET"]),
    v6("Udp6RcvbufErrors", "udp", &["SOCKET_RCVBUFF"]),
    v6("Udp6MemErrors", "udp", &["PROTO_MEM"]),
    v6("Udp6InCsumErrors", "udp", &["UDP_CSUM"]),
    v6("Udp6InErrors", "udp", UDP_ERRORS),
    note(REFUSED, v6("Udp6SndbufErrors", "", ON_THE_WAY_OUT)),
    v4("IpInHdrErrors", "", &["IP_INHDR", "IP_CSUM"]),
    v4("IpExtInCsumErrors", "ip", &["IP_CSUM"]),
    v4("IpExtInTruncatedPkts", "ip", &["PKT_TOO_SMALL"]),
    v4("IpInAddrErrors", "", &["IP_INADDRERRORS"]),
    v4("IpInUnknownProtos", "", &["IP_NOPROTO"]),
    v4("IpInDiscards", "ip", &["NOMEM"]),
    note(REFUSED, v4("IpOutDiscards", "", ON_THE_WAY_OUT)),
    v4("IpExtInNoRoutes", "", &["IP_INNOROUTES"]),
    note(
        "mostly of senders who were told that there is no route",
        v4("IpOutNoRoutes", "", &["IP_OUTNOROUTES"]),
    ),
    note(SEGMENTS, v4("IpReasmFails", "", &["FRAG_REASM_TIMEOUT", "FRAG_TOO_FAR"])),
    v4("IpFragFails", "", &["PKT_TOO_BIG"]),
    v4("TcpExtIPReversePathFilter", "", &["IP_RPFILTER"]),
    v6("Ip6InHdrErrors", "", &["IP_INHDR", "UNHANDLED_PROTO", "UNICAST_IN_L2_MULTICAST"]),
    v6("Ip6InTruncatedPkts", "", &["PKT_TOO_SMALL"]),
    v6("Ip6InAddrErrors", "", &["IP_INADDRERRORS"]),
    v6("Ip6InUnknownProtos", "", &["IP_NOPROTO"]),
    v6("Ip6InDiscards", "", &["NOMEM", "IPV6DISABLED", "IPV6_TOO_MANY_EXTHDRS", "IP_INADDRERRORS"]),
    note(
        REFUSED,
        v6(
            "Ip6OutDiscards",
            "",
            &["IPV6DISABLED", "QDISC_DROP", "TC_EGRESS", "QDISC_OVERLIMIT", "QDISC_CONGESTED"],
        ),
    ),
    v6("Ip6InNoRoutes", "", &["IP_INNOROUTES"]),
    v6("Ip6OutNoRoutes", "", &["IP_OUTNOROUTES", "NEIGH_CREATEFAIL"]),
    v6("Ip6InTooBigErrors", "", &["PKT_TOO_BIG"]),
    v6("Ip6FragFails", "", &["PKT_TOO_BIG"]),
    note(SEGMENTS, v6("Ip6ReasmFails", "", &["FRAG_REASM_TIMEOUT"])),
    v4("IcmpInCsumErrors", "", &["ICMP_CSUM"]),
    v4("IcmpInErrors", "icmp", &["ICMP_CSUM", "INVALID_PROTO", "UNHANDLED_PROTO", "PKT_TOO_SMALL"]),
    v6("Icmp6InCsumErrors", "", &["ICMP_CSUM"]),
    v6("Icmp6InErrors", "", &["ICMP_CSUM", "IPV6_BAD_EXTHDR"]),
    tcp("TcpInCsumErrors", &["TCP_CSUM"]),
    tcp("TcpInErrs", &["TCP_CSUM", "PKT_TOO_SMALL", "PSP_INPUT"]),
    note(SYN, any("TcpExtListenOverflows", &["TCP_LISTEN_OVERFLOW"])),
    note(SYN, any("TcpExtListenDrops", &["TCP_LISTEN_OVERFLOW"])),
    note(SYN, any("TcpExtTCPReqQFullDrop", &[])),
    tcp("TcpExtTCPBacklogDrop", &["SOCKET_BACKLOG"]),
    tcp("TcpExtTCPRcvQDrop", &["PROTO_MEM"]),
    tcp("TcpExtTCPOFODrop", &["PROTO_MEM"]),
    note(
        "counted once each time, dropped as segments",
        any("TcpExtOfoPruned", &["TCP_OFO_QUEUE_PRUNE"]),
    ),
    any("TcpExtTCPZeroWindowDrop", &["TCP_ZEROWINDOW"]),
    any("TcpExtTCPMinTTLDrop", &["TCP_MINTTL"]),
    any("TcpExtPFMemallocDrop", &["PFMEMALLOC"]),
    any("TcpExtPAWSEstab", &["TCP_RFC7323_PAWS"]),
    any("TcpExtPAWSActive", &["TCP_RFC7323_PAWS"]),
    any("TcpExtPAWSOldAck", &["TCP_RFC7323_PAWS_ACK"]),
    any("TcpExtPAWSTimewait", &["TCP_RFC7323_TW_PAWS"]),
    any("TcpExtTSEcrRejected", &["TCP_RFC7323_TSECR"]),
    any("TcpExtTCPMD5NotFound", &["TCP_MD5NOTFOUND"]),
    any("TcpExtTCPMD5Unexpected", &["TCP_MD5UNEXPECTED"]),
    any("TcpExtTCPMD5Failure", &["TCP_MD5FAILURE"]),
    any("TcpExtTCPAOBad", &["TCP_AOFAILURE"]),
    any("TcpExtTCPAOKeyNotFound", &["TCP_AOKEYNOTFOUND", "TCP_AOUNEXPECTED"]),
    any("TcpExtTCPAORequired", &["TCP_AONOTFOUND"]),
];

/// The counters of interfaces. Drops belong to the interface that the packet was at.
pub const LINKS: &[Mapping] = &[
    note(NIC, any("rx_missed_errors", &[])),
    note(NIC, any("rx_over_errors", &[])),
    note(NIC, any("rx_fifo_errors", &[])),
    note("the NIC found the packet damaged, before any skb existed", any("rx_crc_errors", &[])),
    note("the NIC or driver found its length wrong", any("rx_length_errors", &[])),
    note(
        "the NIC or driver found the frame wrong",
        any("rx_frame_errors", &["IP_TUNNEL_ECN", "VXLAN_INVALID_HDR"]),
    ),
    note(
        DRIVER,
        any(
            "rx_dropped",
            &[
                "UNHANDLED_PROTO",
                "PTYPE_ABSENT",
                "CPU_BACKLOG",
                "PFMEMALLOC",
                "IPVLAN_MULTICAST_BACKLOG",
                "MACVLAN_BROADCAST_BACKLOG",
                "HDR_TRUNC",
                "SKB_CSUM",
            ],
        ),
    ),
    any("rx_nohandler", &["UNHANDLED_PROTO", "PTYPE_ABSENT"]),
    any("rx_otherhost_dropped", &["OTHERHOST"]),
    note(
        DRIVER,
        any(
            "tx_dropped",
            &[
                "FULL_RING",
                "TAP_FILTER",
                "TAP_TXFILTER",
                "DEV_READY",
                "NO_TX_TARGET",
                "RECURSION_LIMIT",
                "SKB_BAD_GSO",
                "PSP_OUTPUT",
            ],
        ),
    ),
    note("the device had no room, or failed, while sending", any("tx_fifo_errors", &[])),
    note("the device gave up sending", any("tx_aborted_errors", &[])),
    note(
        "there was no link, or no route for a tunnel",
        any("tx_carrier_errors", &["IP_OUTNOROUTES"]),
    ),
];

/// The counters of the whole machine.
pub const MACHINE: &[Mapping] = &[
    any("softnet dropped", &["CPU_BACKLOG"]),
    note("a part of softnet dropped", any("softnet flow_limit", &["CPU_BACKLOG"])),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::explain::Entries;

    #[test]
    fn every_reason_is_explained_and_its_counters_are_told_there() {
        let entries = Entries::load().expect("the data about reasons");
        for mapping in PROTOCOLS {
            let Mapping { counter, reasons, .. } = mapping;
            // Some tell of IPv6 that its counters are the same.
            let v4 = counter.replacen('6', "", 1);
            for reason in *reasons {
                let entry = entries.get("core", reason).expect(reason);
                // What is dropped on the way out is counted by whoever sends, and elsewhere.
                if !ON_THE_WAY_OUT.contains(reason) {
                    let told = entry
                        .counters
                        .iter()
                        .any(|text| text.contains(counter) || text.contains(&v4));
                    assert!(told, "{reason}: {counter}, but {:?}", entry.counters);
                }
            }
        }
        for reason in LINKS.iter().chain(MACHINE).flat_map(|mapping| mapping.reasons) {
            entries.get("core", reason).expect(reason);
        }
    }

    #[test]
    fn no_counter_is_there_twice_or_says_nothing() {
        let mut counters = BTreeSet::new();
        for mapping in PROTOCOLS.iter().chain(LINKS).chain(MACHINE) {
            assert!(counters.insert(mapping.counter), "{} is twice", mapping.counter);
            assert!(!mapping.reasons.is_empty() || !mapping.note.is_empty(), "{}", mapping.counter);
        }
    }

    #[test]
    fn drops_belong_where_reason_and_protocol_and_function_do() {
        let find = |counter| {
            let found = PROTOCOLS.iter().find(|mapping| mapping.counter == counter);
            *found.expect(counter)
        };
        let no_ports = find("UdpNoPorts");
        assert!(no_ports.counts("NO_SOCKET", Some(IPV4), Some("__udp4_lib_rcv")));
        assert!(no_ports.counts("NO_SOCKET", None, None), "nothing else is known");
        assert!(!no_ports.counts("NO_SOCKET", Some(IPV4), Some("tcp_v4_rcv")));
        assert!(!no_ports.counts("NO_SOCKET", Some(IPV6), Some("__udp6_lib_rcv")));
        assert!(!no_ports.counts("UDP_CSUM", Some(IPV4), Some("__udp4_lib_rcv")));
        assert!(find("Udp6NoPorts").counts("NO_SOCKET", Some(IPV6), Some("__udp6_lib_rcv")));
    }
}

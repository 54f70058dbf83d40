//! The kernel's counters as `/proc` shows them, and how far they have moved. Never panics,
//! whatever the text.

use std::collections::BTreeMap;

/// Counters by the names that `nstat` gives them: `UdpNoPorts`, `TcpExtListenDrops`.
pub type Counters = BTreeMap<String, u64>;

/// Adds what `/proc/net/snmp` and `/proc/net/netstat` say: a line with names, one with numbers,
/// both with a prefix and a colon in front. Names without a number and numbers that are none are
/// left out.
pub fn add_pairs(text: &str, counters: &mut Counters) {
    let mut lines = text.lines();
    while let (Some(names), Some(numbers)) = (lines.next(), lines.next()) {
        let (Some((prefix, names)), Some((same, numbers))) =
            (names.split_once(':'), numbers.split_once(':'))
        else {
            continue;
        };
        if prefix != same {
            continue;
        }
        for (name, number) in names.split_ascii_whitespace().zip(numbers.split_ascii_whitespace()) {
            // A limit can be -1, for none.
            if let Ok(number) = number.parse() {
                counters.insert(format!("{prefix}{name}"), number);
            }
        }
    }
}

/// Adds what `/proc/net/snmp6` says: a name and a number on each line.
pub fn add_lines(text: &str, counters: &mut Counters) {
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        if let (Some(name), Some(Ok(number))) = (words.next(), words.next().map(str::parse)) {
            counters.insert(name.to_owned(), number);
        }
    }
}

/// What `/proc/net/softnet_stat` says of lost packets, all processors together: a line of
/// hexadecimal columns for each that is online. Older kernels have fewer columns.
pub fn add_softnet(text: &str, counters: &mut Counters) {
    const COLUMNS: [(usize, &str); 2] = [(1, "softnet dropped"), (10, "softnet flow_limit")];
    for line in text.lines() {
        let columns: Vec<_> = line.split_ascii_whitespace().collect();
        for (column, name) in COLUMNS {
            let number = columns.get(column).and_then(|text| u64::from_str_radix(text, 16).ok());
            if let Some(number) = number {
                let sum = counters.entry(name.to_owned()).or_insert(0);
                *sum = sum.wrapping_add(number);
            }
        }
    }
}

/// How far a counter has moved. One that stands lower than before has gone through zero, or was
/// set to it, as drivers do when a device is set up anew.
pub fn moved(before: u64, after: u64) -> u64 {
    match before {
        _ if after >= before => after - before,
        // Some count in 32 bits, everywhere or where a machine has no more.
        0x8000_0000..=0xffff_ffff => after + (0x1_0000_0000 - before),
        0x8000_0000_0000_0000.. => after.wrapping_sub(before),
        _ => after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Linux 6.18.
    const SNMP: &str = "\
Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates OutTransmits
Ip: 2 64 1062 3 0 0 0 0 1062 1059 1 12 0 0 0 0 0 0 0 1059
Icmp: InMsgs InErrors InCsumErrors
Icmp: 200 7 2
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens InErrs InCsumErrors
Tcp: 1 200 120000 -1 3 5 4
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: 20 200 57 277 55 0 2 0 0
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
UdpLite: 0 9 0 0 0 0 0 0 0
";
    /// Of Linux 2.6.32, which counts less.
    const OLD_SNMP: &str = "\
Ip: Forwarding DefaultTTL InReceives InHdrErrors
Ip: 2 64 4294967290 1
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors
Udp: 1 2 3 4 5 6
";

    fn pairs(text: &str) -> Counters {
        let mut counters = Counters::new();
        add_pairs(text, &mut counters);
        counters
    }

    #[test]
    fn names_are_those_of_nstat() {
        let counters = pairs(SNMP);
        for (name, number) in [
            ("IpInHdrErrors", 3),
            ("IpOutNoRoutes", 12),
            ("TcpInErrs", 5),
            ("UdpNoPorts", 200),
            ("UdpRcvbufErrors", 55),
            ("UdpMemErrors", 0),
            ("UdpLiteNoPorts", 9),
        ] {
            assert_eq!(counters.get(name), Some(&number), "{name}");
        }
        assert_eq!(counters.get("TcpMaxConn"), None, "it is -1");
        let mut counters = Counters::new();
        add_lines("Ip6InReceives   \t7\nUdp6NoPorts 4\nIp6Empty\n\nIp6Bad x\n", &mut counters);
        assert_eq!(counters, [("Ip6InReceives".into(), 7), ("Udp6NoPorts".into(), 4)].into());
    }

    #[test]
    fn old_kernels_have_fewer() {
        let counters = pairs(OLD_SNMP);
        assert_eq!((counters.get("UdpNoPorts"), counters.get("UdpMemErrors")), (Some(&2), None));
        let mut softnet = Counters::new();
        // Of Linux 2.6.32, which has nine columns.
        add_softnet(&"0000001a 00000002 00000000 0 0 0 0 0 00000000\n".repeat(2), &mut softnet);
        assert_eq!(softnet, [("softnet dropped".to_owned(), 4)].into());
        let line = "08e78054 0000000a 2 0 0 0 0 0 0 0 00000003 0 00000000 00000000 00000000\n";
        add_softnet(line, &mut softnet);
        assert_eq!(softnet["softnet dropped"], 14);
        assert_eq!(softnet["softnet flow_limit"], 3);
    }

    #[test]
    fn damaged_text_does_no_harm() {
        for end in 0..SNMP.len() {
            let whole = pairs(SNMP);
            for (name, number) in pairs(&SNMP[..end]) {
                // The last number may be cut off.
                assert!(whole[&name].to_string().starts_with(&number.to_string()), "{name}");
            }
        }
        for text in ["", ":", ":\n:", "Ip: A B\nUdp: 1 2\n", "Ip A\nIp 1\n", "Ip: A\n"] {
            assert_eq!(pairs(text), Counters::new(), "{text:?}");
        }
        assert_eq!(pairs("Ip: A B C\nIp: 1 99999999999999999999\n"), [("IpA".into(), 1)].into());
        let mut counters = Counters::new();
        add_softnet("x y z\n\u{fffd}\nffffffffffffffff ffffffffffffffff\n0 5\n", &mut counters);
        assert_eq!(counters["softnet dropped"], 4, "it wraps around");
    }

    #[test]
    fn counters_wrap_around_and_are_set_back() {
        for (before, after, expected) in [
            (0, 0, 0),
            (5, 9, 4),
            (0xffff_fff0, 0x10, 0x20),
            (u64::MAX - 1, 3, 5),
            (1000, 3, 3),
            (0x1_0000_0000, 3, 3),
            (0, u64::MAX, u64::MAX),
        ] {
            assert_eq!(moved(before, after), expected, "{before:#x} {after:#x}");
        }
    }
}

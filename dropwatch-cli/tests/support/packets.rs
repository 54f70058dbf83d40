//! Packets of each protocol, built by hand.

/// A packet and how it lies in the skb.
pub struct Sample {
    pub name: &'static str,
    /// From the Ethernet header on.
    pub bytes: Vec<u8>,
    /// Behind the Ethernet header and its tags.
    pub network: usize,
    /// The EtherType that ends at `network`.
    pub protocol: u16,
    /// What the one line says.
    pub summary: &'static str,
    /// Whether tcpdump says the same.
    pub same: bool,
}

pub const A4: [u8; 4] = [10, 0, 0, 1];
pub const B4: [u8; 4] = [10, 0, 0, 2];
pub const A6: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
pub const B6: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
pub const A_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const B_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

pub fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

pub fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&B_MAC, &A_MAC, &ether_type.to_be_bytes(), payload])
}

/// The one's complement sum of the Internet protocols.
fn checksum(bytes: &[u8]) -> u16 {
    let sum = bytes.chunks(2).map(|pair| match *pair {
        [a, b] => u32::from(u16::from_be_bytes([a, b])),
        [a] => u32::from(a) << 8,
        _ => 0,
    });
    let mut sum: u32 = sum.sum();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Identification 4242, TTL 64, DSCP 46, ECN 1; `fragment` is the word of flags and offset.
pub fn ipv4_fragment(protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut header = join(&[
        &[0x45, 46 << 2 | 1],
        &(20 + payload.len() as u16).to_be_bytes(),
        &4242_u16.to_be_bytes(),
        &fragment.to_be_bytes(),
        &[64, protocol, 0, 0],
        &A4,
        &B4,
    ]);
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    join(&[&header, payload])
}

pub fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_fragment(protocol, 0x4000, payload)
}

/// Traffic class 0xb8, flow label 0x12345, hop limit 255.
pub fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    join(&[&[0x6b, 0x81, 0x23, 0x45], &length, &[next, 255], &A6, &B6, payload])
}

pub fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len() as u16).to_be_bytes();
    join(&[&source.to_be_bytes(), &destination.to_be_bytes(), &length, &[0, 0], payload])
}

/// Sequence number 123, acknowledgment 7, window 64240.
pub fn tcp(flags: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let words = 5 + options.len() as u16 / 4;
    join(&[
        &40_000_u16.to_be_bytes(),
        &8_090_u16.to_be_bytes(),
        &123_u32.to_be_bytes(),
        &7_u32.to_be_bytes(),
        &(words << 12 | flags).to_be_bytes(),
        &64_240_u16.to_be_bytes(),
        &[0, 0, 0, 9],
        options,
        payload,
    ])
}

/// MSS 1460, SACK permitted, timestamps 100 and 200, padding, window scale 7.
pub const TCP_OPTIONS: [u8; 20] =
    [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 100, 0, 0, 0, 200, 1, 3, 3, 7];

/// With a checksum, as tcpdump looks at it.
pub fn icmp(kind: u8, code: u8, body: &[u8]) -> Vec<u8> {
    let mut message = join(&[&[kind, code, 0, 0], body]);
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

fn arp(operation: u8, target: [u8; 6]) -> Vec<u8> {
    join(&[&[0, 1, 8, 0, 6, 4, 0, operation], &A_MAC, &A4, &target, &B4])
}

fn inner4() -> Vec<u8> {
    ipv4(17, &udp(5, 9, &[0; 10]))
}

fn inner6() -> Vec<u8> {
    ipv6(17, &udp(5, 9, &[0; 10]))
}

fn v4(
    name: &'static str,
    protocol: u8,
    payload: &[u8],
    summary: &'static str,
    same: bool,
) -> Sample {
    let bytes = ethernet(0x0800, &ipv4(protocol, payload));
    Sample { name, bytes, network: 14, protocol: 0x0800, summary, same }
}

fn v6(name: &'static str, next: u8, payload: &[u8], summary: &'static str, same: bool) -> Sample {
    let bytes = ethernet(0x86dd, &ipv6(next, payload));
    Sample { name, bytes, network: 14, protocol: 0x86dd, summary, same }
}

fn frame(name: &'static str, protocol: u16, payload: &[u8], summary: &'static str) -> Sample {
    let bytes = ethernet(protocol, payload);
    Sample { name, bytes, network: 14, protocol, summary, same: protocol != 0x88b5 }
}

/// One of each.
pub fn samples() -> Vec<Sample> {
    let mut samples = of_ipv4();
    samples.extend(of_ipv6());
    samples.extend(of_tunnels());
    samples.extend(of_links());
    samples
}

fn of_links() -> Vec<Sample> {
    let tagged = |tags: &[u8]| ethernet(0x8100, &join(&[tags, &[8, 0], &inner4()]));
    vec![
        frame(
            "arp request",
            0x0806,
            &arp(1, [0; 6]),
            "ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28",
        ),
        frame(
            "arp request to one",
            0x0806,
            &arp(1, B_MAC),
            "ARP, Request who-has 10.0.0.2 (02:00:00:00:00:02) tell 10.0.0.1, length 28",
        ),
        frame(
            "arp reply",
            0x0806,
            &arp(2, B_MAC),
            "ARP, Reply 10.0.0.1 is-at 02:00:00:00:00:01, length 28",
        ),
        frame(
            "rarp",
            0x8035,
            &arp(3, B_MAC),
            "ARP, Reverse Request who-is 02:00:00:00:00:02 tell 02:00:00:00:00:01, length 28",
        ),
        frame(
            "unknown",
            0x88b5,
            &[1, 2, 3],
            "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype Unknown (0x88b5)",
        ),
        Sample {
            name: "vlan",
            bytes: tagged(&[0x60, 7]),
            network: 18,
            protocol: 0x0800,
            summary: "vlan 7, p 3, 10.0.0.1.5 > 10.0.0.2.9: UDP, length 10",
            same: false,
        },
        Sample {
            name: "vlan that came after",
            bytes: tagged(&[0x70, 7]),
            network: 14,
            protocol: 0x8100,
            summary: "vlan 7, p 3, DEI, 10.0.0.1.5 > 10.0.0.2.9: UDP, length 10",
            same: false,
        },
        Sample {
            name: "vlan that was put in",
            bytes: tagged(&[0, 7]),
            network: 18,
            protocol: 0x8100,
            summary: "vlan 7, p 0, 10.0.0.1.5 > 10.0.0.2.9: UDP, length 10",
            same: false,
        },
        Sample {
            name: "two vlans",
            bytes: tagged(&[0, 7, 0x81, 0, 0x0f, 0xff]),
            network: 22,
            protocol: 0x0800,
            summary: "vlan 7, p 0, vlan 4095, p 0, 10.0.0.1.5 > 10.0.0.2.9: UDP, length 10",
            same: false,
        },
    ]
}

fn of_ipv4() -> Vec<Sample> {
    let error = |kind, code, word: [u8; 4]| icmp(kind, code, &join(&[&word, &inner4()]));
    let fragment = |name, word, payload: &[u8], summary, same| Sample {
        name,
        bytes: ethernet(0x0800, &ipv4_fragment(17, word, payload)),
        network: 14,
        protocol: 0x0800,
        summary,
        same,
    };
    let ports = [0, 5, 0, 9];
    vec![
        v4(
            "udp",
            17,
            &udp(40_000, 9, &[0; 100]),
            "10.0.0.1.40000 > 10.0.0.2.9: UDP, length 100",
            false,
        ),
        v4(
            "tcp",
            6,
            &tcp(0x002, &TCP_OPTIONS, &[]),
            "10.0.0.1.40000 > 10.0.0.2.8090: Flags [S], seq 123, win 64240, length 0",
            false,
        ),
        v4(
            "tcp data",
            6,
            &tcp(0x018, &[], &[1; 100]),
            "10.0.0.1.40000 > 10.0.0.2.8090: Flags [P.], seq 123:223, ack 7, win 64240, length 100",
            false,
        ),
        v4(
            "tcp urgent",
            6,
            &tcp(0x0e4, &[], &[]),
            "10.0.0.1.40000 > 10.0.0.2.8090: Flags [RUEW], seq 123, win 64240, urg 9, length 0",
            true,
        ),
        v4(
            "tcp none",
            6,
            &tcp(0, &[], &[]),
            "10.0.0.1.40000 > 10.0.0.2.8090: Flags [none], win 64240, length 0",
            true,
        ),
        v4(
            "icmp echo",
            1,
            &icmp(8, 0, &join(&[&[0, 5, 0, 1], &[0; 56]])),
            "10.0.0.1 > 10.0.0.2: ICMP echo request, id 5, seq 1, length 64",
            true,
        ),
        v4(
            "icmp echo reply",
            1,
            &icmp(0, 0, &[0, 5, 0, 1]),
            "10.0.0.1 > 10.0.0.2: ICMP echo reply, id 5, seq 1, length 8",
            true,
        ),
        v4(
            "icmp net",
            1,
            &error(3, 0, [0; 4]),
            "10.0.0.1 > 10.0.0.2: ICMP net 10.0.0.2 unreachable, length 46",
            true,
        ),
        v4(
            "icmp host",
            1,
            &error(3, 1, [0; 4]),
            "10.0.0.1 > 10.0.0.2: ICMP host 10.0.0.2 unreachable, length 46",
            true,
        ),
        v4(
            "icmp protocol",
            1,
            &error(3, 2, [0; 4]),
            "10.0.0.1 > 10.0.0.2: ICMP 10.0.0.2 protocol 17 unreachable, length 46",
            true,
        ),
        v4(
            "icmp port",
            1,
            &error(3, 3, [0; 4]),
            "10.0.0.1 > 10.0.0.2: ICMP 10.0.0.2 udp port 9 unreachable, length 46",
            true,
        ),
        v4(
            "icmp mtu",
            1,
            &error(3, 4, [0, 0, 5, 120]),
            "10.0.0.1 > 10.0.0.2: ICMP 10.0.0.2 unreachable - need to frag (mtu 1400), length 46",
            true,
        ),
        v4(
            "icmp source route",
            1,
            &error(3, 5, [0; 4]),
            "10.0.0.1 > 10.0.0.2: ICMP 10.0.0.2 unreachable - source route failed, length 46",
            true,
        ),
        v4(
            "icmp net unknown",
            1,
            &error(3, 6, [0; 4]),
            "10.0.0.1 > 10.0.0.2: ICMP net 10.0.0.2 unreachable - unknown, length 46",
            true,
        ),
        v4(
            "icmp host unknown",
            1,
            &error(3, 7, [0; 4]),
            "10.0.0.1 > 10.0.0.2: ICMP host 10.0.0.2 unreachable - unknown, length 46",
            true,
        ),
        v4(
            "icmp isolated",
            1,
            &error(3, 8, [0; 4]),
            "10.0.0.1 > 10.0.0.2: ICMP 10.0.0.2 unreachable - source host isolated, length 46",
            true,
        ),
        v4(
            "icmp net admin",
            1,
            &error(3, 9, [0; 4]),
            "10.0.0.1 > 10.0.0.2: ICMP net 10.0.0.2 unreachable - admin prohibited, length 46",
            true,
        ),
        v4(
            "icmp host admin",
            1,
            &error(3, 10, [0; 4]),
            "10.0.0.1 > 10.0.0.2: ICMP host 10.0.0.2 unreachable - admin prohibited, length 46",
            true,
        ),
        v4(
            "icmp net tos",
            1,
            &error(3, 11, [0; 4]),
            "10.0.0.1 > 10.0.0.2: ICMP net 10.0.0.2 unreachable - tos prohibited, length 46",
            true,
        ),
        v4(
            "icmp filter",
            1,
            &error(3, 13, [0; 4]),
            "10.0.0.1 > 10.0.0.2: ICMP host 10.0.0.2 unreachable - admin prohibited filter, length 46",
            true,
        ),
        v4(
            "icmp precedence",
            1,
            &error(3, 14, [0; 4]),
            "10.0.0.1 > 10.0.0.2: ICMP host 10.0.0.2 unreachable - host precedence violation, length 46",
            true,
        ),
        v4(
            "icmp cutoff",
            1,
            &error(3, 15, [0; 4]),
            "10.0.0.1 > 10.0.0.2: ICMP host 10.0.0.2 unreachable - precedence cutoff, length 46",
            true,
        ),
        v4(
            "icmp redirect",
            1,
            &error(5, 1, [10, 0, 0, 9]),
            "10.0.0.1 > 10.0.0.2: ICMP redirect 10.0.0.2 to host 10.0.0.9, length 46",
            true,
        ),
        v4(
            "icmp time",
            1,
            &error(11, 0, [0; 4]),
            "10.0.0.1 > 10.0.0.2: ICMP time exceeded in-transit, length 46",
            true,
        ),
        v4(
            "icmp reassembly",
            1,
            &error(11, 1, [0; 4]),
            "10.0.0.1 > 10.0.0.2: ICMP ip reassembly time exceeded, length 46",
            true,
        ),
        v4(
            "icmp octet",
            1,
            &error(12, 0, [20, 0, 0, 0]),
            "10.0.0.1 > 10.0.0.2: ICMP parameter problem - octet 20, length 46",
            true,
        ),
        v4(
            "icmp quench",
            1,
            &error(4, 0, [0; 4]),
            "10.0.0.1 > 10.0.0.2: ICMP source quench, length 46",
            true,
        ),
        v4(
            "icmp time stamp",
            1,
            &icmp(13, 0, &[0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            "10.0.0.1 > 10.0.0.2: ICMP time stamp query id 5 seq 1, length 20",
            true,
        ),
        v4(
            "sctp",
            132,
            &join(&[&ports, &[1, 2, 3, 4], &[0; 4], &[14, 0, 0, 4]]),
            "10.0.0.1.5 > 10.0.0.2.9: sctp (1) [SHUTDOWN COMPLETE]",
            true,
        ),
        v4(
            "esp",
            50,
            &join(&[&0x1234_u32.to_be_bytes(), &1_u32.to_be_bytes(), &[0; 24]]),
            "10.0.0.1 > 10.0.0.2: ESP(spi=0x00001234,seq=0x1), length 32",
            true,
        ),
        v4(
            "ah",
            51,
            &join(&[
                &[17, 4, 0, 0],
                &0x1234_u32.to_be_bytes(),
                &1_u32.to_be_bytes(),
                &[0; 12],
                &udp(5, 9, &[0; 10]),
            ]),
            "10.0.0.1.5 > 10.0.0.2.9: AH(spi=0x00001234,seq=0x1): UDP, length 10",
            false,
        ),
        v4(
            "igmp",
            2,
            &icmp(0x16, 0, &[224, 1, 1, 1]),
            "10.0.0.1 > 10.0.0.2: igmp v2 report 224.1.1.1",
            true,
        ),
        v4(
            "igmp 3",
            2,
            &icmp(0x22, 0, &[0, 0, 0, 1, 4, 0, 0, 0, 224, 1, 1, 1]),
            "10.0.0.1 > 10.0.0.2: igmp v3 report, 1 group record(s)",
            true,
        ),
        v4("ospf", 89, &[2, 1, 0, 44], "10.0.0.1 > 10.0.0.2: OSPF, length 4", false),
        v4("pim", 103, &[0x20, 0, 0, 0], "10.0.0.1 > 10.0.0.2: PIM, length 4", false),
        v4("unnamed", 253, &[0; 100], "10.0.0.1 > 10.0.0.2: ip-proto-253, length 100", false),
        fragment(
            "first fragment",
            0x2000,
            &udp(5, 9, &[0; 1472]),
            "10.0.0.1.5 > 10.0.0.2.9: UDP, length 1472 (frag 4242:1480@0+)",
            false,
        ),
        fragment(
            "middle fragment",
            0x20b9,
            &[0; 1480],
            "10.0.0.1 > 10.0.0.2: udp (frag 4242:1480@1480+)",
            false,
        ),
        fragment(
            "last fragment",
            0x0172,
            &[0; 100],
            "10.0.0.1 > 10.0.0.2: udp (frag 4242:100@2960)",
            false,
        ),
    ]
}

fn of_ipv6() -> Vec<Sample> {
    let error = |kind, code, word: [u8; 4]| icmp(kind, code, &join(&[&word, &inner6()]));
    let hop_by_hop = |next: u8, behind: &[u8]| join(&[&[next, 0, 5, 2, 0, 0, 1, 0], behind]);
    let fragment = |next: u8, word: u16, behind: &[u8]| {
        join(&[&[next, 0], &word.to_be_bytes(), &4242_u32.to_be_bytes(), behind])
    };
    let about = |address: [u8; 16]| join(&[&[0; 4], &address]);
    vec![
        v6(
            "udp6",
            17,
            &udp(40_000, 9, &[0; 100]),
            "fe80::1.40000 > fe80::2.9: UDP, length 100",
            true,
        ),
        v6(
            "tcp6",
            6,
            &tcp(0x012, &TCP_OPTIONS, &[]),
            "fe80::1.40000 > fe80::2.8090: Flags [S.], seq 123, ack 7, win 64240, length 0",
            false,
        ),
        v6(
            "icmp6 echo",
            58,
            &icmp(128, 0, &join(&[&[0, 5, 0, 1], &[0; 56]])),
            "fe80::1 > fe80::2: ICMP6, echo request, id 5, seq 1, length 64",
            true,
        ),
        v6(
            "icmp6 echo reply",
            58,
            &icmp(129, 0, &[0, 5, 0, 1]),
            "fe80::1 > fe80::2: ICMP6, echo reply, id 5, seq 1, length 8",
            true,
        ),
        v6(
            "icmp6 route",
            58,
            &error(1, 0, [0; 4]),
            "fe80::1 > fe80::2: ICMP6, destination unreachable, unreachable route fe80::2, length 66",
            true,
        ),
        v6(
            "icmp6 admin",
            58,
            &error(1, 1, [0; 4]),
            "fe80::1 > fe80::2: ICMP6, destination unreachable, unreachable prohibited fe80::2, length 66",
            false,
        ),
        v6(
            "icmp6 scope",
            58,
            &error(1, 2, [0; 4]),
            "fe80::1 > fe80::2: ICMP6, destination unreachable, beyond scope fe80::2, source address fe80::1, length 66",
            true,
        ),
        v6(
            "icmp6 address",
            58,
            &error(1, 3, [0; 4]),
            "fe80::1 > fe80::2: ICMP6, destination unreachable, unreachable address fe80::2, length 66",
            true,
        ),
        v6(
            "icmp6 port",
            58,
            &error(1, 4, [0; 4]),
            "fe80::1 > fe80::2: ICMP6, destination unreachable, unreachable port, fe80::2 udp port 9, length 66",
            true,
        ),
        v6(
            "icmp6 policy",
            58,
            &error(1, 5, [0; 4]),
            "fe80::1 > fe80::2: ICMP6, destination unreachable, failed policy fe80::2, length 66",
            false,
        ),
        v6(
            "icmp6 mtu",
            58,
            &error(2, 0, [0, 0, 5, 0]),
            "fe80::1 > fe80::2: ICMP6, packet too big, mtu 1280, length 66",
            true,
        ),
        v6(
            "icmp6 time",
            58,
            &error(3, 0, [0; 4]),
            "fe80::1 > fe80::2: ICMP6, time exceeded in-transit for fe80::2, length 66",
            true,
        ),
        v6(
            "icmp6 reassembly",
            58,
            &error(3, 1, [0; 4]),
            "fe80::1 > fe80::2: ICMP6, time exceeded in-transit (reassembly), length 66",
            true,
        ),
        v6(
            "icmp6 octet",
            58,
            &error(4, 1, [0, 0, 0, 6]),
            "fe80::1 > fe80::2: ICMP6, parameter problem, next header - octet 6, length 66",
            true,
        ),
        v6(
            "solicitation",
            58,
            &icmp(135, 0, &about(B6)),
            "fe80::1 > fe80::2: ICMP6, neighbor solicitation, who has fe80::2, length 24",
            true,
        ),
        v6(
            "advertisement",
            58,
            &icmp(136, 0, &about(A6)),
            "fe80::1 > fe80::2: ICMP6, neighbor advertisement, tgt is fe80::1, length 24",
            true,
        ),
        v6(
            "router solicitation",
            58,
            &icmp(133, 0, &[0; 4]),
            "fe80::1 > fe80::2: ICMP6, router solicitation, length 8",
            true,
        ),
        v6(
            "router advertisement",
            58,
            &icmp(134, 0, &[64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]),
            "fe80::1 > fe80::2: ICMP6, router advertisement, length 16",
            true,
        ),
        v6(
            "redirect6",
            58,
            &icmp(137, 0, &join(&[&about(A6), &B6])),
            "fe80::1 > fe80::2: ICMP6, redirect, fe80::2 to fe80::1, length 40",
            true,
        ),
        v6(
            "mld report",
            0,
            &hop_by_hop(58, &icmp(143, 0, &join(&[&[0, 0, 0, 1, 4, 0, 0, 0], &B6]))),
            "fe80::1 > fe80::2: HBH ICMP6, multicast listener report v2, 1 group record(s), length 28",
            true,
        ),
        v6(
            "mld query",
            0,
            &hop_by_hop(58, &icmp(130, 0, &join(&[&about([0; 16])]))),
            "fe80::1 > fe80::2: HBH ICMP6, multicast listener query, addr: ::, length 24",
            false,
        ),
        v6(
            "mld 1 report",
            0,
            &hop_by_hop(58, &icmp(131, 0, &about(B6))),
            "fe80::1 > fe80::2: HBH ICMP6, multicast listener report, addr: fe80::2, length 24",
            false,
        ),
        v6(
            "options",
            60,
            &join(&[&[17, 0, 1, 4, 0, 0, 0, 0], &udp(5, 9, &[0; 10])]),
            "fe80::1.5 > fe80::2.9: DSTOPT UDP, length 10",
            false,
        ),
        v6(
            "first fragment6",
            44,
            &fragment(17, 1, &udp(5, 9, &[0; 1440])),
            "fe80::1.5 > fe80::2.9: frag (0|1448) UDP, length 1440",
            false,
        ),
        v6(
            "last fragment6",
            44,
            &fragment(17, 1448, &[0; 52]),
            "fe80::1 > fe80::2: frag (1448|52)",
            true,
        ),
        v6("nothing", 59, &[], "fe80::1 > fe80::2: no next header", true),
    ]
}

fn of_tunnels() -> Vec<Sample> {
    let gre = |flags: u16, protocol: u16, rest: &[u8]| {
        join(&[&flags.to_be_bytes(), &protocol.to_be_bytes(), rest])
    };
    let ethernet4 = ethernet(0x0800, &inner4());
    vec![
        v4(
            "gre",
            47,
            &gre(0, 0x0800, &inner4()),
            "10.0.0.1 > 10.0.0.2: GREv0, proto IPv4 (0x0800), length 42: 10.0.0.1.5 > 10.0.0.2.9: UDP, length 10",
            false,
        ),
        v4(
            "gre key",
            47,
            &gre(0xb000, 0x6558, &join(&[&[0; 4], &[0, 0, 0, 42], &[0, 0, 0, 3], &ethernet4])),
            "10.0.0.1 > 10.0.0.2: GREv0, key=0x2a, seq 3, proto TEB (0x6558), length 68: 10.0.0.1.5 > 10.0.0.2.9: UDP, length 10",
            false,
        ),
        v4(
            "vxlan",
            17,
            &udp(5, 4789, &join(&[&[8, 0, 0, 0, 0, 0, 42, 0], &ethernet4])),
            "10.0.0.1.5 > 10.0.0.2.4789: VXLAN vni 42: 10.0.0.1.5 > 10.0.0.2.9: UDP, length 10",
            false,
        ),
        v4(
            "geneve",
            17,
            &udp(5, 6081, &join(&[&[1, 0, 0x65, 0x58, 0, 0, 42, 0], &[0; 4], &ethernet4])),
            "10.0.0.1.5 > 10.0.0.2.6081: Geneve vni 42: 10.0.0.1.5 > 10.0.0.2.9: UDP, length 10",
            false,
        ),
        v4(
            "ipip",
            4,
            &inner4(),
            "10.0.0.1 > 10.0.0.2: IP 10.0.0.1.5 > 10.0.0.2.9: UDP, length 10",
            true,
        ),
        v4(
            "6in4",
            41,
            &inner6(),
            "10.0.0.1 > 10.0.0.2: IP6 fe80::1.5 > fe80::2.9: UDP, length 10",
            true,
        ),
        v6(
            "4in6",
            4,
            &inner4(),
            "fe80::1 > fe80::2: IP 10.0.0.1.5 > 10.0.0.2.9: UDP, length 10",
            true,
        ),
    ]
}

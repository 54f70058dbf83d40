//! ICMPv6.

use super::{
    Sample,
    build::{A6, B6, icmp, inner6, join},
    v6,
};

pub fn samples() -> Vec<Sample> {
    let error = |kind, code, word: [u8; 4]| icmp(kind, code, &join(&[&word, &inner6()]));
    let hop_by_hop = |next: u8, behind: &[u8]| join(&[&[next, 0, 5, 2, 0, 0, 1, 0], behind]);
    let about = |address: [u8; 16]| join(&[&[0; 4], &address]);
    vec![
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
    ]
}

//! IPv4.

use super::{
    Sample,
    build::{TCP_OPTIONS, ethernet, icmp, ipv4_fragment, join, tcp, udp},
    v4,
};

pub fn samples() -> Vec<Sample> {
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

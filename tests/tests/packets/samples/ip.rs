//! What IP carries.

use dropwatch_tests::traffic::build::{self, Ipv4, Tcp};
use serde_json::{Value, json};

use super::{SYN, TCP, UDP, V4, datagram, ports, summary, udp, v4, v6, v6_behind};
use crate::expect::{Sample, all};

pub fn of_ipv4() -> Vec<Sample> {
    let end = Tcp { flags: 0x1f9, ack: 77, seq: 1, urgent: 5, options: &[], ..SYN };
    let tcp = |members: Value| all([ports(SYN.ports), json!({"tcp": members})]);
    let sctp = build::udp([40_000, 9], &[]);
    // Verification tag and checksum where UDP has length and checksum.
    let sctp = [&sctp[..4], &[1, 2, 3, 4, 0, 0, 0, 0], &[1, 0, 0, 20], &[0; 16]].concat();
    let fragment = |fragment| Ipv4 { fragment, ..V4 };
    vec![
        v4(
            "udp",
            UDP,
            V4,
            &datagram(10),
            all([udp(18), summary("10.0.0.1.40000 > 10.0.0.2.9: UDP, length 10")]),
        ),
        v4(
            "options",
            UDP,
            // A router alert, and the end.
            Ipv4 { options: &[148, 4, 0, 0, 1, 1, 1, 0], ..V4 },
            &datagram(11),
            all([udp(19), summary("10.0.0.1.40000 > 10.0.0.2.9: UDP, length 11")]),
        ),
        v4(
            "tcp syn",
            TCP,
            V4,
            &SYN.around(&[]),
            all([
                summary(
                    "10.0.0.1.40000 > 10.0.0.2.8090: Flags [SEW], seq 4275878552, win 64240, length 0",
                ),
                tcp(json!({
                    "flags": 0x0c2, "seq": 0xfedc_ba98_u32, "ack": null, "window": 64_240,
                    "urgent": 0, "payload_length": 0, "mss": 1460, "window_scale": 7,
                    "sack_permitted": true, "timestamps": [100, 200],
                })),
            ]),
        ),
        v4(
            "tcp fin",
            TCP,
            V4,
            &end.around(&[0; 33]),
            all([
                summary(
                    "10.0.0.1.40000 > 10.0.0.2.8090: Flags [FP.UEWe], seq 1:34, ack 77, win 64240, urg 5, length 33",
                ),
                tcp(json!({
                    "flags": 0x1f9, "seq": 1, "ack": 77, "window": 64_240, "urgent": 5,
                    "payload_length": 33, "mss": null, "window_scale": null,
                    "sack_permitted": false, "timestamps": null,
                })),
            ]),
        ),
        v4(
            "sctp",
            (132, "SCTP"),
            V4,
            &sctp,
            all([
                ports([40_000, 9]),
                summary("10.0.0.1.40000 > 10.0.0.2.9: sctp (1) [INIT]"),
                json!({"sctp": {"verification_tag": 0x0102_0304, "chunk": 1}}),
            ]),
        ),
        v4(
            "esp",
            (50, "ESP"),
            V4,
            &[&[0, 0, 0x12, 0x34, 0, 0, 0, 9][..], &[7; 24]].concat(),
            all([
                summary("10.0.0.1 > 10.0.0.2: ESP(spi=0x00001234,seq=0x9), length 32"),
                json!({"spi": 0x1234}),
            ]),
        ),
        v4(
            "first fragment",
            UDP,
            fragment(0x2000),
            // The whole datagram is longer than this.
            &[&[0x9c, 0x40, 0, 9, 0, 100, 0, 0][..], &[0; 40]].concat(),
            all([
                udp(100),
                summary("10.0.0.1.40000 > 10.0.0.2.9: UDP, length 92 (frag 4242:48@0+)"),
            ]),
        ),
        v4(
            "last fragment",
            UDP,
            fragment(6),
            &[0x5a; 52],
            summary("10.0.0.1 > 10.0.0.2: udp (frag 4242:52@48)"),
        ),
    ]
}

pub fn of_ipv6() -> Vec<Sample> {
    let hop_by_hop = |next: u8, behind: &[u8]| [&[next, 0, 1, 4, 0, 0, 0, 0], behind].concat();
    let fragment = |word: u16, behind: &[u8]| {
        [&[17, 0], &word.to_be_bytes()[..], &0x1234_5678_u32.to_be_bytes(), behind].concat()
    };
    let first =
        |offset: u16, more: bool| json!({"id": 0x1234_5678, "offset": offset, "more": more});
    vec![
        v6(
            "udp6",
            UDP,
            &datagram(10),
            all([udp(18), summary("fd00::1.40000 > fd00::2.9: UDP, length 10")]),
        ),
        v6(
            "tcp6",
            TCP,
            &Tcp { flags: 0x012, ack: 5, ..SYN }.around(b"12345"),
            all([
                ports(SYN.ports),
                summary(
                    "fd00::1.40000 > fd00::2.8090: Flags [S.], seq 4275878552:4275878557, ack 5, win 64240, length 5",
                ),
                json!({"tcp": {
                    "flags": 0x012, "seq": 0xfedc_ba98_u32, "ack": 5, "window": 64_240,
                    "urgent": 0, "payload_length": 5, "mss": 1460, "window_scale": 7,
                    "sack_permitted": true, "timestamps": [100, 200],
                }}),
            ]),
        ),
        v6_behind(
            "two options headers",
            UDP,
            &[0, 60],
            &hop_by_hop(60, &hop_by_hop(17, &datagram(3))),
            Value::Null,
            all([udp(11), summary("fd00::1.40000 > fd00::2.9: HBH DSTOPT UDP, length 3")]),
        ),
        v6_behind(
            "first fragment6",
            UDP,
            &[44],
            &fragment(1, &datagram(40)),
            first(0, true),
            all([udp(48), summary("fd00::1.40000 > fd00::2.9: frag (0|48) UDP, length 40")]),
        ),
        v6_behind(
            "last fragment6",
            UDP,
            &[44],
            &fragment(48, &[0; 9]),
            first(48, false),
            summary("fd00::1 > fd00::2: frag (48|9)"),
        ),
    ]
}

//! ICMP.

use dropwatch_tests::{
    Veth,
    traffic::build::{self, Ipv4},
};
use serde_json::{Value, json};

use super::{FAR6, V4, datagram, summary, v4, v6};
use crate::expect::{Sample, all};

fn icmp(members: Value) -> Value {
    let mut icmp = json!({
        "version": 4, "type": 0, "code": 0, "id": null, "seq": null, "parameter": null,
        "target": null, "quoted": null,
    });
    crate::expect::set(&mut icmp, members);
    json!({"icmp": icmp})
}

pub fn of_icmp() -> Vec<Sample> {
    const ICMP: (u8, &str) = (1, "ICMP");
    const ICMP6: (u8, &str) = (58, "ICMPv6");
    let quoted = Ipv4 { from: Veth::FAR, to: Veth::NEAR, ..V4 }.around(&datagram(0));
    vec![
        v4(
            "echo",
            ICMP,
            V4,
            &build::icmp(8, 0, &[0x12, 0x34, 0, 7, 1, 2, 3, 4]),
            all([
                summary("10.0.0.1 > 10.0.0.2: ICMP echo request, id 4660, seq 7, length 12"),
                icmp(json!({"type": 8, "id": 0x1234, "seq": 7})),
            ]),
        ),
        v4(
            "unreachable",
            ICMP,
            V4,
            &build::icmp(3, 4, &[&[0, 0, 5, 0][..], &quoted].concat()),
            all([
                summary(
                    "10.0.0.1 > 10.0.0.2: ICMP 10.0.0.1 unreachable - need to frag (mtu 1280), length 36",
                ),
                icmp(json!({"type": 3, "code": 4, "parameter": 1280, "quoted": {
                    "source": "10.0.0.2", "destination": "10.0.0.1", "l4": 17,
                    "source_port": 40_000, "destination_port": 9,
                }})),
            ]),
        ),
        v6(
            "echo6",
            ICMP6,
            &build::icmp(129, 0, &[0x12, 0x34, 0, 7, 1, 2, 3, 4]),
            all([
                summary("fd00::1 > fd00::2: ICMP6, echo reply, id 4660, seq 7, length 12"),
                icmp(json!({"version": 6, "type": 129, "id": 0x1234, "seq": 7})),
            ]),
        ),
        v6(
            "solicitation",
            ICMP6,
            &build::icmp(
                135,
                0,
                &[&[0; 4][..], &FAR6.octets(), &[1, 1, 2, 0, 0, 0, 0, 1]].concat(),
            ),
            all([
                summary(
                    "fd00::1 > fd00::2: ICMP6, neighbor solicitation, who has fd00::2, length 32",
                ),
                icmp(json!({"version": 6, "type": 135, "target": "fd00::2"})),
            ]),
        ),
    ]
}

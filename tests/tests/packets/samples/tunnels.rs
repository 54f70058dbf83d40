//! Packets in packets.

use std::net::Ipv4Addr;

use dropwatch_tests::traffic::{
    build::{self, Ipv4},
    frame,
};
use serde_json::{Value, json};

use super::{UDP, V4, datagram, ports, summary, udp, v4};
use crate::expect::{Sample, all, ends, ipv4, over_ethernet, packet};

const INNER_FROM: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const INNER_TO: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const ETHERNET: u16 = 0x6558;

pub fn of_tunnels() -> Vec<Sample> {
    const GRE: (u8, &str) = (47, "GRE");
    let header = Ipv4 { from: INNER_FROM, to: INNER_TO, id: 99, ttl: 3, ..V4 };
    let inner = header.around(&datagram(4));
    let members = all([
        ends(INNER_FROM, INNER_TO, Some(UDP)),
        udp(12),
        json!({"ipv4": ipv4(&header, 12)}),
        summary("192.0.2.1.40000 > 192.0.2.2.9: UDP, length 4"),
    ]);
    let (inner_frame, mut inner_framed) = over_ethernet(frame::IPV4, &inner, members.clone());
    // Its bytes are among those of the outer packet.
    inner_framed["bytes"] = Value::Null;
    let tunnel = |kind: &str, vni: Option<u32>, inner: Value| json!({"tunnel": {"type": kind, "vni": vni, "inner": inner}});
    let outer = |port: u16, payload: &[u8]| {
        let datagram = build::udp([40_000, port], payload);
        let members = all([ports([40_000, port]), json!({"udp": {"length": datagram.len()}})]);
        (datagram, members)
    };
    let (vxlan, of_vxlan) = outer(4789, &build::vxlan(0xa1_b2c3, &inner_frame));
    let options = [1, 2, 3, 0, 0, 0, 0, 0];
    let (geneve, of_geneve) =
        outer(6081, &build::geneve(0x00_b2c3, ETHERNET, &options[..4], &inner_frame));
    vec![
        v4(
            "vxlan",
            UDP,
            V4,
            &vxlan,
            all([
                of_vxlan,
                summary(
                    "10.0.0.1.40000 > 10.0.0.2.4789: VXLAN vni 10597059: 192.0.2.1.40000 > 192.0.2.2.9: UDP, length 4",
                ),
                tunnel("vxlan", Some(0xa1_b2c3), inner_framed.clone()),
            ]),
        ),
        v4(
            "geneve",
            UDP,
            V4,
            &geneve,
            all([
                of_geneve,
                summary(
                    "10.0.0.1.40000 > 10.0.0.2.6081: Geneve vni 45763: 192.0.2.1.40000 > 192.0.2.2.9: UDP, length 4",
                ),
                tunnel("geneve", Some(0xb2c3), inner_framed),
            ]),
        ),
        v4(
            "gre",
            GRE,
            V4,
            &build::gre(frame::IPV4, 42, 3, &inner),
            all([
                summary(
                    "10.0.0.1 > 10.0.0.2: GREv0, key=0x2a, seq 3, proto IPv4 (0x0800), length 44: 192.0.2.1.40000 > 192.0.2.2.9: UDP, length 4",
                ),
                json!({"gre": {"version": 0, "protocol": frame::IPV4, "key": 42, "sequence": 3}}),
                tunnel("gre", None, packet(members.clone())),
            ]),
        ),
        v4(
            "ipip",
            (4, "IPIP"),
            V4,
            &inner,
            all([
                summary("10.0.0.1 > 10.0.0.2: IP 192.0.2.1.40000 > 192.0.2.2.9: UDP, length 4"),
                tunnel("ip", None, packet(members)),
            ]),
        ),
    ]
}

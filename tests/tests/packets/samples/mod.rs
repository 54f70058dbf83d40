//! A packet of each protocol.

mod icmp;
mod ip;
mod links;
mod tunnels;

use std::net::Ipv6Addr;

use dropwatch_tests::{
    Veth,
    traffic::{
        build::{self, Ipv4, Ipv6, Tcp},
        frame,
    },
};
use serde_json::{Value, json};

use crate::expect::{Sample, all, ends, ipv4, ipv6, over_ethernet};

const NEAR6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const FAR6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
const IPV6: u16 = 0x86dd;
const TCP: (u8, &str) = (6, "TCP");
const UDP: (u8, &str) = (17, "UDP");

const V4: Ipv4<'static> = Ipv4 {
    from: Veth::NEAR,
    to: Veth::FAR,
    tos: 46 << 2 | 1,
    id: 4242,
    fragment: 0x4000,
    ttl: 61,
    protocol: 17,
    options: &[],
};
const V6: Ipv6 = Ipv6 {
    from: NEAR6,
    to: FAR6,
    traffic_class: 0xb9,
    flow_label: 0x12345,
    next: 17,
    hop_limit: 63,
};
const SYN: Tcp<'static> = Tcp {
    ports: [40_000, 8_090],
    seq: 0xfedc_ba98,
    ack: 0,
    flags: 0x0c2,
    window: 64_240,
    urgent: 0,
    // MSS 1460, SACK permitted, timestamps, padding, window scale 7.
    options: &[2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 100, 0, 0, 0, 200, 1, 3, 3, 7],
};

/// One of each.
pub fn all_samples() -> Vec<Sample> {
    let mut samples = ip::of_ipv4();
    samples.extend(ip::of_ipv6());
    samples.extend(icmp::of_icmp());
    samples.extend(tunnels::of_tunnels());
    samples.extend(links::of_links());
    samples.extend(links::cut_off());
    samples
}

fn sample(name: &'static str, ether_type: u16, payload: &[u8], members: Value) -> Sample {
    let (frame, packet) = over_ethernet(ether_type, payload, members);
    Sample { name, frame, packet, to_ip: true }
}

fn v4(
    name: &'static str,
    l4: (u8, &str),
    header: Ipv4<'_>,
    payload: &[u8],
    members: Value,
) -> Sample {
    let header = Ipv4 { protocol: l4.0, ..header };
    let ends = ends(header.from, header.to, Some(l4));
    let members = all([ends, json!({"ipv4": ipv4(&header, payload.len())}), members]);
    sample(name, frame::IPV4, &header.around(payload), members)
}

fn v6(name: &'static str, l4: (u8, &str), payload: &[u8], members: Value) -> Sample {
    v6_behind(name, l4, &[], payload, Value::Null, members)
}

fn v6_behind(
    name: &'static str,
    l4: (u8, &str),
    extensions: &[u8],
    payload: &[u8],
    fragment: Value,
    members: Value,
) -> Sample {
    let header = Ipv6 { next: *extensions.first().unwrap_or(&l4.0), ..V6 };
    let ends = ends(header.from, header.to, Some(l4));
    let header_json = ipv6(&header, payload.len(), extensions, fragment);
    let members = all([ends, json!({"ipv6": header_json}), members]);
    sample(name, IPV6, &header.around(payload), members)
}

fn ports(ports: [u16; 2]) -> Value {
    json!({"source_port": ports[0], "destination_port": ports[1]})
}

fn udp(length: usize) -> Value {
    all([ports([40_000, 9]), json!({"udp": {"length": length}})])
}

fn datagram(payload: usize) -> Vec<u8> {
    build::udp([40_000, 9], &vec![0x5a; payload])
}

fn summary(text: &str) -> Value {
    json!({"summary": text})
}

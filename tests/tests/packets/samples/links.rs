//! What is around IP, or instead of it, and headers that are cut off.

use dropwatch_tests::{
    Veth,
    traffic::{build, frame},
};
use serde_json::json;

use super::{IPV6, SYN, TCP, UDP, V4, V6, datagram, ports, sample, summary, udp, v4};
use crate::expect::{Sample, all, ends, link, over_ethernet};

pub fn of_links() -> Vec<Sample> {
    let arp = frame::arp_request(Veth::NEAR_MAC, Veth::NEAR, Veth::FAR);
    let arp = sample(
        "arp",
        frame::ARP,
        &arp,
        all([
            ends(Veth::NEAR, Veth::FAR, None),
            summary("ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28"),
            json!({"arp": {
                "operation": 1, "sender_mac": "02:00:00:00:00:01", "sender": "10.0.0.1",
                "target_mac": "00:00:00:00:00:00", "target": "10.0.0.2",
            }}),
        ]),
    );
    let unknown = sample(
        "unknown",
        frame::EXPERIMENTAL,
        &[0x5a; 20],
        summary("02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype Unknown (0x88b5)"),
    );
    vec![
        arp,
        unknown,
        tagged("vlan", &[(0x8100, 0x7007)], "vlan 7, p 3, DEI, "),
        tagged(
            "two vlans",
            &[(0x88a8, 0x0064), (0x8100, 0x0fff)],
            "vlan 100, p 0, vlan 4095, p 0, ",
        ),
    ]
}

/// The kernel takes the first tag out of the bytes of what it receives.
fn tagged(name: &'static str, tags: &[(u16, u16)], begin: &str) -> Sample {
    let plain = v4(name, UDP, V4, &datagram(10), all([udp(18), summary("")]));
    let (ether_type, payload) = build::tags(tags, frame::IPV4, &plain.frame[14..]);
    let frame = frame::ethernet(Veth::FAR_MAC, Veth::NEAR_MAC, ether_type, &payload);
    let (left, behind) = build::tags(&tags[1..], frame::IPV4, &plain.frame[14..]);
    let (_, received) = over_ethernet(left, &behind, json!({}));
    let vlans = tags.iter().map(|&(tpid, tci)| {
        json!({
            "tpid": tpid, "id": tci & 0xfff, "priority": tci >> 13,
            "drop_eligible": tci & 0x1000 != 0,
        })
    });
    let mut packet = plain.packet;
    packet["vlans"] = vlans.collect();
    packet["link"] = link(left);
    packet["bytes"] = received["bytes"].clone();
    packet["summary"] = format!("{begin}10.0.0.1.40000 > 10.0.0.2.9: UDP, length 10").into();
    Sample { name, frame, packet, to_ip: false }
}

/// Packets that end too early: what is not there is null.
pub fn cut_off() -> Vec<Sample> {
    let ethernet = |ether_type: &str| {
        summary(&format!("02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype {ether_type}"))
    };
    let no_ip = |sample: Sample| Sample { to_ip: false, ..sample };
    let tcp = SYN.around(&[]);
    let nothing_else = json!({"tcp": {
        "flags": null, "seq": null, "ack": null, "window": null, "urgent": null,
        "payload_length": null, "mss": null, "window_scale": null, "sack_permitted": null,
        "timestamps": null,
    }});
    vec![
        no_ip(sample(
            "cut off ipv4",
            frame::IPV4,
            &V4.around(&[])[..19],
            ethernet("IPv4 (0x0800)"),
        )),
        no_ip(sample("cut off ipv6", IPV6, &V6.around(&[])[..39], ethernet("IPv6 (0x86dd)"))),
        no_ip(sample("cut off arp", frame::ARP, &[0, 1, 8, 0, 6, 4, 0], ethernet("ARP (0x0806)"))),
        v4(
            "cut off tcp",
            TCP,
            V4,
            &tcp[..19],
            all([
                ports(SYN.ports),
                nothing_else,
                summary("10.0.0.1.40000 > 10.0.0.2.8090: [|tcp]"),
            ]),
        ),
        v4(
            "cut off udp",
            UDP,
            V4,
            &datagram(0)[..5],
            all([
                ports([40_000, 9]),
                json!({"udp": {"length": null}}),
                summary("10.0.0.1.40000 > 10.0.0.2.9: [|udp]"),
            ]),
        ),
        v4("no ports", UDP, V4, &datagram(0)[..3], summary("10.0.0.1 > 10.0.0.2: [|udp]")),
    ]
}

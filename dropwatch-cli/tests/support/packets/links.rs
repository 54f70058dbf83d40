//! Of the link layer, and right above it.

use super::{
    Sample,
    build::{B_MAC, arp, ethernet, inner4, join},
    frame,
};

pub fn samples() -> Vec<Sample> {
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

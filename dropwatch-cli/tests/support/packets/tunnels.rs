//! Packets in packets.

use super::{
    Sample,
    build::{ethernet, inner4, inner6, join, udp},
    v4, v6,
};

pub fn samples() -> Vec<Sample> {
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

//! Packets built by hand.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

mod hostile;
#[path = "../../tests/support/packets/mod.rs"]
#[expect(dead_code, reason = "what tcpdump says is compared elsewhere")]
mod packets;

use packets::{
    Sample,
    build::{self, A_MAC, A4, A6, B_MAC, B4, B6},
};

fn snapshot(sample: &Sample) -> Snapshot<'_> {
    Snapshot {
        bytes: &sample.bytes,
        mac: Some(0),
        network: Some(sample.network),
        transport: None,
        protocol: sample.protocol,
        vlan: None,
        cut: false,
    }
}

fn parse_sample(name: &str) -> Packet {
    let samples = packets::samples();
    let sample = samples.iter().find(|sample| sample.name == name).expect("there is one");
    Packet::parse(&snapshot(sample))
}

fn summary(packet: &Packet) -> String {
    let mut out = Vec::new();
    packet.write_summary(&mut out);
    String::from_utf8(out).expect("text")
}

fn details(packet: &Packet) -> String {
    let mut out = Vec::new();
    packet.write_details(&mut out, "    ");
    String::from_utf8(out).expect("text")
}

/// Writes all there is to write.
fn assert_writable(packet: &Packet) {
    let summary = summary(packet);
    assert!(summary.chars().all(|character| matches!(character, ' '..='~')), "{summary:?}");
    let details = details(packet);
    assert!(details.is_empty() || details.ends_with('\n'), "{details:?}");
    for line in details.lines() {
        assert!(line.starts_with("    "), "{details:?}");
        assert!(line.chars().all(|character| matches!(character, ' '..='~')), "{details:?}");
    }
    let ports = packet.ports();
    assert!(ports.is_none() || packet.source().is_some(), "{packet:?}");
    assert!(packet.transport.is_none() || packet.l4().is_some(), "{packet:?}");
}

#[test]
fn each_protocol_has_its_words() {
    for sample in packets::samples() {
        let packet = Packet::parse(&snapshot(&sample));
        assert_eq!(summary(&packet), sample.summary, "{}", sample.name);
        assert_writable(&packet);
    }
}

#[test]
fn fields_of_ipv4_and_udp() {
    let packet = parse_sample("udp");
    let link = Link { source: Mac(A_MAC), destination: Mac(B_MAC), ether_type: 0x0800 };
    assert_eq!(packet.link, Some(link));
    assert!(packet.vlans.is_empty() && packet.tunnel.is_none() && !packet.is_empty());
    let header = Ipv4 {
        source: A4.into(),
        destination: B4.into(),
        ttl: 64,
        dscp: 46,
        ecn: 1,
        identification: 4242,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        total_length: 128,
        header_length: 20,
        protocol: 17,
    };
    assert_eq!(packet.network, Some(Network::Ipv4(header)));
    let udp = Udp { source_port: 40_000, destination_port: 9, length: Some(108) };
    assert_eq!(packet.transport, Some(Transport::Udp(udp)));
    assert_eq!(packet.source(), Some(Ipv4Addr::from(A4).into()));
    assert_eq!(packet.destination(), Some(Ipv4Addr::from(B4).into()));
    assert_eq!((packet.ports(), packet.l4()), (Some((40_000, 9)), Some(17)));
    assert_eq!(
        details(&packet),
        "    02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype IPv4 (0x0800)\n    \
         tos 0xb9,ECT(1), ttl 64, id 4242, offset 0, flags [DF], proto UDP (17), length 128\n"
    );
}

#[test]
fn fields_of_ipv6_and_tcp() {
    let packet = parse_sample("tcp6");
    let Some(Network::Ipv6(header)) = &packet.network else { panic!("{packet:?}") };
    assert_eq!((header.source, header.destination), (A6.into(), B6.into()));
    assert_eq!((header.traffic_class, header.flow_label), (0xb8, 0x12345));
    assert_eq!((header.hop_limit, header.payload_length), (255, 40));
    assert_eq!((header.protocol, header.fragment), (Some(6), None));
    assert!(header.extensions.is_empty());
    let options = TcpOptions {
        mss: Some(1460),
        window_scale: Some(7),
        sack_permitted: true,
        timestamps: Some((100, 200)),
    };
    let rest = TcpRest {
        sequence: 123,
        acknowledgment: 7,
        flags: 0x012,
        window: 64_240,
        urgent: 9,
        header_length: 40,
        payload: Some(0),
        options,
    };
    let tcp = Tcp { source_port: 40_000, destination_port: 8_090, rest: Some(rest) };
    assert_eq!(packet.transport, Some(Transport::Tcp(tcp)));
    assert_eq!(
        details(&packet).lines().skip(1).collect::<Vec<_>>(),
        [
            "    class 0xb8, flowlabel 0x12345, hlim 255, next-header TCP (6), payload length: 40",
            "    options [mss 1460,sackOK,TS val 100 ecr 200,wscale 7]",
        ]
    );
}

#[test]
fn fields_of_extension_headers_and_fragments() {
    let packet = parse_sample("last fragment6");
    let Some(Network::Ipv6(header)) = &packet.network else { panic!("{packet:?}") };
    assert_eq!(*header.extensions, [44]);
    let fragment =
        Ipv6Fragment { identification: 4242, offset: 1448, more: false, length: Some(52) };
    assert_eq!((header.fragment, header.protocol), (Some(fragment), Some(17)));
    assert_eq!((packet.ports(), packet.l4(), &packet.transport), (None, Some(17), &None));
    let packet = parse_sample("middle fragment");
    let Some(Network::Ipv4(header)) = &packet.network else { panic!("{packet:?}") };
    assert_eq!((header.fragment_offset, header.more_fragments), (1480, true));
    assert_eq!((packet.ports(), packet.l4(), &packet.transport), (None, Some(17), &None));
    assert_eq!(parse_sample("mld report").l4(), Some(58));
}

#[test]
fn fields_of_arp() {
    let packet = parse_sample("arp request");
    let arp = Arp {
        operation: 1,
        length: 28,
        sender_hardware: Some(Mac(A_MAC)),
        sender: Some(A4.into()),
        target_hardware: Some(Mac([0; 6])),
        target: Some(B4.into()),
    };
    assert_eq!(packet.network, Some(Network::Arp(arp)));
    assert_eq!(packet.source(), Some(Ipv4Addr::from(A4).into()));
    assert_eq!(packet.destination(), Some(Ipv4Addr::from(B4).into()));
}

#[test]
fn fields_of_icmp() {
    let Some(Transport::Icmp4(icmp)) = parse_sample("icmp port").transport else { panic!() };
    let quoted = Quoted {
        source: Ipv4Addr::from(A4).into(),
        destination: Ipv4Addr::from(B4).into(),
        protocol: Some(17),
        ports: Some((5, 9)),
    };
    let body = IcmpBody::Error { parameter: 0, quoted: Some(Box::new(quoted)) };
    assert_eq!(icmp, Icmp { kind: 3, code: 3, length: Some(46), body });
    let Some(Transport::Icmp6(icmp)) = parse_sample("icmp6 mtu").transport else { panic!() };
    let quoted = Quoted {
        source: Ipv6Addr::from(A6).into(),
        destination: Ipv6Addr::from(B6).into(),
        protocol: Some(17),
        ports: Some((5, 9)),
    };
    let body = IcmpBody::Error { parameter: 1280, quoted: Some(Box::new(quoted)) };
    assert_eq!(icmp, Icmp { kind: 2, code: 0, length: Some(66), body });
}

#[test]
fn fields_of_other_transports() {
    let sctp = Sctp {
        source_port: 5,
        destination_port: 9,
        verification_tag: Some(0x0102_0304),
        chunk: Some(14),
    };
    assert_eq!(parse_sample("sctp").transport, Some(Transport::Sctp(sctp)));
    let esp = Esp { spi: 0x1234, sequence: Some(1), length: Some(32) };
    assert_eq!(parse_sample("esp").transport, Some(Transport::Esp(esp)));
    let packet = parse_sample("ah");
    assert_eq!((packet.ports(), packet.l4()), (Some((5, 9)), Some(51)));
    let igmp = Igmp { kind: 0x16, group: Some([224, 1, 1, 1].into()), records: None };
    assert_eq!(parse_sample("igmp").transport, Some(Transport::Igmp(igmp)));
}

#[test]
fn fields_of_tunnels() {
    for (name, kind, link) in [
        ("vxlan", TunnelKind::Vxlan { vni: 42 }, true),
        ("geneve", TunnelKind::Geneve { vni: 42, protocol: 0x6558 }, true),
        ("gre key", TunnelKind::Gre, true),
        ("gre", TunnelKind::Gre, false),
        ("ipip", TunnelKind::Ip, false),
        ("6in4", TunnelKind::Ip, false),
    ] {
        let tunnel = parse_sample(name).tunnel.expect(name);
        assert_eq!(tunnel.kind, kind, "{name}");
        let inner = tunnel.inner.expect(name);
        assert_eq!((inner.ports(), inner.link.is_some()), (Some((5, 9)), link), "{name}");
    }
    let Some(Transport::Gre(gre)) = parse_sample("gre key").transport else { panic!() };
    assert_eq!((gre.key, gre.sequence, gre.protocol), (Some(42), Some(3), 0x6558));
}

#[test]
fn tunnels_are_looked_into_one_level_deep() {
    let deep = (0..1_000).fold(build::udp(5, 9, &[]), |inner, _| {
        if inner.len() > 60_000 { inner } else { build::ipv4(4, &inner) }
    });
    let packet = Packet::parse(&Snapshot {
        bytes: &build::ipv4(4, &deep),
        mac: None,
        network: Some(0),
        transport: None,
        protocol: 0x0800,
        vlan: None,
        cut: false,
    });
    let inner = packet.tunnel.clone().and_then(|tunnel| tunnel.inner).expect("one level");
    assert_eq!(inner.tunnel, None);
    assert_writable(&packet);
}

#[test]
fn vlans_in_and_out_of_the_bytes() {
    let samples = packets::samples();
    let sample = samples.iter().find(|sample| sample.name == "two vlans").expect("there is one");
    let packet = Packet::parse(&Snapshot { vlan: Some((0x88a8, 0xb005)), ..snapshot(sample) });
    let tag = |tpid, id, priority, drop_eligible| Vlan { tpid, id, priority, drop_eligible };
    assert_eq!(
        *packet.vlans,
        [tag(0x88a8, 5, 5, true), tag(0x8100, 7, 0, false), tag(0x8100, 4095, 0, false)]
    );
    assert_eq!(packet.protocol, 0x0800);
    assert!(summary(&packet).starts_with("vlan 5, p 5, DEI, vlan 7, p 0, vlan 4095, p 0, 10."));
}

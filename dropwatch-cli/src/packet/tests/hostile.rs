//! Packets that are cut anywhere or damaged, and offsets of all kinds.

use super::*;

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    /// xorshift64*
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// Whether a field is not known, or the same as when all bytes are there.
fn within<T: PartialEq>(short: &Option<T>, whole: &Option<T>) -> bool {
    short.is_none() || short == whole
}

fn options_within(short: TcpOptions, whole: TcpOptions) -> bool {
    within(&short.mss, &whole.mss)
        && within(&short.window_scale, &whole.window_scale)
        && within(&short.timestamps, &whole.timestamps)
        && (!short.sack_permitted || whole.sack_permitted)
}

fn network_within(short: &Network, whole: &Network) -> bool {
    match (short, whole) {
        (Network::Ipv6(short), Network::Ipv6(whole)) => {
            let known = Ipv6 {
                extensions: short.extensions,
                protocol: short.protocol,
                fragment: short.fragment,
                ..whole.clone()
            };
            *short == known
                && whole.extensions.starts_with(&short.extensions)
                && within(&short.protocol, &whole.protocol)
                && within(&short.fragment, &whole.fragment)
        }
        (Network::Arp(short), Network::Arp(whole)) => {
            (short.operation, short.length) == (whole.operation, whole.length)
                && within(&short.sender_hardware, &whole.sender_hardware)
                && within(&short.sender, &whole.sender)
                && within(&short.target_hardware, &whole.target_hardware)
                && within(&short.target, &whole.target)
        }
        // A tag that is cut.
        (Network::Other(0x8100), _) => true,
        _ => short == whole,
    }
}

fn transport_within(short: &Transport, whole: &Transport) -> bool {
    match (short, whole) {
        (Transport::Tcp(short), Transport::Tcp(whole)) => {
            let rest = match (&short.rest, &whole.rest) {
                (Some(short), Some(whole)) => {
                    let known = TcpRest { options: short.options, ..whole.clone() };
                    *short == known && options_within(short.options, whole.options)
                }
                (short, _) => short.is_none(),
            };
            rest && short.source_port == whole.source_port
        }
        (Transport::Udp(short), Transport::Udp(whole)) => within(&short.length, &whole.length),
        (Transport::Icmp4(short), Transport::Icmp4(whole))
        | (Transport::Icmp6(short), Transport::Icmp6(whole)) => {
            let known = Icmp { body: short.body.clone(), ..whole.clone() };
            let body = match (&short.body, &whole.body) {
                (IcmpBody::Other, _) => true,
                (
                    IcmpBody::Error { parameter, quoted },
                    IcmpBody::Error { parameter: whole, quoted: all },
                ) => parameter == whole && quoted_within(quoted.as_deref(), all.as_deref()),
                (short, whole) => short == whole,
            };
            *short == known && body
        }
        (Transport::Sctp(short), Transport::Sctp(whole)) => {
            within(&short.verification_tag, &whole.verification_tag)
                && within(&short.chunk, &whole.chunk)
        }
        (Transport::Gre(short), Transport::Gre(whole)) => {
            let known = Gre { key: short.key, sequence: short.sequence, ..whole.clone() };
            *short == known
                && within(&short.key, &whole.key)
                && within(&short.sequence, &whole.sequence)
        }
        (Transport::Esp(short), Transport::Esp(whole)) => {
            short.spi == whole.spi && within(&short.sequence, &whole.sequence)
        }
        (Transport::Ah(short), Transport::Ah(whole)) => {
            let inner = match (&short.inner, &whole.inner) {
                (Some(short), Some(whole)) => transport_within(short, whole),
                (short, _) => short.is_none(),
            };
            inner && short.spi == whole.spi && within(&short.sequence, &whole.sequence)
        }
        (Transport::Igmp(short), Transport::Igmp(whole)) => {
            short.kind == whole.kind
                && within(&short.group, &whole.group)
                && within(&short.records, &whole.records)
        }
        _ => short == whole,
    }
}

fn quoted_within(short: Option<&Quoted>, whole: Option<&Quoted>) -> bool {
    match (short, whole) {
        (Some(short), Some(whole)) => {
            *short == Quoted { ports: short.ports, ..whole.clone() }
                && within(&short.ports, &whole.ports)
        }
        (short, _) => short.is_none(),
    }
}

fn packet_within(short: &Packet, whole: &Packet) -> bool {
    let network = match (&short.network, &whole.network) {
        (Some(short), Some(whole)) => network_within(short, whole),
        (short, _) => short.is_none(),
    };
    let transport = match (&short.transport, &whole.transport) {
        (Some(short), Some(whole)) => transport_within(short, whole),
        (short, _) => short.is_none(),
    };
    let tunnel = match (&short.tunnel, &whole.tunnel) {
        (Some(short), Some(whole)) => {
            let inner = match (&short.inner, &whole.inner) {
                (Some(short), Some(whole)) => packet_within(short, whole),
                (short, _) => short.is_none(),
            };
            inner && short.kind == whole.kind
        }
        (short, _) => short.is_none(),
    };
    network
        && transport
        && tunnel
        && within(&short.link, &whole.link)
        && within(&short.ports(), &whole.ports())
        && whole.vlans.starts_with(&short.vlans)
}

#[test]
fn a_cut_packet_has_no_fields_that_are_not_in_its_bytes() {
    for sample in packets::samples() {
        let whole = Packet::parse(&snapshot(&sample));
        for end in 0..=sample.bytes.len() {
            let bytes = &sample.bytes[..end];
            let short = Packet::parse(&Snapshot { bytes, cut: true, ..snapshot(&sample) });
            assert!(packet_within(&short, &whole), "{} {end}: {short:?}", sample.name);
            assert_writable(&short);
            if sample.network == 14 && sample.protocol == 0x0800 {
                let known = [short.link.is_some(), short.network.is_some()];
                assert_eq!(known, [end >= 14, end >= 34], "{} {end}", sample.name);
            }
        }
    }
}

#[test]
fn ports_are_known_before_the_rest() {
    let samples = packets::samples();
    let at = |name: &str, end: usize| {
        let sample = samples.iter().find(|sample| sample.name == name).expect("there is one");
        summary(&Packet::parse(&Snapshot { bytes: &sample.bytes[..end], ..snapshot(sample) }))
    };
    assert_eq!(at("tcp", 13), "");
    assert_eq!(at("tcp", 14), "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype IPv4 (0x0800)");
    assert_eq!(at("tcp", 34), "10.0.0.1 > 10.0.0.2: [|tcp]");
    assert_eq!(at("tcp", 38), "10.0.0.1.40000 > 10.0.0.2.8090: [|tcp]");
    let whole = "10.0.0.1.40000 > 10.0.0.2.8090: Flags [S], seq 123, win 64240, length 0";
    assert_eq!(at("tcp", 54), whole);
    assert_eq!(at("udp", 38), "10.0.0.1.40000 > 10.0.0.2.9: [|udp]");
    assert_eq!(at("udp", 40), "10.0.0.1.40000 > 10.0.0.2.9: UDP, length 100");
    assert_eq!(at("sctp", 38), "10.0.0.1.5 > 10.0.0.2.9: [|sctp]");
    assert_eq!(at("icmp port", 42), "10.0.0.1 > 10.0.0.2: ICMP unreachable, length 46");
    assert_eq!(at("mld report", 54), "fe80::1 > fe80::2: HBH [|ip6]");
    assert_eq!(at("mld report", 62), "fe80::1 > fe80::2: HBH [|icmpv6]");
    assert_eq!(at("vxlan", 50), "10.0.0.1.5 > 10.0.0.2.4789: VXLAN vni 42");
    assert_eq!(at("ipip", 40), "10.0.0.1 > 10.0.0.2: [|ipip]");
    assert_eq!(at("arp reply", 22), "ARP, Reply, length 28");
}

#[test]
fn stale_offsets_are_not_believed() {
    let samples = packets::samples();
    let udp = samples.iter().find(|sample| sample.name == "udp").expect("there is one");
    let with = |mac, network, protocol| {
        Packet::parse(&Snapshot { mac, network, protocol, ..snapshot(udp) })
    };
    let link = |packet: &Packet| packet.link.is_some();
    let network = |packet: &Packet| packet.network.is_some();
    // Known from the network header alone.
    for mac in [None, Some(1), Some(14), Some(20), Some(usize::MAX)] {
        let packet = with(mac, Some(14), 0x0800);
        assert_eq!((link(&packet), packet.ports()), (false, Some((40_000, 9))), "{mac:?}");
    }
    let packet = with(Some(0), None, 0x0800);
    assert_eq!((link(&packet), packet.ports()), (true, Some((40_000, 9))));
    for (mac, at, protocol) in [
        (None, None, 0x0800),
        (Some(0), None, 0x86dd),
        (Some(0), Some(14), 0x86dd),
        (Some(0), Some(15), 0x0800),
        (Some(0), Some(10_000), 0x0800),
        (Some(usize::MAX), Some(usize::MAX), 0x0800),
        (Some(usize::MAX - 5), None, 0x0800),
        (Some(0), Some(14), 0),
    ] {
        let packet = with(mac, at, protocol);
        assert!(!link(&packet) && !network(&packet), "{mac:?} {at:?} {protocol:#x}");
        assert!(packet.transport.is_none() && summary(&packet).is_empty());
    }
    let none = Packet::parse(&Snapshot { protocol: 0, vlan: Some((0x8100, 7)), ..snapshot(udp) });
    assert!(none.is_empty());
}

#[test]
fn headers_with_impossible_lengths_are_not_there() {
    let samples = packets::samples();
    let tcp = samples.iter().find(|sample| sample.name == "tcp data").expect("there is one");
    let with = |at: usize, byte: u8| {
        let mut bytes = tcp.bytes.clone();
        bytes[at] = byte;
        Packet::parse(&Snapshot { bytes: &bytes, ..snapshot(tcp) })
    };
    assert_eq!(with(14, 0x44).network, None);
    assert_eq!(with(14, 0x65).network, None);
    // A TCP header of 16 bytes has no payload that could be counted.
    let packet = with(46, 0x40);
    assert!(summary(&packet).ends_with("bad hdr length 16"), "{}", summary(&packet));
    // Nothing is known of what the total length does not include.
    let mut bytes = tcp.bytes.clone();
    bytes[16..18].copy_from_slice(&[0, 22]);
    assert_eq!(Packet::parse(&Snapshot { bytes: &bytes, ..snapshot(tcp) }).ports(), None);
    // With 0 it is more than the field can hold.
    bytes[16..18].copy_from_slice(&[0, 0]);
    let packet = Packet::parse(&Snapshot { bytes: &bytes, ..snapshot(tcp) });
    assert!(summary(&packet).ends_with("win 64240"), "{}", summary(&packet));
}

#[test]
fn random_bytes_and_damaged_packets_do_no_harm() {
    const PROTOCOLS: [u16; 9] = [0, 0x0800, 0x86dd, 0x0806, 0x8035, 0x8100, 0x88a8, 0x6558, 0x88b5];
    let samples = packets::samples();
    let mut random = Random(0x5eed);
    for round in 0..200_000 {
        let sample = &samples[random.below(samples.len())];
        let mut bytes: Vec<u8>;
        let mut snapshot = snapshot(sample);
        if round % 2 == 0 {
            let len = random.below(200);
            bytes = (0..len).map(|_| random.next() as u8).collect();
            snapshot.protocol = random.pick(&PROTOCOLS);
            // Else hardly any would pass for IP.
            if let Some(first) = bytes.first_mut() {
                *first = random.pick(&[0x45, 0x4f, 0x60, *first]);
            }
        } else {
            let end = 200.min(sample.bytes.len());
            bytes = sample.bytes[..end].to_vec();
            for _ in 0..=random.below(6) {
                let at = random.below(end);
                bytes[at] = random.next() as u8;
            }
            bytes.truncate(random.below(2 * end).max(1).min(end));
        }
        let odd = [None, Some(0), Some(14), Some(random.below(300)), Some(usize::MAX)];
        if random.below(2) == 0 {
            snapshot.mac = random.pick(&odd);
            snapshot.network = random.pick(&odd);
        }
        snapshot.vlan = random.pick(&[None, Some((0x8100, 0xffff)), Some((1, 1))]);
        let packet = Packet::parse(&Snapshot { bytes: &bytes, ..snapshot });
        assert_writable(&packet);
    }
}

//! Packets that are cut anywhere or damaged, and offsets of all kinds; and how long it takes.

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

#[test]
fn a_cut_packet_has_no_fields_that_are_not_in_its_bytes() {
    for sample in packets::samples() {
        // What is not there would be read as another byte if it were read.
        for end in 0..=sample.bytes.len() {
            let mut filled = sample.bytes.clone();
            filled[end..].fill(0xa5);
            let cut = Packet::parse(&Snapshot { bytes: &filled[..end], ..snapshot(&sample) });
            let short = Packet::parse(&Snapshot {
                bytes: &sample.bytes[..end],
                cut: true,
                ..snapshot(&sample)
            });
            assert_eq!(Packet { cut: true, ..cut }, short, "{} {end}", sample.name);
            assert_writable(&short);
            let whole = Packet::parse(&snapshot(&sample));
            if sample.network == 14 && sample.protocol == 0x0800 {
                let known = [short.link.is_some(), short.network.is_some()];
                assert_eq!(known, [end >= 14, end >= 34], "{} {end}", sample.name);
            }
            if short.ports().is_some() {
                assert_eq!(short.ports(), whole.ports(), "{} {end}", sample.name);
                assert!(end >= sample.network + 24);
            }
            if short.source().is_some() {
                assert_eq!(short.source(), whole.source(), "{} {end}", sample.name);
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

/// `cargo test --release -p dropwatch-cli packet -- --ignored --nocapture`
#[test]
#[ignore = "measures"]
fn time_per_packet() {
    const ROUNDS: u32 = 2_000_000;
    println!("{} bytes", size_of::<Packet>());
    for sample in packets::samples() {
        if !["udp", "tcp", "udp6", "tcp6", "icmp port", "vxlan", "arp request"]
            .contains(&sample.name)
        {
            continue;
        }
        let snapshot = snapshot(&sample);
        let mut out = Vec::new();
        let mut best = [u128::MAX; 2];
        for _ in 0..5 {
            let begin = std::time::Instant::now();
            for _ in 0..ROUNDS / 5 {
                std::hint::black_box(Packet::parse(std::hint::black_box(&snapshot)));
            }
            best[0] = best[0].min(begin.elapsed().as_nanos());
            let packet = Packet::parse(&snapshot);
            let begin = std::time::Instant::now();
            for _ in 0..ROUNDS / 5 {
                out.clear();
                std::hint::black_box(&packet).write_summary(&mut out);
                std::hint::black_box(&out);
            }
            best[1] = best[1].min(begin.elapsed().as_nanos());
        }
        let [parse, write] = best.map(|time| time as f64 / f64::from(ROUNDS / 5));
        println!("{}: parse {parse:.1} ns, summary {write:.1} ns", sample.name);
    }
}

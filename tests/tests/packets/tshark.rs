//! What tshark reads out of the same frames.

use std::fs;

use anyhow::{Context, Result, ensure};
use dropwatch_tests::{Launch, TempDir, Veth, exclusive, json, need, output, tc, traffic::packet};
use serde_json::Value;

use crate::{expect::Sample, samples::all_samples};

/// A field of tshark's, and where the same is in a packet.
const FIELDS: &[(&str, &str)] = &[
    ("eth.src", "/link/source"),
    ("eth.dst", "/link/destination"),
    ("ip.src", "/source"),
    ("ip.dst", "/destination"),
    ("ip.ttl", "/ipv4/ttl"),
    ("ip.id", "/ipv4/id"),
    ("ip.len", "/ipv4/total_length"),
    ("ip.hdr_len", "/ipv4/header_length"),
    ("ip.proto", "/l4/raw"),
    ("ip.dsfield.dscp", "/ipv4/dscp"),
    ("ip.dsfield.ecn", "/ipv4/ecn"),
    ("ip.flags.df", "/ipv4/dont_fragment"),
    ("ip.flags.mf", "/ipv4/more_fragments"),
    ("ipv6.src", "/source"),
    ("ipv6.dst", "/destination"),
    ("ipv6.hlim", "/ipv6/hop_limit"),
    ("ipv6.plen", "/ipv6/payload_length"),
    ("ipv6.tclass", "/ipv6/traffic_class"),
    ("ipv6.flow", "/ipv6/flow_label"),
    ("ipv6.fraghdr.ident", "/ipv6/fragment/id"),
    ("ipv6.fraghdr.more", "/ipv6/fragment/more"),
    ("arp.opcode", "/arp/operation"),
    ("arp.src.hw_mac", "/arp/sender_mac"),
    ("arp.src.proto_ipv4", "/arp/sender"),
    ("arp.dst.hw_mac", "/arp/target_mac"),
    ("arp.dst.proto_ipv4", "/arp/target"),
    ("tcp.srcport", "/source_port"),
    ("tcp.dstport", "/destination_port"),
    ("tcp.seq_raw", "/tcp/seq"),
    ("tcp.flags", "/tcp/flags"),
    ("tcp.window_size_value", "/tcp/window"),
    ("tcp.urgent_pointer", "/tcp/urgent"),
    ("tcp.len", "/tcp/payload_length"),
    ("tcp.options.mss_val", "/tcp/mss"),
    ("tcp.options.wscale.shift", "/tcp/window_scale"),
    ("tcp.options.timestamp.tsval", "/tcp/timestamps/0"),
    ("tcp.options.timestamp.tsecr", "/tcp/timestamps/1"),
    ("udp.srcport", "/source_port"),
    ("udp.dstport", "/destination_port"),
    ("udp.length", "/udp/length"),
    ("icmp.type", "/icmp/type"),
    ("icmp.code", "/icmp/code"),
    ("icmp.ident", "/icmp/id"),
    ("icmp.seq", "/icmp/seq"),
    ("icmp.mtu", "/icmp/parameter"),
    ("icmpv6.type", "/icmp/type"),
    ("icmpv6.code", "/icmp/code"),
    ("icmpv6.echo.identifier", "/icmp/id"),
    ("icmpv6.echo.sequence_number", "/icmp/seq"),
    ("icmpv6.nd.ns.target_address", "/icmp/target"),
    ("sctp.srcport", "/source_port"),
    ("sctp.dstport", "/destination_port"),
    ("sctp.verification_tag", "/sctp/verification_tag"),
    ("sctp.chunk_type", "/sctp/chunk"),
    ("esp.spi", "/spi"),
    ("gre.proto", "/gre/protocol"),
    ("gre.key", "/gre/key"),
    ("gre.sequence_number", "/gre/sequence"),
    ("vxlan.vni", "/tunnel/vni"),
    ("geneve.vni", "/tunnel/vni"),
];

/// Fields of the packet inside; tshark gives those of each layer, the outermost first.
const INNER: &[(&str, &str)] = &[
    ("ip.src", "/source"),
    ("ip.dst", "/destination"),
    ("ip.ttl", "/ipv4/ttl"),
    ("ip.id", "/ipv4/id"),
    ("eth.src", "/link/source"),
];

/// Writes frames as tcpdump does.
fn pcap<'a>(frames: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    // Version 2.4, local time, whole packets, Ethernet.
    let mut words = vec![0xa1b2_c3d4_u32, 2 | 4 << 16, 0, 0, 65_535, 1];
    let mut file = Vec::new();
    for frame in frames {
        words.extend([0, 0, frame.len() as u32, frame.len() as u32]);
        file.extend(words.drain(..).flat_map(u32::to_le_bytes));
        file.extend(frame);
    }
    file
}

/// What tshark says of each frame: the values of each field, in the order of [`FIELDS`].
fn read(samples: &[Sample]) -> Result<Vec<Vec<Vec<String>>>> {
    let folder = TempDir::new()?;
    let file = folder.join("frames.pcap");
    fs::write(&file, pcap(samples.iter().map(|sample| sample.frame.as_slice())))?;
    let file = file.to_string_lossy().into_owned();
    let mut words = vec!["-n", "-r", &file, "-T", "fields", "-E", "separator=|"];
    // Each frame stands for itself.
    words.extend(["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"]);
    for (field, _) in FIELDS {
        words.extend(["-e", field]);
    }
    let text = output("tshark", &words)?;
    let values =
        |text: &str| text.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect();
    let lines: Vec<Vec<_>> =
        text.lines().map(|line| line.split('|').map(values).collect()).collect();
    ensure!(lines.len() == samples.len(), "{} lines of {}", lines.len(), samples.len());
    Ok(lines)
}

/// The same value in tshark's words.
fn same(value: &Value, text: &str) -> bool {
    match value {
        Value::String(value) => value == text,
        Value::Bool(value) => ["0", "False"].contains(&text) != *value,
        Value::Number(value) => {
            let number = match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16).ok(),
                None => text.parse().ok(),
            };
            number == value.as_u64() && number.is_some()
        }
        _ => false,
    }
}

/// The packet that has the first such header: a tunnel or an error may have none of its own.
fn packet_of<'a>(packet: &'a Value, field: &str) -> &'a Value {
    let (quoted, inner) = (&packet["icmp"]["quoted"], &packet["tunnel"]["inner"]);
    match (field.starts_with("udp.") && packet["udp"].is_null(), quoted, inner) {
        (true, Value::Object(_), _) => quoted,
        (true, _, Value::Object(_)) => inner,
        _ => packet,
    }
}

#[test]
fn tshark_reads_the_same() -> Result<()> {
    need!(Root, Program("tshark"), Program("ip"), Program("tc"), Reason("TC_INGRESS"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    tc::drop_all(&veth.far, Veth::DEVICE, "ingress")?;
    let samples = all_samples();
    let dropwatch = Launch::new(&["--reason", "TC_INGRESS", "--json"]).start()?;
    for sample in &samples {
        veth.near.run("dwt tshark", || packet::send(Veth::DEVICE, &sample.frame, 1))?;
    }
    let events = json::within(&dropwatch.interrupt()?.json()?, &veth.far)?;
    let read = read(&samples)?;
    assert_eq!(events.len(), samples.len());
    let mut compared = 0;
    for ((event, sample), of_tshark) in events.iter().zip(&samples).zip(&read) {
        let packet = &event["packet"];
        let values = |name: &str| {
            let at = FIELDS.iter().position(|(field, _)| *field == name);
            at.map(|at| of_tshark[at].as_slice()).context("no such field")
        };
        for (field, pointer) in FIELDS {
            let Some(text) = values(field)?.first() else { continue };
            let value = packet_of(packet, field).pointer(pointer).unwrap_or(&Value::Null);
            // Of a header that is cut off tshark reads what there is; the length of what an error
            // is about is not told.
            let partly = sample.name.starts_with("cut off") || !packet["icmp"]["quoted"].is_null();
            if value.is_null() && partly {
                continue;
            }
            assert!(same(value, text), "{}: {field} is {text}, not {value}", sample.name);
            compared += 1;
        }
        let inner = &packet["tunnel"]["inner"];
        for (field, pointer) in INNER.iter().filter(|_| !inner.is_null()) {
            let (Some(text), Some(value)) = (values(field)?.get(1), inner.pointer(pointer)) else {
                continue;
            };
            assert!(same(value, text), "{}: inner {field} is {text}, not {value}", sample.name);
            compared += 1;
        }
    }
    assert!(compared > 300, "only {compared} values are read by both");
    Ok(())
}

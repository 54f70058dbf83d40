//! Each packet dropped at several layers of the kernel.

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use dropwatch_tests::{
    Launch, Namespace, Veth, exclusive, json, need, tc,
    traffic::{CLOSED_PORT, packet as raw_packet, udp},
};
use serde_json::{Value, json};

use crate::{
    expect::{Sample, hexadecimal, link, over_ethernet, set},
    samples::all_samples,
};

const COLUMNS: &str = "src,dst,l4,flow,packet,vlan";
const COMM: &str = "dwt packets";

/// What has been printed of the same drops.
struct Shown {
    json: Vec<Value>,
    text: String,
}

/// Sends while one dropwatch writes JSON and another text; the drops are those in a namespace.
fn watch(
    reason: &str,
    from: &Namespace,
    at: &Namespace,
    send: impl FnOnce() -> Result<()> + Send,
) -> Result<Shown> {
    let json = Launch::new(&["--reason", reason, "--json"]).start()?;
    let text = ["--reason", reason, "--fields", COLUMNS, "--color", "never"];
    let text = Launch::new(&text).start()?;
    from.run(COMM, || {
        stay_on_one_processor()?;
        send()
    })?;
    let (json, text) = (json.interrupt()?, text.interrupt()?);
    json.success()?;
    text.success()?;
    Ok(Shown { json: json::within(&json.json()?, at)?, text: text.stdout() })
}

/// What is sent from one processor is received in the same order.
fn stay_on_one_processor() -> Result<()> {
    // SAFETY: a set of zeros is an empty one; the calls read and write a set of that size.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let now = libc::sched_getcpu();
        ensure!(now >= 0, "no processor");
        libc::CPU_SET(now as usize, &mut set);
        ensure!(libc::sched_setaffinity(0, size_of_val(&set), &set) == 0, "cannot stay");
    }
    Ok(())
}

/// The line that stands in the text for what is in the JSON.
fn line(packet: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let end = |address: &str, port: &str| match &packet[port] {
        Value::Number(port) => format!("{}.{port}", text(&packet[address])),
        _ => text(&packet[address]),
    };
    let (source, destination) =
        (end("source", "source_port"), end("destination", "destination_port"));
    let l4 = match &packet["l4"] {
        Value::Null => "-".to_owned(),
        l4 => l4["name"].as_str().map_or_else(|| l4["raw"].to_string(), str::to_owned),
    };
    let summary = text(&packet["summary"]);
    let flow = if packet["l4"].is_null() {
        summary.clone()
    } else {
        format!("{source} > {destination} {l4}")
    };
    let tags: Vec<_> = packet["vlans"].as_array().expect("an array").iter().collect();
    let vlans: Vec<_> = tags.iter().map(|tag| tag["id"].to_string()).collect();
    let vlans = if vlans.is_empty() { "-".to_owned() } else { vlans.join(".") };
    format!("{source:<22} {destination:<22} {l4:<6} {flow:<38} {summary:<60} {vlans:>4}")
}

fn send(samples: &[Sample]) -> Result<()> {
    samples.iter().try_for_each(|sample| raw_packet::send(Veth::DEVICE, &sample.frame, 1))
}

/// Compares each packet with what is expected of it, in JSON and in text.
fn compare(shown: &Shown, samples: &[Sample]) {
    let names: Vec<_> = samples.iter().map(|sample| sample.name).collect();
    let summaries: Vec<_> = shown.json.iter().map(|event| &event["packet"]["summary"]).collect();
    assert_eq!(shown.json.len(), samples.len(), "{names:?}, {summaries:#?}");
    for (event, Sample { name, packet, .. }) in shown.json.iter().zip(samples) {
        let shown_packet = &event["packet"];
        if !packet["link"].is_null() {
            assert_eq!(shown_packet["offsets"]["link"], 0, "{name}: {event}");
        }
        // How the kernel had it is null in tunnels only.
        let of_buffer = ["offsets", "linear_length", "tag"];
        let members = packet.as_object().expect("an object").iter();
        for (member, expected) in members.filter(|(it, _)| !of_buffer.contains(&it.as_str())) {
            assert_eq!(&event["packet"][member], expected, "{member} of {name}: {event}");
        }
        let line = line(packet);
        assert!(shown.text.lines().any(|it| it == line), "{name}: no {line:?} in\n{}", shown.text);
    }
}

#[test]
fn at_ingress_of_a_device() -> Result<()> {
    need!(Root, Program("ip"), Program("tc"), Reason("TC_INGRESS"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    tc::drop_all(&veth.far, Veth::DEVICE, "ingress")?;
    let samples = all_samples();
    let shown = watch("TC_INGRESS", &veth.near, &veth.far, || send(&samples))?;
    compare(&shown, &samples);
    Ok(())
}

#[test]
fn where_ip_begins() -> Result<()> {
    need!(Root, Program("ip"), Program("nft"), Reason("NETFILTER_DROP"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    let device = Veth::DEVICE;
    // Without an address of its own it says nothing.
    veth.far.sysctl(&format!("net/ipv6/conf/{device}/addr_gen_mode"), "1")?;
    veth.far.sysctl(&format!("net/ipv6/conf/{device}/disable_ipv6"), "0")?;
    veth.far.nft("ip", "prerouting", "drop")?;
    veth.far.nft("ip6", "prerouting", "drop")?;
    let is_ip = |sample: &Sample| {
        sample.to_ip && ["ipv4", "ipv6"].iter().any(|it| !sample.packet[it].is_null())
    };
    let samples: Vec<_> = all_samples().into_iter().filter(is_ip).collect();
    assert!(samples.len() > 15);
    let shown = watch("NETFILTER_DROP", &veth.near, &veth.far, || send(&samples))?;
    compare(&shown, &samples);
    Ok(())
}

#[test]
fn behind_the_headers() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    // UDP has taken the headers off, so that the length is without them, but they are there.
    let samples: Vec<_> = all_samples()
        .into_iter()
        .filter(|it| ["udp", "options", "vxlan"].contains(&it.name))
        .collect();
    let shown = watch("NO_SOCKET", &veth.near, &veth.far, || send(&samples))?;
    compare(&shown, &samples);
    for event in &shown.json {
        assert_eq!(event["len"], event["packet"]["udp"]["length"], "{event:#}");
    }
    Ok(())
}

#[test]
fn at_egress_of_a_device() -> Result<()> {
    need!(Root, Program("ip"), Program("tc"), Reason("TC_EGRESS"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    tc::drop_all(&veth.near, Veth::DEVICE, "egress")?;
    let mut samples = all_samples();
    for Sample { frame, packet, .. } in &mut samples {
        // Here the tags are still in the bytes.
        packet["link"] = link(u16::from_be_bytes([frame[12], frame[13]]));
        packet["bytes"] = hexadecimal(&frame[..frame.len().min(128)]).into();
    }
    let shown = watch("TC_EGRESS", &veth.near, &veth.near, || {
        for sample in &samples {
            // Whoever sends is told of the drop.
            let _ = raw_packet::send(Veth::DEVICE, &sample.frame, 1);
        }
        Ok(())
    })?;
    compare(&shown, &samples);
    Ok(())
}

#[test]
fn before_there_is_a_link_header() -> Result<()> {
    need!(Root, Program("ip"), Program("nft"), Reason("NETFILTER_DROP"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    veth.near.nft("ip", "output", "udp dport 9 drop")?;
    let mut port = 0;
    let shown = watch("NETFILTER_DROP", &veth.near, &veth.near, || {
        let sender = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        port = sender.local_addr()?.port();
        // A drop at output is an error.
        let _ = sender.send_to(&[0x5a; 10], (Veth::FAR, CLOSED_PORT));
        Ok(())
    })?;
    assert_eq!(shown.json.len(), 1, "{:#?}", shown.json);
    let packet = &shown.json[0]["packet"];
    assert_eq!(packet["link"], Value::Null, "{packet:#}");
    assert_eq!(packet["summary"], format!("10.0.0.1.{port} > 10.0.0.2.9: UDP, length 10"));
    assert_eq!(packet["ipv4"]["ttl"], 64);
    let bytes = packet["bytes"].as_str().expect("bytes");
    assert!(bytes.starts_with("4500") && bytes.ends_with(&"5a".repeat(10)), "{bytes}");
    assert_eq!(bytes.len(), 2 * (20 + 8 + 10));
    let line = line(packet);
    assert!(shown.text.lines().any(|it| it == line), "no {line:?} in\n{}", shown.text);
    Ok(())
}

#[test]
fn longer_headers_than_there_is_room_for() -> Result<()> {
    need!(Root, Program("ip"), Program("tc"), Reason("TC_INGRESS"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    tc::drop_all(&veth.far, Veth::DEVICE, "ingress")?;
    let mut samples: Vec<_> =
        all_samples().into_iter().filter(|it| it.name == "udp" || it.name == "unknown").collect();
    for Sample { frame, packet, .. } in &mut samples {
        let ether_type = u16::from_be_bytes([frame[12], frame[13]]);
        frame.resize(1400, 0x77);
        let (_, long) = over_ethernet(ether_type, &frame[14..], json!({}));
        set(packet, json!({"bytes": long["bytes"]}));
    }
    let shown = watch("TC_INGRESS", &veth.near, &veth.far, || send(&samples))?;
    compare(&shown, &samples);
    Ok(())
}

#[test]
fn a_frame_without_anything_in_it() -> Result<()> {
    need!(Root, Program("ip"), Program("tc"), Reason("TC_INGRESS"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    tc::drop_all(&veth.far, Veth::DEVICE, "ingress")?;
    let (frame, mut packet) = over_ethernet(0x0800, &[0x45], json!({}));
    packet["summary"] = "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype IPv4 (0x0800)".into();
    let samples = [Sample { name: "a byte", frame, packet, to_ip: false }];
    let shown = watch("TC_INGRESS", &veth.near, &veth.far, || send(&samples))?;
    compare(&shown, &samples);
    Ok(())
}

#[test]
fn datagrams_to_closed_ports_say_what_was_sent() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let shown = watch("NO_SOCKET", &namespace, &namespace, || {
        udp::send((std::net::Ipv6Addr::LOCALHOST, CLOSED_PORT), 77, 1)
    })?;
    assert_eq!(shown.json.len(), 1, "{:#?}", shown.json);
    let packet = &shown.json[0]["packet"];
    assert_eq!((&packet["source"], &packet["destination"]), (&json!("::1"), &json!("::1")));
    assert_eq!((&packet["destination_port"], &packet["udp"]["length"]), (&json!(9), &json!(85)));
    let zero = "00:00:00:00:00:00";
    assert_eq!(
        packet["link"],
        json!({"source": zero, "destination": zero, "ether_type": 0x86dd}),
        "loopback has an Ethernet header of zeros"
    );
    Ok(())
}

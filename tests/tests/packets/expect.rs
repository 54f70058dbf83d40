//! What `--json` is to say of a packet.

use dropwatch_tests::{
    Veth,
    traffic::{
        build::{Ipv4, Ipv6},
        frame,
    },
};
use serde_json::{Value, json};

/// A frame, and what is to be said of it when it was received.
pub struct Sample {
    pub name: &'static str,
    pub frame: Vec<u8>,
    pub packet: Value,
    /// Whether IP gets to see it: its header is whole, and no VLAN is in between.
    pub to_ip: bool,
}

/// A packet of which nothing is known but these members.
pub fn packet(members: Value) -> Value {
    let mut packet = json!({
        "summary": null, "source": null, "destination": null, "source_port": null,
        "destination_port": null, "l4": null, "link": null, "vlans": [], "ipv4": null,
        "ipv6": null, "arp": null, "tcp": null, "udp": null, "icmp": null, "sctp": null,
        "gre": null, "spi": null, "tunnel": null, "offsets": null, "linear_length": null,
        "tag": null, "bytes": null,
    });
    set(&mut packet, members);
    packet
}

/// Sets members of an object.
pub fn set(object: &mut Value, members: Value) {
    for (name, value) in members.as_object().expect("an object") {
        assert!(object.get(name).is_some(), "there is no member {name}");
        object[name] = value.clone();
    }
}

pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An Ethernet frame over the [`Veth`], and what is to be said of it. Of the bytes there is room
/// for 128.
pub fn over_ethernet(ether_type: u16, payload: &[u8], members: Value) -> (Vec<u8>, Value) {
    let frame = frame::ethernet(Veth::FAR_MAC, Veth::NEAR_MAC, ether_type, payload);
    let mut packet = packet(members);
    packet["link"] = link(ether_type);
    packet["bytes"] = hexadecimal(&frame[..frame.len().min(128)]).into();
    (frame, packet)
}

/// The header of a frame over the [`Veth`].
pub fn link(ether_type: u16) -> Value {
    json!({
        "source": "02:00:00:00:00:01", "destination": "02:00:00:00:00:02",
        "ether_type": ether_type,
    })
}

/// What is said of an IPv4 header.
pub fn ipv4(header: &Ipv4<'_>, payload: usize) -> Value {
    let header_length = 20 + header.options.len();
    json!({
        "ttl": header.ttl, "dscp": header.tos >> 2, "ecn": header.tos & 3, "id": header.id,
        "dont_fragment": header.fragment & 0x4000 != 0,
        "more_fragments": header.fragment & 0x2000 != 0,
        "fragment_offset": (header.fragment & 0x1fff) * 8,
        "total_length": header_length + payload, "header_length": header_length,
    })
}

/// What is said of an IPv6 header with these extension headers.
pub fn ipv6(header: &Ipv6, payload: usize, extensions: &[u8], fragment: Value) -> Value {
    json!({
        "hop_limit": header.hop_limit, "traffic_class": header.traffic_class,
        "flow_label": header.flow_label, "payload_length": payload, "extensions": extensions,
        "fragment": fragment,
    })
}

/// What is said of addresses and protocol.
pub fn ends(from: impl ToString, to: impl ToString, l4: Option<(u8, &str)>) -> Value {
    let l4 = l4.map_or(Value::Null, |(raw, name)| json!({"raw": raw, "name": name}));
    json!({"source": from.to_string(), "destination": to.to_string(), "l4": l4})
}

/// All members of several objects.
pub fn all<const N: usize>(parts: [Value; N]) -> Value {
    let members = parts.into_iter().flat_map(|part| match part {
        Value::Object(members) => members,
        other => panic!("{other} is no object"),
    });
    Value::Object(members.collect())
}

use std::collections::HashSet;

use dropwatch_common::record::{COMM_LEN, PACKET_LEN};

use super::*;
use crate::{
    clock::Clock,
    drop::{Device, FullSocket, Headers, Name, Socket, SocketDetails},
    kernel::reasons::Reasons,
    symbols::{Frame, Symbol, Symbols},
    world::World,
};

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const LLDP: u16 = 0x88cc;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ONE: [u8; 6] = [2, 0, 0, 0, 0, 1];
const ALL: [u8; 6] = [0xff; 6];

/// A drop that has nothing but this protocol.
fn bare(protocol: u16) -> Drop {
    Drop { reason: Some(0), protocol: Some(protocol), iif: Some(0), ..Drop::UNKNOWN }
}

fn at_device(drop: Drop) -> Drop {
    let device = Device { name: Name::of_field([b'e'; COMM_LEN]), index: 2, kind: 1 };
    Drop { device: Some(device), ..drop }
}

fn with_socket(family: i32, kind: i32, drop: Drop) -> Drop {
    let full = FullSocket { kind: kind as u16, protocol: 0, uid: 0, inode: None, cgroup: None };
    let details = SocketDetails {
        family: family as u16,
        state: 7,
        local: None,
        remote: None,
        cookie: None,
        full: Some(full),
    };
    Drop { socket: Some(Socket { address: 1, receiver: false, details: Some(details) }), ..drop }
}

/// With a receiving socket of TCP in this state.
fn with_state(state: u8, drop: Drop) -> Drop {
    let drop = with_socket(libc::AF_INET, libc::SOCK_STREAM, drop);
    let socket = drop.socket.as_ref().and_then(|socket| socket.details);
    let details = socket.map(|details| SocketDetails { state, full: None, ..details });
    Drop { socket: Some(Socket { address: 1, receiver: true, details }), ..drop }
}

fn unix() -> Drop {
    with_socket(libc::AF_UNIX, libc::SOCK_STREAM, bare(0))
}

/// An Ethernet frame at a device.
fn frame(destination: [u8; 6], protocol: u16, payload: &[u8]) -> Drop {
    let mut bytes = [0; PACKET_LEN];
    bytes[..6].copy_from_slice(&destination);
    bytes[6..12].copy_from_slice(&ONE);
    bytes[12..14].copy_from_slice(&protocol.to_be_bytes());
    bytes[14..14 + payload.len()].copy_from_slice(payload);
    let len = 14 + payload.len();
    let headers =
        Headers { bytes, len, linear_len: len, mac: Some(0), network: Some(14), transport: None };
    Drop { headers: Some(headers), ..at_device(bare(protocol)) }
}

/// An IPv4 packet of this protocol, which begins with these bytes.
fn ipv4(link: [u8; 6], to: [u8; 4], protocol: u8, payload: &[u8; 8]) -> Drop {
    let mut bytes = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1];
    bytes.extend(to);
    bytes.extend(payload);
    frame(link, IPV4, &bytes)
}

fn udp(link: [u8; 6], to: [u8; 4]) -> Drop {
    ipv4(link, to, UDP, &[0x80, 0, 0x14, 0xe9, 0, 8, 0, 0])
}

/// A TCP segment with these flags.
fn tcp(flags: u8) -> Drop {
    let mut bytes = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 7];
    bytes.extend([0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 4, 0, 0, 0, 0, 0]);
    frame(ONE, IPV4, &bytes)
}

fn icmp(kind: u8) -> Drop {
    ipv4(ONE, [192, 0, 2, 7], ICMP, &[kind, 0, 0, 0, 0, 1, 0, 1])
}

fn ipv6(to: [u8; 16], kind: u8) -> Drop {
    let mut bytes = vec![0x60, 0, 0, 0, 0, 8, 58, 255];
    bytes.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    bytes.extend(to);
    bytes.extend([kind, 0, 0, 0, 0, 0, 0, 0]);
    frame([0x33, 0x33, 0, 0, 0, to[15]], IPV6, &bytes)
}

const ROUTERS: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

/// The tag of a drop for this reason in this function.
fn tag(reason: &str, function: &str, drop: &Drop) -> Option<&'static str> {
    let symbol = (!function.is_empty()).then(|| Symbol {
        name: function.to_owned(),
        offset: 8,
        module: None,
        source: None,
        inlined: Vec::new(),
    });
    let mut sources = Sources {
        reasons: Reasons::of_trace_event(&[(7, reason.to_owned())]),
        symbols: Symbols::of_frames([Frame { address: 0x1000, symbol }]),
        clock: Clock::fixed(0),
        world: World::nothing(),
    };
    let drop = Drop { reason: Some(7), location: 0x1000, ..drop.clone() };
    Tagger::default().tag(&drop, &mut sources).map(|rule| rule.name)
}

#[test]
fn what_is_normal_is_tagged() {
    let netlink = with_socket(libc::AF_NETLINK, libc::SOCK_RAW, bare(0));
    let vsock = with_socket(libc::AF_VSOCK, libc::SOCK_STREAM, bare(0));
    let capture = with_socket(libc::AF_PACKET, libc::SOCK_RAW, udp(ONE, [192, 0, 2, 7]));
    let raw6 = with_socket(libc::AF_INET6, libc::SOCK_RAW, ipv6(ROUTERS, 128));
    for (reason, function, drop, expected) in [
        ("SOCKET_CLOSE", "unix_release_sock", unix(), "unix-socket"),
        ("NOT_SPECIFIED", "unix_release_sock", unix(), "unix-socket"),
        ("NOT_SPECIFIED", "netlink_release", netlink.clone(), "netlink-closed"),
        ("QUEUE_PURGE", "skb_queue_purge_reason", netlink, "netlink-closed"),
        ("NOT_SPECIFIED", "virtio_transport_recv_pkt", vsock, "vsock-closed"),
        ("QUEUE_PURGE", "skb_queue_purge_reason", capture, "unread-at-close"),
        ("NOT_SPECIFIED", "udp_destruct_common", udp(ONE, [192, 0, 2, 7]), "unread-datagram"),
        ("NO_SOCKET", "ping_rcv", icmp(0), "echo-reply-copy"),
        ("SOCKET_FILTER", "rawv6_rcv", raw6, "raw-socket-filter"),
        ("NOT_SPECIFIED", "ip6_mc_input", ipv6(ROUTERS, 133), "multicast-not-joined"),
        (
            "NOT_SPECIFIED",
            "ip_rcv_finish_core.constprop.0",
            udp(ALL, [224, 0, 0, 251]),
            "multicast-not-joined",
        ),
        ("NOT_SPECIFIED", "__udp4_lib_rcv", udp(ALL, [192, 0, 2, 255]), "group-without-listener"),
        ("NO_SOCKET", "__udp4_lib_rcv", udp(ALL, [255; 4]), "group-without-listener"),
        ("NOT_SPECIFIED", "icmpv6_rcv", ipv6(ROUTERS, 136), "neighbor-news"),
        ("IP_INNOROUTES", "ip6_pkt_discard", ipv6(ROUTERS, 143), "ipv6-device-starting"),
        ("OTHERHOST", "ip_rcv_core", udp([2, 0, 0, 0, 0, 9], [192, 0, 2, 7]), "other-host"),
        (
            "UNHANDLED_PROTO",
            "__netif_receive_skb_core.constprop.0",
            frame(ALL, LLDP, &[0; 8]),
            "link-protocol",
        ),
        ("NO_SOCKET", "tcp_v4_rcv", tcp(0x14), "late-reset"),
        ("NOT_SPECIFIED", "tcp_v4_rcv", with_state(6, tcp(0x11)), "last-fin"),
        ("TCP_OLD_SEQUENCE", "tcp_validate_incoming", bare(IPV4), "tcp-again"),
        // That needs no function, and can do where the kernel hides them.
        ("TCP_OLD_DATA", "", bare(IPV4), "tcp-again"),
    ] {
        assert_eq!(tag(reason, function, &drop), Some(expected), "{reason} in {function}");
    }
}

#[test]
fn what_hurts_somebody_is_not() {
    let receive = with_socket(libc::AF_INET, libc::SOCK_DGRAM, udp(ONE, [192, 0, 2, 7]));
    let netlink = with_socket(libc::AF_NETLINK, libc::SOCK_RAW, bare(0));
    for (reason, function, drop) in [
        ("NO_SOCKET", "__udp4_lib_rcv", udp(ONE, [192, 0, 2, 7])),
        ("NOT_SPECIFIED", "__udp4_lib_rcv", udp(ONE, [192, 0, 2, 7])),
        ("NO_SOCKET", "tcp_v4_rcv", bare(IPV4)),
        ("NO_SOCKET", "tcp_v4_rcv", tcp(0x02)),
        ("NOT_SPECIFIED", "tcp_v4_rcv", tcp(0x11)),
        ("NOT_SPECIFIED", "tcp_v4_rcv", with_state(1, tcp(0x11))),
        ("NOT_SPECIFIED", "tcp_v4_rcv", with_state(6, tcp(0x10))),
        ("SOCKET_RCVBUFF", "udp_queue_rcv_one_skb", receive.clone()),
        ("SOCKET_FILTER", "udp_queue_rcv_one_skb", receive),
        // A receiver that is too slow.
        ("NOT_SPECIFIED", "netlink_broadcast_filtered", netlink),
        // Without a socket, and packets that wait for a neighbour.
        ("QUEUE_PURGE", "skb_queue_purge_reason", udp(ONE, [192, 0, 2, 7])),
        ("QUEUE_PURGE", "neigh_destroy", unix_like_ip()),
        ("NO_SOCKET", "ping_rcv", icmp(8)),
        ("NOT_SPECIFIED", "ip_rcv_finish_core", udp(ONE, [192, 0, 2, 7])),
        ("IP_INNOROUTES", "ip6_pkt_discard", bare(IPV6)),
        ("OTHERHOST", "ip_rcv_core", bare(IPV4)),
        ("UNHANDLED_PROTO", "__netif_receive_skb_core", frame(ONE, 0x1234, &[0; 8])),
        ("NETFILTER_DROP", "nf_hook_slow", unix()),
        ("TCP_OFO_DROP", "tcp_data_queue_ofo", bare(IPV4)),
        // Where it happened is not known.
        ("NOT_SPECIFIED", "", ipv6(ROUTERS, 133)),
    ] {
        assert_eq!(tag(reason, function, &drop), None, "{reason} in {function}");
    }
}

fn unix_like_ip() -> Drop {
    with_socket(libc::AF_INET, libc::SOCK_RAW, icmp(8))
}

#[test]
fn a_drop_without_a_reason_has_no_tag() {
    let mut sources = Sources {
        reasons: Reasons::default(),
        symbols: Symbols::none(),
        clock: Clock::fixed(0),
        world: World::nothing(),
    };
    let drop = Drop { reason: None, ..unix() };
    assert!(Tagger::default().tag(&drop, &mut sources).is_none());
}

#[test]
fn rules_have_names_of_their_own_and_say_why() {
    let names: HashSet<_> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), RULES.len());
    for Rule { name, matches, why, reasons, .. } in RULES {
        assert!(
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-' || byte.is_ascii_digit()),
            "{name}"
        );
        assert!(name.len() <= 22, "{name} is too long for its column");
        assert!(!matches.ends_with('.') && why.ends_with(['.', ')']), "{name}");
        assert!(why.len() > 60 && !reasons.is_empty(), "{name}");
    }
    let text = text(80);
    assert!(text.lines().all(|line| line.chars().count() <= 80));
    assert!(names.iter().all(|name| text.contains(&format!("\n#{name}\n"))));
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(&json().expect("JSON")).expect("an array");
    assert_eq!(rows.len(), RULES.len());
    assert_eq!(rows[0]["tag"], RULES[0].name);
}

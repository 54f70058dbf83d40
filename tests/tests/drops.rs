//! Drops of many kinds, each from a place in the kernel that is known: every column of their
//! lines has to be right, and there have to be exactly as many lines as drops.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4};

use anyhow::Result;
use dropwatch_tests::{
    Event, Kallsyms, Launch, Namespace, Veth, Window, Zone, exclusive, need, tc,
    traffic::{CLOSED_PORT, frame, packet, raw, tcp, udp},
};

/// How many packets each test has dropped.
const COUNT: u32 = 3;
const PAYLOAD: u32 = 321;
/// Bytes before the payload, from each layer on.
const UDP: u32 = udp::HEADER;
const IPV4: u32 = frame::IPV4_HEADER as u32 + UDP;
const ETHERNET: u32 = 14 + IPV4;

/// From 7.2 on this is a part of its only caller.
const UDP4_RECEIVE: &[&str] = &["__udp4_lib_rcv", "udp_rcv"];
const UDP6_RECEIVE: &[&str] = &["__udp6_lib_rcv", "udpv6_rcv"];

/// Newer kernels free the packet in nftables itself, older ones in the hook that called it.
const NETFILTER: &[&str] = &["nft_do_chain", "nf_hook_slow"];

/// The name of the sending thread, which is its comm.
const COMM: &str = "dwt sender";

/// What has to stand in the line of each drop.
struct Expected {
    reason: &'static str,
    protocol: &'static str,
    len: u32,
    /// The function, on the kernels so far, without what the compiler appends to the name of a
    /// special copy.
    functions: &'static [&'static str],
}

impl Expected {
    /// Sends, while one dropwatch shows only this reason and another shows all drops.
    fn check(&self, from: &Namespace, send: impl FnOnce() -> Result<()> + Send) -> Result<()> {
        let filtered = Launch::new(&["--reason", self.reason]).start()?;
        let all = Launch::new::<&str>(&[]).start()?;
        let (window, ()) = Window::around(|| from.run(COMM, send))?;
        let (filtered, all) = (filtered.interrupt()?, all.interrupt()?);

        let account = filtered.success()?;
        let events = filtered.events()?;
        assert_eq!(account.matched, events.len() as u64, "{account:?}");
        let other = events.iter().find(|event| event.reason != self.reason);
        assert_eq!(other, None, "--reason lets another reason through");
        self.check_events(&events, window)?;

        let account = all.success()?;
        let events = all.events()?;
        assert_eq!((account.seen, account.seen), (account.matched, events.len() as u64));
        self.check_events(&events, window)
    }

    fn check_events(&self, events: &[Event], window: Window) -> Result<()> {
        let pid = std::process::id();
        let own = |event: &&Event| event.ran_for(pid) && event.reason == self.reason;
        let own: Vec<_> = events.iter().filter(own).collect();
        assert_eq!(own.len(), COUNT as usize, "drops for {}: {own:#?}", self.reason);
        let kallsyms = Kallsyms::of_kernel()?;
        for event in &own {
            assert_eq!(event.protocol, self.protocol);
            assert_eq!(event.len, Some(self.len), "the length");
            assert_eq!(event.comm == COMM, event.pid == pid, "{event:?}");
            let function = &event.location.function;
            let plain = function.split('.').next().unwrap_or_default();
            assert!(self.functions.contains(&plain), "{function} is none of {:?}", self.functions);
            assert!(kallsyms.has(function), "the kernel has no function {function}");
            assert!(event.location.offset > 0, "a return address is inside of its function");
            assert_eq!(event.location, own[0].location);
            assert_eq!(event.stack, None, "a stack that nobody asked for");
            assert!(window.contains(event.time, Zone::Local), "{event:?} is not in {window:?}");
        }
        assert!(own.iter().any(|event| event.pid == pid), "none in the process: {own:#?}");
        assert!(own.is_sorted_by_key(|event| event.time), "{own:#?}");
        Ok(())
    }
}

fn localhost(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

/// What travels over a [`Veth`]: from its near to its far end.
fn over_veth(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    frame::ethernet(Veth::FAR_MAC, Veth::NEAR_MAC, ether_type, payload)
}

/// A datagram over a [`Veth`] to a closed port.
fn datagram() -> Vec<u8> {
    let from = SocketAddrV4::new(Veth::NEAR, 40_000);
    frame::udp(from, SocketAddrV4::new(Veth::FAR, CLOSED_PORT), &[0x5a; PAYLOAD as usize])
}

#[test]
fn udp_to_a_closed_port() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    // UDP gets a packet whose data begin with its own header.
    let len = UDP + PAYLOAD;
    Expected { reason: "NO_SOCKET", protocol: "IPv4", len, functions: UDP4_RECEIVE }
        .check(&namespace, || udp::send(localhost(CLOSED_PORT), PAYLOAD, COUNT))
}

#[test]
fn udp_to_a_closed_port_over_ipv6() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let len = UDP + PAYLOAD;
    Expected { reason: "NO_SOCKET", protocol: "IPv6", len, functions: UDP6_RECEIVE }
        .check(&namespace, || udp::send((Ipv6Addr::LOCALHOST, CLOSED_PORT), PAYLOAD, COUNT))
}

#[test]
fn tcp_to_a_closed_port() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    // As for UDP. The options of a SYN in a new namespace, where nobody changed a setting: MSS
    // 4, selective acknowledgements 2, timestamps 10, window scale 3 and a byte to fill up.
    let len = frame::TCP_HEADER as u32 + 20;
    Expected { reason: "NO_SOCKET", protocol: "IPv4", len, functions: &["tcp_v4_rcv"] }
        .check(&namespace, || tcp::connect_in_vain(localhost(CLOSED_PORT), COUNT))
}

#[test]
fn a_filter_on_a_socket() -> Result<()> {
    need!(Root, Program("ip"), Reason("SOCKET_FILTER"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let socket = namespace.run("dwt receiver", || udp::deaf_socket(localhost(0)))?;
    // UDP removes its header only behind the filter.
    let len = UDP + PAYLOAD;
    Expected {
        reason: "SOCKET_FILTER",
        protocol: "IPv4",
        len,
        functions: &["udp_queue_rcv_one_skb"],
    }
    .check(&namespace, || udp::send(socket.local_addr()?, PAYLOAD, COUNT))
}

#[test]
fn a_netfilter_rule() -> Result<()> {
    need!(Root, Program("ip"), Program("nft"), Reason("NETFILTER_DROP"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    namespace.nft("ip", "input", "udp dport 9 drop")?;
    // The hook is in IP, which has not removed its header yet.
    let len = IPV4 + PAYLOAD;
    Expected { reason: "NETFILTER_DROP", protocol: "IPv4", len, functions: NETFILTER }
        .check(&namespace, || udp::send(localhost(CLOSED_PORT), PAYLOAD, COUNT))
}

#[test]
fn a_netfilter_rule_for_arp() -> Result<()> {
    need!(Root, Program("ip"), Program("nft"), Reason("NETFILTER_DROP"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    veth.far.nft("arp", "input", "drop")?;
    let request = frame::arp_request(Veth::NEAR_MAC, Veth::NEAR, Veth::FAR);
    // The Ethernet header is off.
    let len = request.len() as u32;
    Expected { reason: "NETFILTER_DROP", protocol: "ARP", len, functions: NETFILTER }
        .check(&veth.near, || packet::send(Veth::DEVICE, &over_veth(frame::ARP, &request), COUNT))
}

#[test]
fn a_classifier_at_ingress() -> Result<()> {
    need!(Root, Program("ip"), Program("tc"), Reason("TC_INGRESS"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    tc::drop_all(&veth.far, Veth::DEVICE, "ingress")?;
    // The receiving driver has taken the Ethernet header off.
    let len = IPV4 + PAYLOAD;
    Expected {
        reason: "TC_INGRESS",
        protocol: "IPv4",
        len,
        functions: &["__netif_receive_skb_core"],
    }
    .check(&veth.near, || udp::send((Veth::FAR, CLOSED_PORT), PAYLOAD, COUNT))
}

#[test]
fn a_classifier_at_egress() -> Result<()> {
    need!(Root, Program("ip"), Program("tc"), Reason("TC_EGRESS"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    tc::drop_all(&veth.near, Veth::DEVICE, "egress")?;
    // The Ethernet header is on already.
    let len = ETHERNET + PAYLOAD;
    Expected { reason: "TC_EGRESS", protocol: "IPv4", len, functions: &["__dev_queue_xmit"] }
        .check(&veth.near, || udp::send((Veth::FAR, CLOSED_PORT), PAYLOAD, COUNT))
}

#[test]
fn a_wrong_checksum_of_ip() -> Result<()> {
    need!(Root, Program("ip"), Reason("IP_CSUM"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    let mut packet = datagram();
    frame::spoil_ipv4(&mut packet);
    let len = IPV4 + PAYLOAD;
    Expected { reason: "IP_CSUM", protocol: "IPv4", len, functions: &["ip_rcv_core"] }
        .check(&veth.near, || packet::send(Veth::DEVICE, &over_veth(frame::IPV4, &packet), COUNT))
}

#[test]
fn a_wrong_checksum_of_udp() -> Result<()> {
    need!(Root, Program("ip"), Reason("UDP_CSUM"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    let mut packet = datagram();
    frame::spoil_udp(&mut packet);
    // UDP looks at the checksum before it complains about the closed port.
    let len = UDP + PAYLOAD;
    Expected { reason: "UDP_CSUM", protocol: "IPv4", len, functions: UDP4_RECEIVE }
        .check(&veth.near, || packet::send(Veth::DEVICE, &over_veth(frame::IPV4, &packet), COUNT))
}

#[test]
fn a_wrong_checksum_of_tcp() -> Result<()> {
    need!(Root, Program("ip"), Reason("TCP_CSUM"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let mut segment = frame::tcp_syn(localhost(40_000), localhost(CLOSED_PORT), b"payload");
    frame::spoil_tcp(&mut segment);
    let len = (segment.len() - frame::IPV4_HEADER) as u32;
    Expected { reason: "TCP_CSUM", protocol: "IPv4", len, functions: &["tcp_v4_rcv"] }
        .check(&namespace, || raw::send(Ipv4Addr::LOCALHOST, &segment, COUNT))
}

#[test]
fn a_packet_for_another_host() -> Result<()> {
    need!(Root, Program("ip"), Reason("OTHERHOST"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    let stranger = [2, 0, 0, 0, 0, 3];
    let frame = frame::ethernet(stranger, Veth::NEAR_MAC, frame::IPV4, &datagram());
    let len = IPV4 + PAYLOAD;
    Expected { reason: "OTHERHOST", protocol: "IPv4", len, functions: &["ip_rcv_core"] }
        .check(&veth.near, || packet::send(Veth::DEVICE, &frame, COUNT))
}

#[test]
fn a_protocol_that_nobody_handles() -> Result<()> {
    need!(Root, Program("ip"), Reason("UNHANDLED_PROTO"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    let frame = over_veth(frame::EXPERIMENTAL, &[0x5a; PAYLOAD as usize]);
    Expected {
        reason: "UNHANDLED_PROTO",
        protocol: "0x88b5",
        len: PAYLOAD,
        functions: &["__netif_receive_skb_core"],
    }
    .check(&veth.near, || packet::send(Veth::DEVICE, &frame, COUNT))
}

//! Six faults that a newcomer may meet, each planted for real: the stream's own words lead to the
//! entry of `dropwatch explain`, whose counter counts the drops, whose commands show the cause, and
//! whose fix ends them. The blanks of a command are filled in from the drop alone, or from what a
//! command before printed.

mod walk;

use std::{
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    os::fd::OwnedFd,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use dropwatch_tests::{
    Idle, Namespace, Veth, exclusive, need,
    need::{find_program, is_emulated, kernel_tells_receivers},
    output,
    traffic::{CLOSED_PORT, build, frame, option, packet, udp},
};

use walk::{COUNT, Fault, Found};

const COMM: &str = "dwt sender";
/// Where the service listens that gets no packets.
const PORT: u16 = 5300;
/// The word behind this one.
fn behind(text: &str, word: &str) -> Result<String> {
    let mut words = text.split_whitespace().skip_while(|it| *it != word);
    Ok(words.nth(1).with_context(|| format!("nothing behind {word}: {text}"))?.to_owned())
}

fn at(address: Ipv4Addr, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(address, port)
}

/// A service in the namespace.
fn listen(namespace: &Namespace, port: u16) -> Result<UdpSocket> {
    namespace.run("dwt receiver", || Ok(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?))
}

/// Sends a packet from the near to the far end.
fn over(veth: &Veth, ipv4: &[u8]) -> Result<()> {
    let frame = frame::ethernet(Veth::FAR_MAC, Veth::NEAR_MAC, frame::IPV4, ipv4);
    veth.near.run(COMM, || packet::send(Veth::DEVICE, &frame, COUNT))
}

/// A further device of the namespace, the other end of which is in `other`.
fn second_device(namespace: &Namespace, other: &Namespace) -> Result<()> {
    for line in [
        format!("link add wan0 type veth peer name wan0 netns {}", other.name()),
        "link set wan0 up".to_owned(),
        "address add 198.51.100.1/24 dev wan0".to_owned(),
    ] {
        namespace.output("ip", &line.split(' ').collect::<Vec<_>>())?;
    }
    other.output("ip", &["link", "set", "wan0", "up"]).map(drop)
}

#[test]
fn a_closed_port() -> Result<()> {
    need!(Root, Program("ip"), Program("nstat"), Program("ss"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let host = Namespace::new()?;
    let to = at(Ipv4Addr::LOCALHOST, CLOSED_PORT);
    let send = || host.run(COMM, || udp::send(to, 100, COUNT));
    let fault = Fault { reason: "NO_SOCKET", at: &host, send: &send };

    let found = fault.find(Some("UdpNoPorts"))?;
    let listening = format!(":{CLOSED_PORT} ");
    assert!(!found.check("ss -lunp")?.contains(&listening), "somebody listens");
    // The address is this machine's: it is the port.
    assert!(found.check("ip addr show")?.contains("127.0.0.1/8"));

    found.says_fix("Start the service")?;
    let service = listen(&host, CLOSED_PORT)?;
    assert!(found.check("ss -lunp")?.contains(&listening), "ss shows who listens");
    found.is_over(&service)
}

#[test]
fn a_full_receive_buffer() -> Result<()> {
    need!(
        Root,
        Program("ip"),
        Program("nstat"),
        Program("ss"),
        Program("sleep"),
        Program("sysctl"),
        Reason("SOCKET_RCVBUFF"),
    );
    let _turn = exclusive();
    let host = Namespace::new()?;
    let socket = listen(&host, PORT)?;
    option::set(&socket, libc::SO_RCVBUF, &1)?;
    let shared = OwnedFd::from(socket.try_clone()?);
    let program = Idle::start(Command::new("sleep").arg("600").stdin(Stdio::from(shared)))?;
    let to = at(Ipv4Addr::LOCALHOST, PORT);
    let send = || host.run(COMM, || udp::send(to, 1000, COUNT));
    let fault = Fault { reason: "SOCKET_RCVBUFF", at: &host, send: &send };

    let found = fault.find(Some("UdpRcvbufErrors"))?;
    let sockets = found.check("ss -uampn")?;
    assert!(sockets.contains(&format!("pid={},", program.pid())), "{sockets}");
    let dropped = fault.counted("UdpRcvbufErrors")?;
    assert!(sockets.contains(&format!(",d{dropped})")), "{dropped} in skmem: {sockets}");
    if kernel_tells_receivers() {
        // It is this process or the test, which has the socket too.
        let owner = &found.drop["socket"]["owner"];
        assert!(owner["others"] == 1, "{owner}");
    }
    // Not in the namespace, where older kernels do not show it.
    let limits = output("sh", &["-c", &found.command("sysctl net.core.rmem_max")?])?;
    let limit: libc::c_int = behind(&limits, "=")?.parse()?;

    found.says_fix("raise SO_RCVBUF up to net.core.rmem_max")?;
    option::set(&socket, libc::SO_RCVBUF, &limit)?;
    socket.set_nonblocking(true)?;
    while socket.recv(&mut [0; 2000]).is_ok() {}
    socket.set_nonblocking(false)?;
    found.is_over(&socket)
}

#[test]
fn a_rule_of_the_firewall() -> Result<()> {
    need!(Root, Program("ip"), Program("nft"), Reason("NETFILTER_DROP"));
    let _turn = exclusive();
    let host = Namespace::new()?;
    let service = listen(&host, PORT)?;
    host.nft("ip", "input", "udp dport 1-1023 accept")?;
    host.output("nft", &[&format!("add rule ip dwt input udp dport {PORT} counter drop")])?;
    let to = at(Ipv4Addr::LOCALHOST, PORT);
    let send = || host.run(COMM, || udp::send(to, 100, COUNT));
    let fault = Fault { reason: "NETFILTER_DROP", at: &host, send: &send };

    let mut found = fault.find(None)?;
    let rules = found.check("nft -a list ruleset")?;
    let mut lines = rules.lines();
    let table = lines.find(|line| line.starts_with("table ")).context("a table")?;
    let rule = rules.lines().find(|line| line.contains(" drop ")).context("the rule")?;
    assert!(rule.contains(&format!("{PORT} counter packets {COUNT} ")), "{rule}");
    let family = behind(table, "table")?;
    found.words = vec![
        ("TABLE", behind(table, &family)?),
        ("FAMILY", family),
        ("CHAIN", behind(&rules, "chain")?),
        ("HANDLE", behind(rule, "handle")?),
    ];
    found.check("nft insert rule")?;
    assert!(found.check("nft -a list ruleset")?.contains("meta nftrace set 1"));

    found.fix("nft delete rule FAMILY TABLE CHAIN handle HANDLE")?;
    found.is_over(&service)
}

#[test]
fn a_reverse_path_filter() -> Result<()> {
    need!(Root, Program("ip"), Program("nstat"), Program("sysctl"), Reason("IP_RPFILTER"));
    let _turn = exclusive();
    let (veth, elsewhere) = (Veth::new()?, Namespace::new()?);
    second_device(&veth.far, &elsewhere)?;
    for scope in ["all", Veth::DEVICE] {
        veth.far.sysctl(&format!("net/ipv4/conf/{scope}/rp_filter"), "1")?;
    }
    let service = listen(&veth.far, PORT)?;
    // An address to which the way is by the other device.
    let from = at(Ipv4Addr::new(198, 51, 100, 7), 40_000);
    let datagram = frame::udp(from, at(Veth::FAR, PORT), &[0; 100]);
    let send = || over(&veth, &datagram);
    let fault = Fault { reason: "IP_RPFILTER", at: &veth.far, send: &send };

    let found = fault.find(Some("TcpExtIPReversePathFilter"))?;
    let settings = found.check("sysctl net/ipv4/conf/all/rp_filter")?;
    assert_eq!(settings.matches("rp_filter = 1").count(), 2, "{settings}");
    assert_eq!(behind(&found.check("ip route get")?, "dev")?, "wan0");
    assert_eq!(found.drop["device"]["name"], Veth::DEVICE);

    found.fix("sysctl -w net/ipv4/conf/DEV/rp_filter=2")?;
    found.is_over(&service)
}

#[test]
fn a_small_mtu() -> Result<()> {
    const DONT_FRAGMENT: u16 = 0x4000;
    need!(Root, Program("ip"), Program("nstat"), Reason("PKT_TOO_BIG"));
    let _turn = exclusive();
    let (veth, server) = (Veth::new()?, Namespace::new()?);
    second_device(&veth.far, &server)?;
    let server_address = Ipv4Addr::new(198, 51, 100, 2);
    server.output("ip", &["address", "add", &format!("{server_address}/24"), "dev", "wan0"])?;
    veth.far.sysctl("net/ipv4/ip_forward", "1")?;
    veth.far.output("ip", &["link", "set", "wan0", "mtu", "1400"])?;
    let service = listen(&server, PORT)?;
    let header = build::Ipv4 {
        from: Veth::NEAR,
        to: server_address,
        tos: 0,
        id: 7,
        fragment: DONT_FRAGMENT,
        ttl: 64,
        protocol: 17,
        options: &[],
    };
    let datagram = header.around(&build::udp([40_000, PORT], &[0; 1450]));
    let send = || over(&veth, &datagram);
    let fault = Fault { reason: "PKT_TOO_BIG", at: &veth.far, send: &send };

    let mut found = fault.find(Some("IpFragFails"))?;
    let out_device = behind(&found.check("ip route get ADDR from SRC")?, "dev")?;
    assert_ne!(found.drop["device"]["name"], out_device.as_str(), "the device it came in by");
    found.words = vec![("OUTDEV", out_device)];
    assert_eq!(behind(&found.check("ip link show")?, "mtu")?, "1400");

    found.fix("ip link set dev OUTDEV mtu 1500")?;
    found.is_over(&service)
}

#[test]
fn a_wrong_checksum() -> Result<()> {
    need!(Root, Program("ip"), Program("nstat"), Reason("UDP_CSUM"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    let service = listen(&veth.far, PORT)?;
    // The sum of a longer one is looked at only when the service reads it.
    let right = frame::udp(at(Veth::NEAR, 40_000), at(Veth::FAR, PORT), &[0; 40]);
    let mut wrong = right.clone();
    frame::spoil_udp(&mut wrong);
    let send = || over(&veth, &wrong);
    let fault = Fault { reason: "UDP_CSUM", at: &veth.far, send: &send };

    let found = fault.find(Some("UdpInCsumErrors"))?;
    assert!(found.check("nstat")?.contains("UdpInCsumErrors"));
    if find_program("tcpdump").is_some() && !is_emulated() {
        let command = format!("timeout 3 {}", found.command("tcpdump")?);
        let captured = thread::scope(|scope| {
            let tcpdump = scope.spawn(|| veth.far.output("sh", &["-c", &command]));
            // It does not tell the time from which on it sees packets.
            while !tcpdump.is_finished() {
                send()?;
                thread::sleep(Duration::from_millis(100));
            }
            tcpdump.join().expect("it does not panic")
        })?;
        assert!(captured.contains(&Veth::NEAR.to_string()), "who sends them: {captured}");
    }

    found.says_fix("fix programs and BPF that make or edit packets")?;
    let send = || over(&veth, &right);
    let mended = Fault { send: &send, ..fault };
    Found { fault: &mended, ..found }.is_over(&service)
}

//! Drops that are normal on a healthy machine: traffic that causes them has its tag, and traffic
//! that is lost has none.

use std::{
    io::Read,
    net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket},
    os::unix::net::UnixDatagram,
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use dropwatch_tests::{
    Launch, Mac, Namespace, Veth, exclusive, json, need,
    need::{kernel_tells_receivers, patience},
    traffic::{CLOSED_PORT, build, frame, option, packet, raw, udp},
};
use serde_json::Value;

const COMM: &str = "dwt harmless";
/// For what the kernel does later, as when it gives a socket's memory back.
const LIMIT: Duration = Duration::from_secs(10);

/// The drops that something causes, of those that pass these filters, as soon as there are so
/// many.
fn drops(
    filters: &[&str],
    count: usize,
    action: impl FnOnce() -> Result<()>,
) -> Result<Vec<Value>> {
    let dropwatch = Launch::new(&["--json"]).args(filters).start()?;
    action()?;
    dropwatch.lines(count, patience(LIMIT));
    let finished = dropwatch.interrupt()?;
    finished.success()?;
    finished.json()
}

fn tags(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["tag"].as_str().unwrap_or("none")).collect()
}

fn at(address: [u8; 4], port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from(address), port)
}

/// A datagram from the near end of a pair.
fn datagram(link: Mac, to: SocketAddrV4) -> Vec<u8> {
    let from = SocketAddrV4::new(Veth::NEAR, 5353);
    frame::ethernet(link, Veth::NEAR_MAC, frame::IPV4, &frame::udp(from, to, &[0; 64]))
}

fn multicast() -> Vec<u8> {
    datagram([1, 0, 0x5e, 0, 0, 0xfb], at([224, 0, 0, 251], 5353))
}

#[test]
fn what_concerns_others_is_tagged() -> Result<()> {
    const LLDP: u16 = 0x88cc;
    need!(Root, Program("ip"), Reason("UNHANDLED_PROTO"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    let lldp = [1, 0x80, 0xc2, 0, 0, 0xe];
    let frames = [
        (multicast(), "multicast-not-joined"),
        (datagram([0xff; 6], at([10, 0, 0, 255], 137)), "group-without-listener"),
        (datagram([2, 0, 0, 0, 0, 0x99], at([10, 0, 0, 2], 9)), "other-host"),
        (frame::ethernet(lldp, Veth::NEAR_MAC, LLDP, &[0; 46]), "link-protocol"),
        // This one is lost.
        (datagram(Veth::FAR_MAC, at([10, 0, 0, 2], CLOSED_PORT)), "none"),
    ];
    let events = drops(&["--netns", veth.far.name()], frames.len(), || {
        veth.near.run(COMM, || {
            frames.iter().try_for_each(|(frame, _)| packet::send(Veth::DEVICE, frame, 1))
        })
    })?;
    assert_eq!(tags(&events), frames.map(|(_, tag)| tag), "{events:#?}");
    Ok(())
}

#[test]
fn answers_that_nobody_waits_for_are_tagged_and_a_closed_port_is_not() -> Result<()> {
    const ICMP: u8 = 1;
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let localhost = Ipv4Addr::LOCALHOST;
    let header = build::Ipv4 {
        from: localhost,
        to: localhost,
        tos: 0,
        id: 1,
        fragment: 0,
        ttl: 64,
        protocol: ICMP,
        options: &[],
    };
    let request = header.around(&build::icmp(8, 0, &[0, 1, 0, 1]));
    let events = drops(&["--netns", namespace.name()], 3, || {
        namespace.run(COMM, || {
            raw::send(localhost, &request, 1)?;
            let (from, to) = (at([127, 0, 0, 1], 40_000), at([127, 0, 0, 1], CLOSED_PORT));
            raw::send(localhost, &frame::tcp_reset(from, to), 1)?;
            udp::send(to, 10, 1)
        })
    })?;
    assert_eq!(tags(&events), ["echo-reply-copy", "late-reset", "none"], "{events:#?}");
    Ok(())
}

#[test]
fn what_a_closed_socket_held_is_tagged() -> Result<()> {
    // By then a datagram knows neither device nor socket, so its length has to tell it.
    const LEN: &str = "4567";
    need!(Root, Program("ip"), Reason("SOCKET_CLOSE"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let events = drops(&["--min-len", LEN, "--max-len", LEN], 2, || {
        namespace.run(COMM, || {
            let payload = LEN.parse()?;
            let (sender, receiver) = UnixDatagram::pair()?;
            sender.send(&vec![0; payload as usize])?;
            drop(receiver);
            let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            udp::send(receiver.local_addr()?, payload, 1)
        })
    })?;
    assert_eq!(tags(&events), ["unix-socket", "unread-datagram"], "{events:#?}");
    Ok(())
}

/// Where the kernel tells no receiver, what is left of a connection cannot be seen.
#[test]
fn the_last_fin_of_a_connection_is_tagged() -> Result<()> {
    need!(Root, Program("ip"), Reasons);
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let args = ["--netns", namespace.name(), "--function", "tcp_v?_rcv"];
    let events = json::drops_of(&args, || {
        namespace.run(COMM, || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let mut client = TcpStream::connect(listener.local_addr()?)?;
            let (server, _) = listener.accept()?;
            drop(server);
            ensure!(client.read(&mut [0])? == 0, "something was sent");
            // By then the delayed acknowledgement of the FIN has been sent.
            sleep(Duration::from_millis(500));
            Ok(())
        })
    })?;
    let expected: &[&str] = if kernel_tells_receivers() { &["last-fin"] } else { &["none"] };
    assert_eq!(tags(&events), expected, "{events:#?}");
    Ok(())
}

#[test]
fn a_keepalive_probe_is_tagged() -> Result<()> {
    need!(Root, Program("ip"), Reason("TCP_OLD_SEQUENCE"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let events = drops(&["--netns", namespace.name()], 1, || {
        namespace.run(COMM, || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let client = TcpStream::connect(listener.local_addr()?)?;
            let (mut server, _) = listener.accept()?;
            option::set(&client, libc::SO_KEEPALIVE, &1_i32)?;
            option::set_tcp(&client, libc::TCP_KEEPIDLE, &1_i32)?;
            server.set_read_timeout(Some(patience(Duration::from_millis(1500))))?;
            // Nothing comes but the probe, which nobody reads.
            ensure!(server.read(&mut [0]).is_err(), "something was sent");
            Ok(())
        })
    })?;
    let probes: Vec<_> =
        events.iter().filter(|event| event["reason"]["name"] == "TCP_OLD_SEQUENCE").collect();
    assert!(!probes.is_empty(), "{events:#?}");
    assert!(probes.iter().all(|event| event["tag"] == "tcp-again"), "{probes:#?}");
    Ok(())
}

#[test]
fn noise_is_left_out_and_counted() -> Result<()> {
    const NOISE: usize = 5;
    const LOSSES: usize = 3;
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    let lost = datagram(Veth::FAR_MAC, at([10, 0, 0, 2], CLOSED_PORT));
    for (args, shown, hidden) in [
        (&["--no-noise"][..], LOSSES, NOISE),
        (&["--no-noise", "--json"], LOSSES, NOISE),
        (&[], LOSSES + NOISE, 0),
    ] {
        let dropwatch = Launch::new(args).args(&["--netns", veth.far.name()]).start()?;
        veth.near.run(COMM, || {
            packet::send(Veth::DEVICE, &multicast(), NOISE as u32)?;
            packet::send(Veth::DEVICE, &lost, LOSSES as u32)
        })?;
        let begin = Instant::now();
        while dropwatch.lines(0, Duration::ZERO).len() < shown && begin.elapsed() < patience(LIMIT)
        {
            sleep(Duration::from_millis(5));
        }
        let finished = dropwatch.interrupt()?;
        let account = finished.success()?;
        let counts = (account.matched, account.shown, account.hidden);
        assert_eq!(counts, ((LOSSES + NOISE) as u64, shown as u64, hidden as u64), "{args:?}");
        let said = finished.stderr().contains(&format!("{NOISE} hidden by --no-noise"));
        assert_eq!(said, hidden > 0, "{}", finished.stderr());
        let reasons = finished.stdout().matches("NO_SOCKET").count();
        assert_eq!(reasons, LOSSES, "{}", finished.stdout());
    }
    Ok(())
}

/// Nothing is written meanwhile that could be waited for.
#[test]
fn it_ends_amid_a_flood_of_noise() -> Result<()> {
    need!(Root, Program("ip"), Reasons);
    let _turn = exclusive();
    let veth = Veth::new()?;
    let dropwatch = Launch::new(&["--no-noise", "--netns", veth.far.name()]).start()?;
    let ends = AtomicBool::new(false);
    let finished = thread::scope(|scope| {
        let flood = scope.spawn(|| {
            veth.near.run(COMM, || {
                let (sender, frame) = (packet::Sender::new(Veth::DEVICE)?, multicast());
                while !ends.load(Ordering::Relaxed) {
                    sender.send(&frame)?;
                }
                Ok(())
            })
        });
        sleep(Duration::from_millis(300));
        let finished = dropwatch.interrupt();
        ends.store(true, Ordering::Relaxed);
        flood.join().map_err(|_| anyhow!("the flood failed"))??;
        finished
    })?;
    let account = finished.success()?;
    assert!(account.hidden > 0 && account.shown == 0, "{account:?}");
    assert!(finished.took < patience(Duration::from_secs(3)), "{:?}", finished.took);
    Ok(())
}

#[test]
fn a_limit_counts_what_is_shown() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    let args = ["--no-noise", "--count", "2", "--hints", "--netns", veth.far.name()];
    let dropwatch = Launch::new(&args).start()?;
    let lost = datagram(Veth::FAR_MAC, at([10, 0, 0, 2], CLOSED_PORT));
    veth.near.run(COMM, || {
        for frame in [&multicast(), &lost, &multicast(), &lost, &lost] {
            packet::send(Veth::DEVICE, frame, 1)?;
        }
        Ok(())
    })?;
    let finished = dropwatch.wait()?;
    let account = finished.success()?;
    assert_eq!(account.shown, 2, "{}", finished.stdout());
    let text = finished.stdout();
    let hints: Vec<_> = text.lines().filter(|line| line.starts_with("    hint: ")).collect();
    assert_eq!(hints.len(), 1, "{text}");
    let end = format!("(dropwatch explain NO_SOCKET; in netns {})", veth.far.name());
    assert!(hints[0].ends_with(&end), "{text}");
    // Under the first drop.
    assert_eq!(text.lines().position(|line| line == hints[0]), Some(2), "{text}");
    Ok(())
}

#[test]
fn tags_are_a_column_and_are_explained() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    let args = ["--fields", "proto,tag", "--count", "1", "--netns", veth.far.name()];
    let dropwatch = Launch::new(&args).start()?;
    veth.near.run(COMM, || packet::send(Veth::DEVICE, &multicast(), 1))?;
    let finished = dropwatch.wait()?;
    finished.success()?;
    let text = finished.stdout();
    let tag = text.lines().last().and_then(|line| line.strip_prefix("IPv4   ")).context("a tag")?;
    let rules = Launch::new(&["--explain-tags"]).run()?.stdout();
    assert!(rules.contains(&format!("\n#{tag}\n")), "{tag:?} in {rules}");
    let rules = Launch::new(&["explain", "--tags", "--json"]).run()?.stdout();
    let rules: Vec<Value> = serde_json::from_str(&rules)?;
    assert!(rules.iter().any(|rule| rule["tag"] == tag), "{rules:#?}");
    Ok(())
}

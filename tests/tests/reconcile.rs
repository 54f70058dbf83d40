//! `--reconcile`: the kernel's own counters beside the drops, as nstat and ip tell them.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use dropwatch_tests::{
    Finished, Launch, Namespace, Veth, exclusive, need, output, tc,
    traffic::{CLOSED_PORT, frame, option, packet, udp},
};
use serde_json::Value;

const COMM: &str = "dwt reconcile";
/// A port of which a rule drops what comes in.
const DROPPED_PORT: u16 = 10;
const PAYLOAD: u32 = 100;
/// An EtherType for experiments, which nobody receives.
const NOBODYS: u16 = 0x88b5;

/// A line of the table: how far a counter moved, what was seen of it, and the reasons.
#[derive(Debug)]
struct Line {
    moved: Option<u64>,
    seen: u64,
    reasons: String,
}

/// The table, by network namespace and counter.
fn table(finished: &Finished) -> Result<BTreeMap<(String, String), Line>> {
    let text = finished.stderr();
    let lines = text.lines().skip_while(|line| !line.trim_start().starts_with("MOVED")).skip(1);
    let lines = lines.take_while(|line| !line.starts_with("dropwatch: "));
    let line = |line: &str| -> Result<_> {
        let cells: Vec<_> = line.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect();
        let [moved, seen, netns, counter, reasons] = cells[..] else {
            anyhow::bail!("{} cells: {line}", cells.len());
        };
        let line =
            Line { moved: moved.parse().ok(), seen: seen.parse()?, reasons: reasons.to_owned() };
        Ok(((netns.to_owned(), counter.to_owned()), line))
    };
    lines.map(line).collect()
}

/// What nstat counts in a namespace.
fn nstat(namespace: &Namespace) -> Result<BTreeMap<String, u64>> {
    let text = namespace.output("nstat", &["--json", "-a", "-s", "-z"])?;
    let mut value: Value = serde_json::from_str(&text)?;
    Ok(serde_json::from_value(value["kernel"].take())?)
}

/// What `ip -s link` counts as dropped on receiving.
fn rx_dropped(namespace: &Namespace) -> Result<u64> {
    let text = namespace.output("ip", &["-s", "-s", "-j", "link", "show", "dev", Veth::DEVICE])?;
    let value: Value = serde_json::from_str(&text)?;
    value[0]["stats64"]["rx"]["dropped"].as_u64().context("no statistics")
}

fn at(address: Ipv4Addr, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(address, port)
}

/// A socket at the loopback device that takes few datagrams, and of which nobody reads.
fn small_socket() -> Result<UdpSocket> {
    let socket = UdpSocket::bind(at(Ipv4Addr::LOCALHOST, 0))?;
    option::set(&socket, libc::SO_RCVBUF, &2304_i32)?;
    Ok(socket)
}

#[test]
fn counters_and_drops_are_those_of_nstat_and_ip() -> Result<()> {
    need!(Root, Program("ip"), Program("nstat"), Program("nft"), Program("tc"));
    need!(Reason("NETFILTER_DROP"), Reason("UNHANDLED_PROTO"), Reason("IP_RPFILTER"));
    need!(Reason("TC_EGRESS"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    let (near, far) = (&veth.near, &veth.far);
    near.nft("ip", "input", &format!("udp dport {DROPPED_PORT} drop"))?;
    for device in ["all", Veth::DEVICE] {
        far.sysctl(&format!("net/ipv4/conf/{device}/rp_filter"), "1")?;
    }
    let before = [nstat(near)?, nstat(far)?];
    let rx_before = rx_dropped(far)?;

    let both = format!("{},{}", near.name(), far.name());
    let dropwatch = Launch::new(&["--summary", "--reconcile", "--netns", &both]).start()?;
    near.run(COMM, || {
        udp::send(at(Veth::FAR, CLOSED_PORT), PAYLOAD, 200)?;
        udp::send(at(Ipv4Addr::LOCALHOST, DROPPED_PORT), PAYLOAD, 30)?;
        let socket = small_socket()?;
        let std::net::SocketAddr::V4(to) = socket.local_addr()? else { unreachable!() };
        udp::send(to, 1000, 50)?;
        // From where far has no way back.
        let from = at(Ipv4Addr::new(192, 0, 2, 7), 7);
        let strange = frame::udp(from, at(Veth::FAR, CLOSED_PORT), &[0; 64]);
        let strange = frame::ethernet(Veth::FAR_MAC, Veth::NEAR_MAC, frame::IPV4, &strange);
        packet::send(Veth::DEVICE, &strange, 20)?;
        let unknown = frame::ethernet(Veth::FAR_MAC, Veth::NEAR_MAC, NOBODYS, &[0; 46]);
        packet::send(Veth::DEVICE, &unknown, 12)
    })?;
    tc::drop_all(near, Veth::DEVICE, "egress")?;
    near.run(COMM, || udp::send(at(Veth::FAR, CLOSED_PORT), PAYLOAD, 40))?;
    let finished = dropwatch.interrupt()?;
    finished.success()?;

    let table = table(&finished)?;
    let line = |namespace: &Namespace, counter: &str| {
        let key = (namespace.name().to_owned(), counter.to_owned());
        table.get(&key).with_context(|| format!("no {counter} in {}", finished.stderr()))
    };
    let after = [nstat(near)?, nstat(far)?];
    for (of, namespace, counter, reason, exact) in [
        (0, near, "UdpRcvbufErrors", "SOCKET_RCVBUFF", None),
        (0, near, "UdpInErrors", "SOCKET_RCVBUFF", None),
        (0, near, "UdpSndbufErrors", "TC_EGRESS", Some(40)),
        (0, near, "IpOutDiscards", "TC_EGRESS", Some(40)),
        (1, far, "UdpNoPorts", "NO_SOCKET", Some(200)),
        (1, far, "TcpExtIPReversePathFilter", "IP_RPFILTER", Some(20)),
    ] {
        let told = line(namespace, counter)?;
        let moved = after[of][counter] - before[of][counter];
        assert_eq!((told.moved, told.seen), (Some(moved), moved), "{counter}: {told:?}");
        assert_eq!(told.reasons, reason, "{counter}");
        assert!(exact.is_none_or(|exact| exact == moved) && moved > 0, "{counter}: {moved}");
    }
    let dropped = line(far, "veth0 rx_dropped")?;
    let moved = rx_dropped(far)? - rx_before;
    assert_eq!((dropped.moved, dropped.seen, moved), (Some(12), 12, 12), "{dropped:?}");
    // No counter counts what a rule drops.
    let rule = line(near, "(none of these)")?;
    assert_eq!((rule.moved, rule.seen, rule.reasons.as_str()), (None, 30, "NETFILTER_DROP"));
    assert!(!finished.stderr().contains("passed the filters"), "{}", finished.stderr());
    Ok(())
}

#[test]
fn every_way_to_trace_ends_with_it() -> Result<()> {
    const DROPS: u32 = 7;
    need!(Root, Program("ip"), Program("bash"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let name = namespace.name();
    let command = format!(
        "for n in {{1..{DROPS}}}; do echo x > /dev/udp/127.0.0.1/{CLOSED_PORT}; done; exit 0"
    );
    let inside = ["--", "ip", "netns", "exec", name, "bash", "-c", &command];
    for args in [&["--fields", "reason"][..], &["--summary"], &["top", "--batch"], &inside] {
        let (own, command) = match args.first() {
            Some(&"--") => (&["--summary"][..], args),
            _ => (args, &[][..]),
        };
        let launch = Launch::new(own).args(&["--reconcile", "--netns", name, "--l4", "udp"]);
        let finished = if command.is_empty() {
            let dropwatch = launch.start()?;
            namespace
                .run(COMM, || udp::send(at(Ipv4Addr::LOCALHOST, CLOSED_PORT), PAYLOAD, DROPS))?;
            dropwatch.interrupt()?
        } else {
            launch.args(command).run()?
        };
        ensure!(finished.status.success(), "{args:?}: {}", finished.stderr());
        let table = table(&finished)?;
        let line = &table[&(name.to_owned(), "UdpNoPorts".to_owned())];
        // A shell connects its socket, and is told of the answers.
        let moved = line.moved.context("a counter")?;
        assert_eq!(moved, line.seen, "{args:?}: {}", finished.stderr());
        assert!((1..=u64::from(DROPS)).contains(&moved), "{args:?}: {}", finished.stderr());
        assert!(finished.stderr().contains("SEEN is what passed the filters"), "{args:?}");
        let text = finished.stderr();
        let (place, account) = (text.find("MOVED"), text.find("dropwatch: seen"));
        assert!(place < account && place.is_some(), "{text}");
    }
    Ok(())
}

#[test]
fn namespaces_and_interfaces_come_and_go() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    let near = veth.near.name();
    let dropwatch = Launch::new(&["--summary", "--reconcile"]).start()?;
    let late = Namespace::new()?;
    late.run(COMM, || udp::send(at(Ipv4Addr::LOCALHOST, CLOSED_PORT), PAYLOAD, 5))?;
    output("ip", &["-n", near, "link", "del", Veth::DEVICE])?;
    output("ip", &["-n", near, "link", "add", "dwt1", "type", "veth"])?;
    let finished = dropwatch.interrupt()?;
    finished.success()?;
    let table = table(&finished)?;
    let line = &table[&(late.name().to_owned(), "(unknown)".to_owned())];
    assert_eq!((line.moved, line.seen), (None, 5), "{line:?}");
    assert!(line.reasons.starts_with("NO_SOCKET; its counters are unknown"), "{line:?}");
    let text = finished.stderr();
    let gone = text.lines().find(|line| line.contains("gone with their counters: "));
    let gone = gone.with_context(|| text.clone())?;
    for namespace in [near, veth.far.name()] {
        assert!(gone.contains(&format!("{} of {namespace}", Veth::DEVICE)), "{gone}");
    }
    Ok(())
}

#[test]
fn with_few_rights_it_tells_of_its_own_namespace() -> Result<()> {
    need!(Root, Program("ip"), Program("setpriv"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let other = Namespace::new()?;
    let rights = ["setpriv", "--bounding-set=-sys_admin,-sys_ptrace"];
    let dropwatch = Launch::new(&["--summary", "--reconcile"]).through(&rights).start()?;
    udp::send(at(Ipv4Addr::LOCALHOST, CLOSED_PORT), PAYLOAD, 6)?;
    other.run(COMM, || udp::send(at(Ipv4Addr::LOCALHOST, CLOSED_PORT), PAYLOAD, 5))?;
    std::thread::sleep(Duration::from_millis(50));
    let finished = dropwatch.interrupt()?;
    finished.success()?;
    let text = finished.stderr();
    assert_eq!(text.matches("network namespaces that it may not look into").count(), 1, "{text}");
    let table = table(&finished)?;
    let own = &table[&("host".to_owned(), "UdpNoPorts".to_owned())];
    // Others may drop things here at the same time.
    assert!(own.moved.is_some_and(|moved| moved >= 6) && own.seen >= 6, "{text}");
    assert!(!table.contains_key(&(other.name().to_owned(), "UdpNoPorts".to_owned())), "{text}");
    Ok(())
}

#[test]
fn the_live_view_has_no_place_for_it() -> Result<()> {
    need!(Program("script"));
    let binary = dropwatch_tests::dropwatch().display().to_string();
    let command = format!("TERM=xterm {binary} top --reconcile; echo status $?");
    let said = output("script", &["-q", "-c", &command, "/dev/null"])?;
    assert!(said.contains("--batch") && said.contains("status 2"), "{said}");
    Ok(())
}

//! Counting in the kernel: `top`, `--summary`, and the table at the end of a stream.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr, SocketAddrV4},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context, Result};
use dropwatch_tests::{
    Bpftrace, Finished, Launch, Mac, Namespace, Reasons, Running, Table, exclusive, need,
    traffic::{CLOSED_PORT, frame, packet, udp},
};

/// A port of which a rule drops what comes in.
const DROPPED_PORT: u16 = 10;
const PAYLOAD: u32 = 100;

fn at(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

/// The one table that was printed.
fn table(text: &str) -> Result<Table> {
    let mut tables = Table::all(text)?;
    assert_eq!(tables.len(), 1, "{text}");
    tables.pop().context("a table")
}

fn start(namespace: &Namespace, args: &[&str]) -> Result<Running> {
    Launch::new(args).args(&["--netns", namespace.name()]).start()
}

fn end(dropwatch: Running) -> Result<(Finished, Table)> {
    let finished = dropwatch.interrupt()?;
    let account = finished.success()?;
    assert_eq!(account.missed, 0, "{account:?}");
    let table = table(&finished.stdout())?;
    assert_eq!(table.sum()?, account.matched, "{account:?} {table:?}");
    Ok((finished, table))
}

#[test]
fn every_part_of_a_key_is_counted_by() -> Result<()> {
    need!(Root, Program("ip"), Program("nft"), Reason("NETFILTER_DROP"));
    let _turn = exclusive();
    let (one, two) = (Namespace::new()?, Namespace::new()?);
    for namespace in [&one, &two] {
        namespace.nft("ip", "input", &format!("udp dport {DROPPED_PORT} drop"))?;
    }
    let namespaces = format!("{},{}", one.name(), two.name());
    let args =
        ["--summary", "--by", "netns,reason,protocol,interface,flow", "--netns", &namespaces];
    let dropwatch = Launch::new(&args).start()?;
    let mut sent = BTreeMap::new();
    for (namespace, factor) in [(&one, 1), (&two, 7)] {
        let name = namespace.name();
        namespace.run("dwt flows", || {
            for (port, reason, count) in
                [(CLOSED_PORT, "NO_SOCKET", 200), (DROPPED_PORT, "NETFILTER_DROP", 30)]
            {
                let count = count * factor;
                udp::send(at(port), PAYLOAD, count)?;
                let flow = format!("127.0.0.1.{port} UDP");
                sent.insert([name.to_owned(), reason.to_owned(), "IPv4".to_owned(), flow], count);
            }
            udp::send((Ipv6Addr::LOCALHOST, CLOSED_PORT), PAYLOAD, 50 * factor)?;
            let flow = format!("::1.{CLOSED_PORT} UDP");
            let key = [name.to_owned(), "NO_SOCKET".to_owned(), "IPv6".to_owned(), flow];
            sent.insert(key, 50 * factor);
            Ok(())
        })?;
    }
    let (_, table) = end(dropwatch)?;
    let mut counted = BTreeMap::new();
    for ([netns, reason, protocol, interface, flow], total) in
        table.totals(["NETNS", "REASON", "PROTO", "IFACE", "FLOW"])?
    {
        // Where IPv6 comes up, it sends things of its own.
        let Some((source, destination)) = flow.split_once(" > ") else { continue };
        if !destination.contains(" UDP") {
            continue;
        }
        assert_eq!(interface, "lo", "{flow}");
        assert!(source.starts_with("127.0.0.1.") || source.starts_with("::1."), "{flow}");
        // The source port is any.
        *counted.entry([netns, reason, protocol, destination.to_owned()]).or_insert(0) += total;
    }
    let sent: BTreeMap<_, _> =
        sent.into_iter().map(|(key, count)| (key, u64::from(count))).collect();
    assert_eq!(counted, sent);
    Ok(())
}

/// The same drops at the same time, by reason and location.
#[test]
fn bpftrace_counts_the_same() -> Result<()> {
    need!(Root, Program("ip"), Program("nft"), Program("bpftrace"), Reason("NETFILTER_DROP"));
    let _turn = exclusive();
    let reasons = Reasons::of_kernel()?;
    let namespace = Namespace::new()?;
    namespace.nft("ip", "input", &format!("udp dport {DROPPED_PORT} drop"))?;
    let pid = std::process::id().to_string();
    let dropwatch =
        Launch::new(&["top", "--batch", "--interval", "1", "--by", "reason", "--pid", &pid])
            .start()?;
    let bpftrace = Bpftrace::start(&format!("pid == {pid}"), "@[args->reason] = count();")?;
    // Two at a time, so that both processors count.
    std::thread::scope(|scope| -> Result<()> {
        let other = scope
            .spawn(|| namespace.run("dwt two", || udp::send(at(DROPPED_PORT), PAYLOAD, 50_000)));
        namespace.run("dwt one", || udp::send(at(CLOSED_PORT), PAYLOAD, 200_000))?;
        other.join().map_err(|_| anyhow::anyhow!("the other sender failed"))?
    })?;
    let counted = bpftrace.finish()?;
    let finished = dropwatch.interrupt()?;
    let account = finished.success()?;
    let last = Table::all(&finished.stdout())?.pop().context("a table")?;
    let counted = counted.iter().filter_map(|line| line.strip_prefix("@["));
    let counted = counted.map(|line| -> Result<_> {
        let (reason, count) = line.split_once("]: ").context("a count")?;
        let name = reasons.name(reason.parse()?).context("a name")?.to_owned();
        Ok(([name], count.parse()?))
    });
    let counted = counted.collect::<Result<BTreeMap<_, u64>>>()?;
    assert_eq!(last.totals(["REASON"])?, counted);
    assert_eq!(last.sum()?, account.matched);
    assert!(counted.values().sum::<u64>() >= 250_000, "{counted:?}");
    Ok(())
}

#[test]
fn what_has_no_room_is_other() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    const FLOWS: u16 = 1_000;
    const ROOM: u64 = 64;
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let dropwatch =
        start(&namespace, &["--summary", "--by", "flow", "--max-keys", "64", "--l4", "udp"])?;
    namespace.run("dwt other", || {
        (1..=FLOWS).try_for_each(|port| udp::send(at(20_000 + port), PAYLOAD, 5))
    })?;
    let (finished, table) = end(dropwatch)?;
    assert_eq!(table.rows.len() as u64, ROOM);
    assert_eq!(table.other, 5 * (u64::from(FLOWS) - ROOM));
    let account = finished.account()?;
    assert_eq!(account.other, table.other, "{account:?}");
    assert_eq!(account.matched, 5 * u64::from(FLOWS), "{account:?}");
    Ok(())
}

/// The tool reads the kernel's map in parts of 4096 elements.
#[test]
fn more_keys_than_are_read_at_once() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    const PORTS: std::ops::Range<u16> = 20_000..26_000;
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let dropwatch = start(&namespace, &["--summary", "--by", "flow", "--l4", "udp"])?;
    let drops = |port: u16| 1 + u32::from(port % 3);
    namespace.run("dwt many", || {
        PORTS.into_iter().try_for_each(|port| udp::send(at(port), PAYLOAD, drops(port)))
    })?;
    let (_, table) = end(dropwatch)?;
    assert_eq!((table.rows.len(), table.other), (PORTS.len(), 0));
    let counted = table.totals(["FLOW"])?.into_iter().map(|([flow], total)| {
        let (_, destination) = flow.split_once(" > ").context("a flow")?;
        Ok((destination.to_owned(), total))
    });
    let counted = counted.collect::<Result<BTreeMap<_, _>>>()?;
    let sent = PORTS.map(|port| (format!("127.0.0.1.{port} UDP"), u64::from(drops(port))));
    assert_eq!(counted, sent.collect());
    Ok(())
}

/// More keys than a processor has slots, so that they take turns.
#[test]
fn keys_that_share_slots_are_counted_exactly() -> Result<()> {
    need!(Root, Program("ip"), Reason("UNHANDLED_PROTO"));
    // Those that nobody uses.
    const TYPES: std::ops::Range<u16> = 0xa000..0xa258;
    const ROUNDS: u64 = 20;
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let dropwatch =
        start(&namespace, &["--summary", "--by", "protocol", "--reason", "UNHANDLED_PROTO"])?;
    namespace.run("dwt slots", || {
        let socket = packet::Sender::new("lo")?;
        for _ in 0..ROUNDS {
            for ether_type in TYPES {
                socket.send(&frame::ethernet(
                    Mac::default(),
                    Mac::default(),
                    ether_type,
                    &[0; 50],
                ))?;
            }
        }
        Ok(())
    })?;
    let (_, table) = end(dropwatch)?;
    let totals = table.totals(["PROTO"])?;
    for ether_type in TYPES {
        let key = [format!("0x{ether_type:04x}")];
        assert_eq!(totals.get(&key), Some(&ROUNDS), "{key:?}");
    }
    Ok(())
}

#[test]
fn tables_come_at_intervals_and_end_as_asked() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let dropwatch =
        start(&namespace, &["top", "--batch", "--interval", "300ms", "--iterations", "4"])?;
    namespace.run("dwt batch", || udp::send(at(CLOSED_PORT), PAYLOAD, 321))?;
    let finished = dropwatch.wait()?;
    let account = finished.success()?;
    let tables = Table::all(&finished.stdout())?;
    assert_eq!(tables.len(), 4, "{}", finished.stdout());
    let sums = tables.iter().map(Table::sum).collect::<Result<Vec<_>>>()?;
    assert!(sums.is_sorted() && sums.last() == Some(&account.matched), "{sums:?}");
    let last = tables.last().context("a table")?;
    assert_eq!(last.totals(["REASON"])?.get(&["NO_SOCKET".to_owned()]), Some(&321));

    let finished = start(&namespace, &["top", "--duration", "1"])?.wait()?;
    assert!(finished.success()?.seconds >= 1.0);
    Ok(())
}

#[test]
fn a_stream_ends_with_a_table_of_what_it_showed() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let dropwatch = start(&namespace, &["--by", "reason", "--l4", "udp"])?;
    namespace.run("dwt stream", || udp::send(at(CLOSED_PORT), PAYLOAD, 123))?;
    let finished = dropwatch.interrupt()?;
    let account = finished.success()?;
    assert_eq!(account.shown, 123, "{account:?}");
    let table = table(&finished.stderr())?;
    assert_eq!(table.totals(["REASON"])?, BTreeMap::from([(["NO_SOCKET".to_owned()], 123)]));
    Ok(())
}

#[test]
fn without_btf_the_core_of_the_key_is_counted() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let pid = std::process::id().to_string();
    let args = ["--summary", "--no-btf", "--by", "reason,protocol", "--pid", &pid];
    let dropwatch = Launch::new(&args).start()?;
    namespace.run("dwt no btf", || udp::send(at(CLOSED_PORT), PAYLOAD, 500))?;
    let (_, table) = end(dropwatch)?;
    let key = ["NO_SOCKET", "IPv4"].map(str::to_owned);
    assert_eq!(table.totals(["REASON", "PROTO"])?.get(&key), Some(&500));
    for by in ["interface", "netns", "flow"] {
        let finished = Launch::new(&["top", "--no-btf", "--by", by]).run()?;
        assert_eq!(finished.status.code(), Some(2), "{}", finished.stderr());
        assert!(finished.stderr().contains(&format!("--by {by} needs")), "{}", finished.stderr());
    }
    Ok(())
}

#[test]
fn mistakes_are_named() -> Result<()> {
    for (args, word) in [
        (&["top", "--by", "reasons"][..], "--by 'reasons'"),
        (&["top", "--by", ""], "--by ''"),
        (&["top", "--sort", "flow"], "--sort 'flow'"),
        (&["top", "--interval", "0"], "--interval '0'"),
        (&["top", "--interval", "soon"], "--interval 'soon'"),
        (&["top", "--max-keys", "0"], "--max-keys"),
        (&["top", "--rows", "0"], "--rows"),
        (&["--summary", "--json"], "--json"),
        (&["--summary", "--stack"], "--stack"),
    ] {
        let finished = Launch::new(args).run()?;
        assert_eq!(finished.status.code(), Some(2), "{args:?}: {}", finished.stderr());
        assert!(finished.stderr().contains(word), "{args:?}: {}", finished.stderr());
    }
    Ok(())
}

#[test]
fn nobody_reads_any_more() -> Result<()> {
    need!(Root, Reasons);
    let _turn = exclusive();
    let mut dropwatch = Launch::new(&["top", "--interval", "100ms"]).unread().start()?;
    sleep(Duration::from_millis(150));
    dropwatch.hang_up();
    let finished = dropwatch.wait()?;
    assert!(finished.status.success(), "{}", finished.stderr());
    assert_eq!(finished.stderr(), "");
    Ok(())
}

//! The same drops, seen by dropwatch and by other tools at the same time.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddrV4},
    thread,
};

use anyhow::{Context, Result, ensure};
use dropwatch_tests::{
    Account, Bpftrace, Event, Kallsyms, Launch, Namespace, PerfStat, Place, Reasons, TempDir,
    events_in, exclusive, need,
    traffic::{CLOSED_PORT, udp},
};

/// A port of which a rule drops what comes in.
const DROPPED_PORT: u16 = 10;
/// A length that nobody else's packets have.
const PAYLOAD: u32 = 1_237;

fn at(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

fn own(events: &[Event]) -> impl Iterator<Item = &Event> {
    events.iter().filter(|event| event.pid == std::process::id())
}

/// Reads lines like `@[3, 0xffffffff8204674c]: 5`.
fn read_counts(lines: &[String]) -> Result<BTreeMap<(u32, u64), u64>> {
    let read = |line: &str| {
        let (keys, count) = line.strip_prefix("@[")?.split_once("]: ")?;
        let (reason, location) = keys.split_once(", ")?;
        let location = u64::from_str_radix(location.strip_prefix("0x")?, 16).ok()?;
        Some(((reason.parse().ok()?, location), count.parse().ok()?))
    };
    let counts = lines.iter().filter(|line| line.starts_with('@'));
    counts.map(|line| read(line).with_context(|| format!("bpftrace printed {line:?}"))).collect()
}

#[test]
fn bpftrace_counts_the_same() -> Result<()> {
    need!(Root, Program("ip"), Program("nft"), Program("bpftrace"), Reason("NETFILTER_DROP"));
    const TO_CLOSED_PORT: u32 = 100_000;
    const TO_DROPPED_PORT: u32 = 20_000;
    const TO_DEAF_SOCKET: u32 = 10_000;

    let _turn = exclusive();
    let (reasons, kallsyms) = (Reasons::of_kernel()?, Kallsyms::of_kernel()?);
    let namespace = Namespace::new()?;
    namespace.nft("ip", "input", &format!("udp dport {DROPPED_PORT} drop"))?;
    let deaf = namespace.run("dwt receiver", || udp::deaf_socket(at(0)))?;
    let deaf = deaf.local_addr()?;

    let folder = TempDir::new()?;
    let file = folder.join("drops");
    let dropwatch = Launch::new::<&str>(&[]).into_file(&file).start()?;
    let filter = format!("pid == {}", std::process::id());
    let bpftrace = Bpftrace::start(&filter, "@[args->reason, args->location] = count();")?;
    thread::scope(|scope| -> Result<()> {
        let other = scope.spawn(|| {
            namespace.run("dwt two", || {
                udp::send(at(DROPPED_PORT), PAYLOAD, TO_DROPPED_PORT)?;
                udp::send(deaf, PAYLOAD, TO_DEAF_SOCKET)
            })
        });
        namespace.run("dwt one", || udp::send(at(CLOSED_PORT), PAYLOAD, TO_CLOSED_PORT))?;
        other.join().map_err(|_| anyhow::anyhow!("the other sender failed"))?
    })?;
    let counted = read_counts(&bpftrace.finish()?)?;
    let account = dropwatch.interrupt()?.success()?;
    let events = events_in(&file)?;
    ensure!(account.lost == 0 && account.missed == 0, "{account:?}");

    // Whoever was running, none is missing, and none is there twice.
    for (reason, sent) in [
        ("NO_SOCKET", TO_CLOSED_PORT),
        ("NETFILTER_DROP", TO_DROPPED_PORT),
        ("SOCKET_FILTER", TO_DEAF_SOCKET),
    ] {
        let ip = if reason == "NETFILTER_DROP" { 20 } else { 0 };
        let len = Some(ip + udp::HEADER + PAYLOAD);
        let shown = events.iter().filter(|event| event.reason == reason && event.len == len);
        assert_eq!(shown.count(), sent as usize, "{reason}");
    }

    let mut shown: BTreeMap<(&str, &Place), u64> = BTreeMap::new();
    for event in own(&events) {
        *shown.entry((&event.reason, &event.location)).or_default() += 1;
    }
    for ((reason, address), count) in &counted {
        let name = reasons.name(*reason).with_context(|| format!("no name for {reason}"))?;
        let same = |&((shown, place), _): &((&str, &Place), u64)| {
            shown == name && kallsyms.is_at(place, *address)
        };
        let found = shown.iter().map(|(key, count)| (*key, *count)).find(same);
        let (key, shown_count) =
            found.with_context(|| format!("{name} at {address:#x} is not shown: {shown:?}"))?;
        assert_eq!(shown_count, *count, "{key:?}");
        shown.remove(&key);
    }
    assert!(shown.is_empty(), "bpftrace has not seen {shown:?}");
    assert!(counted.len() >= 3, "{counted:?}");
    Ok(())
}

/// Two perfs count, of which one began before dropwatch and ended after it, the other the
/// other way round: what dropwatch saw is in between, whatever else happens on the machine.
#[test]
fn perf_counts_the_same_and_nothing_is_lost() -> Result<()> {
    need!(Root, Program("ip"), Program("perf"), Reason("NO_SOCKET"));
    const COUNT: u32 = 500_000;
    // Losses are no mistake where others take the processors away; not counting them is.
    const ATTEMPTS: usize = 3;

    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let folder = TempDir::new()?;
    let mut accounts: Vec<Account> = Vec::new();
    for attempt in 0..ATTEMPTS {
        let file = folder.join(&attempt.to_string());
        let outer = PerfStat::start()?;
        let dropwatch = Launch::new::<&str>(&[]).into_file(&file).start()?;
        let inner = PerfStat::start()?;
        namespace.run("dwt flood", || udp::send(at(CLOSED_PORT), PAYLOAD, COUNT))?;
        let inner = inner.finish()?;
        let account = dropwatch.interrupt()?.success()?;
        let outer = outer.finish()?;

        assert!(inner >= u64::from(COUNT), "perf has seen {inner} drops");
        let all = account.seen + account.missed;
        assert!((inner..=outer).contains(&all), "{account:?}, and perf {inner} to {outer}");
        assert_eq!(account.matched, account.seen, "{account:?}");
        assert_eq!(account.shown + account.lost, account.seen, "{account:?}");
        let events = events_in(&file)?;
        assert_eq!(account.shown, events.len() as u64, "{account:?}");
        let len = Some(udp::HEADER + PAYLOAD);
        let flood = events.iter().filter(|event| event.reason == "NO_SOCKET" && event.len == len);
        let (flood, lost) = (flood.count() as u64, account.lost + account.missed);
        assert!(
            flood <= u64::from(COUNT) && flood + lost >= u64::from(COUNT),
            "{flood} {account:?}"
        );
        accounts.push(account);
        if lost == 0 {
            return Ok(());
        }
    }
    anyhow::bail!("drops are lost at each attempt: {accounts:#?}")
}

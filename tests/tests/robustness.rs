//! What happens around dropwatch while it streams: the account stays right, and nothing stays
//! behind.

use std::{
    fs,
    net::Ipv4Addr,
    process,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use dropwatch_tests::{
    Attached, Event, Finished, Launch, Namespace, TempDir, Veth, as_thread, exclusive, finish,
    mount, need, of_threads, parse,
    traffic::{CLOSED_PORT, udp},
};

const NO_SOCKET: [&str; 2] = ["--reason", "NO_SOCKET"];
const CLOSED: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, CLOSED_PORT);
const COUNT: u32 = 500;
const LIMIT: Duration = Duration::from_secs(20);

/// The drops that this process caused.
fn own(events: &[Event]) -> Vec<&Event> {
    events.iter().filter(|event| event.ran_for(process::id())).collect()
}

/// Packets that wait for the address of a neighbour are dropped when their namespace is taken
/// down, by a thread of the kernel.
#[test]
fn a_namespace_is_deleted_while_its_drops_stream() -> Result<()> {
    const WAITING: u32 = 3;
    const PAYLOAD: u32 = 731;
    const LEN: u32 = PAYLOAD + udp::HEADER + 20;
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    let nobody = (Ipv4Addr::new(10, 0, 0, 77), CLOSED_PORT);
    let dropwatch = Launch::new::<&str>(&[]).start()?;
    as_thread("dwt deleted", move || {
        veth.near.enter()?;
        udp::send(CLOSED, 100, COUNT)?;
        udp::send(nobody, PAYLOAD, WAITING)?;
        // This thread holds on to the namespace, which has no name any more.
        drop(veth);
        udp::send(CLOSED, 100, COUNT)
    })?;

    let begin = Instant::now();
    let waiting = |text: &str| text.split_whitespace().any(|word| word == LEN.to_string());
    let mut lines = dropwatch.lines(1, LIMIT);
    while lines.iter().filter(|line| waiting(&line.text)).count() < WAITING as usize {
        ensure!(begin.elapsed() < LIMIT, "the namespace is not taken down");
        lines = dropwatch.lines(lines.len() + 1, Duration::from_millis(100));
    }
    let events = finish(dropwatch)?;
    let no_socket = own(&events).into_iter().filter(|event| event.reason == "NO_SOCKET").count();
    assert_eq!(no_socket, 2 * COUNT as usize);
    let waiting: Vec<_> = events.iter().filter(|event| event.len == Some(LEN)).collect();
    assert_eq!(waiting.len(), WAITING as usize, "{waiting:#?}");
    for event in waiting {
        assert_eq!(event.protocol, "IPv4", "{event:?}");
        assert_ne!(event.pid, process::id(), "{event:?}");
    }
    Ok(())
}

/// Two with a filter each and one without, at the same time.
#[test]
fn each_has_its_own_filter() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"), Reason("SOCKET_FILTER"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let reasons = ["NO_SOCKET", "SOCKET_FILTER"];
    let [no_socket, filter] = reasons.map(|reason| Launch::new(&["--reason", reason]).start());
    let all = Launch::new::<&str>(&[]).start()?;
    namespace.run("dwt two", || {
        let socket = udp::deaf_socket((Ipv4Addr::LOCALHOST, 0))?;
        let deaf = udp::Sender::new(socket.local_addr()?)?;
        let closed = udp::Sender::new(CLOSED)?;
        for _ in 0..COUNT {
            closed.send(100, 2)?;
            deaf.send(200, 1)?;
        }
        Ok(())
    })?;
    let all = finish(all)?;
    for ((dropwatch, reason), count) in [no_socket, filter].into_iter().zip(reasons).zip([2, 1]) {
        let events = finish(dropwatch?)?;
        let other = events.iter().find(|event| event.reason != reason);
        assert_eq!(other, None, "--reason {reason} lets another through");
        let of_all: Vec<_> = own(&all).into_iter().filter(|event| event.reason == reason).collect();
        assert_eq!(of_all.len(), (count * COUNT) as usize, "{reason}");
        // Each stamps the same drop when it sees it.
        let without_time = |events: Vec<&Event>| -> Vec<_> {
            events.into_iter().map(|event| Event { time: 0, ..event.clone() }).collect()
        };
        assert_eq!(without_time(own(&events)), without_time(of_all), "{reason}");
    }
    Ok(())
}

#[test]
fn one_is_killed_and_the_other_streams_on() -> Result<()> {
    need!(Root, Program("ip"), Program("bpftool"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let mut killed = Launch::new(&NO_SOCKET).start()?;
    let other = Launch::new(&NO_SOCKET).start()?;
    let attached = Attached::of(killed.pid())?;
    namespace.run("dwt kill", || {
        let sender = udp::Sender::new(CLOSED)?;
        sender.send(100, COUNT)?;
        killed.signal(libc::SIGKILL)?;
        sender.send(100, COUNT)
    })?;
    let status = killed.wait()?.status;
    assert!(!status.success(), "{status}");
    attached.wait_until_gone()?;
    // The first's end is behind it now, whichever way the kernel detaches programs.
    namespace.run("dwt kill", || udp::send(CLOSED, 100, COUNT))?;
    let events = finish(other)?;
    assert_eq!(own(&events).len(), 3 * COUNT as usize);
    Ok(())
}

/// Stops it, sends, lets it go on, sends once more, and ends it.
fn suspended(signal: i32, buffer: &str, meanwhile: u32) -> Result<Finished> {
    let namespace = Namespace::new()?;
    let send = |count| namespace.run("dwt suspended", || udp::send(CLOSED, 100, count));
    let launch = Launch::new(&NO_SOCKET).args(&["--buffer-size", buffer]).in_own_group();
    let mut dropwatch = launch.start()?;
    let attached = Attached::of(dropwatch.pid())?;
    let pid = dropwatch.pid();
    send(COUNT)?;
    dropwatch.lines(1 + COUNT as usize, LIMIT);

    dropwatch.signal(signal)?;
    wait_for_state(pid, |state| state.starts_with('T'))?;
    let before = dropwatch.lines(0, Duration::ZERO).len();
    send(meanwhile)?;
    // Longer than the second after which it looks around.
    sleep(Duration::from_millis(1_200));
    let after = dropwatch.lines(0, Duration::ZERO).len();
    ensure!(before == after, "{} lines of one that is stopped", after - before);

    dropwatch.signal(libc::SIGCONT)?;
    wait_for_state(pid, |state| !state.starts_with('T'))?;
    // Until what waited in the buffer is out, a drop may find no room.
    dropwatch.lines(before + 1, LIMIT);
    sleep(Duration::from_millis(300));
    send(COUNT)?;
    let finished = dropwatch.interrupt()?;
    attached.wait_until_gone()?;
    Ok(finished)
}

fn wait_for_state(pid: u32, wanted: impl Fn(&str) -> bool) -> Result<()> {
    let begin = Instant::now();
    while !of_threads(pid, "State")?.iter().all(|state| wanted(state)) {
        ensure!(begin.elapsed() < LIMIT, "the signal does nothing");
        sleep(Duration::from_millis(5));
    }
    Ok(())
}

#[test]
fn what_comes_while_it_is_suspended_is_shown_later() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    for signal in [libc::SIGTSTP, libc::SIGSTOP] {
        let finished = suspended(signal, "8M", COUNT)?;
        let account = finished.success()?;
        let events = finished.events()?;
        assert_eq!(own(&events).len(), 3 * COUNT as usize, "signal {signal}: {account:?}");
        assert_eq!((account.lost, account.not_shown), (0, 0), "{account:?}");
        assert_eq!(account.shown, events.len() as u64, "{account:?}");
        assert_eq!(finished.notices(), 1, "{}", finished.stderr());
        assert!(account.seconds > 1.2, "{account:?}");
        assert!(own(&events).is_sorted_by_key(|event| event.time), "signal {signal}");
    }
    Ok(())
}

#[test]
fn what_has_no_room_while_it_is_suspended_is_counted() -> Result<()> {
    // Some times what 256K hold: records have more than 256 bytes.
    const MEANWHILE: u32 = 4_000;
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let finished = suspended(libc::SIGTSTP, "256K", MEANWHILE)?;
    let account = finished.success()?;
    let events = finished.events()?;
    assert!(account.matched >= u64::from(2 * COUNT + MEANWHILE), "{account:?}");
    assert!(account.lost > 0 && account.lost < u64::from(MEANWHILE), "{account:?}");
    assert_eq!(account.not_shown, 0, "{account:?}");
    assert_eq!(account.shown, events.len() as u64, "{account:?}");
    let told = finished.stderr.iter().filter(|line| line.text.contains(" drops lost, ")).count();
    assert_eq!(told, 1, "{}", finished.stderr());
    assert_eq!(finished.notices(), 2, "{}", finished.stderr());
    let own = own(&events);
    let resumed = own.len() - COUNT as usize;
    let gap = own[resumed].time - own[resumed - 1].time;
    assert!(gap > 1_000_000, "all that came once it was resumed is shown: {gap}");
    Ok(())
}

#[test]
fn the_disk_fills_up() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let (namespace, folder) = (Namespace::new()?, TempDir::new()?);
    as_thread("dwt full", || {
        mount::privately(c"tmpfs", folder.path(), c"size=256k")?;
        let file = folder.join("drops");
        let dropwatch = Launch::new(&NO_SOCKET).into_file(&file).start()?;
        let attached = Attached::of(dropwatch.pid())?;
        // In bursts, of which only the last does not fit.
        namespace.run("dwt full", || {
            let sender = udp::Sender::new(CLOSED)?;
            for _ in 0..10 {
                sender.send(100, COUNT)?;
                sleep(Duration::from_millis(50));
            }
            Ok(())
        })?;
        let finished = dropwatch.wait()?;
        let message = finished.stderr();
        assert_eq!(finished.status.code(), Some(1), "{message}");
        let error = finished.stderr.last().context("an error")?;
        let text = "dropwatch: cannot write to standard output: No space left on device";
        assert!(error.text.starts_with(text), "{message}");
        assert_eq!(finished.notices(), 2, "error and account: {message}");
        attached.wait_until_gone()?;

        let account = finished.account()?;
        assert!(account.adds_up() && account.lost == 0, "{account:?}");
        // The last line may have found room in part.
        let text = fs::read_to_string(&file)?;
        let (whole, _) = text.rsplit_once('\n').context("not one line")?;
        let events = parse(whole.lines())?;
        assert!(own(&events).len() > COUNT as usize, "{account:?}");
        assert_eq!(account.shown, events.len() as u64, "{account:?}");
        Ok(())
    })
}

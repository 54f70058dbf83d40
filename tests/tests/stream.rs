//! How a run ends, and what it leaves behind.

use std::{
    net::Ipv4Addr,
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Result;
use dropwatch_tests::{
    Attached, Launch, Namespace, dropwatch, exclusive, need,
    need::patience,
    traffic::{CLOSED_PORT, udp},
};

const NO_SOCKET: [&str; 2] = ["--reason", "NO_SOCKET"];
/// No network traffic is dropped for this reason.
const QUIET: [&str; 2] = ["--reason", "TAP_FILTER"];

fn send(count: u32) -> Result<()> {
    udp::send((Ipv4Addr::LOCALHOST, CLOSED_PORT), 100, count)
}

#[test]
fn signals_end_it_with_an_account() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let mut dropwatch = Launch::new(&NO_SOCKET).start()?;
        namespace.run("dwt signals", || send(5))?;
        dropwatch.signal(signal)?;
        let finished = dropwatch.wait()?;
        let account = finished.success()?;
        let events = finished.events()?;
        let own = events.iter().filter(|event| event.pid == std::process::id()).count();
        assert_eq!(own, 5, "signal {signal}");
        assert_eq!(account.shown, events.len() as u64, "signal {signal}");
        assert_eq!(finished.notices(), 1, "{}", finished.stderr());
        assert!(
            finished.took < patience(Duration::from_secs(2)),
            "signal {signal}: {:?}",
            finished.took
        );
    }
    Ok(())
}

#[test]
fn it_stops_after_so_many_drops() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    for (count, sent) in [(1, 1), (3, 10), (1_000, 10_000)] {
        let dropwatch = Launch::new(&NO_SOCKET).args(&["--count", &count.to_string()]).start()?;
        namespace.run("dwt count", || send(sent))?;
        let finished = dropwatch.wait()?;
        let account = finished.success()?;
        assert_eq!(finished.events()?.len(), count);
        assert_eq!(account.shown, count as u64);
        assert!(account.matched >= account.shown, "{account:?}");
    }
    Ok(())
}

#[test]
fn it_stops_after_some_time() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let dropwatch = Launch::new(&NO_SOCKET).args(&["--duration", "1s"]).start()?;
    sleep(Duration::from_millis(500));
    namespace.run("dwt duration", || send(2))?;
    let finished = dropwatch.wait()?;
    let account = finished.success()?;
    let own = |pid| pid == std::process::id();
    assert_eq!(finished.events()?.iter().filter(|event| own(event.pid)).count(), 2);
    let most = patience(Duration::from_secs(2)).as_secs_f64();
    assert!((1.0..most).contains(&account.seconds), "{account:?}");
    Ok(())
}

/// `dropwatch | head -1` has its line, the heading, at once.
#[test]
fn it_ends_with_its_reader() -> Result<()> {
    need!(Root, Program("bash"), Reason("TAP_FILTER"));
    let _turn = exclusive();
    let begin = Instant::now();
    let output = Command::new("bash")
        .args(["-c", "\"$@\" | head -1; echo ${PIPESTATUS[0]}", "bash"])
        .arg(dropwatch())
        .args(QUIET)
        .stdin(Stdio::null())
        .output()?;
    let took = begin.elapsed();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let [heading, status] = stdout.lines().collect::<Vec<_>>()[..] else {
        anyhow::bail!("not a heading and a status: {stdout:?}");
    };
    assert!(heading.starts_with("TIME"), "{heading}");
    assert_eq!(status, "0");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "nobody asked for more");
    assert!(took < patience(Duration::from_secs(3)), "it took {took:?}");
    Ok(())
}

#[test]
fn it_ends_with_its_reader_in_a_flood() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let mut dropwatch = Launch::new(&NO_SOCKET).unread().start()?;
    namespace.run("dwt reader", || send(25_000))?;
    dropwatch.hang_up();
    let finished = dropwatch.wait()?;
    assert!(finished.status.success(), "{}", finished.stderr());
    assert!(finished.account().is_err(), "nobody asked for more: {}", finished.stderr());
    assert!(finished.took < patience(Duration::from_secs(2)), "it took {:?}", finished.took);
    Ok(())
}

#[test]
fn a_full_disk_is_an_error() -> Result<()> {
    need!(Root, Path("/dev/full"), Reasons);
    let _turn = exclusive();
    let finished = Launch::new(&QUIET).into_file("/dev/full").run()?;
    assert_eq!(finished.status.code(), Some(1), "{}", finished.stderr());
    let message = finished.stderr();
    assert!(message.contains("cannot write to standard output"), "{message}");
    assert!(message.contains("No space left on device"), "{message}");
    let finished = Launch::new(&QUIET).args(&["--output", "/dev/full"]).run()?;
    assert_eq!(finished.status.code(), Some(1), "{}", finished.stderr());
    let message = finished.stderr();
    assert!(message.contains("cannot write the drops to /dev/full: No space left"), "{message}");
    Ok(())
}

#[test]
fn nothing_stays_behind() -> Result<()> {
    need!(Root, Program("bpftool"), Reasons);
    let _turn = exclusive();
    // Even where it had no chance to clean up.
    for signal in [libc::SIGKILL, libc::SIGTERM] {
        let mut dropwatch = Launch::new(&QUIET).start()?;
        let attached = Attached::of(dropwatch.pid())?;
        let programs = attached.show_kind("prog");
        assert!(programs.iter().any(|shown| shown.contains("name kfree_skb")), "{programs:?}");
        assert!(!attached.show_kind("map").is_empty());
        let links = attached.show_kind("link");
        assert!(links.iter().any(|shown| shown.contains("kfree_skb")), "{links:?}");

        dropwatch.signal(signal)?;
        let finished = dropwatch.wait()?;
        if signal == libc::SIGKILL {
            assert_eq!(finished.status.signal(), Some(signal));
        }
        attached.wait_until_gone()?;
    }
    Ok(())
}

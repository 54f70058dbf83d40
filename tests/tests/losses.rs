//! What cannot be shown is counted and told.

use std::{
    net::Ipv4Addr,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use dropwatch_tests::{
    Launch, Line, Namespace, exclusive, need,
    need::patience,
    traffic::{CLOSED_PORT, udp},
};

const ARGS: [&str; 4] = ["--reason", "NO_SOCKET", "--buffer-size", "64K"];
/// Far more than fits into the buffer, the pipe and what lies between: together some thousands.
const BURST: u32 = 25_000;
const BURSTS: u32 = 4;

/// How much later than it was written a notice may be read on a busy machine.
const DELAY: Duration = Duration::from_millis(500);

fn send(namespace: &Namespace, count: u32) -> Result<()> {
    namespace.run("dwt losses", || udp::send((Ipv4Addr::LOCALHOST, CLOSED_PORT), 100, count))
}

/// When a notice came, and how many losses it told of.
fn notices(stderr: &[Line]) -> Result<Vec<(Instant, u64)>> {
    let notice = |line: &Line| {
        let rest = line.text.strip_prefix("dropwatch: ")?;
        let (count, _) = rest.split_once(" drops lost, ")?;
        Some(count.parse().map(|count| (line.at, count)))
    };
    Ok(stderr.iter().filter_map(notice).collect::<Result<_, _>>()?)
}

/// Nobody reads the output while drops come for some seconds.
#[test]
fn losses_are_told_while_they_happen() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let mut dropwatch = Launch::new(&ARGS).unread().start()?;
    let begin = Instant::now();
    for burst in 0..BURSTS {
        send(&namespace, BURST)?;
        sleep(Duration::from_millis(1_100 * u64::from(burst + 1)).saturating_sub(begin.elapsed()));
    }
    let streaming = notices(&dropwatch.stderr_so_far())?;
    assert!(streaming.len() > 1, "told {streaming:?} in {:?}", begin.elapsed());
    for (index, (first, _)) in streaming.iter().enumerate() {
        for (seconds, (later, _)) in streaming[index..].iter().enumerate() {
            let pause = later.duration_since(*first) + patience(DELAY);
            assert!(pause >= Duration::from_secs(seconds as u64), "too many: {streaming:?}");
        }
    }

    dropwatch.read();
    let finished = dropwatch.interrupt()?;
    let account = finished.success()?;
    assert!(account.matched >= u64::from(BURST * BURSTS), "{account:?}");
    assert!(account.lost > 0, "{account:?}");
    assert_eq!(account.shown, finished.events()?.len() as u64, "{account:?}");
    assert_eq!(account.not_shown, 0, "what was in the buffer comes out: {account:?}");
    let told: u64 = notices(&finished.stderr)?.iter().map(|(_, count)| count).sum();
    assert!(told > 0 && told <= account.lost, "told of {told}: {account:?}");
    Ok(())
}

/// A second Ctrl-C ends it also where nobody ever reads.
#[test]
fn nobody_reads_at_all() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    // What a smaller buffer holds may find room in the pipe.
    let args = ["--reason", "NO_SOCKET", "--buffer-size", "1M"];
    let mut dropwatch = Launch::new(&args).unread().start()?;
    send(&namespace, BURST)?;
    dropwatch.signal(libc::SIGINT)?;
    // What comes too soon after the first was seen counts as the same request.
    sleep(Duration::from_secs(2));
    let finished = dropwatch.interrupt()?;
    let account = finished.success()?;
    assert!(account.matched >= u64::from(BURST), "{account:?}");
    assert!(account.lost > 0 && account.not_shown > 0, "{account:?}");
    assert!(finished.took < patience(Duration::from_secs(2)), "it took {:?}", finished.took);
    // What lies in the pipe may end within a line.
    let whole = finished.stdout.len().checked_sub(1).context("the heading at least")? as u64;
    assert!(account.shown <= whole, "shown {} of {whole} lines", account.shown);
    Ok(())
}

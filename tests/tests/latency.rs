//! How long it takes until something is to be seen, and how much memory. Other things run on
//! the machine, so what counts is a median, and the best of a few attempts.

use std::{
    net::Ipv4Addr,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use dropwatch_tests::{
    Launch, Namespace, exclusive, need, peak_memory,
    traffic::{CLOSED_PORT, udp},
};

const ATTEMPTS: usize = 3;
const NO_SOCKET: [&str; 2] = ["--reason", "NO_SOCKET"];

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Measures until the result is within the limit, or the attempts are used up.
fn at_most(limit: Duration, mut measure: impl FnMut() -> Result<Duration>) -> Result<()> {
    let mut measured = Vec::new();
    for _ in 0..ATTEMPTS {
        let median = measure()?;
        if median <= limit {
            return Ok(());
        }
        measured.push(median);
    }
    anyhow::bail!("more than {limit:?}: {measured:?}")
}

/// From sending a packet to having read the line of its drop.
fn latency(pause: Duration, count: usize) -> Result<Duration> {
    let namespace = Namespace::new()?;
    let dropwatch = Launch::new(&NO_SOCKET).start()?;
    let sent = namespace.run("dwt latency", || {
        let sender = udp::Sender::new((Ipv4Addr::LOCALHOST, CLOSED_PORT))?;
        let send = |_| {
            sleep(pause);
            let now = Instant::now();
            sender.send(100, 1).map(|()| now)
        };
        (0..count).map(send).collect::<Result<Vec<_>>>()
    })?;
    // Ctrl-C would bring out what does not come by itself.
    sleep(Duration::from_millis(500));
    let finished = dropwatch.interrupt()?;
    let events = finished.events()?;
    let lines = finished.stdout.iter().skip(1).zip(&events);
    let own = lines.filter(|(_, event)| event.pid == std::process::id());
    let came: Vec<_> = own.map(|(line, _)| line.at).collect();
    ensure!(came.len() == sent.len(), "{} drops of {}", came.len(), sent.len());
    Ok(median(came.iter().zip(&sent).map(|(came, sent)| came.duration_since(*sent)).collect()))
}

#[test]
fn a_drop_shows_at_once() -> Result<()> {
    need!(Speed, Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    // After some time in which dropwatch had nothing to do, and in a row.
    for (pause, count) in [(Duration::from_millis(1_100), 5), (Duration::from_millis(13), 60)] {
        at_most(Duration::from_millis(50), || latency(pause, count))?;
    }
    Ok(())
}

#[test]
fn it_is_attached_soon() -> Result<()> {
    need!(Speed, Root, Reasons);
    let _turn = exclusive();
    let start = || -> Result<Duration> {
        let dropwatch = Launch::new(&NO_SOCKET).start()?;
        let heading = dropwatch.lines(1, Duration::ZERO);
        Ok(heading[0].at.duration_since(dropwatch.started()))
    };
    at_most(Duration::from_millis(150), || {
        Ok(median((0..7).map(|_| start()).collect::<Result<_>>()?))
    })
}

#[test]
fn it_needs_little_memory() -> Result<()> {
    need!(Speed, Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    for args in [&[][..], &["--stack"]] {
        let dropwatch = Launch::new(&[&NO_SOCKET, args].concat()).start()?;
        namespace
            .run("dwt memory", || udp::send((Ipv4Addr::LOCALHOST, CLOSED_PORT), 100, 1_000))?;
        // By now symbols have been looked up, which is what needs memory.
        let lines = dropwatch.lines(1_001, Duration::from_secs(10)).len();
        ensure!(lines > 1_000, "{lines} lines");
        let peak = peak_memory(dropwatch.pid())?;
        assert!(peak < 40 << 20, "{args:?}: {peak} bytes");
        dropwatch.interrupt()?.success()?;
    }
    Ok(())
}

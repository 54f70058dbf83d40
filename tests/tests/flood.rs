//! A flood at the full speed of the machine: nothing is miscounted, and nothing is lost. Other
//! things run on the machine, and can keep dropwatch from running at all for longer than its
//! buffer lasts, so losing counts only where it happens again and again; miscounting always.

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader},
    net::Ipv4Addr,
    path::Path,
    thread,
};

use anyhow::{Context, Result, ensure};
use dropwatch_tests::{
    Launch, Namespace, TempDir, exclusive, need,
    need::is_emulated,
    traffic::{CLOSED_PORT, udp},
};

/// The columns that there are by default.
const FIELDS: [&str; 2] = ["--fields", "time,pid,comm,reason,iface,proto,len,location,flow,owner"];
/// The environment variable that makes floods larger.
const VARIABLE: &str = "DROPWATCH_FLOOD";
/// How many packets an emulated machine drops, which takes it as long as others take for all.
const EMULATED: u32 = 50_000;
/// So many send at once.
const SENDERS: u32 = 2;
const ATTEMPTS: usize = 5;

/// How many packets to drop: so many, or more where the environment says so.
fn packets(least: u32) -> Result<u32> {
    let least = if is_emulated() { EMULATED } else { least };
    let Ok(wanted) = env::var(VARIABLE) else { return Ok(least) };
    let wanted: u32 = wanted.parse().with_context(|| format!("{VARIABLE} is {wanted:?}"))?;
    Ok(wanted.max(least).next_multiple_of(SENDERS))
}

/// Sends datagrams to a closed port from several threads, as fast as the kernel takes them.
fn send(namespace: &Namespace, count: u32) -> Result<()> {
    let send = || {
        namespace
            .run("dwt flood", || udp::send((Ipv4Addr::LOCALHOST, CLOSED_PORT), 64, count / SENDERS))
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..SENDERS).map(|_| scope.spawn(send)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}

/// How many datagrams found no socket, as the kernel counts them.
fn without_port(namespace: &Namespace) -> Result<u64> {
    let printed = namespace.output("nstat", &["-asz", "UdpNoPorts"])?;
    let mut lines = printed.lines().filter_map(|line| line.strip_prefix("UdpNoPorts"));
    let counts = lines.next().with_context(|| format!("no count in {printed:?}"))?;
    let count = counts.split_whitespace().next().context("no count")?;
    Ok(count.parse()?)
}

/// How many packets of the whole machine found the queue of their processor full. That happens where
/// the kernel leaves the queue to a thread of its own, which a busy machine is slow to run.
fn without_room() -> Result<u64> {
    const DROPPED: usize = 1;
    let text = fs::read_to_string("/proc/net/softnet_stat")?;
    let of_processor = |line: &str| {
        let column = line.split_whitespace().nth(DROPPED).context("no such column")?;
        Ok(u64::from_str_radix(column, 16)?)
    };
    text.lines().map(of_processor).sum()
}

/// How many drops there are in a file: lines that are not part of one above, without the heading.
fn drops_in(path: &Path) -> Result<u64> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let (mut lines, mut line) = (0_u64, Vec::new());
    while file.read_until(b'\n', &mut line)? > 0 {
        ensure!(line.ends_with(b"\n"), "half a line: {:?}", String::from_utf8_lossy(&line));
        lines += u64::from(!line.starts_with(b" "));
        line.clear();
    }
    lines.checked_sub(1).context("there is no heading")
}

/// Floods a namespace while dropwatch writes what it drops to a file, and gives how many it lost.
fn lost(args: &[&str], packets: u32) -> Result<u64> {
    let (namespace, folder) = (Namespace::new()?, TempDir::new()?);
    let file = folder.join("drops");
    let dropwatch = Launch::new(&["--netns", namespace.name()])
        .args(&FIELDS)
        .args(args)
        .into_file(&file)
        .start()?;
    let before = without_room()?;
    send(&namespace, packets)?;
    let account = dropwatch.interrupt()?.success()?;

    let sent = u64::from(packets);
    let (port, room) = (without_port(&namespace)?, without_room()? - before);
    assert!(port <= sent && port + room >= sent, "the kernel dropped each: {port}, {room}, {sent}");
    assert_eq!((account.matched, account.shown + account.lost), (sent, sent), "{account:?}");
    assert_eq!((account.missed, account.without_stack), (0, 0), "{account:?}");
    assert_eq!(drops_in(&file)?, account.shown, "each that is shown is in the file: {account:?}");
    Ok(account.lost)
}

/// Fails where some are lost in each attempt.
fn flood(args: &[&str], packets: u32) -> Result<()> {
    let _turn = exclusive();
    let mut losses = Vec::new();
    while losses.len() < ATTEMPTS {
        match lost(args, packets)? {
            0 => return Ok(()),
            // An emulated machine is too slow to keep up.
            _ if is_emulated() => return Ok(()),
            lost => losses.push(lost),
        }
    }
    anyhow::bail!("of {packets} drops, these were lost: {losses:?}")
}

#[test]
fn a_flood_is_shown_to_the_last_drop() -> Result<()> {
    need!(Root, Program("ip"), Program("nstat"), Reason("NO_SOCKET"));
    flood(&[], packets(5_000_000)?)
}

/// Fewer, since a stack costs more than all else.
#[test]
fn a_flood_is_shown_with_the_stack_of_each_drop() -> Result<()> {
    need!(Root, Program("ip"), Program("nstat"), Reason("NO_SOCKET"));
    flood(&["--stack"], packets(1_000_000)?)
}

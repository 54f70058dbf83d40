//! A flood that lasts: whether memory grows, and whether each drop is accounted for.

use super::{
    arena::{Arena, CLOSED_PORT},
    attach::Attaching,
    bpf::Stats,
    child::Child,
    interrupt,
    machine::Machine,
    markdown::{cell, grouped, write_rows},
    namespace::Namespace,
    said::{self, Said},
    send::send,
    tools::{Kind, STACK, TEXT, TOP, Tools},
};
use crate::cli::BenchArgs;
use anyhow::{Context as _, Result};
use std::{
    fmt, fs,
    io::{self, BufRead as _, BufReader, Read, pipe},
    iter::repeat_n,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    panic::resume_unwind,
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

/// The ways to trace, and the arguments for them.
const WAYS: [(&str, &[&str]); 3] = [(TEXT, &[]), (STACK, &["--stack"]), (TOP, &["top", "--batch"])];
/// So many threads send.
const SENDERS: usize = 2;
/// So many packets between two looks at the time.
const BATCH: usize = 10_000;
/// How often memory is looked at.
const STEP: Duration = Duration::from_millis(200);
/// So much memory may come and go, in KiB: what is taken for a while, and pages.
const BREATH: u64 = 1_000;

/// What became of a flood.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Lasted {
    tool: &'static str,
    seconds: f64,
    /// Packets that the senders sent.
    sent: u64,
    /// Of these, those that found no socket, as the kernel counts.
    dropped: u64,
    said: Said,
    /// Drops in the output, where each is there.
    written: Option<u64>,
    /// The most memory between the first fifth and the middle, and from there on, in KiB.
    memory: (u64, u64),
    cpu: f64,
}

impl Lasted {
    /// Whether each packet is in each count.
    fn is_exact(&self) -> bool {
        let Said { shown, lost, .. } = self.said;
        let written = self.written.unwrap_or(shown);
        lost == 0 && [self.dropped, shown, written] == [self.sent; 3]
    }

    fn is_flat(&self) -> bool {
        self.memory.1 <= self.memory.0 + BREATH
    }
}

/// Floods each way to trace for this time, prints what became of it, and tells whether all is well.
pub fn run(args: &BenchArgs, tools: &Tools, duration: Duration) -> Result<bool> {
    let duration = if args.quick { duration.min(Duration::from_secs(10)) } else { duration };
    let method = format!("a flood of {} s from {SENDERS} threads", duration.as_secs());
    let machine = Machine::this(&Tools { bpftrace: None, perf: None, ..tools.clone() }, method)?;
    let mut all = Vec::new();
    for (tool, args) in WAYS {
        eprintln!("{tool}: {} s", duration.as_secs());
        let lasted = last(tools, args, duration).with_context(|| format!("cannot flood {tool}"))?;
        all.push(Lasted { tool, ..lasted });
    }
    print!("{}", Report { machine: &machine, all: &all });
    Ok(all.iter().all(|lasted| lasted.is_exact() && lasted.is_flat()))
}

fn last(tools: &Tools, args: &'static [&'static str], duration: Duration) -> Result<Lasted> {
    let namespace = Namespace::new()?;
    let mut line = tools.command(Kind::Dropwatch(args), "".as_ref()).context("no dropwatch")?;
    line.extend(["--netns".into(), namespace.inode()?.to_string().into()]);
    let sockets = (0..SENDERS).map(|_| {
        namespace.run(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot make a socket"))
    });
    let sockets = sockets.collect::<Result<Vec<_>>>()?;
    let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, CLOSED_PORT.port);

    let (output, input) = pipe()?;
    let reader = thread::spawn(move || drops_in(output));
    let (attaching, stats) = (Attaching::begin(), Stats::enable()?);
    let mut child = Child::start(&line, input)?;
    // In another namespace, since this one's drops are counted.
    let elsewhere = Arena::new()?;
    attaching.wait(&mut child, || elsewhere.drop_one())?;
    drop(stats);
    child.wait_until_quiet()?;

    let (begin, failed) = (Instant::now(), AtomicBool::new(false));
    let flood = |socket: &UdpSocket| {
        let mut sent = 0;
        while begin.elapsed() < duration && !failed.load(Ordering::Relaxed) {
            send(socket, repeat_n(to, BATCH))?;
            sent += BATCH as u64;
        }
        Ok(sent)
    };
    let (sent, samples) = thread::scope(|scope| {
        let senders: Vec<_> = sockets.iter().map(|socket| scope.spawn(|| flood(socket))).collect();
        let samples = sample(&mut child, || senders.iter().all(ScopedJoinHandle::is_finished));
        failed.store(samples.is_err(), Ordering::Relaxed);
        let sent = senders
            .into_iter()
            .map(|sender| sender.join().unwrap_or_else(|panic| resume_unwind(panic)));
        let sent: Result<u64> = sent.sum();
        Ok::<_, anyhow::Error>((sent?, samples?))
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    let dropped = without_port(&namespace)?;
    child.wait_until_quiet()?;
    let left = child.finish()?;
    let written = reader.join().unwrap_or_else(|panic| resume_unwind(panic))?;
    let said = said::dropwatch(&left.stderr).context("it gives no account")?;
    Ok(Lasted {
        tool: "",
        seconds,
        sent,
        dropped,
        said,
        written: (!args.contains(&"top")).then_some(written),
        memory: highest(&samples),
        cpu: left.cpu,
    })
}

/// How much memory it has, from time to time, in KiB.
fn sample(child: &mut Child, is_over: impl Fn() -> bool) -> Result<Vec<u64>> {
    let mut samples = Vec::new();
    while !is_over() {
        interrupt::pause(STEP)?;
        child.check()?;
        samples.push(child.present_memory()?);
    }
    Ok(samples)
}

/// The highest between the first fifth and the middle, and that from there on.
fn highest(samples: &[u64]) -> (u64, u64) {
    let (first, second) = samples.split_at(samples.len() / 2);
    let warm = &first[samples.len() / 5..];
    let most = |samples: &[u64]| samples.iter().copied().max().unwrap_or(0);
    (most(warm), most(second))
}

/// How many datagrams of a namespace found no socket.
fn without_port(namespace: &Namespace) -> Result<u64> {
    let path = "/proc/thread-self/net/snmp";
    let text = namespace.run(|| fs::read_to_string(path).context(path))?;
    no_ports(&text).with_context(|| format!("{path} does not tell"))
}

/// From a line of names and one of values, each behind `Udp:`.
fn no_ports(text: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    pairs.find(|(name, _)| *name == "NoPorts")?.1.parse().ok()
}

/// How many drops there are in what is read to the end: lines that belong to none above, but for
/// the heading.
fn drops_in(source: impl Read) -> io::Result<u64> {
    let mut source = BufReader::with_capacity(1 << 20, source);
    let (mut drops, mut line) = (0_u64, Vec::new());
    while source.read_until(b'\n', &mut line)? > 0 {
        drops += u64::from(!line.starts_with(b" "));
        line.clear();
    }
    Ok(drops.saturating_sub(1))
}

struct Report<'a> {
    machine: &'a Machine,
    all: &'a [Lasted],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        write_rows(f, &HEADING, self.all.iter().map(row))?;
        write!(f, "\n{LEGEND}")
    }
}

const HEADING: [&str; 11] = [
    "tool",
    "sent",
    "a second",
    "without a port",
    "shown",
    "written",
    "lost",
    "account",
    "memory, MB: first half",
    "second half",
    "own CPU, s",
];

const LEGEND: &str = "\
Without a port: so many datagrams the kernel counted that found no socket. Shown: as dropwatch
says, or counted. Written: drops in its output, counted at the other end of a pipe. Memory: the
highest VmRSS of each half; the first fifth of the time does not count.
";

fn row(lasted: &Lasted) -> [String; 11] {
    let Lasted { tool, seconds, sent, dropped, said, written, memory, cpu } = *lasted;
    let count = |count: u64| grouped(count as f64);
    let mb = |kib: u64| format!("{:.1}", kib as f64 * 1024.0 / 1e6);
    let grows = if lasted.is_flat() { "" } else { " **grows**" };
    [
        tool.to_owned(),
        count(sent),
        grouped(sent as f64 / seconds),
        count(dropped),
        count(said.shown),
        cell(written.map(|written| written as f64), grouped),
        count(said.lost),
        if lasted.is_exact() { "exact" } else { "**not exact**" }.to_owned(),
        mb(memory.0),
        format!("{}{grows}", mb(memory.1)),
        format!("{cpu:.1}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lasted(shown: u64, lost: u64) -> Lasted {
        let said = Said { seen: 1_000_002, shown, lost };
        Lasted { sent: 1_000_000, dropped: 1_000_000, said, ..Lasted::default() }
    }

    #[test]
    fn each_count_must_be_that_of_the_packets() {
        let exact = Lasted { written: Some(1_000_000), ..lasted(1_000_000, 0) };
        assert!(exact.is_exact());
        assert!(lasted(1_000_000, 0).is_exact());
        for wrong in [
            lasted(999_999, 1),
            lasted(1_000_001, 0),
            lasted(1_000_000, 1),
            Lasted { dropped: 999_999, ..exact },
            Lasted { written: Some(999_999), ..exact },
        ] {
            assert!(!wrong.is_exact(), "{wrong:?}");
        }
    }

    #[test]
    fn memory_is_flat_once_it_is_warm() {
        let memory = highest(&[0, 9000, 5000, 5100, 5000, 5000, 6100, 5000, 5000, 5000]);
        assert_eq!(memory, (5100, 6100));
        assert!(Lasted { memory, ..Lasted::default() }.is_flat());
        assert!(!Lasted { memory: (5100, 6101), ..Lasted::default() }.is_flat());
        assert_eq!(highest(&[]), (0, 0));
    }

    #[test]
    fn the_kernel_counts_what_finds_no_socket() {
        let snmp = "Tcp: RtoMin NoPorts\nTcp: 200 7\n\
            Udp: InDatagrams NoPorts InErrors\nUdp: 12 3456 0\n\
            UdpLite: InDatagrams NoPorts\nUdpLite: 1 2\n";
        assert_eq!(no_ports(snmp), Some(3456));
        assert_eq!(no_ports("Udp: InDatagrams NoPorts\n"), None);
    }

    #[test]
    fn what_belongs_to_a_drop_is_none() -> io::Result<()> {
        let output = "TIME REASON\n1 NO_SOCKET\n    stack #1:\n        a\n2 NO_SOCKET\n";
        assert_eq!(drops_in(output.as_bytes())?, 2);
        assert_eq!(drops_in(&b""[..])?, 0);
        Ok(())
    }
}

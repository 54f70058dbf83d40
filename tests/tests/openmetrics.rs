//! Metrics for Prometheus: `top --openmetrics` and `top --prometheus`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    net::{Ipv4Addr, SocketAddrV4},
    os::unix::fs::{MetadataExt, chown},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use dropwatch_tests::{
    Account, Launch, Metrics, Namespace, Table, TempDir, exclusive, need,
    need::{find_program, python_with},
    output,
    traffic::{CLOSED_PORT, udp},
};
use serde_json::Value;

/// A port of which a rule drops what comes in.
const DROPPED_PORT: u16 = 10;
const PAYLOAD: u32 = 100;
/// What another reader makes of metrics: name, type, unit and help of each, and its values.
const READ: &str = "
import json, sys
from prometheus_client.openmetrics.parser import text_fd_to_metric_families
families = text_fd_to_metric_families(sys.stdin)
json.dump([[f.name, f.type, f.unit, f.documentation,
            [[s.name, s.labels, s.value] for s in f.samples]] for f in families], sys.stdout)
";

/// One of what that prints.
type Family = (String, String, String, String, Vec<(String, Value, f64)>);

fn at(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

fn text(words: &[&str]) -> BTreeMap<String, String> {
    words.chunks(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
}

/// Drops that sum up, and are those of the account.
fn check(metrics: &Metrics, account: &Account) -> Result<()> {
    for (name, value) in [
        ("seen", account.seen),
        ("matched", account.matched),
        ("other", account.other),
        ("missed", account.missed),
    ] {
        assert_eq!(metrics.value(&format!("dropwatch_{name}_total"))?, value as f64, "{name}");
    }
    let sum: f64 = metrics.drops().map(|(_, drops)| drops).sum();
    assert_eq!(sum, account.matched as f64);
    Ok(())
}

/// What a program says of a text that it is given.
fn given(program: &Path, args: &[&str], text: &str) -> Result<(Option<i32>, String, String)> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    child.stdin.take().context("a pipe")?.write_all(text.as_bytes())?;
    let ended = child.wait_with_output()?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((ended.status.code(), said(&ended.stdout), said(&ended.stderr)))
}

#[test]
fn numbers_are_those_of_what_was_sent() -> Result<()> {
    need!(Root, Program("ip"), Program("nft"), Reason("NETFILTER_DROP"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    namespace.nft("ip", "input", &format!("udp dport {DROPPED_PORT} drop"))?;
    let by = "reason,location,protocol,interface,netns";
    let args = ["top", "--openmetrics", "--interval", "200ms", "-n", "4", "--by", by];
    let before = std::time::SystemTime::now();
    let dropwatch = Launch::new(&args).args(&["--l4", "udp", "--netns", namespace.name()]);
    let dropwatch = dropwatch.start()?;
    namespace.run("dwt metrics", || {
        udp::send(at(CLOSED_PORT), PAYLOAD, 321)?;
        udp::send(at(DROPPED_PORT), PAYLOAD, 45)
    })?;
    let finished = dropwatch.wait()?;
    let account = finished.success()?;
    let all = Metrics::all(&finished.stdout())?;
    assert_eq!(all.len(), 4, "{}", finished.stdout());
    assert!(all.windows(2).all(|pair| pair[1].follows(&pair[0])), "{all:?}");
    let last = all.last().context("metrics")?;
    check(last, &account)?;
    let names = ["reason", "subsystem", "protocol", "interface", "netns"];
    let key = |reason: &str| [reason, "core", "IPv4", "lo", namespace.name()].map(str::to_owned);
    let expected = BTreeMap::from([(key("NO_SOCKET"), 321), (key("NETFILTER_DROP"), 45)]);
    assert_eq!(last.drops_by(names)?, expected);
    for (labels, _) in last.drops() {
        assert_eq!(labels.len(), names.len() + 2, "{labels:?}");
        let (function, location) = (&labels["function"], &labels["location"]);
        assert!(location.starts_with(&format!("{function}+0x")), "{labels:?}");
    }
    let start = Duration::from_secs_f64(last.value("dropwatch_start_time_seconds")?);
    let earliest = before.duration_since(std::time::UNIX_EPOCH)?;
    assert!((earliest..earliest + Duration::from_secs(60)).contains(&start), "{start:?}");
    Ok(())
}

/// With so much in the file that it cannot be written at once.
#[test]
fn a_reader_never_sees_a_part_of_the_file() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    const PORTS: std::ops::Range<u16> = 20_000..22_000;
    let _turn = exclusive();
    let (namespace, folder) = (Namespace::new()?, TempDir::new()?);
    let path = folder.join("drops.prom");
    let option = format!("--openmetrics={}", path.display());
    let args = ["top", &option, "--interval", "20ms", "--by", "reason,flow", "--l4", "udp"];
    let dropwatch = Launch::new(&args).args(&["--netns", namespace.name()]).start()?;
    let send = || PORTS.into_iter().try_for_each(|port| udp::send(at(port), PAYLOAD, 2));
    namespace.run("dwt replaced", send)?;
    let begin = Instant::now();
    let mut files = BTreeSet::new();
    let mut longest = 0;
    while begin.elapsed() < Duration::from_secs(2) {
        // There is one from the begin on, but not before it is attached.
        let Ok(file) = fs::File::open(&path) else {
            assert!(files.is_empty(), "the file went away");
            continue;
        };
        files.insert((file.metadata()?.ino(), file.metadata()?.mtime_nsec()));
        let text = std::io::read_to_string(file)?;
        assert!(text.starts_with("# HELP ") && text.ends_with("\n# EOF\n"), "{text}");
        longest = longest.max(text.len());
    }
    assert!(longest > 100_000 && files.len() > 10, "{longest} bytes, {} files", files.len());
    let finished = dropwatch.interrupt()?;
    let account = finished.success()?;
    assert_eq!(finished.stdout(), "");
    let last = Metrics::parse(&fs::read_to_string(&path)?)?;
    check(&last, &account)?;
    let sent: BTreeMap<_, _> = PORTS.map(|port| ([format!("127.0.0.1.{port} UDP")], 2)).collect();
    let mut counted = BTreeMap::new();
    for ([flow], drops) in last.drops_by(["flow"])? {
        let (_, destination) = flow.split_once(" > ").context("a flow")?;
        *counted.entry([destination.to_owned()]).or_insert(0) += drops;
    }
    assert_eq!(counted, sent);
    assert!(!folder.join("drops.prom.tmp").exists());
    Ok(())
}

/// Also those among the others do not come to the front later: what they were counted in would
/// decrease.
#[test]
fn there_are_no_more_series_than_rows() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let args = ["top", "--openmetrics", "--by", "flow", "--rows", "3", "--max-keys", "8"];
    let dropwatch = Launch::new(&args)
        .args(&["--interval", "300ms", "--l4", "udp", "--netns", namespace.name()])
        .start()?;
    namespace.run("dwt rows", || {
        (1..=3).try_for_each(|port| udp::send(at(20_000 + port), PAYLOAD, 10))?;
        std::thread::sleep(Duration::from_millis(700));
        (4..=20).try_for_each(|port| udp::send(at(20_000 + port), PAYLOAD, 100))?;
        std::thread::sleep(Duration::from_millis(700));
        Ok(())
    })?;
    let finished = dropwatch.interrupt()?;
    let account = finished.success()?;
    let all = Metrics::all(&finished.stdout())?;
    assert!(all.windows(2).all(|pair| pair[1].follows(&pair[0])), "{all:?}");
    let last = all.last().context("metrics")?;
    check(last, &account)?;
    let drops: Vec<_> = last.drops().collect();
    assert_eq!(drops.len(), 4, "{drops:?}");
    let other = drops.iter().find(|(labels, _)| **labels == text(&["flow", "(other)"]));
    assert_eq!(other.context("others")?.1, 1700.0);
    assert_eq!(account.other, 1200, "{account:?}");
    Ok(())
}

#[test]
fn a_strict_reader_reads_the_same() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    need!(Python("prometheus_client.openmetrics.parser"));
    /// What a device may be called, and how that is shown.
    const DEVICE: (&str, &str) = ("a\"},\\n{=", "a\"},\\\\n{=");
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    for change in [&["down"][..], &["name", DEVICE.0]] {
        output("ip", &[&["-n", namespace.name(), "link", "set", "lo"], change].concat())?;
    }
    output("ip", &["-n", namespace.name(), "link", "set", DEVICE.0, "up"])?;
    let args = ["top", "--openmetrics", "--by", "reason,location,protocol,interface,netns,flow"];
    let dropwatch = Launch::new(&args)
        .args(&["-n", "1", "--interval", "500ms", "--l4", "udp", "--netns", namespace.name()])
        .start()?;
    namespace.run("dwt strict", || udp::send(at(CLOSED_PORT), PAYLOAD, 67))?;
    let finished = dropwatch.wait()?;
    let account = finished.success()?;
    let python = python_with("prometheus_client.openmetrics.parser").context("python")?;
    let (status, read, errors) = given(&python, &["-c", READ], &finished.stdout())?;
    assert_eq!((status, errors.as_str()), (Some(0), ""), "{}", finished.stdout());
    let read: Vec<Family> = serde_json::from_str(&read)?;
    let kinds: Vec<_> = read
        .iter()
        .map(|(name, kind, unit, ..)| (name.as_str(), kind.as_str(), unit.as_str()))
        .collect();
    let counter = |name| (name, "counter", "");
    let expected = [
        counter("dropwatch_drops"),
        counter("dropwatch_seen"),
        counter("dropwatch_matched"),
        counter("dropwatch_other"),
        counter("dropwatch_missed"),
        ("dropwatch_start_time_seconds", "gauge", "seconds"),
    ];
    assert_eq!(kinds, expected);
    assert!(read.iter().all(|(_, _, _, help, _)| help.ends_with('.')), "{read:?}");
    let [(name, labels, value)] = &read[0].4[..] else { panic!("{:?}", read[0]) };
    assert_eq!((name.as_str(), *value), ("dropwatch_drops_total", 67.0));
    assert_eq!(labels["interface"], DEVICE.1);
    assert_eq!(labels["reason"], "NO_SOCKET");
    assert_eq!(read[2].4[0].2, account.matched as f64);
    Ok(())
}

#[test]
fn promtool_finds_nothing_wrong() -> Result<()> {
    need!(Root, Program("ip"), Program("promtool"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let (namespace, folder) = (Namespace::new()?, TempDir::new()?);
    let path = folder.join("drops.prom");
    let option = format!("--prometheus={}", path.display());
    let args = ["top", &option, "--interval", "100ms", "--netns", namespace.name()];
    let dropwatch = Launch::new(&args).start()?;
    namespace.run("dwt promtool", || udp::send(at(CLOSED_PORT), PAYLOAD, 89))?;
    let finished = dropwatch.interrupt()?;
    let account = finished.success()?;
    let text = fs::read_to_string(&path)?;
    let promtool = find_program("promtool").context("promtool")?;
    let said = given(&promtool, &["check", "metrics"], &text)?;
    assert_eq!(said, (Some(0), String::new(), String::new()), "{text}");
    let metrics = Metrics::parse(&text)?;
    check(&metrics, &account)?;
    let key = ["NO_SOCKET".to_owned()];
    assert_eq!(metrics.drops_by(["reason"])?.get(&key), Some(&89), "{text}");
    // It does find what is wrong.
    let wrong = text.replace("# TYPE dropwatch_drops_total counter\n", "");
    let wrong = wrong.replace("# HELP dropwatch_drops_total", "# HELP dropwatch_drops");
    let (status, ..) = given(&promtool, &["check", "metrics"], &wrong)?;
    assert_eq!(status, Some(3));
    Ok(())
}

#[test]
fn a_folder_that_cannot_be_written_is_told_of() -> Result<()> {
    need!(Root);
    let folder = TempDir::new()?;
    let run = |path: &Path| {
        Launch::new(&["top", &format!("--openmetrics={}", path.display()), "-n", "1"]).run()
    };
    let missing = folder.join("missing/drops.prom");
    let of_another = folder.join("other");
    fs::create_dir(&of_another)?;
    chown(&of_another, Some(65_534), None)?;
    for (path, cause) in
        [(missing, "No such file"), (of_another.join("drops.prom"), "Permission denied")]
    {
        let finished = run(&path)?;
        assert_eq!(finished.status.code(), Some(1), "{}", finished.stderr());
        let said = finished.stderr();
        let beside = format!("{}.tmp", path.display());
        ensure!(said.contains(cause) && said.contains(&beside), "{said}");
        assert!(!path.exists() && finished.stdout().is_empty());
    }
    Ok(())
}

#[test]
fn mistakes_are_named() -> Result<()> {
    for (args, word) in [
        (&["--openmetrics=/dev/null"][..], "/dev/null is not a regular file"),
        (&["--openmetrics=/tmp"], "/tmp is not a regular file"),
        (&["--openmetrics="], "--openmetrics"),
        (&["--openmetrics", "--prometheus"], "--prometheus"),
        (&["--openmetrics", "--hints"], "--hints"),
        (&["--openmetrics", "drops.prom"], "drops.prom"),
        (&["--hints", "--by", "protocol"], "--hints"),
        (&["--hints", "--without-reasons"], "--hints"),
    ] {
        let finished = Launch::new(&["top"]).args(args).run()?;
        assert_eq!(finished.status.code(), Some(2), "{args:?}: {}", finished.stderr());
        assert!(finished.stderr().contains(word), "{args:?}: {}", finished.stderr());
    }
    Ok(())
}

#[test]
fn tables_say_what_their_reasons_mean() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let args =
        ["top", "--batch", "--hints", "--interval", "300ms", "-n", "2", "--by", "flow,reason"];
    let dropwatch =
        Launch::new(&args).args(&["--l4", "udp", "--netns", namespace.name()]).start()?;
    namespace.run("dwt hints", || {
        udp::send(at(CLOSED_PORT), PAYLOAD, 3)?;
        udp::send(at(CLOSED_PORT + 1), PAYLOAD, 4)
    })?;
    let finished = dropwatch.wait()?;
    finished.success()?;
    let printed = finished.stdout();
    let last = printed.trim_end().rsplit("\n\n").next().context("a table")?;
    assert_eq!(Table::all(last)?[0].rows.len(), 2, "{printed}");
    let hints: Vec<_> = last.lines().filter(|line| line.contains("hint: ")).collect();
    let [hint] = hints[..] else { panic!("{printed}") };
    assert!(hint.starts_with("    hint: NO_SOCKET: No socket waits"), "{printed}");
    assert!(last.lines().skip_while(|line| *line != hint).all(|line| line.len() <= 100));
    Ok(())
}

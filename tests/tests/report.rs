//! Recordings: what was seen live can be told from them afterwards, and other tools read what is
//! made of them.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    net::{Ipv4Addr, Ipv6Addr},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use dropwatch_tests::{
    Finished, Launch, Mac, Namespace, Table, TempDir, exclusive, need, output,
    traffic::{CLOSED_PORT, frame, packet, tcp, udp},
};
use serde_json::Value;

/// Packets of several kinds that nobody wants.
fn unwanted(namespace: &Namespace) -> Result<()> {
    namespace.run("dwt report", || {
        udp::send((Ipv4Addr::LOCALHOST, CLOSED_PORT), 100, 20)?;
        udp::send((Ipv6Addr::LOCALHOST, CLOSED_PORT), 50, 10)?;
        tcp::connect_in_vain((Ipv4Addr::LOCALHOST, CLOSED_PORT), 3)?;
        let frame = frame::ethernet(Mac::default(), Mac::default(), 0xa001, &[7; 60]);
        packet::send("lo", &frame, 4)
    })
}

/// What a live run showed, and the file that it wrote.
fn record(folder: &TempDir, args: &[&str]) -> Result<(Finished, std::path::PathBuf)> {
    let namespace = Namespace::new()?;
    let path = folder.join("recording.json");
    let dropwatch = Launch::new(&["--json", "--netns", namespace.name()])
        .args(args)
        .into_file(&path)
        .start()?;
    unwanted(&namespace)?;
    let finished = dropwatch.interrupt()?;
    let account = finished.success()?;
    ensure!(account.shown >= 37, "{account:?}");
    Ok((finished, path))
}

/// Reports as somebody without any rights, who knows nothing of this machine.
fn report(path: &Path, args: &[&str]) -> Result<String> {
    let path = path.to_str().context("a path")?;
    let finished = Launch::new(&["report", path]).args(args).through(&NOBODY).run()?;
    ensure!(finished.status.success(), "{}", finished.stderr());
    Ok(finished.stdout())
}

const NOBODY: [&str; 5] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];

fn lines_of(path: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(path)?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

fn open_to_all(folder: &TempDir) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(folder.join(""), fs::Permissions::from_mode(0o777))?)
}

#[test]
fn a_report_has_the_summary_of_the_live_run() -> Result<()> {
    need!(Root, Program("ip"), Program("setpriv"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let folder = TempDir::new()?;
    open_to_all(&folder)?;
    let by = ["--by", "reason,location,protocol,interface,netns"];
    let (live, path) = record(&folder, &by)?;
    let table = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with("dropwatch:")).map(str::to_owned).collect()
    };
    assert_eq!(table(&report(&path, &by)?), table(&live.stderr()));

    // However it is compressed, and also where it comes in pieces.
    let whole = report(&path, &[])?;
    for (program, suffix) in [("gzip", "gz"), ("zstd", "zst")] {
        let Ok(compressed) = Command::new(program).arg("-c").arg(&path).output() else { continue };
        let copy = path.with_extension(suffix);
        fs::write(&copy, &compressed.stdout)?;
        assert_eq!(report(&copy, &[])?, whole, "{program}");
    }
    // A recording is the same again.
    assert_eq!(report(&path, &["--json"])?, fs::read_to_string(&path)?);
    Ok(())
}

#[test]
fn a_report_shows_the_text_of_the_live_run() -> Result<()> {
    need!(Root, Program("ip"), Program("setpriv"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let folder = TempDir::new()?;
    open_to_all(&folder)?;
    let namespace = Namespace::new()?;
    let path = folder.join("recording.json");
    let args = ["--netns", namespace.name(), "--stack"];
    let text = Launch::new(&args).args(&["--verbose-packet"]).start()?;
    let json = Launch::new(&args).args(&["--json"]).into_file(&path).start()?;
    unwanted(&namespace)?;
    let text = text.interrupt()?;
    json.interrupt()?.success()?;
    let columns = dropwatch_tests::FIELDS;
    let again = report(&path, &["--fields", columns, "--verbose-packet", "--stack"])?;
    // Of two tools one sees each drop after the other, and a stack has the frames of each.
    let comparable = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.contains("bpf_prog_"));
        lines.map(|line| line.get(15..).unwrap_or(line).to_owned()).collect()
    };
    assert_eq!(comparable(&again), comparable(&text.stdout()));
    Ok(())
}

#[test]
fn a_mistyped_reason_is_told() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let folder = TempDir::new()?;
    let (_, path) = record(&folder, &[])?;
    let path = path.to_str().context("a path")?;
    for (reason, words) in [
        ("NO_SOKET", Some("'NO_SOKET' is no drop reason that is known; did you mean NO_SOCKET?")),
        ("XYZZY*", Some("'XYZZY*' is no drop reason that is known\n")),
        ("NO_SOCKET", None),
        // Which other kernels have, or which has another number here.
        ("QDISC_DROP_OVERLIMIT,4711,!TCP_*", None),
    ] {
        let finished = Launch::new(&["report", path, "--reason", reason]).run()?;
        ensure!(finished.status.success(), "{}", finished.stderr());
        let said = finished.stderr();
        match words {
            Some(words) => assert!(said.contains(words), "{reason}: {said}"),
            None => assert!(!said.contains("no drop reason"), "{reason}: {said}"),
        }
    }
    Ok(())
}

#[test]
fn filters_choose_from_a_recording_as_the_kernel_does() -> Result<()> {
    need!(Root, Program("ip"), Program("setpriv"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let folder = TempDir::new()?;
    open_to_all(&folder)?;
    let (_, path) = record(&folder, &[])?;
    let all = lines_of(&path)?;
    let count = |wanted: &dyn Fn(&Value) -> bool| all.iter().filter(|drop| wanted(drop)).count();
    let l4 = |drop: &Value| drop["packet"]["l4"]["name"].as_str().map(str::to_owned);
    type Wanted<'a> = &'a dyn Fn(&Value) -> bool;
    let cases: [(&[&str], Wanted<'_>); 11] = [
        (&["--l4", "udp"], &|drop| l4(drop).as_deref() == Some("UDP")),
        (&["--l4", "!udp"], &|drop| l4(drop).as_deref() != Some("UDP")),
        (&["--protocol", "ip6"], &|drop| drop["protocol"]["name"] == "IPv6"),
        (&["--protocol", "0xa001"], &|drop| drop["protocol"]["raw"] == 0xa001),
        (&["--reason", "NO_SOCKET", "--dport", "9"], &|drop| {
            drop["reason"]["name"] == "NO_SOCKET" && drop["packet"]["destination_port"] == 9
        }),
        (&["--reason", "!NO_SOCKET"], &|drop| drop["reason"]["name"] != "NO_SOCKET"),
        (&["--host", "127.0.0.0/8"], &|drop| drop["protocol"]["name"] == "IPv4"),
        (&["--src", "::1"], &|drop| drop["packet"]["source"] == "::1"),
        (&["--function", "tcp_*"], &|drop| {
            drop["location"]["symbol"].as_str().is_some_and(|name| name.starts_with("tcp_"))
        }),
        (&["--interface", "l*", "--min-len", "100"], &|drop| {
            drop["device"]["name"] == "lo" && drop["len"].as_u64() >= Some(100)
        }),
        (&["--comm", "no such task"], &|_| false),
    ];
    for (args, wanted) in cases {
        let kept = report(&path, &[args, &["--json"]].concat())?.lines().count();
        assert_eq!(kept, count(wanted), "{args:?}");
    }
    assert!(count(&|drop| l4(drop).as_deref() == Some("UDP")) >= 30);
    for args in [&["--sample", "1/2"][..], &["--rate-limit", "1"], &["--netns", "pid:1"]] {
        let path = path.to_str().context("a path")?;
        let finished = Launch::new(&["report", path]).args(args).run()?;
        assert_eq!(finished.status.code(), Some(2), "{args:?}: {}", finished.stderr());
    }
    Ok(())
}

#[test]
fn tshark_reads_the_capture_and_its_comments() -> Result<()> {
    need!(Root, Program("ip"), Program("setpriv"), Program("tshark"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let folder = TempDir::new()?;
    open_to_all(&folder)?;
    let (live, later) = (folder.join("live.pcapng"), folder.join("later.pcapng"));
    let (live, later) = (live.to_str().context("a path")?, later.to_str().context("a path")?);
    let (_, path) = record(&folder, &["--stack", "--write", live])?;
    report(&path, &["--write", later])?;
    let drops = lines_of(&path)?;
    for capture in [live, later] {
        let fields = [
            "frame.interface_name",
            "frame.interface_description",
            "frame.comment",
            "frame.len",
            "frame.time_epoch",
            "ip.dst",
            "ipv6.dst",
            "udp.dstport",
            "eth.type",
        ];
        let mut args =
            vec!["-r", capture, "-T", "fields", "-E", "separator=|", "-E", "occurrence=f"];
        fields.iter().for_each(|field| args.extend(["-e", field]));
        let rows = output("tshark", &args)?;
        let rows: Vec<Vec<&str>> = rows.lines().map(|row| row.split('|').collect()).collect();
        assert_eq!(rows.len(), drops.len(), "{capture}");
        for (row, drop) in rows.iter().zip(&drops) {
            assert_eq!(row[0], drop["device"]["name"].as_str().unwrap_or("unknown"), "{row:?}");
            let netns = drop["netns"]["inode"].to_string();
            assert!(row[1].contains(&netns), "{row:?}");
            let reason = drop["reason"]["name"].as_str().context("a name")?;
            let function = drop["location"]["symbol"].as_str().context("a function")?;
            assert!(row[2].starts_with(&format!("{reason} at {function}+0x")), "{row:?}");
            let outermost = drop["stack"].as_array().and_then(|stack| stack.last());
            let outermost = outermost.and_then(|it| it["symbol"].as_str()).context("a stack")?;
            assert!(row[2].contains(outermost), "{row:?}");
            let packet = &drop["packet"];
            let destination = packet["destination"].as_str().unwrap_or_default();
            assert_eq!([row[5], row[6]].concat(), destination, "{row:?}");
            if packet["l4"]["name"] == "UDP" {
                assert_eq!(row[7], packet["destination_port"].to_string(), "{row:?}");
                let total = packet["ipv4"]["total_length"].as_u64();
                let total = total.or(packet["ipv6"]["payload_length"].as_u64().map(|it| it + 40));
                assert_eq!(row[3].parse::<u64>().ok(), total.map(|it| it + 14), "{row:?}");
            }
            if drop["protocol"]["raw"] == 0xa001 {
                assert_eq!(row[8], "0xa001", "{row:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn stacks_are_folded_by_reason() -> Result<()> {
    need!(Root, Program("ip"), Program("setpriv"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let folder = TempDir::new()?;
    open_to_all(&folder)?;
    let svg = folder.join("flames.svg");
    let (_, path) = record(&folder, &["--stack", "--flamegraph", svg.to_str().context("a path")?])?;
    let mut counted = BTreeMap::new();
    for drop in lines_of(&path)? {
        let reason = drop["reason"]["name"].as_str().context("a name")?.to_owned();
        let leaf = drop["location"]["symbol"].as_str().context("a function")?.to_owned();
        *counted.entry((reason, leaf)).or_insert(0_u64) += 1;
    }
    let mut folded = BTreeMap::new();
    for line in report(&path, &["--folded"])?.lines() {
        let (stack, count) = line.rsplit_once(' ').context("a count")?;
        let mut frames = stack.split(';');
        let reason = frames.next().context("a reason")?.to_owned();
        let leaf = frames.next_back().context("a frame")?.to_owned();
        assert!(stack.matches(';').count() > 5, "{line}");
        *folded.entry((reason, leaf)).or_insert(0_u64) += count.parse::<u64>()?;
    }
    assert_eq!(folded, counted);
    let svg = fs::read_to_string(svg)?;
    assert!(svg.contains("<svg") && svg.contains("Dropped packets by reason"));
    for (reason, leaf) in counted.keys() {
        assert!(svg.contains(reason.as_str()) && svg.contains(leaf.as_str()), "{reason} {leaf}");
    }
    Ok(())
}

#[test]
fn live_stacks_are_folded_too() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let args = ["--folded", "--netns", namespace.name(), "--l4", "udp"];
    let dropwatch = Launch::new(&args).start()?;
    namespace.run("dwt folded", || udp::send((Ipv4Addr::LOCALHOST, CLOSED_PORT), 100, 77))?;
    let finished = dropwatch.interrupt()?;
    assert_eq!(finished.success()?.shown, 77);
    let counts = finished
        .stdout()
        .lines()
        .map(|line| -> Result<u64> {
            assert!(line.starts_with("NO_SOCKET;"), "{line}");
            Ok(line.rsplit_once(' ').context("a count")?.1.parse()?)
        })
        .sum::<Result<u64>>()?;
    assert_eq!(counts, 77);
    Ok(())
}

#[test]
fn what_was_cut_off_is_read_up_to_there() -> Result<()> {
    need!(Root, Program("ip"), Program("gzip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let folder = TempDir::new()?;
    let (_, path) = record(&folder, &[])?;
    let bytes = fs::read(&path)?;
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    let cut = folder.join("cut.json");
    // In the last line, and at the end of a line.
    let last_begin =
        bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').context("lines")?;
    for (len, whole, says) in [
        (bytes.len() - 20, lines - 1, true),
        (last_begin + 2, lines - 1, true),
        (last_begin + 1, lines - 1, false),
        (bytes.len() - 1, lines, false),
    ] {
        fs::write(&cut, &bytes[..len])?;
        let finished = Launch::new(&["report", "--json", cut.to_str().context("a path")?]).run()?;
        assert!(finished.status.success(), "{}", finished.stderr());
        assert_eq!(finished.stdout().lines().count(), whole, "{len}");
        let said = format!("is cut off after line {whole} ");
        assert_eq!(finished.stderr().contains(&said), says, "{}", finished.stderr());
    }

    let packed = Command::new("gzip").arg("-c").arg(&path).output()?.stdout;
    fs::write(&cut, &packed[..packed.len() - 12])?;
    let finished = Launch::new(&["report", cut.to_str().context("a path")?]).run()?;
    assert!(finished.status.success() && finished.stderr().contains("is cut off after line"));

    // What is damaged in the middle costs no other line.
    let mut damaged = bytes.clone();
    damaged.splice(last_begin + 1..last_begin + 9, *b"garbage\n");
    fs::write(&cut, [&damaged[..last_begin + 9], &bytes[..]].concat())?;
    let finished = Launch::new(&["report", "--json", cut.to_str().context("a path")?]).run()?;
    assert_eq!(finished.stdout().lines().count(), 2 * lines - 1, "{}", finished.stderr());
    assert!(finished.stderr().contains("is no drop"), "{}", finished.stderr());
    Ok(())
}

#[test]
fn what_is_no_recording_is_an_error() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.join("file");
    for (content, message) in [
        (&b"root:x:0:0\n"[..], "this is no recording"),
        (b"{\"version\":2}\n", "this is no recording"),
        (b"\xfd7zXZ\0\0\0", "xz -dc"),
        (b"\x1f\x8bgarbage", "is cut off"),
    ] {
        fs::write(&file, content)?;
        let finished = Launch::new(&["report", file.to_str().context("a path")?]).run()?;
        assert!(finished.stderr().contains(message), "{}", finished.stderr());
    }
    for (path, message) in [("/no/such/file", "cannot open"), ("/proc", "is a folder")] {
        let finished = Launch::new(&["report", path]).run()?;
        assert_eq!(finished.status.code(), Some(1));
        assert!(finished.stderr().contains(message), "{}", finished.stderr());
    }
    let finished = Launch::new(&["report"]).run()?;
    assert_eq!(finished.status.code(), Some(2));
    Ok(())
}

#[test]
fn standard_input_is_a_recording_too() -> Result<()> {
    let binary = dropwatch_tests::dropwatch();
    let mut child = Command::new(binary)
        .args(["report", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../dropwatch-cli/tests/golden/drops.json");
    let mut stdin = child.stdin.take().context("a pipe")?;
    stdin.write_all(&fs::read(path)?)?;
    drop(stdin);
    let output = child.wait_with_output()?;
    let tables = Table::all(&String::from_utf8(output.stdout)?)?;
    assert!(tables[0].sum()? > 5);
    Ok(())
}

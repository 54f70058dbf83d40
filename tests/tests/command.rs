//! Tracing while a program runs, and what makes that a failure.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Output, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context, Result};
use dropwatch_tests::{Account, Namespace, Table, TempDir, dropwatch, exclusive, need};

/// Runs dropwatch with a program that is run in the namespace by a shell.
fn run(namespace: &Namespace, args: &[&str], script: &str) -> Result<Output> {
    let mut command = Command::new(dropwatch());
    command.args(["--netns", namespace.name()]).args(args).arg("--");
    command.args(["ip", "netns", "exec", namespace.name(), "sh", "-c", script]);
    command.stdin(Stdio::null()).output().context("cannot start dropwatch")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// So many datagrams to a closed port, one from each socket.
fn datagrams(count: u32) -> String {
    format!("for i in $(seq {count}); do bash -c 'echo x > /dev/udp/127.0.0.1/9'; done")
}

#[test]
fn the_summary_is_of_what_happened_meanwhile() -> Result<()> {
    need!(Root, Program("ip"), Program("bash"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let script = format!("{}; echo its own words", datagrams(7));
    let output = run(&namespace, &["--l4", "udp", "--by", "reason"], &script)?;
    let stderr = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "its own words\n");
    let tables = Table::all(&stderr)?;
    let totals = tables.first().context("a table")?.totals(["REASON"])?;
    assert_eq!(totals.get(&["NO_SOCKET".to_owned()]), Some(&7), "{stderr}");
    assert_eq!(Account::find(&stderr)?.counted, 7, "{stderr}");
    Ok(())
}

#[test]
fn the_status_is_passed_on() -> Result<()> {
    need!(Root, Program("ip"), Program("bash"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let drops = datagrams(3);
    for (args, script, status) in [
        (&[][..], "exit 0", 0),
        (&[], "exit 7", 7),
        (&[], "exit 255", 255),
        (&[], "kill -TERM $$", 128 + 15),
        (&["--fail-on", "NO_SOCKET"], &drops, 3),
        (&["--fail-on", "NO_SOCKET:2"], &drops, 3),
        (&["--fail-on", "NO_SOCKET:3"], &drops, 0),
        (&["--fail-on", "TCP_*", "--fail-on", "no_socket"], &drops, 3),
        (&["--fail-on", "TCP_*"], &drops, 0),
        // What went wrong by itself says more.
        (&["--fail-on", "NO_SOCKET"], &format!("{drops}; exit 9"), 9),
    ] {
        let output = run(&namespace, args, script)?;
        let stderr = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{args:?} {script}: {stderr}");
        let says = stderr.contains("dropwatch: --fail-on ");
        assert_eq!(says, status == 3 || status == 9, "{args:?} {script}: {stderr}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_started_is_told_as_a_shell_does() -> Result<()> {
    need!(Root);
    let _turn = exclusive();
    for (program, status) in [("no-such-program-anywhere", 127), ("/dev/null", 126)] {
        let output = Command::new(dropwatch()).args(["--", program]).output()?;
        assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
        assert!(stderr(&output).contains(&format!("cannot start {program}")));
    }
    for args in
        [&["--json", "--", "true"][..], &["--stack", "--", "true"], &["--count=1", "--", "true"]]
    {
        let output = Command::new(dropwatch()).args(args).output()?;
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
    }
    // An empty variable of a script, after which dropwatch must not trace for ever.
    let output = Command::new(dropwatch()).args(["--summary", "--"]).output()?;
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("no COMMAND behind --"), "{}", stderr(&output));
    let output =
        Command::new(dropwatch()).args(["--fail-on", "NO_SUCH_REASON", "--", "true"]).output()?;
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    Ok(())
}

#[test]
fn signals_are_for_the_program() -> Result<()> {
    need!(Root);
    let _turn = exclusive();
    let folder = TempDir::new()?;
    let ready = folder.join("ready");
    let script =
        format!("trap 'exit 5' TERM; touch {}; while :; do sleep 0.1; done", ready.display());
    let child = Command::new(dropwatch())
        .args(["--", "sh", "-c", &script])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    while !ready.exists() {
        sleep(Duration::from_millis(10));
    }
    // SAFETY: the call takes two integers; the process is our child.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    let output = child.wait_with_output()?;
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(Account::find(&stderr(&output)).is_ok());
    Ok(())
}

#[test]
fn what_is_usual_is_taken_off() -> Result<()> {
    need!(Root, Program("ip"), Program("bash"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let folder = TempDir::new()?;
    let path = folder.join("usual.json");
    let usual = path.to_str().context("a path")?;
    let output = run(&namespace, &["--l4", "udp", "--json", "--output", usual], &datagrams(4))?;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(lines(&path)?, 4);

    let args = ["--l4", "udp", "--baseline", usual, "--fail-on", "NO_SOCKET", "--by", "reason"];
    let output = run(&namespace, &args, &datagrams(4))?;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("; 4 usual (--baseline)"), "{}", stderr(&output));
    let output = run(&namespace, &args, &datagrams(6))?;
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let table = Table::all(&stderr(&output))?.pop().context("a table")?;
    assert_eq!(table.totals(["REASON"])?.get(&["NO_SOCKET".to_owned()]), Some(&2));
    Ok(())
}

/// A socket pair of which one end is closed with a message in it.
const UNREAD: &str = "python3 -c 'import socket; a, b = socket.socketpair(1, 2); a.send(b\"x\")'";

#[test]
fn what_is_harmless_is_left_out_where_that_is_asked_for() -> Result<()> {
    need!(Root, Program("ip"), Program("bash"), Program("python3"), Reason("SOCKET_CLOSE"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let script = format!("{}; {UNREAD}", datagrams(3));
    let run = |args: &[&str]| -> Result<(Output, Account)> {
        // UNIX sockets belong to the namespace that made them.
        let output = run(&namespace, &[args, &["--by", "reason"]].concat(), &script)?;
        let account = Account::find(&stderr(&output))?;
        Ok((output, account))
    };
    let (output, account) = run(&["--hints"])?;
    assert!(stderr(&output).contains("SOCKET_CLOSE"), "{}", stderr(&output));
    assert!(stderr(&output).contains("hint: NO_SOCKET: "), "{}", stderr(&output));
    assert!(account.counted >= 4, "{account:?}");
    let (output, account) = run(&["--no-noise", "--hints", "--fail-on", "SOCKET_CLOSE"])?;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!stderr(&output).contains("SOCKET_CLOSE"), "{}", stderr(&output));
    assert!(stderr(&output).contains("hidden by --no-noise"), "{}", stderr(&output));
    assert!(stderr(&output).contains("hint: NO_SOCKET: "), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
    assert_eq!(account.shown, 3, "{account:?}");
    Ok(())
}

#[test]
fn folded_stacks_go_to_the_file_of_the_drops() -> Result<()> {
    need!(Root, Program("ip"), Program("bash"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let folder = TempDir::new()?;
    let path = folder.join("folded");
    let args = ["--l4", "udp", "--folded", "--output", path.to_str().context("a path")?];
    let output = run(&namespace, &args, &format!("{}; echo its own words", datagrams(3)))?;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "its own words\n");
    let folded = fs::read_to_string(&path)?;
    let counts = folded.lines().filter_map(|line| line.rsplit_once(' '));
    let total: u32 = counts.map(|(_, count)| count.parse::<u32>()).sum::<Result<_, _>>()?;
    assert!(total == 3 && folded.starts_with("NO_SOCKET;"), "{folded}");
    Ok(())
}

#[test]
fn a_capture_is_written_meanwhile() -> Result<()> {
    need!(Root, Program("ip"), Program("bash"), Program("tshark"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let folder = TempDir::new()?;
    let capture = folder.join("drops.pcapng");
    let capture = capture.to_str().context("a path")?;
    let output = run(&namespace, &["--l4", "udp", "--write", capture], &datagrams(5))?;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
    let account = Account::find(&stderr(&output))?;
    assert_eq!((account.shown, account.lost), (5, 0), "{account:?}");
    assert_eq!(dropwatch_tests::output("tshark", &["-r", capture])?.lines().count(), 5);
    Ok(())
}

fn lines(path: &Path) -> Result<usize> {
    Ok(fs::read_to_string(path)?.lines().count())
}

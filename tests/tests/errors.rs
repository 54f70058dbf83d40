//! The errors that a newcomer meets: each names the cause and the remedy.

// Only the way of making BTF is shared with the tests of the library.
#[path = "../../dropwatch-cli/tests/support/mod.rs"]
mod support;

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use dropwatch_tests::{
    Finished, Launch, Namespace, Reasons, Stack,
    confined::{as_nobody, behind, copy_for_anyone},
    exclusive, need,
    need::kernel_tells_reasons,
    traffic::{CLOSED_PORT, udp},
};

use support::{
    builder::{Builder, kind},
    file, kernels,
};

const FAILED: i32 = 1;
const USAGE: i32 = 2;
/// Ends by itself where nothing is wrong.
const SHORT: [&str; 4] = ["--reason", "TAP_FILTER", "--duration", "0.1"];
const KNOWN_REASONS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../dropwatch-cli/src/kernel/known_reasons.txt");

/// Runs to an error of this status, whose message has these words, and gives the message.
fn error_of(launch: Launch, status: i32, words: &[&str]) -> Result<String> {
    let finished = launch.env("RUST_BACKTRACE", "1").run()?;
    let message = finished.stderr();
    assert_eq!(finished.status.code(), Some(status), "{message}");
    assert_eq!(finished.stdout(), "", "{message}");
    assert!(message.starts_with("dropwatch: "), "{message}");
    assert!(finished.stderr.len() <= 2, "{message}");
    assert!(!message.trim_end().ends_with('.'), "{message}");
    for never in ["backtrace", "panicked", "RUST_", "src/"] {
        assert!(!message.contains(never), "{message}");
    }
    for word in words {
        assert!(message.contains(word), "no {word:?} in: {message}");
    }
    Ok(message)
}

/// A launch on a kernel whose BTF consists of these bytes.
fn with_kernel_btf(bytes: &[u8], status: i32, words: &[&str]) -> Result<String> {
    let btf = file(bytes);
    let launch = behind("mount --bind \"$1\" /sys/kernel/btf/vmlinux", &[&btf], &SHORT);
    error_of(launch, status, words)
}

#[test]
fn without_root_it_names_what_is_missing() -> Result<()> {
    need!(Root, Program("setpriv"), Reasons);
    let (_folder, binary) = copy_for_anyone()?;
    error_of(as_nobody(&binary, "", &[]), FAILED, &["CAP_BPF", "CAP_PERFMON", "sudo"])?;
    let message = error_of(as_nobody(&binary, "+bpf", &[]), FAILED, &["CAP_PERFMON", "sudo"])?;
    assert!(!message.contains("CAP_BPF"), "{message}");
    let message = error_of(as_nobody(&binary, "+perfmon", &[]), FAILED, &["CAP_BPF", "sudo"])?;
    assert!(!message.contains("CAP_PERFMON"), "{message}");
    // Of no use here, although they are much.
    error_of(as_nobody(&binary, "+net_admin,+syslog", &[]), FAILED, &["CAP_BPF", "CAP_PERFMON"])?;
    Ok(())
}

#[test]
fn two_capabilities_are_enough() -> Result<()> {
    need!(Root, Program("setpriv"), Reason("TAP_FILTER"));
    let _turn = exclusive();
    let (_folder, binary) = copy_for_anyone()?;
    as_nobody(&binary, "+bpf,+perfmon", &SHORT).run()?.success()?;
    as_nobody(&binary, "+bpf,+perfmon", &SHORT).args(&["--stack"]).run()?.success()?;
    Ok(())
}

#[test]
fn listing_reasons_needs_no_rights() -> Result<()> {
    need!(Root, Program("setpriv"), Reasons);
    let (_folder, binary) = copy_for_anyone()?;
    let finished = as_nobody(&binary, "", &["list-reasons", "NO_SOCKET"]).run()?;
    assert!(finished.status.success(), "{}", finished.stderr());
    assert!(finished.stdout().contains("NO_SOCKET"));
    Ok(())
}

#[test]
fn an_unknown_reason_is_a_usage_error_for_anyone() -> Result<()> {
    need!(Root, Program("setpriv"), Reason("NO_SOCKET"));
    let (_folder, binary) = copy_for_anyone()?;
    let wrong = ["--reason", "NO_SOKET"];
    let words = ["NO_SOKET", "did you mean NO_SOCKET", "list-reasons"];
    error_of(Launch::new(&wrong), USAGE, &words)?;
    error_of(as_nobody(&binary, "", &wrong), USAGE, &words)?;
    error_of(Launch::new(&["--reason", "NO_SOCKET,"]), USAGE, &["--reason", "empty"])?;
    error_of(Launch::new(&["--reason", "3,!3"]), USAGE, &["--reason", "excludes everything"])?;
    error_of(Launch::new(&["explain", "NO_SOKET"]), USAGE, &words)?;
    error_of(Launch::new(&["explain"]), USAGE, &["needs a reason", "dropwatch explain NO_SOCKET"])?;
    error_of(Launch::new(&["list-reasons", "NO_SOKET"]), FAILED, &["did you mean NO_SOCKET"])?;
    Ok(())
}

/// A name of a core reason that some kernel has and the running one has not.
fn name_of_another_kernel() -> Result<Option<String>> {
    let table = fs::read_to_string(KNOWN_REASONS)?;
    let names = table.lines().filter(|line| !line.starts_with(['#', 'k']));
    let names = names.filter_map(|line| line.split_once(' ')).map(|(name, _)| name);
    let reasons = Reasons::of_kernel()?;
    // Those of modules are missing for another cause.
    let module = |name: &&str| name.starts_with("OVS_") || name.starts_with("RX_");
    let mut names = names.filter(|name| !module(name));
    Ok(names.find(|name| reasons.number(name).is_none()).map(str::to_owned))
}

#[test]
fn a_reason_of_another_kernel_is_known_as_such() -> Result<()> {
    need!(Root, Program("bpftool"), Reasons);
    let name = name_of_another_kernel()?.context("this kernel has all reasons of all kernels")?;
    let words = [name.as_str(), "this kernel has no", "other kernels", "list-reasons"];
    error_of(Launch::new(&["--reason", &name]), USAGE, &words)?;
    Ok(())
}

#[test]
fn without_btf() -> Result<()> {
    need!(Root, Program("unshare"), Program("setpriv"), Reason("TAP_FILTER"));
    let turn = exclusive();
    // Not every machine has tracefs mounted, and where it is it cannot be mounted again.
    let no_btf = "{ mount -t tracefs none /sys/kernel/tracing 2>/dev/null; true; } && \
                  mount -t tmpfs none /sys/kernel/btf";
    let finished = behind(no_btf, &[], &SHORT).run()?;
    finished.success()?;
    let notices: Vec<_> =
        finished.stderr.iter().filter(|line| line.text.contains("without BTF")).collect();
    assert_eq!(notices.len(), 1, "{}", finished.stderr());
    drop(turn);

    let listed = behind(no_btf, &[], &["list-reasons"]).run()?;
    assert!(listed.status.success() && listed.stderr().contains("no BTF"), "{}", listed.stderr());
    assert!(listed.stdout().contains(" TAP_FILTER "), "{}", listed.stdout());
    assert!(!listed.stdout().contains(" MAX "), "{}", listed.stdout());

    // Within debugfs it is a second time, where that is mounted.
    let nothing = format!(
        "{no_btf} && mount -t tmpfs none /sys/kernel/tracing && \
         {{ mount -t tmpfs none /sys/kernel/debug 2>/dev/null; true; }}"
    );
    error_of(behind(&nothing, &[], &SHORT), FAILED, &["tracefs", "mount -t tracefs"])?;

    let (_folder, binary) = copy_for_anyone()?;
    let user = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    let script = format!("{no_btf} && exec {user} \"$@\"");
    let as_user = Launch::new(&SHORT).binary(binary);
    let as_user = as_user.through(&["unshare", "--mount", "sh", "-c", &script, "sh"]);
    error_of(as_user, FAILED, &["sudo"])?;
    Ok(())
}

#[test]
fn damaged_btf() -> Result<()> {
    need!(Root, Program("unshare"), Reasons);
    let whole = kernels::vmlinux("6.12").bytes();
    let path = "/sys/kernel/btf/vmlinux";
    with_kernel_btf(b"", FAILED, &[path, "not BTF"])?;
    with_kernel_btf(&whole[..whole.len() / 2], FAILED, &[path, "truncated or damaged"])?;
    with_kernel_btf(&[0; 1 << 16], FAILED, &[path, "not BTF"])?;
    let module = kernels::module("6.12", "openvswitch", &kernels::vmlinux("6.12"));
    with_kernel_btf(&module.bytes(), FAILED, &[path, "module"])?;
    Ok(())
}

#[test]
fn kernels_that_dropwatch_cannot_serve() -> Result<()> {
    need!(Root, Program("unshare"), Reasons);
    let mut none = Builder::new();
    none.int("int");
    with_kernel_btf(&none.bytes(), FAILED, &["tracepoint skb:kfree_skb", "CONFIG_"])?;

    let mut no_fields = Builder::new();
    let skb = no_fields.aggregate(kind::STRUCT, "sk_buff", &[]);
    let reason = no_fields.enumeration("skb_drop_reason", false, &[]);
    let (void, skb) = (no_fields.pointer(0), no_fields.pointer(skb));
    kernels::tracepoint(&mut no_fields, "kfree_skb", &[void, skb, void, reason]);
    with_kernel_btf(&no_fields.bytes(), FAILED, &["sk_buff", "BTF"])?;
    Ok(())
}

/// The running one, or where that has reasons, one that looks as if it had none.
#[test]
fn a_kernel_without_reasons() -> Result<()> {
    need!(Root, Program("unshare"));
    let btf = file(&kernels::vmlinux("5.10").bytes());
    let bind = match kernel_tells_reasons() {
        true => "mount --bind \"$1\" /sys/kernel/btf/vmlinux",
        false => "true",
    };
    for (args, offer) in [
        (&[][..], &["newer kernel", "--without-reasons"][..]),
        (&["--reason", "NO_SOCKET", "--stack"], &["newer kernel", "--without-reasons"]),
        (&["list-reasons"], &["--btf FILE"]),
        (&["list-reasons", "NO_SOCKET"], &["--btf FILE"]),
    ] {
        let message = error_of(behind(bind, &[&btf], args), FAILED, offer)?;
        assert!(message.contains("5.17"), "{message}");
    }
    Ok(())
}

#[test]
fn btf_of_another_kernel_is_not_taken_for_this_ones() -> Result<()> {
    need!(Root, Program("unshare"), Reasons);
    // The tracepoint has another id there: the kernel refuses the program, whatever it was.
    let other = file(&kernels::vmlinux("6.12").bytes());
    let bind = "mount --bind \"$1\" /sys/kernel/btf/vmlinux";
    let launch = behind(bind, &[&other], &["--duration", "0.1"]);
    error_of(launch, FAILED, &["refused", "BPF program"])?;
    Ok(())
}

#[test]
fn lockdown() -> Result<()> {
    need!(Root, Program("unshare"), Path("/sys/kernel/security"), Reason("TAP_FILTER"));
    let _turn = exclusive();
    let mode = |text: &str| {
        format!(
            "mount -t tmpfs none /sys/kernel/security && echo '{text}' >/sys/kernel/security/lockdown"
        )
    };
    let confidential = mode("none integrity [confidentiality]");
    error_of(behind(&confidential, &[], &SHORT), FAILED, &["locked down", "lockdown=integrity"])?;
    // The other mode forbids nothing that dropwatch does.
    behind(&mode("none [integrity] confidentiality"), &[], &SHORT).run()?.success()?;
    Ok(())
}

/// A setting of the kernel, until this goes.
struct Setting {
    path: PathBuf,
    before: String,
}

impl Setting {
    fn new(name: &str, value: &str) -> Result<Self> {
        let path = Path::new("/proc/sys").join(name);
        let before = fs::read_to_string(&path)?;
        fs::write(&path, value).with_context(|| format!("cannot set {name}"))?;
        Ok(Self { path, before })
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        if let Err(error) = fs::write(&self.path, &self.before) {
            eprintln!("cannot set {} back: {error}", self.path.display());
        }
    }
}

/// Runs until this test's own drop is shown: its location, its stack and the notices.
fn one_drop(launch: Launch) -> Result<(Finished, Vec<String>)> {
    let namespace = Namespace::new()?;
    let running = launch.args(&["--reason", "NO_SOCKET", "--stack"]).start()?;
    namespace.run("dwt errors", || udp::send((Ipv4Addr::LOCALHOST, CLOSED_PORT), 100, 1))?;
    running.lines(3, Duration::from_secs(10));
    let finished = running.interrupt()?;
    finished.success()?;
    let events = finished.events()?;
    let own = events.iter().find(|event| event.pid == process::id()).context("no own drop")?;
    ensure!(own.location.offset != 0 && matches!(own.stack, Some(Stack::Frames(..))), "{own:?}");
    let functions = events.iter().map(|event| event.location.function.clone()).collect();
    Ok((finished, functions))
}

#[test]
fn hidden_addresses_are_told_once_and_shown_as_numbers() -> Result<()> {
    need!(Root, Program("setpriv"), Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let (_folder, binary) = copy_for_anyone()?;
    let _setting = Setting::new("kernel/kptr_restrict", "1")?;

    let (finished, functions) = one_drop(as_nobody(&binary, "+bpf,+perfmon", &[]))?;
    assert!(functions.iter().all(String::is_empty), "{functions:?}");
    let notices: Vec<_> =
        finished.stderr.iter().filter(|line| line.text.contains("kptr_restrict")).collect();
    assert_eq!(notices.len(), 1, "{}", finished.stderr());
    assert!(notices[0].text.contains("CAP_SYSLOG"), "{}", finished.stderr());
    assert_eq!(finished.notices(), 2, "notice and account: {}", finished.stderr());

    // With what the notice asks for there is none.
    let (finished, functions) = one_drop(as_nobody(&binary, "+bpf,+perfmon,+syslog", &[]))?;
    assert!(functions.iter().all(|function| !function.is_empty()), "{functions:?}");
    assert_eq!(finished.notices(), 1, "{}", finished.stderr());

    // At 2 nobody sees addresses, root neither.
    let _higher = Setting::new("kernel/kptr_restrict", "2")?;
    let (finished, functions) = one_drop(Launch::new::<&str>(&[]))?;
    assert!(functions.iter().all(String::is_empty), "{functions:?}");
    assert!(finished.stderr().contains("at most 1"), "{}", finished.stderr());
    Ok(())
}

#[test]
fn little_locked_memory_is_enough() -> Result<()> {
    need!(Root, Program("prlimit"), Program("setpriv"));
    let _turn = exclusive();
    let short = ["--without-reasons", "--duration", "0.1"];
    let limit = ["prlimit", "--memlock=65536:65536"];
    Launch::new(&short).through(&limit).run()?.success()?;
    let (_folder, binary) = copy_for_anyone()?;
    let none = "ulimit -l 0 && exec setpriv --reuid=65534 --regid=65534 --clear-groups \
                --inh-caps=-all,+bpf,+perfmon --ambient-caps=-all,+bpf,+perfmon \"$@\"";
    let launch = Launch::new(&short).binary(binary).through(&["sh", "-c", none, "sh"]);
    // Who may not raise the limit needs none either, but for kernels before 5.11, of which none
    // tells reasons.
    match kernel_tells_reasons() {
        true => drop(launch.run()?.success()?),
        false => drop(error_of(launch, FAILED, &["locked memory", "ulimit -l"])?),
    }
    Ok(())
}

#[test]
fn arguments_without_a_meaning() -> Result<()> {
    for (args, words) in [
        (&["--duration", "never"][..], &["--duration", "never", "10s"][..]),
        (&["--duration", "0"], &["--duration"]),
        (&["--buffer-size", "10M"], &["--buffer-size", "power of two", "16777216"]),
        (&["--buffer-size", "1K"], &["--buffer-size", "64K"]),
        (&["--buffer-size", "much"], &["--buffer-size", "much", "8M"]),
    ] {
        error_of(Launch::new(args), USAGE, words)?;
    }
    Ok(())
}

#[test]
fn arguments_that_there_are_not() -> Result<()> {
    for (args, word) in [
        (&["--reasons", "NO_SOCKET"][..], "'--reason'"),
        (&["--count", "0"], "--count"),
        (&["--count", "-1"], "-1"),
        (&["--count", "many"], "many"),
        (&["--color", "sometimes"], "always"),
        (&["--stack=sideways"], "sideways"),
        (&["--fields", "time", "--reason"], "--reason"),
        (&["list-reasons", "--count", "3"], "--count"),
        (&["--count", "3", "list-reasons"], "list-reasons"),
        (&["NO_SOCKET"], "NO_SOCKET"),
        (&["list-reason"], "'list-reasons'"),
    ] {
        let finished = Launch::new(args).run()?;
        let message = finished.stderr();
        assert_eq!(finished.status.code(), Some(USAGE), "{args:?}: {message}");
        assert_eq!(finished.stdout(), "", "{args:?}");
        assert!(message.starts_with("error: ") && message.contains("--help"), "{message}");
        assert!(message.contains(word), "no {word:?} in: {message}");
    }
    Ok(())
}

//! `dropwatch doctor`: each thing that can be missing is found, and named with its remedy; and
//! where it says that dropwatch can trace, it can.

// Only the way of making BTF is shared with the tests of the library.
#[path = "../../dropwatch-cli/tests/support/mod.rs"]
mod support;

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use anyhow::{Context, Result};
use dropwatch_tests::{
    Launch, TempDir, as_thread,
    confined::{as_nobody, behind, copy_for_anyone},
    exclusive, need,
    need::{kernel_tells_reasons, kernel_tells_receivers},
    seccomp,
};
use serde_json::Value;

use support::{file, kernels};

const DOCTOR: [&str; 2] = ["doctor", "--json"];

/// What the doctor found.
struct Report(Value);

impl Report {
    /// Runs it, and makes sure that its exit status and its findings agree.
    fn of(launch: Launch) -> Result<Self> {
        let finished = launch.run()?;
        assert!(finished.stderr.is_empty(), "{}", finished.stderr());
        let report = Self(serde_json::from_str(&finished.stdout())?);
        let failures = report.with_state("failure");
        let status = i32::from(!failures.is_empty());
        assert_eq!(finished.status.code(), Some(status), "{:#}", report.0);
        assert_eq!(report.0["fit"], failures.is_empty(), "{:#}", report.0);
        for check in report.checks() {
            let needs_remedy =
                ["failure", "warning", "note"].iter().any(|it| check["state"] == *it);
            assert_eq!(check["remedy"].is_string(), needs_remedy, "{check:#}");
            assert!(check["detail"].as_str().is_some_and(|text| text.len() > 10), "{check:#}");
        }
        Ok(report)
    }

    fn checks(&self) -> &[Value] {
        self.0["checks"].as_array().map_or(&[], Vec::as_slice)
    }

    fn with_state(&self, state: &str) -> Vec<&str> {
        let checks = self.checks().iter().filter(|check| check["state"] == state);
        checks.filter_map(|check| check["name"].as_str()).collect()
    }

    /// Makes sure that a check has this state, and that it says these words.
    fn expect(&self, name: &str, state: &str, words: &[&str]) -> Result<()> {
        let check = self.checks().iter().find(|check| check["name"] == name);
        let check = check.with_context(|| format!("no {name} in {:#}", self.0))?;
        assert_eq!(check["state"], state, "{check:#}");
        for word in words {
            assert!(check.to_string().contains(word), "no {word:?} in {check:#}");
        }
        Ok(())
    }
}

#[test]
fn with_all_that_it_needs() -> Result<()> {
    need!(Root, Reasons);
    let _turn = exclusive();
    let report = Report::of(Launch::new(&DOCTOR))?;
    assert_eq!(report.with_state("failure"), [""; 0], "{:#}", report.0);
    for name in
        ["kernel", "BTF", "modules", "capabilities", "user namespace", "lockdown", "program"]
    {
        report.expect(name, "fine", &[])?;
    }
    let tracepoint = if kernel_tells_receivers() { "fine" } else { "warning" };
    report.expect("tracepoint", tracepoint, &["skb:kfree_skb"])?;
    // It says the same to people.
    let text = Launch::new(&["doctor"]).run()?;
    assert!(text.status.success(), "{}", text.stdout());
    assert!(text.stdout().contains("\ndropwatch can trace here"), "{}", text.stdout());
    let lines: Vec<_> = text.stdout.iter().map(|line| line.text.as_str()).collect();
    for check in report.checks() {
        let name = check["name"].as_str().unwrap_or_default();
        let line = lines.iter().find(|line| line.get(8..).is_some_and(|it| it.starts_with(name)));
        line.with_context(|| format!("no {name} in {lines:#?}"))?;
    }
    assert!(lines.iter().all(|line| line.chars().count() <= 100), "{lines:#?}");
    Ok(())
}

#[test]
fn without_rights() -> Result<()> {
    need!(Root, Program("setpriv"), Reasons);
    let _turn = exclusive();
    let (_folder, binary) = copy_for_anyone()?;
    let report = Report::of(as_nobody(&binary, "", &DOCTOR))?;
    assert_eq!(report.with_state("failure"), ["capabilities"]);
    report.expect("capabilities", "failure", &["CAP_BPF and CAP_PERFMON", "sudo"])?;
    report.expect("program", "skipped", &[])?;
    report.expect("kernel", "fine", &[])?;

    let report = Report::of(as_nobody(&binary, "+bpf", &DOCTOR))?;
    report.expect("capabilities", "failure", &["CAP_PERFMON missing"])?;

    let report = Report::of(as_nobody(&binary, "+bpf,+perfmon", &DOCTOR))?;
    report.expect("program", "fine", &[])?;
    // Whether addresses are hidden depends on the machine; with this right they are not.
    let report = Report::of(as_nobody(&binary, "+bpf,+perfmon,+syslog", &DOCTOR))?;
    report.expect("symbols", "fine", &[])
}

#[test]
fn with_hidden_addresses() -> Result<()> {
    need!(Root, Program("unshare"), Program("setpriv"), Path("/proc/kallsyms"));
    let hidden = |line: &str| line.split_once(' ').map(|(_, rest)| format!("{:016x} {rest}\n", 0));
    let symbols: String =
        fs::read_to_string("/proc/kallsyms")?.lines().filter_map(hidden).collect();
    let symbols = file(symbols.as_bytes());
    let (_folder, binary) = copy_for_anyone()?;
    let user = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    let script = format!("mount --bind \"$1\" /proc/kallsyms && shift && exec {user} \"$@\"");
    let path = symbols.to_str().context("a path")?;
    let through = ["unshare", "--mount", "sh", "-c", &script, "sh", path];
    let report = Report::of(Launch::new(&DOCTOR).binary(&binary).through(&through))?;
    report.expect("symbols", "warning", &["CAP_SYSLOG", "numbers"])
}

/// Root of a user namespace has all capabilities, and none that counts.
#[test]
fn in_a_user_namespace() -> Result<()> {
    need!(Root, Program("unshare"), Path("/proc/self/ns/user"), Reasons);
    let launch = Launch::new(&DOCTOR).through(&["unshare", "--user", "--map-root-user"]);
    let report = Report::of(launch)?;
    assert_eq!(report.with_state("failure"), ["user namespace"]);
    report.expect("user namespace", "failure", &["run it as root on the host"])?;
    report.expect("program", "skipped", &[])
}

#[test]
fn behind_a_filter_of_system_calls() -> Result<()> {
    const MAP_CREATE: u32 = 0;
    const PROG_LOAD: u32 = 5;
    need!(Root, Reasons);
    for (command, what) in [(MAP_CREATE, "make the map"), (PROG_LOAD, "load a BPF program")] {
        let report = as_thread("dwt doctor", || {
            seccomp::forbid_bpf(command)?;
            Report::of(Launch::new(&DOCTOR))
        })?;
        assert_eq!(report.with_state("failure"), ["program"], "{:#}", report.0);
        report.expect("program", "failure", &[what, "system call filter", "allow it there"])?;
    }
    Ok(())
}

#[test]
fn in_lockdown() -> Result<()> {
    need!(Root, Program("unshare"), Path("/sys/kernel/security"), Reasons);
    let _turn = exclusive();
    let mode = |text: &str| {
        let mount = format!(
            "mount -t tmpfs none /sys/kernel/security && echo '{text}' >/sys/kernel/security/lockdown"
        );
        Report::of(behind(&mount, &[], &DOCTOR))
    };
    let report = mode("none integrity [confidentiality]")?;
    assert_eq!(report.with_state("failure"), ["lockdown"]);
    report.expect("lockdown", "failure", &["locked down", "lockdown=integrity"])?;
    mode("none [integrity] confidentiality")?.expect("lockdown", "fine", &[])
}

#[test]
fn without_btf() -> Result<()> {
    need!(Root, Program("unshare"), Reasons);
    let _turn = exclusive();
    let no_btf = "{ mount -t tracefs none /sys/kernel/tracing 2>/dev/null; true; } && \
                  mount -t tmpfs none /sys/kernel/btf";
    let report = Report::of(behind(no_btf, &[], &DOCTOR))?;
    assert_eq!(report.with_state("failure"), [""; 0], "{:#}", report.0);
    report.expect("BTF", "warning", &["CONFIG_DEBUG_INFO_BTF"])?;
    report.expect("tracepoint", "warning", &["as a trace event only"])?;
    report.expect("tracefs", "fine", &[])?;
    report.expect("program", "fine", &[])?;

    let nothing = format!(
        "{no_btf} && mount -t tmpfs none /sys/kernel/tracing && \
         {{ mount -t tmpfs none /sys/kernel/debug 2>/dev/null; true; }}"
    );
    let report = Report::of(behind(&nothing, &[], &DOCTOR))?;
    assert_eq!(report.with_state("failure"), ["kernel", "tracefs"], "{:#}", report.0);
    report.expect("tracefs", "failure", &["mount -t tracefs"])?;
    report.expect("tracepoint", "skipped", &[])
}

#[test]
fn with_damaged_btf() -> Result<()> {
    need!(Root, Program("unshare"), Reasons);
    let kernel = kernels::vmlinux("6.12");
    let (whole, module) = (kernel.bytes(), kernels::module("6.12", "openvswitch", &kernel).bytes());
    for (bytes, words) in [(&whole[..whole.len() / 2], "truncated or damaged"), (&module, "module")]
    {
        let btf = file(bytes);
        let bind = "mount --bind \"$1\" /sys/kernel/btf/vmlinux";
        let finished = behind(bind, &[&btf], &DOCTOR).run()?;
        assert_eq!(finished.status.code(), Some(1));
        let report = Report(serde_json::from_str(&finished.stdout())?);
        assert_eq!(report.with_state("failure"), ["kernel", "BTF"], "{:#}", report.0);
        report.expect("BTF", "failure", &[words])?;
    }
    Ok(())
}

/// The running one, or where that has reasons, one that looks as if it had none.
#[test]
fn on_a_kernel_without_reasons() -> Result<()> {
    need!(Root, Program("unshare"));
    let btf = file(&kernels::vmlinux("5.10").bytes());
    let bind = match kernel_tells_reasons() {
        true => "mount --bind \"$1\" /sys/kernel/btf/vmlinux",
        false => "true",
    };
    let finished = behind(bind, &[&btf], &DOCTOR).run()?;
    assert_eq!(finished.status.code(), Some(1), "{}", finished.stdout());
    let report = Report(serde_json::from_str(&finished.stdout())?);
    report.expect("kernel", "failure", &["5.17", "--without-reasons"])
}

#[test]
fn settings_are_read() -> Result<()> {
    need!(Root, Program("unshare"), Path("/proc/sys/net/core/bpf_jit_enable"), Reasons);
    let _turn = exclusive();
    let off = file(b"0\n");
    let bind = "mount --bind \"$1\" /proc/sys/net/core/bpf_jit_enable";
    let report = Report::of(behind(bind, &[&off], &DOCTOR))?;
    report.expect("JIT", "warning", &["sysctl net.core.bpf_jit_enable=1"])?;
    assert_eq!(report.with_state("failure"), [""; 0]);
    Ok(())
}

#[test]
fn another_program_of_that_name_is_told() -> Result<()> {
    need!(Root);
    let folder = TempDir::new()?;
    let other = folder.join("dropwatch");
    fs::write(&other, "#!/bin/sh\n")?;
    fs::set_permissions(&other, Permissions::from_mode(0o755))?;
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let finished = Launch::new(&DOCTOR).env("PATH", &path).run()?;
    let report = Report(serde_json::from_str(&finished.stdout())?);
    report.expect("PATH", "warning", &[&other.display().to_string(), "dpkg -S"])
}

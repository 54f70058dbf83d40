//! With which rights dropwatch runs, and with which it can do its work.

use std::{
    fs::{self, Permissions},
    net::Ipv4Addr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use anyhow::{Context, Result};
use dropwatch_tests::{
    Attached, Launch, Namespace, Stack, TempDir, as_thread, dropwatch, exclusive, need,
    need::skip,
    of_threads, output, seccomp, test_name,
    traffic::{CLOSED_PORT, udp},
};

const CAP_SYSLOG: u64 = 1 << 34;
const CAP_BPF: u64 = 1 << 39;
const AS_NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const LIMIT: Duration = Duration::from_secs(10);

/// The capability sets of each thread of a process.
fn assert_capabilities(pid: u32, kept: u64) -> Result<()> {
    for (set, expected) in [("CapEff", kept), ("CapPrm", kept), ("CapInh", 0), ("CapAmb", 0)] {
        let threads = of_threads(pid, set)?;
        assert!(threads.len() > 1, "the output has a thread of its own");
        for value in &threads {
            let value = u64::from_str_radix(value, 16).context(set)?;
            assert_eq!(value, expected, "{set} is {value:#x}, of threads {threads:?}");
        }
    }
    Ok(())
}

/// A copy of the binary that anyone can run.
fn copy() -> Result<(TempDir, PathBuf)> {
    let folder = TempDir::new()?;
    let copy = folder.join("dropwatch");
    fs::copy(dropwatch(), &copy).context("cannot copy the binary")?;
    for path in [folder.path(), &copy] {
        fs::set_permissions(path, Permissions::from_mode(0o755))?;
    }
    Ok((folder, copy))
}

/// Gives a file capabilities of its own, which not every file system has a place for.
fn give(capabilities: &str, file: &Path) -> Result<()> {
    output("setcap", &[capabilities.as_ref(), file.as_os_str()]).map(drop)
}

/// Has a drop of this test shown, and checks the rights that are left then.
fn one_drop(launch: Launch, kept: u64) -> Result<()> {
    let namespace = Namespace::new()?;
    let dropwatch = launch.args(&["--reason", "NO_SOCKET", "--stack"]).start()?;
    let attached = Attached::of(dropwatch.pid())?;
    assert_capabilities(dropwatch.pid(), kept)?;
    namespace.run("dwt rights", || udp::send((Ipv4Addr::LOCALHOST, CLOSED_PORT), 100, 1))?;
    dropwatch.lines(3, LIMIT);
    // By now it has done all that it ever does, and started all of its threads.
    assert_capabilities(dropwatch.pid(), kept)?;
    let finished = dropwatch.interrupt()?;
    finished.success()?;
    attached.wait_until_gone()?;
    assert_eq!(finished.notices(), 1, "{}", finished.stderr());
    let events = finished.events()?;
    let own = events.iter().find(|event| event.ran_for(process::id())).context("no own drop")?;
    let function = own.location.function.split('.').next().unwrap_or_default();
    assert!(["__udp4_lib_rcv", "udp_rcv"].contains(&function), "{own:?}");
    let called = own.stack.as_ref().map(Stack::called).unwrap_or_default();
    assert!(called.len() > 3, "{own:?}");
    assert!(called.iter().all(|place| !place.function.is_empty()), "{called:?}");
    Ok(())
}

#[test]
fn root_keeps_two_capabilities() -> Result<()> {
    need!(Root, Program("ip"), Program("bpftool"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    one_drop(Launch::new::<&str>(&[]), CAP_BPF | CAP_SYSLOG)
}

/// What a parent hands down does not stay either.
#[test]
fn inherited_capabilities_are_given_up() -> Result<()> {
    need!(Root, Program("ip"), Program("setpriv"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let all = "bpf,+perfmon,+syslog,+net_admin,+sys_ptrace";
    let sets = [format!("--inh-caps=-all,+{all}"), format!("--ambient-caps=-all,+{all}")];
    let (_folder, copy) = copy()?;
    let through: Vec<_> = AS_NOBODY.iter().map(|word| (*word).to_owned()).chain(sets).collect();
    one_drop(Launch::new::<&str>(&[]).binary(copy).through(&through), CAP_BPF | CAP_SYSLOG)
}

#[test]
fn with_capabilities_of_its_own_it_needs_no_root() -> Result<()> {
    need!(Root, Program("ip"), Program("setcap"), Program("setpriv"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let (_folder, copy) = copy()?;
    if let Err(error) = give("cap_bpf,cap_perfmon,cap_syslog+ep", &copy) {
        skip(test_name!(), &format!("{error:#}"));
        return Ok(());
    }
    one_drop(Launch::new::<&str>(&[]).binary(copy).through(&AS_NOBODY), CAP_BPF | CAP_SYSLOG)
}

/// Each capability in turn is missing, of a binary that has the others as its own.
#[test]
fn what_the_file_does_not_have_is_named() -> Result<()> {
    need!(Root, Program("setcap"), Program("setpriv"), Reasons);
    for (has, missing, present) in [
        ("cap_perfmon,cap_syslog+ep", "CAP_BPF", "CAP_PERFMON"),
        ("cap_bpf,cap_syslog+ep", "CAP_PERFMON", "CAP_BPF"),
    ] {
        let (_folder, copy) = copy()?;
        if let Err(error) = give(has, &copy) {
            skip(test_name!(), &format!("{error:#}"));
            return Ok(());
        }
        let finished = Launch::new::<&str>(&[]).binary(copy).through(&AS_NOBODY).run()?;
        let message = finished.stderr();
        assert_eq!(finished.status.code(), Some(1), "{message}");
        assert!(message.contains(missing) && !message.contains(present), "{message}");
    }
    Ok(())
}

/// Root of a user namespace has all capabilities, and none that counts.
#[test]
fn root_of_a_user_namespace_is_told_that_it_is_none() -> Result<()> {
    need!(Root, Program("unshare"), Path("/proc/self/ns/user"));
    let through = ["unshare", "--user", "--map-root-user"];
    let finished = Launch::new(&["--without-reasons"]).through(&through).run()?;
    let message = finished.stderr();
    assert_eq!(finished.status.code(), Some(1), "{message}");
    assert!(message.contains("user namespace") && message.contains("on the host"), "{message}");
    assert_eq!((finished.stdout.len(), finished.stderr.len()), (0, 1), "{message}");
    Ok(())
}

/// What else may stand in the way of one who has the capabilities.
#[test]
fn a_filter_of_system_calls_is_named() -> Result<()> {
    const MAP_CREATE: u32 = 0;
    const PROG_LOAD: u32 = 5;
    need!(Root);
    for (command, what) in [(MAP_CREATE, "make the map"), (PROG_LOAD, "load a BPF program")] {
        let finished = as_thread("dwt seccomp", || {
            seccomp::forbid_bpf(command)?;
            Launch::new(&["--without-reasons"]).run()
        })?;
        let message = finished.stderr();
        assert_eq!(finished.status.code(), Some(1), "{message}");
        assert!(message.contains(what) && message.contains("system call filter"), "{message}");
        assert!(!message.contains("--verbose") && !message.contains("ulimit"), "{message}");
        assert_eq!((finished.stdout.len(), finished.stderr.len()), (0, 1), "{message}");
    }
    Ok(())
}

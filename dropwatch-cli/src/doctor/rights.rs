//! What dropwatch has to be allowed, and whether the kernel then takes its program.

use std::fs;

use anyhow::{Result, anyhow};
use aya::EbpfLoader;
use clap::Parser;

use crate::{
    cli::Cli,
    config::Config,
    doctor::Finding,
    kernel::Kernel,
    preflight, privileges,
    probe::Probe,
    refusal::{self, Rights},
};

/// Checks the rights, and tries what tracing does.
pub fn examine(kernel: Option<Kernel>) -> Vec<Finding> {
    let rights = Rights::own();
    let capabilities = preflight::check_capabilities();
    let lockdown = preflight::check_lockdown();
    let may_load = capabilities.is_ok() && lockdown.is_ok() && !rights.user_namespace;
    let mut findings = vec![
        finding("capabilities", capabilities, "CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN for both"),
        user_namespace(rights),
        finding("lockdown", lockdown, "programs may read the kernel"),
        unprivileged(setting("kernel/unprivileged_bpf_disabled").as_deref()),
        perf_events(setting("kernel/perf_event_paranoid").as_deref(), kernel.as_ref()),
        locked_memory(),
    ];
    findings.extend(program(kernel.filter(|_| may_load)));
    findings
}

fn finding(name: &'static str, checked: Result<()>, fine: &str) -> Finding {
    match checked {
        Ok(()) => Finding::fine(name, fine),
        Err(error) => Finding::of_error(name, &error),
    }
}

fn user_namespace(rights: Rights) -> Finding {
    const NAME: &str = "user namespace";
    if rights.user_namespace {
        let error = refusal::not_permitted("load a BPF program", None, rights);
        return Finding::of_error(NAME, &error);
    }
    Finding::fine(NAME, "the first one, in which capabilities count")
}

/// A setting of the kernel.
fn setting(name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/sys/{name}")).ok()?;
    Some(text.trim().to_owned())
}

/// It keeps out those without capabilities, with which nothing can be traced anyway.
fn unprivileged(value: Option<&str>) -> Finding {
    let detail = match value {
        None | Some("0") => "everybody may call bpf(2)".to_owned(),
        Some(value) => {
            format!(
                "kernel.unprivileged_bpf_disabled is {value}: only who has CAP_BPF may call bpf(2)"
            )
        }
    };
    Finding::fine("bpf(2)", detail)
}

/// It matters where the trace event is used, which takes the way of perf. Debian's and Ubuntu's
/// kernels know values above 2.
fn perf_events(value: Option<&str>, kernel: Option<&Kernel>) -> Finding {
    const NAME: &str = "perf events";
    let uses_perf =
        kernel.is_some_and(|it| matches!(it.tracepoint, crate::kernel::Tracepoint::Event { .. }));
    let level = value.and_then(|value| value.parse::<i32>().ok()).unwrap_or_default();
    if uses_perf && level > 2 {
        return Finding::warning(
            NAME,
            format!(
                "kernel.perf_event_paranoid is {level}: some kernels then refuse the trace event to all but \
                 CAP_SYS_ADMIN"
            ),
            "run dropwatch as root, or set kernel.perf_event_paranoid to 2",
        );
    }
    Finding::fine(NAME, format!("kernel.perf_event_paranoid is {level}, and not in the way"))
}

fn locked_memory() -> Finding {
    const NAME: &str = "locked memory";
    preflight::raise_memory_lock_limit();
    if Rights::own().memory_limit {
        return Finding::warning(
            NAME,
            "this kernel counts BPF maps as locked memory, of which there is little",
            "`ulimit -l unlimited`, or run dropwatch through sudo or as root",
        );
    }
    Finding::fine(NAME, "no limit that counts for BPF maps")
}

/// Loads the program and attaches it, as tracing does, and looks whether the iterators can be had
/// that tell who has a socket open.
fn program(kernel: Option<Kernel>) -> Vec<Finding> {
    const NAME: &str = "program";
    let Some(mut kernel) = kernel else {
        let why = "not tried, since what stands above is missing";
        return vec![Finding::skipped(NAME, why), Finding::skipped("owners", why)];
    };
    match load(&mut kernel) {
        Ok(mut probe) => {
            let owners = match probe.iterators() {
                Some(_) => Finding::fine("owners", "processes are found by their sockets"),
                None => Finding::warning(
                    "owners",
                    "the kernel cannot iterate over processes' sockets, so whose a socket is stays unknown",
                    "run Linux 5.11 or later with BTF",
                ),
            };
            vec![Finding::fine(NAME, passed(filtered())), owners]
        }
        Err(error) => vec![
            Finding::of_error(NAME, &error),
            Finding::skipped("owners", "not tried, since the program was refused"),
        ],
    }
}

fn load(kernel: &mut Kernel) -> Result<Probe> {
    let usual = Cli::try_parse_from(["dropwatch"]).map_err(|error| anyhow!("{error}"))?;
    let config = Config::new(&usual.trace)?;
    let chosen = config.filters.resolve(kernel)?;
    preflight::check()?;
    let mut probe = Probe::load(EbpfLoader::new(), kernel, &config, &chosen)?;
    probe.attach()?;
    probe.detach()?;
    Ok(probe)
}

fn passed(filtered: bool) -> String {
    let filter = if filtered { ", past the system call filter that is in force" } else { "" };
    format!("the kernel takes it and attaches it{filter}")
}

/// Whether a filter of system calls (seccomp) is in force, as in containers.
fn filtered() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
    mode.is_some_and(|mode| mode.trim() == "2")
}

/// Whether symbols can be seen depends on this one.
pub fn has_syslog() -> bool {
    privileges::may_see_addresses().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn settings_that_keep_out_others_are_fine() {
        for value in [None, Some("0"), Some("1"), Some("2")] {
            assert_eq!(unprivileged(value).state, State::Fine, "{value:?}");
        }
        for value in [None, Some("-1"), Some("2"), Some("4"), Some("odd")] {
            assert_eq!(perf_events(value, None).state, State::Fine, "{value:?}");
        }
    }
}

//! What the kernel has to have.

use std::{fs, path::Path};

use crate::{
    doctor::Finding,
    kernel::{
        BTF_DIR, Kernel, Tracepoint, Without, btf::Btf, modules::Modules, reasons::Reasons,
        release, trace_event::TraceEvent,
    },
};

/// Modules that have drop reasons of their own, which only their BTF names.
const WITH_REASONS: [&str; 2] = ["openvswitch", "mac80211"];

/// Checks the kernel, and gives what is known of it where dropwatch can trace it.
pub fn examine() -> (Vec<Finding>, Option<Kernel>) {
    let resolved = Kernel::resolve(Without::default());
    let kernel_finding = match &resolved {
        Ok(kernel) => {
            let reasons = kernel.reasons.iter().count();
            let text = format!("Linux {} tells why it drops packets: {reasons} reasons", release());
            Finding::fine("kernel", text)
        }
        Err(error) => Finding::of_error("kernel", error),
    };
    // Without reasons the rest can be looked at nevertheless.
    let mut kernel =
        resolved.or_else(|_| Kernel::resolve(Without { reasons: true, ..Without::default() })).ok();
    let mut findings = vec![kernel_finding];
    findings.push(tracepoint(kernel.as_ref()));
    findings.push(btf());
    findings.push(modules(kernel.as_mut().map(|kernel| &mut kernel.reasons)));
    findings.push(tracefs());
    findings.push(jit(fs::read_to_string("/proc/sys/net/core/bpf_jit_enable").ok().as_deref()));
    (findings, kernel)
}

fn tracepoint(kernel: Option<&Kernel>) -> Finding {
    const NAME: &str = "tracepoint";
    match kernel.map(|kernel| kernel.tracepoint) {
        None => Finding::skipped(NAME, "how the kernel tells of drops is not known: see kernel"),
        Some(Tracepoint::Event { .. }) => Finding::warning(
            NAME,
            "skb:kfree_skb is there as a trace event only: packet, length, device and socket are unknown",
            "run a kernel that was built with CONFIG_DEBUG_INFO_BTF",
        ),
        Some(Tracepoint::Btf { prototype, .. }) if !prototype.rx_sk => Finding::warning(
            NAME,
            "skb:kfree_skb does not pass the socket that was to receive a packet, so who suffers is often \
             unknown",
            "run Linux 6.11 or later",
        ),
        Some(Tracepoint::Btf { qdisc_drop, .. }) => Finding::fine(
            NAME,
            match qdisc_drop {
                Some(_) => {
                    "skb:kfree_skb passes reason and receiving socket, qdisc:qdisc_drop the finer reasons of queues"
                }
                None => "skb:kfree_skb passes reason and receiving socket",
            },
        ),
    }
}

fn btf() -> Finding {
    const NAME: &str = "BTF";
    if !Btf::is_there() {
        return Finding::warning(
            NAME,
            format!(
                "there is no {BTF_DIR}/vmlinux, so drops are shown without packet, length, device and socket"
            ),
            "run a kernel that was built with CONFIG_DEBUG_INFO_BTF, as those of all current distributions are",
        );
    }
    match Btf::of_running_kernel() {
        Ok(_) => Finding::fine(NAME, format!("{BTF_DIR}/vmlinux describes the kernel's types")),
        Err(error) => Finding::of_error(NAME, &error),
    }
}

/// The names of the reasons that modules have.
fn modules(reasons: Option<&mut Reasons>) -> Finding {
    const NAME: &str = "modules";
    let without: Vec<_> = WITH_REASONS
        .into_iter()
        .filter(|name| Modules::is_loaded(name) && !Path::new(BTF_DIR).join(name).exists())
        .collect();
    if !without.is_empty() {
        return Finding::warning(
            NAME,
            format!(
                "{} has no BTF, so its drop reasons are shown as numbers",
                without.join(" and ")
            ),
            "use the module that came with the kernel, or build it with CONFIG_DEBUG_INFO_BTF_MODULES",
        );
    }
    match reasons.map(Reasons::search_modules) {
        Some(Err(error)) => Finding::warning(
            NAME,
            format!(
                "the drop reasons of a module cannot be read, and are shown as numbers: {error:#}"
            ),
            "reload the module, or reinstall the package of the kernel that it belongs to",
        ),
        _ => {
            Finding::fine(NAME, "all that have drop reasons of their own and are loaded name them")
        }
    }
}

/// Only where there is no BTF it is needed, and its absence then is the kernel's finding.
fn tracefs() -> Finding {
    const NAME: &str = "tracefs";
    match TraceEvent::of_running_kernel() {
        Ok(_) => Finding::fine(NAME, "skb:kfree_skb is there as a trace event too, for --no-btf"),
        Err(_) if Btf::is_there() => {
            Finding::fine(NAME, "not mounted or not to be read, and not needed since there is BTF")
        }
        Err(error) => Finding::of_error(NAME, &error),
    }
}

/// `setting` is the content of `bpf_jit_enable`.
fn jit(setting: Option<&str>) -> Finding {
    const NAME: &str = "JIT";
    match setting.map(str::trim) {
        Some("0") => Finding::warning(
            NAME,
            "BPF programs are interpreted, which makes each drop cost several times as much",
            "sysctl net.core.bpf_jit_enable=1",
        ),
        Some(_) => Finding::fine(NAME, "BPF programs are compiled to machine code"),
        None => Finding::fine(NAME, "the kernel does not say whether it compiles BPF programs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn an_interpreter_is_told() {
        assert_eq!(jit(Some("0\n")).state, State::Warning);
        for fine in [Some("1\n"), Some("2\n"), None] {
            assert_eq!(jit(fine).state, State::Fine);
        }
    }

    #[test]
    fn what_follows_from_an_unknown_kernel_is_skipped() {
        assert_eq!(tracepoint(None).state, State::Skipped);
    }
}

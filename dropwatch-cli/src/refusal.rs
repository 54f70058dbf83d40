//! What it means when the kernel refuses a BPF program or one of its maps.

use std::{fs, io};

use anyhow::{Error, anyhow};
use aya::{
    maps::MapError,
    programs::{ProgramError, ProgramType},
    sys::is_program_supported,
};
use log::debug;

use crate::kernel;

/// The user namespace that the machine begins with has this number on every kernel
/// (`PROC_USER_INIT_INO`).
const FIRST_USER_NAMESPACE: &str = "user:[4026531837]";

/// Where the process stands when the kernel answers "operation not permitted" although it has
/// the capabilities: the answer alone does not tell why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rights {
    /// Its capabilities are those of a user namespace, which count for nothing here.
    pub(crate) user_namespace: bool,
    /// The kernel counts maps as locked memory, and that is limited.
    pub(crate) memory_limit: bool,
}

/// Explains the refusal where that can be told.
pub fn explain(error: impl Into<Error>) -> Error {
    let (error, rights) = (error.into(), Rights::own());
    for cause in error.chain() {
        if let Some(MapError::CreateError { name, io_error }) = cause.downcast_ref() {
            return map_refused(name, io_error, rights);
        }
    }
    // The kernel's verifier and others answer the same, but only they refuse any program.
    if let Err(ProgramError::SyscallError(failed)) = is_program_supported(ProgramType::TracePoint) {
        return not_permitted("load a BPF program", Some(&failed.io_error), rights);
    }
    for cause in error.chain() {
        if let Some(ProgramError::LoadError { io_error, verifier_log }) = cause.downcast_ref() {
            debug!("the verifier's log:\n{verifier_log}");
            return anyhow!(
                "the kernel refused the BPF program ({io_error}); --verbose shows its reasons"
            );
        }
    }
    error.context("the kernel refused the BPF program")
}

impl Rights {
    /// Of this process.
    pub(crate) fn own() -> Self {
        let namespace = fs::read_link("/proc/self/ns/user");
        let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: 0 };
        // SAFETY: the call writes a struct that outlives it. Where it fails, ours stays.
        unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) };
        Self {
            user_namespace: namespace
                .is_ok_and(|namespace| namespace.as_os_str() != FIRST_USER_NAMESPACE),
            memory_limit: limit.rlim_cur != libc::RLIM_INFINITY && locks_maps(&kernel::release()),
        }
    }
}

/// Whether a kernel of this version counts maps as locked memory, as those before 5.11 do.
fn locks_maps(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < (5, 11),
        _ => false,
    }
}

fn map_refused(name: &str, error: &io::Error, rights: Rights) -> Error {
    match error.raw_os_error() {
        Some(libc::EPERM) if rights.memory_limit && !rights.user_namespace => anyhow!(
            "the kernel refused memory for the map {name} ({error}): this kernel counts it as locked memory; \
             raise the limit with `ulimit -l unlimited`, or run dropwatch through sudo or as root"
        ),
        Some(libc::EPERM) => not_permitted(&format!("make the map {name}"), Some(error), rights),
        Some(libc::ENOMEM | libc::E2BIG) => anyhow!(
            "the kernel has no room for the map {name} ({error}); choose a smaller --buffer-size"
        ),
        _ => anyhow!("the kernel refused the map {name} ({error})"),
    }
}

/// What it means that something is not permitted to one who has the capabilities. There is no
/// answer of the kernel where it was not asked.
pub(crate) fn not_permitted(what: &str, answer: Option<&io::Error>, rights: Rights) -> Error {
    let answer = answer.map_or_else(String::new, |error| format!(" ({error})"));
    if rights.user_namespace {
        return anyhow!(
            "dropwatch may not {what}{answer}: it runs in a user namespace, as in a container without root, \
             whose root has no rights over the kernel; run it as root on the host"
        );
    }
    anyhow!(
        "dropwatch may not {what}{answer} although it has the capabilities: a security module, or the \
         system call filter of a container, forbids bpf(2); allow it there, or run dropwatch as root on the host"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: Rights = Rights { user_namespace: false, memory_limit: false };
    const LIMITED: Rights = Rights { memory_limit: true, ..FREE };
    const CONTAINED: Rights = Rights { user_namespace: true, memory_limit: true };

    #[test]
    fn each_refusal_has_its_remedy() {
        let error = io::Error::from_raw_os_error;
        for (message, remedy) in [
            (not_permitted("load", Some(&error(libc::EPERM)), FREE), "security module"),
            (not_permitted("load", None, CONTAINED), "on the host"),
            (map_refused("M", &error(libc::EPERM), FREE), "security module"),
            (map_refused("M", &error(libc::EPERM), LIMITED), "ulimit -l"),
            (map_refused("M", &error(libc::EPERM), CONTAINED), "user namespace"),
            (map_refused("M", &error(libc::ENOMEM), FREE), "--buffer-size"),
        ] {
            assert!(message.to_string().contains(remedy), "no {remedy:?} in: {message}");
        }
    }

    #[test]
    fn old_kernels_lock_maps() {
        assert!(locks_maps("5.10.0-46-cloud-amd64") && locks_maps("4.18.0"));
        assert!(!locks_maps("5.11.0") && !locks_maps("6.1.0-56") && !locks_maps("of unknown"));
    }
}

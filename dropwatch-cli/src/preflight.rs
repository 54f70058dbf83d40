//! What has to be allowed before the program can be loaded, checked first so that the message
//! can name the cause. The kernel itself answers nothing but "operation not permitted".

use std::{
    fs,
    io::{BufRead, BufReader},
};

use anyhow::{Result, bail, ensure};
use log::debug;

use crate::privileges;

/// Checks the privileges and raises the limits that loading a BPF program needs.
///
/// # Errors
/// When a capability is missing or the kernel is locked down, with the remedy.
pub fn check() -> Result<()> {
    check_capabilities()?;
    check_lockdown()?;
    raise_memory_lock_limit();
    Ok(())
}

/// Whether there are the capabilities to load a BPF program.
///
/// # Errors
/// When one is missing, with the remedy.
pub fn check_capabilities() -> Result<()> {
    let missing = privileges::missing()?;
    let names: Vec<_> = missing.iter().map(ToString::to_string).collect();
    ensure!(
        missing.is_empty(),
        "{} missing: loading a program into the kernel needs {}; run dropwatch through sudo or as root",
        names.join(" and "),
        if missing.len() == 1 { "it" } else { "them" },
    );
    Ok(())
}

/// Whether programs may read the kernel's memory.
///
/// # Errors
/// When the kernel is locked down, with the remedy.
pub fn check_lockdown() -> Result<()> {
    let lockdown = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    if locked_down(&lockdown) {
        bail!(
            "the kernel is locked down (confidentiality): no program may read kernel memory; boot with \
             lockdown=integrity, or without Secure Boot if that is what locks it"
        );
    }
    Ok(())
}

/// Whether the kernel shows this process the addresses of its symbols.
pub fn addresses_visible() -> bool {
    let Ok(file) = fs::File::open("/proc/kallsyms") else { return false };
    let mut line = String::new();
    // The first symbols of some kernels are per-CPU offsets, and 0 is right for these.
    let mut lines = BufReader::new(file);
    (0..2000).any(|_| {
        line.clear();
        lines.read_line(&mut line).is_ok()
            && line.split(' ').next().is_some_and(|address| {
                address.bytes().any(|digit| digit.is_ascii_hexdigit() && digit != b'0')
            })
    })
}

/// Whether `/sys/kernel/security/lockdown` selects the mode that forbids reading the kernel.
fn locked_down(lockdown: &str) -> bool {
    lockdown.contains("[confidentiality]")
}

/// Kernels before 5.11 count BPF maps against the limit of locked memory, by default 64 KiB.
/// Where raising it is not allowed nothing is lost: later kernels do not look at it.
pub fn raise_memory_lock_limit() {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the limit is a valid struct that outlives the call.
    if unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) } != 0 {
        debug!("cannot raise the memory lock limit: {}", std::io::Error::last_os_error());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_confidentiality_stands_in_the_way() {
        assert!(locked_down("none integrity [confidentiality]\n"));
        assert!(!locked_down("none [integrity] confidentiality\n"));
        assert!(!locked_down("[none] integrity confidentiality\n"));
        assert!(!locked_down(""));
    }
}

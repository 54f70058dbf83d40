//! Tracefs, which bpftrace and perf need and not every machine has mounted.

use anyhow::{Result, ensure};
use std::{ffi::CStr, io, path::Path, ptr};

const FOLDER: &CStr = c"/sys/kernel/tracing";

/// Mounts it for this thread and what it starts, if it is not mounted; it goes away with them.
pub fn provide() -> Result<()> {
    if Path::new("/sys/kernel/tracing/events").is_dir() {
        return Ok(());
    }
    // SAFETY: the call takes an integer.
    let unshared = unsafe { libc::unshare(libc::CLONE_NEWNS) };
    ensure!(unshared == 0, "no mount namespace: {}", io::Error::last_os_error());
    mount(c"/", None, libc::MS_REC | libc::MS_PRIVATE)?;
    mount(FOLDER, Some(c"tracefs"), 0)
}

fn mount(target: &CStr, kind: Option<&CStr>, flags: libc::c_ulong) -> Result<()> {
    let kind = kind.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: the strings outlive the call; the kind and the data may be null.
    let mounted =
        unsafe { libc::mount(c"none".as_ptr(), target.as_ptr(), kind, flags, ptr::null()) };
    ensure!(mounted == 0, "cannot mount on {target:?}: {}", io::Error::last_os_error());
    Ok(())
}

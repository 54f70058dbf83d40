//! Mounts that only one thread, and what it starts, sees. They go away with it.

use std::{
    ffi::{CStr, CString},
    io,
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr,
};

use anyhow::{Result, ensure};

/// What to start a program through that needs tracefs, which is not mounted on every machine.
pub const WITH_TRACEFS: [&str; 6] = [
    "unshare",
    "--mount",
    "sh",
    "-c",
    "[ -d /sys/kernel/tracing/events ] || mount -t tracefs none /sys/kernel/tracing; exec \"$@\"",
    "sh",
];

/// Gives this thread a mount namespace of its own, and mounts a file system of this kind there.
///
/// # Errors
/// When that is not possible.
pub fn privately(kind: &CStr, folder: &Path, options: &CStr) -> Result<()> {
    // SAFETY: the call takes an integer.
    let unshared = unsafe { libc::unshare(libc::CLONE_NEWNS) };
    ensure!(unshared == 0, "no mount namespace: {}", io::Error::last_os_error());
    mount(c"none", c"/", None, libc::MS_REC | libc::MS_PRIVATE, c"")?;
    mount(kind, &CString::new(folder.as_os_str().as_bytes())?, Some(kind), 0, options)
}

fn mount(
    source: &CStr,
    target: &CStr,
    kind: Option<&CStr>,
    flags: u64,
    options: &CStr,
) -> Result<()> {
    let kind = kind.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: the strings outlive the call; the kind may be null.
    let mounted = unsafe {
        libc::mount(source.as_ptr(), target.as_ptr(), kind, flags, options.as_ptr().cast())
    };
    ensure!(mounted == 0, "cannot mount on {target:?}: {}", io::Error::last_os_error());
    Ok(())
}

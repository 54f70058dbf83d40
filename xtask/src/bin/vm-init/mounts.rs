//! The file systems that dropwatch and its tests look into.

use anyhow::{Context as _, Result, ensure};
use std::{
    ffi::CString,
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    ptr,
};

/// Kind and place. Not every kernel has each.
const MOUNTS: &[(&str, &str)] = &[
    ("devtmpfs", "/dev"),
    ("devpts", "/dev/pts"),
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("securityfs", "/sys/kernel/security"),
    ("debugfs", "/sys/kernel/debug"),
    ("tracefs", "/sys/kernel/tracing"),
    ("bpf", "/sys/fs/bpf"),
    ("cgroup2", "/sys/fs/cgroup"),
    ("tmpfs", "/run"),
];

/// Mounts them.
pub fn mount_all() -> Result<()> {
    for (kind, place) in MOUNTS {
        if !place.starts_with("/sys/") {
            fs::create_dir_all(place).with_context(|| format!("cannot make {place}"))?;
        }
        mount(kind, place)?;
    }
    // No mount: the folder that the tests were built in may be below it.
    fs::set_permissions("/tmp", Permissions::from_mode(0o1777)).context("there is no /tmp")
}

fn mount(kind: &str, place: &str) -> Result<()> {
    let (kind_name, place_name) = (CString::new(kind)?, CString::new(place)?);
    // SAFETY: the strings outlive the call, and the data may be null.
    let mounted = unsafe {
        libc::mount(kind_name.as_ptr(), place_name.as_ptr(), kind_name.as_ptr(), 0, ptr::null())
    };
    ensure!(mounted == 0, "cannot mount {kind} on {place}: {}", io::Error::last_os_error());
    Ok(())
}

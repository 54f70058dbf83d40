//! Dropping packets in traffic control.

use std::{ffi::CStr, io, os::unix::ffi::OsStrExt, path::Path, ptr};

use anyhow::{Result, ensure};

use crate::{Namespace, TempDir, bpf, command::output, namespace::as_thread};

/// `TC_ACT_SHOT`: drop the packet.
const SHOT: u32 = 2;

/// Drops all packets that a device of the namespace receives (`ingress`) or sends (`egress`).
///
/// # Errors
/// When the kernel has no clsact or no BPF classifiers.
pub fn drop_all(namespace: &Namespace, device: &str, direction: &str) -> Result<()> {
    let folder = TempDir::new()?;
    as_thread("dwt-tc", || {
        // The mount is this thread's own and goes with it, and with the mount the pin. The
        // filter itself holds the program.
        mount_privately(folder.path())?;
        namespace.enter()?;
        let pin = folder.join("shot");
        bpf::pin(&bpf::classifier(SHOT)?, &pin)?;
        output("tc", &["qdisc", "add", "dev", device, "clsact"])?;
        let filter = ["filter", "add", "dev", device, direction, "bpf", "object-pinned"];
        let pin = pin.to_string_lossy();
        output("tc", &[&filter[..], &[&*pin, "direct-action"]].concat())?;
        Ok(())
    })
}

/// Mounts a BPF file system that only this thread sees.
fn mount_privately(folder: &Path) -> Result<()> {
    // SAFETY: the call takes an integer.
    let unshared = unsafe { libc::unshare(libc::CLONE_NEWNS) };
    ensure!(unshared == 0, "no mount namespace: {}", io::Error::last_os_error());
    let folder = std::ffi::CString::new(folder.as_os_str().as_bytes())?;
    mount(c"none", c"/", None, libc::MS_REC | libc::MS_PRIVATE)?;
    mount(c"bpf", &folder, Some(c"bpf"), 0)
}

fn mount(source: &CStr, target: &CStr, kind: Option<&CStr>, flags: u64) -> Result<()> {
    let kind = kind.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: the strings outlive the call; the kind and the data may be null.
    let mounted =
        unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind, flags, ptr::null()) };
    ensure!(mounted == 0, "cannot mount on {target:?}: {}", io::Error::last_os_error());
    Ok(())
}

//! Starting dropwatch with few rights, or where parts of the machine look otherwise.

use std::{
    ffi::OsString,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{Launch, TempDir, binary::dropwatch};

/// A copy of the binary, in a folder that anyone can enter.
///
/// # Errors
/// When it cannot be copied.
pub fn copy_for_anyone() -> Result<(TempDir, PathBuf)> {
    let folder = TempDir::new()?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    let copy = folder.join("dropwatch");
    fs::copy(dropwatch(), &copy).context("cannot copy the binary")?;
    fs::set_permissions(&copy, Permissions::from_mode(0o755))?;
    Ok((folder, copy))
}

/// A launch as nobody, with these capabilities only: `+bpf,+perfmon`, or none.
pub fn as_nobody(binary: &Path, capabilities: &str, args: &[&str]) -> Launch {
    let inheritable = format!("--inh-caps=-all,{capabilities}");
    let ambient = format!("--ambient-caps=-all,{capabilities}");
    let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"].map(str::to_owned);
    let mut through = user.to_vec();
    if !capabilities.is_empty() {
        through.extend([inheritable, ambient]);
    }
    Launch::new(args).binary(binary).through(&through)
}

/// A launch in a mount namespace of its own, in which this was mounted before: a line of shell,
/// with arguments.
pub fn behind(mount: &str, arguments: &[&Path], args: &[&str]) -> Launch {
    let script = format!("{mount} && shift {} && exec \"$@\"", arguments.len());
    let mut through: Vec<OsString> =
        ["unshare", "--mount", "sh", "-c", &script, "sh"].map(OsString::from).to_vec();
    through.extend(arguments.iter().map(|path| path.as_os_str().to_owned()));
    Launch::new(args).through(&through)
}

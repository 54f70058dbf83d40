//! Loading the kernel's modules.

use anyhow::{Context as _, Result, ensure};
use std::{
    fs::{self, File},
    io,
    os::fd::AsRawFd as _,
};
use xtask::vm::layout::MODULE_LIST;

/// Loads all that the host has put into the archive.
pub fn load_all() -> Result<()> {
    let list = fs::read_to_string(MODULE_LIST).context("there is no list of modules")?;
    list.lines().try_for_each(load)
}

fn load(path: &str) -> Result<()> {
    let file = File::open(path).with_context(|| format!("cannot open {path}"))?;
    // SAFETY: the call takes an open file, a string that outlives it, and an integer.
    let loaded =
        unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) };
    let error = io::Error::last_os_error();
    ensure!(
        loaded == 0 || error.raw_os_error() == Some(libc::EEXIST),
        "cannot load the module {path}: {error}"
    );
    Ok(())
}

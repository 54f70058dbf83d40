//! Loading the kernel's modules.

use anyhow::{Context as _, Result, ensure};
use std::process::Command;
use xtask::vm::layout::BOOT_MODULES;

/// Loads those that the tests expect to be there, as far as this kernel has them.
pub fn load_all() -> Result<()> {
    let mut modprobe = Command::new("/usr/bin/modprobe");
    let output = modprobe.args(["--all", "--quiet"]).args(BOOT_MODULES).output();
    let stderr = output.context("cannot start modprobe")?.stderr;
    // About a module that does not exist it says nothing, although it fails.
    ensure!(stderr.is_empty(), "cannot load modules: {}", String::from_utf8_lossy(&stderr));
    Ok(())
}

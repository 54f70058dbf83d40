//! The loopback device.

use anyhow::{Context as _, Result, ensure};
use std::process::Command;

/// Brings it up.
pub fn bring_up() -> Result<()> {
    let mut ip = Command::new("/usr/bin/ip");
    let status = ip.args(["link", "set", "lo", "up"]).status().context("cannot start ip")?;
    ensure!(status.success(), "ip cannot bring up the loopback device ({status})");
    Ok(())
}

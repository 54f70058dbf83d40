//! The serial port, which the kernel writes to as well.

use anyhow::{Context as _, Result};
use std::{
    fmt::Display,
    fs::{self, File},
    io::{self, Write as _},
    os::fd::AsRawFd as _,
};

const PORT: &str = "/dev/ttyS0";

/// Makes it what this process and its children print to.
pub fn take() -> Result<()> {
    let port = File::options().read(true).write(true).open(PORT);
    let port = port.with_context(|| format!("cannot open {PORT}"))?;
    for fd in 0..=2 {
        // SAFETY: the call takes two integers, of which the first is an open file.
        unsafe { libc::dup2(port.as_raw_fd(), fd) };
    }
    Ok(())
}

/// Writes something into which the kernel shall not write its messages.
pub fn write_undisturbed(text: &impl Display) {
    // Where that fails there is no better way to tell it than what follows.
    let _ = fs::write("/proc/sys/kernel/printk", "1");
    drain();
    print!("\n{text}");
    let _ = io::stdout().flush();
    drain();
}

fn drain() {
    // SAFETY: the call takes an integer.
    unsafe { libc::tcdrain(1) };
}

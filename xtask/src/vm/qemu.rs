//! One run of an emulated machine.

use super::{
    host,
    layout::{EXIT_PORT, EXIT_VALUE},
};
use crate::process;
use anyhow::{Context as _, Result};
use std::{
    fs,
    path::Path,
    process::{ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// A machine to be started.
#[derive(Debug)]
pub struct Machine<'a> {
    /// The kernel's bzImage.
    pub kernel: &'a Path,
    /// The initramfs.
    pub initramfs: &'a Path,
    /// Where to write what comes out of its serial port.
    pub log: &'a Path,
    /// How long it may run.
    pub timeout: Duration,
}

/// How a machine stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The guest's init ended it.
    Orderly,
    /// QEMU ended otherwise.
    Otherwise(ExitStatus),
    /// It was killed after its time.
    Killed,
}

/// Quiet and quick; otherwise as users have it, with address randomization.
const KERNEL_ARGUMENTS: &str = "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable \
    no_timer_check lpj=4000000 cryptomgr.notests nowatchdog audit=0 init_on_alloc=0";

impl Machine<'_> {
    /// Runs it to its end. It is emulated: KVM may be there and not work.
    pub fn run(&self) -> Result<Stop> {
        // What an earlier run has left must not be taken for this one's.
        fs::write(self.log, "").with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut qemu = host::command("qemu-system-x86_64")?;
        // With a thread for each of its processors the emulation races with kernels that patch
        // their own code, which they do at boot and whenever a tracepoint is used.
        qemu.args(["-accel", "tcg,thread=single", "-M", "pc", "-cpu", "max,la57=off"])
            .args(["-m", "768", "-smp", "2", "-nodefaults", "-no-user-config"])
            .args(["-display", "none", "-no-reboot", "-serial"])
            .arg(format!("file:{}", self.log.display()))
            .arg("-device")
            .arg(format!("isa-debug-exit,iobase={EXIT_PORT:#x},iosize=0x04"))
            .arg("-kernel")
            .arg(self.kernel)
            .arg("-initrd")
            .arg(self.initramfs)
            .args(["-append", KERNEL_ARGUMENTS])
            .stdin(Stdio::null());
        let begin = Instant::now();
        let mut child = qemu.spawn().with_context(|| process::cannot_start(&qemu))?;
        loop {
            if let Some(status) = child.try_wait().context("cannot wait for QEMU")? {
                let orderly = Some(i32::from(EXIT_VALUE) << 1 | 1);
                let is_orderly = status.code() == orderly;
                return Ok(if is_orderly { Stop::Orderly } else { Stop::Otherwise(status) });
            }
            if begin.elapsed() > self.timeout {
                child.kill().context("cannot stop QEMU")?;
                child.wait().context("cannot wait for QEMU")?;
                return Ok(Stop::Killed);
            }
            sleep(Duration::from_millis(100));
        }
    }
}

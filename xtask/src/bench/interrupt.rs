//! Ctrl-C, noticed: so that what a measurement has started is ended on the way out.

use anyhow::{Result, bail, ensure};
use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    thread::sleep,
    time::Duration,
};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C and termination are only noticed, by [`check`].
pub fn notice() -> Result<()> {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let handler = on_signal as extern "C" fn(libc::c_int);
        // SAFETY: the handler only stores to an atomic, which is allowed at any moment.
        let before = unsafe { libc::signal(signal, handler as libc::sighandler_t) };
        ensure!(before != libc::SIG_ERR, "cannot handle signals: {}", io::Error::last_os_error());
    }
    Ok(())
}

extern "C" fn on_signal(_: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Fails once there was a signal.
pub fn check() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// Sleeps a little; fails once there was a signal.
pub fn pause(time: Duration) -> Result<()> {
    sleep(time);
    check()
}

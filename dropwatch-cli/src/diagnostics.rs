//! `--verbose`: what dropwatch does, and what the BPF program has to say, on standard error.

use anyhow::{Context, Result};
use aya_log::EbpfLogger;
use log::{Level, LevelFilter, Log, Metadata, Record};
use tokio::{io::unix::AsyncFd, task};

use crate::{notice, probe::Probe};

struct ToStderr;

impl Log for ToStderr {
    /// Of what the libraries say, only what they find worth a warning.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("dropwatch") || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            notice!("{}: {}", record.target(), record.args());
        }
    }

    fn flush(&self) {}
}

/// From now on, shows messages of level debug and above.
pub fn enable() {
    // This fails only if it was called before, and then the messages are shown already.
    if log::set_logger(&ToStderr).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}

/// Shows what the BPF program says, for as long as the program runs.
///
/// # Errors
/// When its messages cannot be read.
pub fn follow(probe: &mut Probe) -> Result<()> {
    let logger =
        EbpfLogger::init(&mut probe.ebpf_mut()).context("the BPF program has no messages")?;
    // SAFETY: the logger owns its ring, whose descriptor stays open as long as it.
    let logger = unsafe { AsyncFd::register(logger) };
    let mut logger = logger
        .map_err(|error| error.into_parts().1)
        .context("cannot watch the BPF program's messages")?;
    task::spawn(async move {
        while let Ok(mut ready) = logger.readable_mut().await {
            ready.get_inner_mut().flush();
            ready.clear_ready();
        }
    });
    Ok(())
}

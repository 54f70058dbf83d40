//! `--verbose`: what dropwatch does, and what the BPF program has to say, on standard error.

use anyhow::{Context, Result};
use aya_log::EbpfLogger;
use log::{LevelFilter, Log, Metadata, Record};
use tokio::{io::unix::AsyncFd, task};

use crate::probe::Probe;

struct ToStderr;

impl Log for ToStderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        eprintln!("dropwatch: {}: {}", record.target(), record.args());
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
    let logger = EbpfLogger::init(probe.ebpf_mut()).context("the BPF program has no messages")?;
    let mut logger = AsyncFd::register(logger).context("cannot watch the BPF program's messages")?;
    task::spawn(async move {
        while let Ok(mut ready) = logger.readable_mut().await {
            ready.get_inner_mut().flush();
            ready.clear_ready();
        }
    });
    Ok(())
}

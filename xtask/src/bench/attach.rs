//! When a tool that was started is attached.

use super::{child::Child, interrupt};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

/// How long a tool may take to attach.
const LIMIT: Duration = Duration::from_secs(60);
/// How often it is looked whether it has.
const STEP: Duration = Duration::from_micros(500);

/// Waits until a process has attached a BPF program and the program has run for a drop; gives the
/// moment when it was attached. Meanwhile nothing is dropped: a tool that starts would have to
/// handle that.
pub fn wait_for_program(child: &mut Child, drop_one: impl Fn() -> Result<()>) -> Result<Instant> {
    let begin = Instant::now();
    while !child.is_attached()? {
        child.check()?;
        ensure!(begin.elapsed() < LIMIT, "it has attached nothing for {LIMIT:?}");
        interrupt::pause(STEP)?;
    }
    // What it attached first may be something else, so a drop proves it.
    loop {
        let attached = Instant::now();
        drop_one()?;
        if child.programs()?.have_run() {
            return Ok(attached);
        }
        child.check()?;
        ensure!(begin.elapsed() < LIMIT, "it has noticed no drop for {LIMIT:?}");
        interrupt::pause(STEP)?;
    }
}

/// Waits until a process has started a command, as perf does once it has enabled its event; gives
/// the moment.
pub fn wait_for_command(child: &mut Child, name: &str) -> Result<Instant> {
    let begin = Instant::now();
    while !child.has_started(name)? {
        child.check()?;
        ensure!(begin.elapsed() < LIMIT, "it has not started {name} for {LIMIT:?}");
        interrupt::pause(STEP)?;
    }
    Ok(Instant::now())
}

//! When a tool that was started is attached.

use super::{bpf, child::Child, interrupt};
use anyhow::{Result, ensure};
use std::{
    iter::successors,
    time::{Duration, Instant},
};

/// How long a tool may take to attach.
const LIMIT: Duration = Duration::from_secs(60);
/// How often it is looked whether it has.
const STEP: Duration = Duration::from_micros(500);

/// Waiting until a process has attached a BPF program; begun before it is started.
#[derive(Debug)]
pub struct Attaching {
    /// The id of the last program that there was.
    last: u32,
}

impl Attaching {
    /// Begins.
    pub fn begin() -> Self {
        let ids = successors(Some(0), |&id| bpf::program_after(id));
        Self { last: ids.last().unwrap_or(0) }
    }

    /// Waits until the process has attached a program that has run for a drop; gives the moment
    /// when it was attached. A tool that starts is disturbed as little as can be: nothing is
    /// dropped, and its files are looked at only once somebody has loaded a program.
    pub fn wait(self, child: &mut Child, drop_one: impl Fn() -> Result<()>) -> Result<Instant> {
        let begin = Instant::now();
        let step = |child: &mut Child| {
            child.check()?;
            ensure!(begin.elapsed() < LIMIT, "it has not attached for {LIMIT:?}");
            interrupt::pause(STEP)
        };
        while bpf::program_after(self.last).is_none() || !child.is_attached()? {
            step(child)?;
        }
        // What it attached first may be something else, so a drop proves it.
        loop {
            let attached = Instant::now();
            drop_one()?;
            if child.programs()?.have_run() {
                return Ok(attached);
            }
            step(child)?;
        }
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

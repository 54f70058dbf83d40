//! A process that does nothing but be there.

use std::{
    fs,
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

const LIMIT: Duration = Duration::from_secs(10);

/// A process that sleeps, and holds what it was given. It is killed when this is dropped.
#[derive(Debug)]
pub struct Idle(Child);

impl Idle {
    /// Starts a command that becomes a `sleep`, and waits until it has.
    ///
    /// # Errors
    /// When it cannot be started, or does not become one.
    pub fn start(command: &mut Command) -> Result<Self> {
        let idle = Self(command.spawn().context("cannot start a process")?);
        // Until it has become another program it is still like its parent.
        let comm = format!("/proc/{}/comm", idle.pid());
        let begin = Instant::now();
        while fs::read_to_string(&comm)?.trim() != "sleep" {
            ensure!(begin.elapsed() < LIMIT, "{command:?} does not become a sleep");
            sleep(Duration::from_millis(1));
        }
        Ok(idle)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        // Both fail only where it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

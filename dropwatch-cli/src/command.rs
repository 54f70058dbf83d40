//! `-- COMMAND`: a program that runs while drops are traced.

use std::{
    ffi::OsString,
    io::{ErrorKind, IsTerminal, stdin},
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
};

use anyhow::{Context, Result};
use tokio::process::{Child, Command};

/// Statuses of a shell for what could not be started.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;
/// What a shell adds to the number of a signal.
const SIGNALLED: i32 = 128;

/// The program.
#[derive(Debug)]
pub struct Running {
    child: Child,
    ended: Option<ExitStatus>,
}

/// A program that cannot be started, which ends dropwatch with a shell's status for that.
#[derive(Debug)]
pub struct CannotStart {
    program: OsString,
    error: std::io::Error,
}

impl CannotStart {
    /// The status.
    pub fn status(&self) -> u8 {
        if self.error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE }
    }
}

impl std::fmt::Display for CannotStart {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "cannot start {}: {}", self.program.display(), self.error)
    }
}

impl std::error::Error for CannotStart {}

impl Running {
    /// Starts it; the first word is the program.
    ///
    /// # Errors
    /// [`CannotStart`], where it cannot be started.
    pub fn start(words: &[OsString]) -> Result<Self> {
        let (program, args) = words.split_first().context("there is no command behind --")?;
        match Command::new(program).args(args).spawn() {
            Ok(child) => Ok(Self { child, ended: None }),
            Err(error) => Err(CannotStart { program: program.clone(), error }.into()),
        }
    }

    /// Waits for its end.
    pub async fn end(&mut self) {
        if self.ended.is_none() {
            // It is our child, so that only a mistake of ours could be an error.
            self.ended = self.child.wait().await.ok();
        }
    }

    /// Passes a signal on. What a terminal sends reaches it anyway.
    pub fn pass_on(&self, signal: i32) {
        let from_terminal = signal == libc::SIGINT && stdin().is_terminal();
        if let Some(pid) = self.child.id().filter(|_| !from_terminal) {
            // SAFETY: the call takes two integers. The process is our child and not waited for,
            // so the id is still its own.
            unsafe { libc::kill(pid as i32, signal) };
        }
    }

    /// The status to end with, as a shell would.
    pub fn status(&self) -> u8 {
        let status = self.ended.map_or(0, |ended| match (ended.code(), ended.signal()) {
            (Some(code), _) => code,
            (None, signal) => SIGNALLED + signal.unwrap_or(0),
        });
        status as u8
    }
}

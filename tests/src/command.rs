//! Running other programs.

use std::{
    ffi::OsStr,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::need::find_program;

/// What a program prints.
///
/// # Errors
/// When it cannot be run or fails, with what it says about it.
pub fn output<A: AsRef<OsStr>>(program: &str, args: &[A]) -> Result<String> {
    let path = find_program(program).with_context(|| format!("{program} is not installed"))?;
    output_of(Command::new(path).args(args))
}

/// As [`output`], for a command that has been put together.
///
/// # Errors
/// As there.
pub fn output_of(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    ensure!(
        output.status.success(),
        "{command:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Presses Ctrl-C on a program that runs, and waits for its end.
///
/// # Errors
/// When it has ended before, or does not end within the limit.
pub(crate) fn interrupt(child: &mut Child, limit: Duration) -> Result<()> {
    if let Some(status) = child.try_wait()? {
        bail!("process {} ended already with {status}", child.id());
    }
    let pid = child.id().try_into().context("a process id")?;
    // SAFETY: the call takes two integers. The process is our child and not waited for, so the
    // id is still its own.
    ensure!(unsafe { libc::kill(pid, libc::SIGINT) } == 0, "cannot signal process {pid}");
    let begin = Instant::now();
    while child.try_wait()?.is_none() {
        ensure!(begin.elapsed() < limit, "process {pid} still runs after {limit:?}");
        sleep(Duration::from_millis(2));
    }
    Ok(())
}

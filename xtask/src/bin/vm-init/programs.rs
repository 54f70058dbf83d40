//! Running the test programs one after another.

use crate::results;
use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    io::{self, Read, Write as _, pipe},
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};
use xtask::{
    suite::{kernel::BINARY_VARIABLE, skips},
    vm::{
        layout::{DROPWATCH, SKIPS, TEST_DIR},
        report::Report,
    },
};

/// How long one may take.
const LIMIT: Duration = Duration::from_secs(300);
/// Tells the tests that they are in an emulated machine, and on which kernel.
const VM_VARIABLE: &str = "DROPWATCH_VM";

/// Runs all and adds to the report how they ended.
pub fn run_all(report: &mut Report) -> Result<()> {
    let folder = fs::read_dir(TEST_DIR).context("there are no tests")?;
    let mut programs: Vec<_> = folder.flatten().map(|entry| entry.path()).collect();
    programs.sort();
    for program in programs {
        run(&program, report).with_context(|| format!("cannot run {}", program.display()))?;
    }
    let skipped = fs::read_to_string(SKIPS).unwrap_or_default();
    report.skipped = skips::parse_skipped(&skipped);
    Ok(())
}

/// Runs a program, and once more where it fails: an emulated machine can stand still for a moment
/// that is too long for a test. What fails then has failed, and the first time is told as well.
fn run(program: &Path, report: &mut Report) -> Result<()> {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let (mut output, mut status) = attempt(program, &name)?;
    if !status.is_some_and(|status| status.success()) {
        report.again.extend(results::failed(&output).map(|test| format!("{name}::{test}")));
        (output, status) = attempt(program, &name)?;
    }
    results::add(report, &name, &output, status);
    Ok(())
}

/// What a program prints, and how it ends; none where it had to be killed.
fn attempt(program: &Path, name: &str) -> Result<(String, Option<ExitStatus>)> {
    println!("--- {name}");
    let (reader, writer) = pipe()?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/")
        .env("RUST_TEST_THREADS", "1")
        .env(BINARY_VARIABLE, DROPWATCH)
        .env(skips::VARIABLE, SKIPS)
        .env(VM_VARIABLE, release.trim())
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut child = command.spawn()?;
    // The command holds the writing ends of the pipe.
    drop(command);
    let output = thread::spawn(move || relay(reader));
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begin.elapsed() > LIMIT {
            break None;
        }
        thread::sleep(Duration::from_millis(20));
    };
    // Whatever it has left would disturb the next one, and hold the pipe open. From here this
    // reaches all processes but this one.
    // SAFETY: the call takes two integers.
    unsafe { libc::kill(-1, libc::SIGKILL) };
    if status.is_none() {
        child.wait()?;
    }
    let Ok(output) = output.join() else { bail!("its output cannot be read") };
    println!("--- {name} took {:.1} s", begin.elapsed().as_secs_f64());
    Ok((output, status))
}

/// Passes on what a program prints, piece by piece: where it hangs, this shows how far it came.
fn relay(mut reader: impl Read) -> String {
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(len @ 1..) = reader.read(&mut piece) {
        let mut out = io::stdout();
        // Nobody could be told that the serial port does not work.
        let _ = out.write_all(&piece[..len]).and_then(|()| out.flush());
        text.extend_from_slice(&piece[..len]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

//! `cargo xtask test`: all tests, and an account of them in the last line.

pub mod kernel;
pub mod results;
pub mod skips;

use crate::{
    ebpf,
    process::{self, in_ci},
    project::Project,
};
use anyhow::Result;
use kernel::KernelAccess;
use results::Tally;
use skips::Skips;
use std::{ffi::OsString, process::ExitCode};

/// Runs all tests. What goes wrong is told before the last line, which is the account.
pub fn run(project: &Project, args: &[OsString]) -> Result<ExitCode> {
    let skips = Skips::start(project)?;
    let mut tally = or_failure(test(project, args));
    tally += or_failure(ebpf::check::check(project, None));

    let skipped = skips.read()?;
    for (test, reason) in &skipped {
        println!("skipped: {test}: {reason}");
    }
    let unexpected = if in_ci() { skips.unexpected(&skipped)? } else { Vec::new() };
    for test in &unexpected {
        eprintln!("error: {test} was skipped; make it run here, or list it in {}", skips::EXPECTED);
    }
    tally.correct(skipped.len() as u64, unexpected.len() as u64);
    println!("{tally}");
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds everything and runs `cargo test`.
fn test(project: &Project, args: &[OsString]) -> Result<Tally> {
    let access = KernelAccess::find()?;
    if let Some(warning) = access.warning() {
        println!("{warning}");
    }
    project.build_release()?;
    process::run(project.cargo().args(["test", "--workspace", "--no-run"]))?;

    let mut tests = access.cargo_test(project);
    tests.args(["--workspace", "--no-fail-fast"]).args(args);
    let (mut tally, passed) = results::stream(&mut tests)?;
    if !passed {
        // A test program that crashes has no results to add up.
        tally.failed = tally.failed.max(1);
    }
    Ok(tally)
}

/// An error counts as one failure.
fn or_failure(outcome: Result<Tally>) -> Tally {
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        Tally { failed: 1, ..Tally::default() }
    })
}

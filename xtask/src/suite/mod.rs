//! `cargo xtask test`: all tests, and an account of them in the last line.

pub mod kernel;
pub mod results;
pub mod skips;

use crate::{
    cli::TestArgs,
    dist, ebpf,
    process::{self, in_ci},
    project::Project,
    vm::{self, Kernels, table::Table},
};
use anyhow::{Result, anyhow};
use kernel::KernelAccess;
use results::Tally;
use skips::Skips;
use std::{ffi::OsString, process::ExitCode, thread};

/// Runs all tests. What goes wrong is told before the last line, which is the account.
pub fn run(project: &Project, args: &TestArgs) -> Result<ExitCode> {
    let skips = Skips::start(project)?;
    // Nothing else may run beside the tests, which measure time; compiling does not mind.
    let (access, kernels) = thread::scope(|scope| {
        let fetching = args.wants_vm(in_ci()).then(|| scope.spawn(|| Kernels::fetch(&[])));
        let access = build(project);
        (access, fetching.map(|thread| thread.join()))
    });
    let mut tally = or_failure(access.and_then(|access| test(project, &access, &args.args)));
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
    if let Some(kernels) = kernels {
        let kernels = kernels.unwrap_or_else(|_| Err(anyhow!("fetching the kernels panicked")));
        tally += or_failure(kernels.and_then(|kernels| test_kernels(project, &kernels)));
    }
    if args.wants_dist(in_ci()) {
        tally += or_failure(dist::test(project));
    }
    println!("{tally}");
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds everything, and tells how the tests get their rights.
fn build(project: &Project) -> Result<KernelAccess> {
    let access = KernelAccess::find()?;
    if let Some(warning) = access.warning() {
        println!("{warning}");
    }
    project.build_release()?;
    process::run(project.cargo().args(["test", "--workspace", "--no-run"]))?;
    Ok(access)
}

/// Runs `cargo test`.
fn test(project: &Project, access: &KernelAccess, args: &[OsString]) -> Result<Tally> {
    let mut tests = access.cargo_test(project);
    tests.args(["--workspace", "--no-fail-fast"]).args(args);
    let (mut tally, passed) = results::stream(&mut tests)?;
    if !passed {
        // A test program that crashes has no results to add up.
        tally.failed = tally.failed.max(1);
    }
    Ok(tally)
}

/// Runs the end-to-end tests on other kernels.
fn test_kernels(project: &Project, kernels: &Kernels) -> Result<Tally> {
    let outcomes = kernels.test(project, &[], vm::TIMEOUT, None)?;
    print!("{}", Table(&outcomes));
    let mut tally = Tally::default();
    for outcome in outcomes {
        tally += outcome.tally;
    }
    Ok(tally)
}

/// An error counts as one failure.
pub fn or_failure(outcome: Result<Tally>) -> Tally {
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        Tally { failed: 1, ..Tally::default() }
    })
}

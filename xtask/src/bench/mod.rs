//! `cargo xtask bench`: what dropwatch and other tools cost, measured side by side on the same
//! drops of a real kernel; how that grows; and whether it lasts.

pub mod arena;
pub mod attach;
pub mod bpf;
pub mod child;
pub mod compare;
pub mod growth;
pub mod interrupt;
pub mod long;
pub mod machine;
pub mod markdown;
pub mod namespace;
pub mod programs;
pub mod said;
pub mod send;
pub mod tools;
pub mod tracefs;

use crate::{
    cli::BenchArgs,
    process::{cannot_start, find_program, is_root},
    project::Project,
};
use anyhow::{Context as _, Result};
use std::{
    env,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, ExitCode},
};
use tools::Tools;

/// Measures, and prints the result.
pub fn run(args: &BenchArgs) -> Result<ExitCode> {
    let dropwatch = match &args.dropwatch {
        Some(dropwatch) => dropwatch.canonicalize().with_context(|| {
            format!("cannot find {}, which was given with --dropwatch", dropwatch.display())
        })?,
        None => {
            let project = Project::find()?;
            project.build_release()?;
            project.release_binary()
        }
    };
    if !is_root() {
        return again_as_root(&dropwatch);
    }
    let tools = Tools { dropwatch, bpftrace: find_program("bpftrace"), perf: find_program("perf") };
    interrupt::notice()?;
    tracefs::provide()?;
    let passed = if let Some(duration) = args.long {
        long::run(args, &tools, duration)?
    } else if args.growth {
        growth::run(args, &tools)?
    } else {
        compare::run(args, &tools)?
    };
    Ok(if args.check && !passed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Becomes the same command as root, which builds nothing, for then root would own it.
fn again_as_root(dropwatch: &Path) -> Result<ExitCode> {
    let sudo = find_program("sudo")
        .context("measuring needs root, and there is no sudo; run `cargo xtask bench` as root")?;
    let mut sudo = Command::new(sudo);
    sudo.arg("--").arg(env::current_exe()?).args(env::args_os().skip(1));
    if !env::args_os().any(|arg| arg.to_string_lossy().starts_with("--dropwatch")) {
        sudo.arg("--dropwatch").arg(dropwatch);
    }
    let error = sudo.exec();
    Err(error).with_context(|| cannot_start(&sudo))
}

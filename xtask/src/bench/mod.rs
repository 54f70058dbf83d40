//! `cargo xtask bench`: what dropwatch and other tools cost, measured side by side on the same
//! drops of a real kernel.

pub mod arena;
pub mod bpf;
pub mod child;
pub mod interrupt;
pub mod limits;
pub mod machine;
pub mod measure;
pub mod namespace;
pub mod programs;
pub mod raw;
pub mod said;
pub mod send;
pub mod summary;
pub mod table;
pub mod tools;
pub mod tracefs;

use crate::{
    cli::BenchArgs,
    process::{cannot_start, find_program, is_root},
    project::Project,
};
use anyhow::{Context as _, Result};
use arena::Arena;
use bpf::Stats;
use machine::Machine;
use measure::{Bench, Measurement};
use std::{
    env, fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};
use table::Report;
use tools::{Programs, TOOLS, Tool};

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
    let programs =
        Programs { dropwatch, bpftrace: find_program("bpftrace"), perf: find_program("perf") };
    interrupt::notice()?;
    tracefs::provide()?;
    let arena = Arena::new()?;
    let (tools, missing): (Vec<_>, Vec<_>) =
        TOOLS.into_iter().partition(|tool| programs.has(tool.kind));
    let mut notes = arena.notes.clone();
    notes.extend(missing.iter().map(|tool| format!("{}, which is not installed", tool.name)));

    let folder = Folder::new()?;
    let (rounds, packets) = (args.rounds(), args.packets());
    let floods: Vec<_> = arena.floods.iter().map(|flood| flood.name).collect();
    let method = format!(
        "medians of {rounds} rounds, each with {packets} packets for every way to drop them: {}",
        floods.join(", ")
    );
    let machine = Machine::this(&programs, method)?;
    let bench = Bench { arena: &arena, programs: &programs, folder: &folder.0, packets };
    let rounds = measure(&bench, &tools, rounds)?;

    if let Some(path) = &args.json {
        raw::write(path, &machine, &rounds)?;
    }
    let summaries = summary::summarize(&rounds);
    let outcomes = limits::compare(&summaries);
    let report =
        Report { machine: &machine, notes: &notes, summaries: &summaries, outcomes: &outcomes };
    print!("{report}");
    let failed = outcomes.iter().any(limits::Outcome::fails);
    Ok(if args.check && failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Measures all tools in each round, so that they share the machine's moods. Each round begins
/// with another one, so that none always follows the same.
fn measure(bench: &Bench<'_>, tools: &[Tool], rounds: usize) -> Result<Vec<Vec<Measurement>>> {
    let _stats = Stats::enable()?;
    let mut measured = Vec::new();
    for round in 0..rounds {
        let (later, first) = tools.split_at(round % tools.len());
        let mut measurements = Vec::new();
        for &tool in first.iter().chain(later) {
            eprintln!("round {} of {rounds}: {}", round + 1, tool.name);
            measurements.push(bench.measure(tool)?);
        }
        measured.push(measurements);
    }
    Ok(measured)
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

/// A folder that is gone with this.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = Path::new("/var/tmp").join(format!("dropwatch-bench-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}

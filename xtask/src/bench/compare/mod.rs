//! What tools cost, side by side.

pub mod limits;
pub mod measure;
pub mod raw;
pub mod summary;
pub mod table;

use super::{
    arena::Arena,
    machine::Machine,
    tools::{TOOLS, Tool, Tools},
};
use crate::cli::BenchArgs;
use anyhow::{Context as _, Result};
use measure::{Bench, Measurement};
use std::{
    fs,
    path::{Path, PathBuf},
};
use table::Report;

/// Measures, prints the result, and tells whether all limits hold.
pub fn run(args: &BenchArgs, programs: &Tools) -> Result<bool> {
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
    let machine = Machine::this(programs, method)?;
    let bench = Bench { arena: &arena, tools: programs, folder: &folder.0, packets };
    let rounds = measure(&bench, &tools, rounds)?;

    if let Some(path) = &args.json {
        raw::write(path, &machine, &rounds)?;
    }
    let summaries = summary::summarize(&rounds);
    let (outcomes, bounds) = (limits::compare(&summaries), limits::check(&summaries));
    let report = Report {
        machine: &machine,
        notes: &notes,
        summaries: &summaries,
        outcomes: &outcomes,
        bounds: &bounds,
    };
    print!("{report}");
    Ok(!outcomes.iter().any(limits::Outcome::fails) && bounds.iter().all(limits::Checked::holds))
}

/// Measures all tools in each round, so that they share the machine's moods. Each round begins
/// with another one, so that none always follows the same.
fn measure(bench: &Bench<'_>, tools: &[Tool], rounds: usize) -> Result<Vec<Vec<Measurement>>> {
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

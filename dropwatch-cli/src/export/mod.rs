//! Files that other tools read, written beside what is shown: one file a format.

pub mod flamegraph;
pub mod folded;
pub mod pcapng;

use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
};

use anyhow::Result;

use crate::{drop::Drop, render::sources::Sources};
use folded::Folded;
use pcapng::Pcapng;

/// All files that are wanted.
#[derive(Default)]
pub struct Exports {
    capture: Option<Pcapng<BufWriter<File>>>,
    flamegraph: Option<PathBuf>,
    stacks: Option<Folded>,
}

impl Exports {
    /// Begins a capture, and a flame graph, where they are wanted; and folds stacks.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn new(
        capture: Option<&Path>,
        flamegraph: Option<&Path>,
        folds_stacks: bool,
    ) -> Result<Self> {
        let stacks = folds_stacks || flamegraph.is_some();
        if let Some(path) = flamegraph {
            flamegraph::check(path)?;
        }
        Ok(Self {
            capture: capture.map(Pcapng::create).transpose()?,
            flamegraph: flamegraph.map(Path::to_owned),
            stacks: stacks.then(Folded::default),
        })
    }

    /// Takes a drop.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, drop: &Drop, sources: &mut Sources) -> Result<()> {
        if let Some(stacks) = &mut self.stacks {
            stacks.add(drop, sources);
        }
        match &mut self.capture {
            Some(capture) => capture.add(drop, sources),
            None => Ok(()),
        }
    }

    /// Called about once a second: what was taken so far goes where others can read it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.capture.as_mut().map_or(Ok(()), Pcapng::flush)
    }

    /// Writes the rest.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(&mut self) -> Result<()> {
        self.flush()?;
        match (&self.stacks, &self.flamegraph) {
            (Some(stacks), Some(path)) => flamegraph::draw(stacks, path),
            _ => Ok(()),
        }
    }

    /// The stacks that were folded.
    pub fn folded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(stacks) = &self.stacks {
            // Writing to memory does not fail.
            let _ = stacks.write(&mut out);
        }
        out
    }
}

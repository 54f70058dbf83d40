//! A flame graph of stacks by reason: `--flamegraph FILE.svg`.

use std::{
    fs::{self, File},
    path::Path,
};

use anyhow::{Context, Result};
use inferno::flamegraph::{self, Options};

use super::folded::Folded;

/// Makes sure that the file can be written at the end, which may be long from now.
///
/// # Errors
/// When it cannot.
pub fn check(path: &Path) -> Result<()> {
    let file = File::options().write(true).create(true).truncate(false).open(path);
    file.map(drop).with_context(|| cannot_write(path))
}

/// Draws the stacks into an SVG file.
///
/// # Errors
/// When it cannot be drawn or written.
pub fn draw(stacks: &Folded, path: &Path) -> Result<()> {
    let mut lines: Vec<_> = stacks.lines().collect();
    if lines.is_empty() {
        // Without a frame there is no picture.
        lines.push("no drops 1".to_owned());
    }
    let mut options = Options::default();
    "Dropped packets by reason".clone_into(&mut options.title);
    "drops".clone_into(&mut options.count_name);
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)
        .context("cannot draw the flame graph")?;
    fs::write(path, svg).with_context(|| cannot_write(path))
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write the flame graph {}", path.display())
}

//! A flame graph of stacks by reason: `--flamegraph FILE.svg`.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use inferno::flamegraph::{self, Options};

use super::folded::Folded;

/// Draws the stacks into an SVG file; nothing is written where there are none.
///
/// # Errors
/// When it cannot be drawn or written.
pub fn draw(stacks: &Folded, path: &Path) -> Result<()> {
    let lines: Vec<_> = stacks.lines().collect();
    let mut options = Options::default();
    "Dropped packets by reason".clone_into(&mut options.title);
    "drops".clone_into(&mut options.count_name);
    "Function:".clone_into(&mut options.name_type);
    let mut svg = Vec::new();
    if lines.is_empty() {
        return Ok(());
    }
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)
        .context("cannot draw the flame graph")?;
    fs::write(path, svg).with_context(|| format!("cannot write the flame graph {}", path.display()))
}

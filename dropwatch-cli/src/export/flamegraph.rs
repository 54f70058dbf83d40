//! A flame graph of stacks by reason: `--flamegraph FILE.svg`.

use std::{
    fs::{self, File},
    path::Path,
};

use anyhow::{Context, Result};
use inferno::flamegraph::{
    self, Options, Palette, TextTruncateDirection,
    color::{BackgroundColor, BasicPalette, Color, PaletteMap},
};

use super::folded::Folded;

/// How to read it.
const SUBTITLE: &str = "each stack stands on its reason; on top is the function that dropped, and \
     the width is the number of drops";
/// The colour of reasons, which no function has.
const REASON: Color = Color { r: 242, g: 124, b: 108 };
/// The colour of the frame below all of them, which has no name here.
const ALL: Color = Color { r: 205, g: 205, b: 205 };

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
    let mut colors = PaletteMap::default();
    colors.insert("", ALL);
    for line in &lines {
        colors.insert(line.split([';', ' ']).next().unwrap_or_default(), REASON);
    }
    let mut options = Options::default();
    "Dropped packets by reason".clone_into(&mut options.title);
    options.subtitle = Some(SUBTITLE.to_owned());
    "drops".clone_into(&mut options.count_name);
    "Function:".clone_into(&mut options.name_type);
    // The same function has the same colour in every stack.
    options.deterministic = true;
    options.colors = Palette::Basic(BasicPalette::Aqua);
    options.bgcolors = Some(BackgroundColor::Flat(Color { r: 255, g: 255, b: 255 }));
    options.palette_map = Some(&mut colors);
    // What tells functions apart is more often at the beginning.
    options.text_truncate_direction = TextTruncateDirection::Right;
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)
        .context("cannot draw the flame graph")?;
    fs::write(path, svg).with_context(|| cannot_write(path))
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write the flame graph {}", path.display())
}

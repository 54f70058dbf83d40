//! Stacks under the drops that they belong to.

use anstyle::Style;

use super::place::write_place;
use crate::{
    cli::StackMode,
    drop::Stack,
    stacks::{self, Stacks},
    symbols::{Frame, SourceLine, Symbols},
    write::push,
};

/// Writes stacks, each distinct one with a number.
pub struct StackText {
    mode: StackMode,
    style: Style,
    stacks: Stacks,
}

impl StackText {
    /// Has not written any stack yet.
    pub fn new(mode: StackMode, style: Style) -> Self {
        Self { mode, style, stacks: Stacks::default() }
    }

    /// Appends a stack, or which one it is the same as.
    pub fn write(
        &mut self,
        stack: &Stack,
        location: u64,
        symbols: &mut Symbols,
        out: &mut Vec<u8>,
    ) {
        let style = self.style;
        let Stack::Addresses(addresses) = stack else {
            push(out, format_args!("    stack unavailable\n"));
            return;
        };
        let frames = stacks::of_drop(addresses, location, symbols);
        let (number, new) = self.stacks.number(frames);
        if !new && self.mode == StackMode::Once {
            push(out, format_args!("    {style}stack #{number}, as above{style:#}\n"));
            return;
        }
        push(out, format_args!("    {style}stack #{number}:{style:#}\n"));
        for &address in frames {
            write_frame(&symbols.frame(address), style, out);
        }
    }
}

/// A frame of a stack: the functions inlined there first, as they are further in.
pub fn write_frame(frame: &Frame, style: Style, out: &mut Vec<u8>) {
    const INDENT: &str = "        ";
    for inlined in frame.symbol.iter().flat_map(|symbol| symbol.inlined.iter().rev()) {
        push(out, format_args!("{INDENT}{} (inlined)", inlined.name));
        write_source(inlined.source.as_ref(), style, out);
    }
    push(out, format_args!("{INDENT}"));
    write_place(frame, out);
    write_source(frame.symbol.as_ref().and_then(|symbol| symbol.source.as_ref()), style, out);
}

fn write_source(source: Option<&SourceLine>, style: Style, out: &mut Vec<u8>) {
    match source {
        Some(SourceLine { file, line: Some(line) }) => {
            push(out, format_args!("  {style}{file}:{line}{style:#}\n"))
        }
        Some(SourceLine { file, line: None }) => {
            push(out, format_args!("  {style}{file}{style:#}\n"))
        }
        None => out.push(b'\n'),
    }
}

//! Stacks by reason, a line each, as flame graphs are made of: `REASON;outermost;…;innermost 12`.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
};

use crate::{
    drop::{Drop, Stack},
    render::sources::Sources,
    stacks,
    symbols::Frame,
};

/// Most distinct stacks that are kept apart, some MB.
const MAX_STACKS: usize = 100_000;
/// What stands in place of the stack of those beyond.
const OTHER: &str = "(other stacks)";

/// Counts drops by reason and stack; one without a stack has its location in place of it.
#[derive(Debug, Default)]
pub struct Folded {
    lines: HashMap<Key, (String, u64)>,
}

/// A reason, and the frames from the location on.
type Key = (Option<u32>, Box<[u64]>);

impl Folded {
    /// Counts a drop.
    pub fn add(&mut self, drop: &Drop, sources: &mut Sources) {
        let location = [drop.location];
        let frames = match &drop.stack {
            Some(Stack::Addresses(addresses)) => {
                stacks::of_drop(addresses, drop.location, &mut sources.symbols)
            }
            Some(Stack::Unavailable) | None => &location[..],
        };
        let mut key = (drop.reason, frames.into());
        if self.lines.len() >= MAX_STACKS && !self.lines.contains_key(&key) {
            key.1 = [].into();
        }
        let line = self.lines.entry(key);
        let (_, count) =
            line.or_insert_with_key(|(reason, frames)| (fold(*reason, frames, sources), 0));
        *count += 1;
    }

    /// The lines in order, with how many drops each stands for.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let mut sorted = BTreeMap::<_, u64>::new();
        // The same function can drop at several addresses.
        for (line, count) in self.lines.values() {
            *sorted.entry(line.as_str()).or_default() += count;
        }
        sorted.into_iter().map(|(line, count)| format!("{line} {count}"))
    }

    /// Writes the lines.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.lines().try_for_each(|line| writeln!(out, "{line}"))
    }
}

fn fold(reason: Option<u32>, frames: &[u64], sources: &mut Sources) -> String {
    let mut line = reason.map_or("dropped", |raw| sources.reasons.name(raw)).to_owned();
    if frames.is_empty() {
        line.push(';');
        line.push_str(OTHER);
    }
    for &address in frames.iter().rev() {
        push_frame(&mut line, &sources.symbols.frame(address));
    }
    line
}

/// The function, and behind it those inlined in it.
fn push_frame(line: &mut String, frame: &Frame) {
    let Some(symbol) = &frame.symbol else {
        line.push_str(&format!(";{:#x}", frame.address));
        return;
    };
    let inlined = symbol.inlined.iter().map(|inlined| inlined.name.as_str());
    for name in std::iter::once(symbol.name.as_str()).chain(inlined) {
        line.push(';');
        // These have a meaning in the format.
        line.extend(name.chars().map(|it| if matches!(it, ';' | ' ') { '_' } else { it }));
    }
}

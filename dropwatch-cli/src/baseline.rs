//! `--baseline`: what a recording shows as usual, taken off what was counted.
//!
//! Addresses and numbers differ between kernels and boots, so drops are the same where the names
//! of reason and function are.

use std::{collections::HashMap, path::Path};

use anyhow::{Context, Result, bail};

use crate::{
    counts::{Snapshot, key::Key},
    kernel::reasons::Reasons,
    recording::{self, Item, Recording},
    render::sources::Sources,
    symbols::Symbols,
};

/// How many drops of each reason in each function are usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    usual: HashMap<(String, String), u64>,
}

impl Baseline {
    /// Reads a recording.
    ///
    /// # Errors
    /// When it cannot be read, or holds nothing.
    pub fn read(path: &Path) -> Result<Self> {
        let of_path = || format!("--baseline {}", path.display());
        let mut recording = Recording::open(path).with_context(of_path)?;
        let mut sources = Sources::of_recording();
        let mut usual = HashMap::new();
        while let Some(item) = recording.next().with_context(of_path)? {
            match item {
                Item::Drop(recorded) => {
                    let recording::line::Recorded { drop, names } = *recorded;
                    recording::learn(&mut sources, &drop, names);
                    let key = Key::of_drop(&drop, false);
                    let name = name(&key, &mut sources.reasons, &mut sources.symbols);
                    *usual.entry(name).or_insert(0) += 1;
                }
                Item::Damaged { line, why } => bail!("{}: line {line}: {why}", of_path()),
                Item::CutOff { lines, why } => eprintln!(
                    "dropwatch: {} is cut off after line {lines} ({why}); what was before is usual",
                    of_path()
                ),
            }
        }
        Ok(Self { usual })
    }

    /// Takes what is usual off the counts, and gives how many drops that were.
    pub fn take_off(&self, snapshot: &mut Snapshot, sources: &mut Sources) -> u64 {
        let mut left = self.usual.clone();
        let mut taken = 0;
        for (key, drops) in &mut snapshot.rows {
            let name = name(key, &mut sources.reasons, &mut sources.symbols);
            let Some(usual) = left.get_mut(&name) else { continue };
            let part = (*drops).min(*usual);
            *drops -= part;
            *usual -= part;
            taken += part;
        }
        snapshot.rows.retain(|(_, drops)| *drops > 0);
        taken
    }
}

/// What drops are compared by: the reason, and the function without what the compiler put behind
/// its name.
fn name(key: &Key, reasons: &mut Reasons, symbols: &mut Symbols) -> (String, String) {
    let reason = key.reason.map(|raw| reasons.name(raw).to_owned()).unwrap_or_default();
    let frame = symbols.frame(key.location.unwrap_or(0));
    let function = frame.symbol.as_ref().map_or("", |symbol| symbol.name.as_str());
    (reason, function.split('.').next().unwrap_or(function).to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use dropwatch_common::counters::Counters;

    use super::*;
    use crate::symbols::{Frame, Symbol};

    fn sources() -> Sources {
        let symbol = |name: &str| Symbol {
            name: name.to_owned(),
            offset: 1,
            module: None,
            source: None,
            inlined: Vec::new(),
        };
        let frames = [(1, "udp_rcv"), (2, "udp_rcv.cold"), (3, "tcp_rcv")];
        Sources {
            reasons: Reasons::of_trace_event(&[(2, "NO_SOCKET".to_owned())]),
            symbols: Symbols::of_frames(
                frames.map(|(address, name)| Frame { address, symbol: Some(symbol(name)) }),
            ),
            ..Sources::of_recording()
        }
    }

    #[test]
    fn only_what_is_more_than_usual_is_left() {
        let named = |function: &str| ("NO_SOCKET".to_owned(), function.to_owned());
        let baseline = Baseline { usual: [(named("udp_rcv"), 7), (named("ip_rcv"), 1)].into() };
        let key = |location| Key { reason: Some(2), location: Some(location), ..Key::default() };
        let mut snapshot = Snapshot {
            at: Instant::now(),
            rows: vec![(key(1), 5), (key(2), 4), (key(3), 3)],
            other: 0,
            counters: Counters::default(),
        };
        assert_eq!(baseline.take_off(&mut snapshot, &mut sources()), 7);
        assert_eq!(snapshot.rows, [(key(2), 2), (key(3), 3)]);
    }
}

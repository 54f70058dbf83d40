//! Drops that are normal on a healthy machine: the rules that tell them, and what finds the rule
//! for a drop. A drop that has a rule is tagged with its name, and never hidden unless asked.

mod rule;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use anyhow::Result;
use serde::Serialize;

use crate::{drop::Drop, render::sources::Sources, wrap::wrap};
use rule::Facts;
pub use rule::Rule;
pub use rules::RULES;

/// Finds the rule for a drop.
#[derive(Default)]
pub struct Tagger {
    /// The rules that a drop for a reason at a place may have: only the packet and the socket
    /// remain to be looked at. Most drops have none.
    candidates: HashMap<Place, Vec<&'static Rule>>,
    /// Where the last drop without any was, since most drops are like the one before.
    last_without: Option<Place>,
}

/// A reason and a location.
type Place = (u32, u64);

impl Tagger {
    /// The rule that calls a drop normal, if there is one.
    pub fn tag(&mut self, drop: &Drop, sources: &mut Sources) -> Option<&'static Rule> {
        let place = (drop.reason?, drop.location);
        if self.last_without == Some(place) {
            return None;
        }
        let candidates = self.candidates.entry(place).or_insert_with(|| candidates(place, sources));
        if candidates.is_empty() {
            self.last_without = Some(place);
            return None;
        }
        let facts = Facts { drop, packet: &drop.packet() };
        candidates.iter().copied().find(|rule| rule.holds(&facts))
    }

    /// To be called now and then: forgets what may no longer be true, since a module came or went.
    pub fn tick(&mut self) {
        self.candidates.clear();
        self.last_without = None;
    }
}

fn candidates((raw, location): Place, sources: &mut Sources) -> Vec<&'static Rule> {
    let frame = sources.symbols.frame(location);
    // What the compiler has split off belongs to the function: `foo.constprop.0`.
    let function = frame.symbol.as_ref().and_then(|symbol| symbol.name.split('.').next());
    let reason = sources.reasons.name(raw);
    RULES.iter().filter(|rule| rule.may_hold(reason, function)).collect()
}

/// The rules for people: `--explain-tags`.
pub fn text(width: usize) -> String {
    const INDENT: &str = "  ";
    let mut text = String::new();
    let intro = "Drops that are normal on a healthy machine are tagged with the rule that says so. They are shown like \
                 all others unless --no-noise leaves them out. A rule can be wrong: many more of them than usual, or \
                 somebody who misses just these packets, are worth a look.";
    for line in wrap(intro, width) {
        text += &(line + "\n");
    }
    for rule in RULES {
        text += &format!("\n#{}\n", rule.name);
        for paragraph in [format!("Matches {}.", rule.matches), rule.why.to_owned()] {
            for line in wrap(&paragraph, width.saturating_sub(INDENT.len())) {
                text += &format!("{INDENT}{line}\n");
            }
        }
    }
    text
}

/// The rules as JSON: an array of objects.
///
/// # Errors
/// When they cannot be written as JSON, which these types can.
pub fn json() -> Result<String> {
    #[derive(Serialize)]
    struct Row {
        tag: &'static str,
        matches: &'static str,
        why: &'static str,
    }
    let rows = RULES.iter().map(|&Rule { name: tag, matches, why, .. }| Row { tag, matches, why });
    Ok(serde_json::to_string_pretty(&rows.collect::<Vec<_>>())? + "\n")
}

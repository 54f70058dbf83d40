//! Explanations as JSON: an array of objects.

use anyhow::Result;
use serde::Serialize;

use super::{
    Likelihood,
    lookup::{Explained, Kernel, Presence},
};

/// What the data does not know is null, as is what the kernel does not tell.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    subsystem: &'a str,
    /// Null where the kernel has no such reason, or does not tell.
    number: Option<u32>,
    full_name: Option<&'a str>,
    /// Whether the kernel has it.
    present: Option<bool>,
    kernel: &'a str,
    summary: Option<&'a str>,
    meaning: Option<&'a str>,
    #[serde(rename = "where")]
    places: Option<&'a [String]>,
    harmless: Option<Likelihood>,
    harmless_when: Option<&'a str>,
    counters: Option<&'a [String]>,
    check: Option<&'a [String]>,
    fix: Option<&'a str>,
    since: Option<&'a str>,
    until: Option<&'a str>,
    renamed: Option<&'a str>,
}

/// The explanations, with a line's end behind them.
///
/// # Errors
/// When they cannot be written as JSON, which these types can.
pub fn json(explained: &[Explained<'_>], kernel: &Kernel) -> Result<String> {
    let rows: Vec<_> = explained.iter().map(|it| row(it, kernel)).collect();
    Ok(serde_json::to_string_pretty(&rows)? + "\n")
}

fn row<'a>(explained: &'a Explained<'_>, kernel: &'a Kernel) -> Row<'a> {
    let Explained { subsystem, name, presence, entry } = explained;
    let reason = match presence {
        Presence::Has(reason) => Some(reason),
        _ => None,
    };
    Row {
        name,
        subsystem,
        number: reason.map(|reason| reason.raw),
        full_name: reason.map(|reason| reason.full_name.as_str()),
        present: match presence {
            Presence::Has(_) => Some(true),
            Presence::HasNot => Some(false),
            Presence::ModuleNotLoaded | Presence::Unknown => None,
        },
        kernel: &kernel.name,
        summary: entry.map(|it| it.summary.as_str()),
        meaning: entry.map(|it| it.meaning.as_str()),
        places: entry.map(|it| it.r#where.as_slice()),
        harmless: entry.map(|it| it.harmless),
        harmless_when: entry.map(|it| it.harmless_when.as_str()),
        counters: entry.map(|it| it.counters.as_slice()),
        check: entry.map(|it| it.check.as_slice()),
        fix: entry.map(|it| it.fix.as_str()),
        since: entry.map(|it| it.since.as_str()),
        until: entry.and_then(|it| it.until.as_deref()),
        renamed: entry.and_then(|it| it.renamed.as_deref()),
    }
}

//! `dropwatch list-reasons`: the drop reasons of this kernel, or of another's BTF.

use anyhow::{Result, bail};
use serde::Serialize;

use crate::{
    cli::ListReasonsArgs,
    explain::{self, Entries},
    filter::reason::{self, ReasonPattern},
    kernel::{
        choice,
        reasons::{Reason, Reasons, split},
    },
    output::print,
};

#[derive(Serialize)]
struct Row<'a> {
    number: u32,
    name: &'a str,
    full_name: &'a str,
    subsystem: String,
    /// The meaning in a line, where it is known.
    summary: Option<&'a str>,
}

/// Prints the reasons that match.
///
/// # Errors
/// When BTF cannot be read, or nothing matches.
pub fn run(args: &ListReasonsArgs) -> Result<()> {
    let (reasons, entries) = (choice::reasons(&args.btf)?, Entries::load()?);
    let pattern =
        args.pattern.as_deref().map(ReasonPattern::parse).transpose()?.map(ReasonPattern::anywhere);
    let matches =
        |reason: &&Reason| pattern.as_ref().is_none_or(|pattern| pattern.matches(reason, &reasons));
    let rows: Vec<_> =
        reasons.iter().filter(matches).map(|reason| row(reason, &reasons, &entries)).collect();
    if rows.is_empty() {
        match &args.pattern {
            Some(text) => bail!("{}", reason::unknown(text, &reasons)),
            None => bail!("this kernel has no drop reasons: they came with Linux 5.17"),
        }
    }
    let text = if args.json { json(&rows)? } else { table(&rows) };
    print(text.as_bytes()).map(drop)
}

fn row<'a>(reason: &'a Reason, reasons: &Reasons, entries: &'a Entries) -> Row<'a> {
    Row {
        number: reason.raw,
        name: &reason.name,
        full_name: &reason.full_name,
        subsystem: reasons.subsystem_name(reason.raw),
        summary: explain::summary(entries, reasons, reason.raw),
    }
}

fn json(rows: &[Row<'_>]) -> Result<String> {
    Ok(serde_json::to_string_pretty(rows)? + "\n")
}

/// A block for each subsystem. Numbers of a subsystem other than the core are in hex, since
/// their high 16 bits are the subsystem's number.
fn table(rows: &[Row<'_>]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for block in rows.chunk_by(|left, right| left.subsystem == right.subsystem) {
        let (number, _) = split(block[0].number);
        if !text.is_empty() {
            text.push('\n');
        }
        text += &format!("subsystem {} ({number}), {} reasons\n", block[0].subsystem, block.len());
        text += &format!("{:>10}  {:<width$}  MEANING\n", "NUMBER", "NAME");
        for row in block {
            let number =
                if number == 0 { row.number.to_string() } else { format!("{:#x}", row.number) };
            let summary = row.summary.unwrap_or("?");
            text += &format!("{number:>10}  {:<width$}  {summary}\n", row.name);
        }
    }
    text
}

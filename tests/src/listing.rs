//! Reading what `dropwatch list-reasons` prints, strictly.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{Finished, Launch, Row};

/// What `dropwatch list-reasons` with these arguments gives, which complains about nothing.
///
/// # Errors
/// When it fails or complains.
pub fn list(args: &[&str]) -> Result<Finished> {
    let finished = Launch::new(&[&["list-reasons"], args].concat()).run()?;
    ensure!(finished.status.success(), "{args:?}: {}", finished.stderr());
    ensure!(finished.stderr.is_empty(), "{args:?}: {}", finished.stderr());
    Ok(finished)
}

/// Reads the table: a block for each subsystem, with the number of its reasons.
fn read_table(text: &str) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for block in text.split("\n\n") {
        let mut lines = block.lines();
        let title = lines.next().unwrap_or_default();
        let words: Vec<_> =
            title.split([' ', '(', ')', ',']).filter(|word| !word.is_empty()).collect();
        let ["subsystem", subsystem, number, count, "reasons"] = words[..] else {
            bail!("the title {title:?}");
        };
        let heading: Vec<_> = lines.next().unwrap_or_default().split_whitespace().collect();
        ensure!(heading == ["NUMBER", "NAME", "MEANING"], "the heading {heading:?}");
        let high: u32 = number.parse()?;
        let before = rows.len();
        for line in lines {
            let mut words = line.split_whitespace();
            let (Some(number), Some(name)) = (words.next(), words.next()) else {
                bail!("the row {line:?}");
            };
            let meaning = words.next().is_some_and(|word| word != "?");
            ensure!(meaning, "{name} has no meaning in {line:?}");
            let number = match number.strip_prefix("0x") {
                Some(digits) => u32::from_str_radix(digits, 16)?,
                None => number.parse()?,
            };
            ensure!(number >> 16 == high, "{number} in the block of subsystem {high}");
            // Only those of the core have a longer one, which JSON has.
            let prefix = if high == 0 { "SKB_DROP_REASON_" } else { "" };
            let full_name = format!("{prefix}{name}");
            let (name, subsystem) = (name.to_owned(), subsystem.to_owned());
            rows.push(Row { number, name, full_name, subsystem });
        }
        ensure!(
            rows.len() - before == count.parse::<usize>()?,
            "{title:?} has another number of rows"
        );
    }
    Ok(rows)
}

fn read_json(text: &str) -> Result<Vec<Row>> {
    let value: Value = serde_json::from_str(text)?;
    let read = |row: &Value| {
        let text = |key: &str| row.get(key).and_then(Value::as_str).map(str::to_owned);
        text("summary").filter(|summary| summary.len() > 10)?;
        Some(Row {
            number: u32::try_from(row.get("number")?.as_u64()?).ok()?,
            name: text("name")?,
            full_name: text("full_name")?,
            subsystem: text("subsystem")?,
        })
    };
    let rows = value.as_array().context("no array")?;
    rows.iter().map(|row| read(row).with_context(|| format!("the row {row}"))).collect()
}

/// Lists, as a table and as JSON, and compares with what it should be.
///
/// # Errors
/// When it is anything else.
pub fn check(args: &[&str], expected: &[Row]) -> Result<()> {
    let table = read_table(&list(args)?.stdout())?;
    let json = read_json(&list(&[args, &["--json"]].concat())?.stdout())?;
    for listed in [table, json] {
        let extra: Vec<_> = listed.iter().filter(|row| !expected.contains(row)).collect();
        let missing: Vec<_> = expected.iter().filter(|row| !listed.contains(row)).collect();
        ensure!(
            extra.is_empty() && missing.is_empty(),
            "{args:?}: extra {extra:#?}, missing {missing:#?}"
        );
        ensure!(listed == expected, "{args:?}: not in order, or twice");
    }
    Ok(())
}

//! Counts as a plain table, for logs and for the end of a run.

use std::collections::HashSet;

use super::{
    sources::Sources,
    table::{OTHER, write_part},
};
use crate::{
    config::TableConfig,
    counts::{
        Snapshot,
        key::{By, Key},
        table::{Row, Sort, Table},
    },
    explain::hints::Hints,
    top::look::wrap,
    wrap::terminal_width,
    write::{pad_left, pad_right, push},
};

/// What stands in the column RATE, in drops per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rates {
    /// Those of the last interval.
    Lately,
    /// Those of the whole run, which took so many seconds.
    Mean(f64),
}

/// Appends a table: a heading, the rows, and the sum.
pub fn write(
    table: &Table,
    config: &TableConfig,
    rates: Rates,
    sources: &mut Sources,
    out: &mut Vec<u8>,
) {
    let all = table.rows(config.sort, !matches!(config.sort, Sort::Key(_)));
    let (rows, rest) = all.split_at(shown(&all, config));
    let by = table.by();
    let mut lines = vec![heading(by)];
    lines.extend(rows.iter().map(|row| line(row, rates, parts(&row.key, by, sources))));
    if let Some(rest) = sum(rest) {
        let what = format!("({} more)", table.rows_len() - rows.len());
        lines.push(line(&rest, rates, vec![what.into()]));
    }
    let other = table.other();
    if other.total > 0 {
        lines.push(line(&other, rates, vec![OTHER.into()]));
    }
    write_aligned(&lines, NUMBERS, out);
}

/// Appends what the reasons in the rows mean, in the order of the rows, each once and in lines of
/// this width.
pub fn write_hints(
    table: &Table,
    config: &TableConfig,
    hints: &Hints,
    width: usize,
    sources: &mut Sources,
    out: &mut Vec<u8>,
) {
    let all = table.rows(config.sort, !matches!(config.sort, Sort::Key(_)));
    let mut told = HashSet::new();
    for raw in all[..shown(&all, config)].iter().filter_map(|row| row.key.reason) {
        if let Some(meaning) = hints.meaning(raw, &sources.reasons)
            && told.insert(raw)
        {
            let name = sources.reasons.name(raw);
            let line = format!("    hint: {name}: {meaning}");
            let lines = wrap(&line, width);
            lines.iter().for_each(|line| push(out, format_args!("{line}\n")));
        }
    }
}

/// How many of these rows have a line.
fn shown(rows: &[Row], config: &TableConfig) -> usize {
    config.rows.unwrap_or(usize::MAX).min(rows.len())
}

/// Appends the table of a whole run that took so many seconds, and below it what its reasons mean
/// where that is wanted.
pub fn write_snapshot(
    snapshot: &Snapshot,
    seconds: f64,
    config: &TableConfig,
    hints: Option<&Hints>,
    sources: &mut Sources,
    out: &mut Vec<u8>,
) {
    let mut table = Table::new(config.by.clone(), 0);
    table.feed(snapshot);
    write(&table, config, Rates::Mean(seconds), sources, out);
    if let Some(hints) = hints {
        write_hints(&table, config, hints, terminal_width(), sources, out);
    }
}

/// All rows in one.
fn sum(rows: &[Row]) -> Option<Row> {
    let mut rows = rows.iter();
    let first = rows.next()?.clone();
    Some(rows.fold(first, |sum, row| Row {
        total: sum.total + row.total,
        rate: sum.rate + row.rate,
        share: sum.share + row.share,
        ..sum
    }))
}

/// The cells of a line.
pub(crate) type Line = Vec<Vec<u8>>;
/// Columns of numbers, which are aligned at the right.
const NUMBERS: usize = 3;

fn heading(by: &[By]) -> Line {
    let names = ["TOTAL", "RATE", "SHARE"].into_iter().chain(by.iter().map(|by| by.heading()));
    names.map(|name| name.as_bytes().to_vec()).collect()
}

fn line(row: &Row, rates: Rates, parts: Line) -> Line {
    let rate = match rates {
        Rates::Lately => row.rate,
        Rates::Mean(seconds) if seconds > 0.0 => row.total as f64 / seconds,
        Rates::Mean(_) => 0.0,
    };
    let numbers =
        [row.total.to_string(), format!("{rate:.1}"), format!("{:.1}%", row.share * 100.0)];
    numbers.into_iter().map(String::into_bytes).chain(parts).collect()
}

fn parts(key: &Key, by: &[By], sources: &mut Sources) -> Line {
    let part = |by: &By| {
        let mut out = Vec::new();
        write_part(*by, key, sources, &mut out);
        out
    };
    by.iter().map(part).collect()
}

/// Appends lines with aligned columns, of which so many at the left are numbers.
pub(crate) fn write_aligned(lines: &[Line], numbers: usize, out: &mut Vec<u8>) {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        let cells = cells.map(|cell| String::from_utf8_lossy(cell).chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    for line in lines {
        for (column, cell) in line.iter().enumerate() {
            if column > 0 {
                out.extend(b"  ");
            }
            let is_last = column + 1 == line.len();
            let start = out.len();
            out.extend_from_slice(cell);
            match widths[column] {
                width if column < numbers => pad_left(out, start, width),
                _ if is_last => {}
                width => pad_right(out, start, width),
            }
        }
        out.push(b'\n');
    }
}

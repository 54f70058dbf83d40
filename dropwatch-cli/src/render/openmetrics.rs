//! Counts as metrics: OpenMetrics text, or the older text format of Prometheus.
//!
//! The formats differ in what a counter is called where it is described: OpenMetrics leaves out
//! the suffix `_total`, and the older one does not. So no text is right in both.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use dropwatch_common::counters::Counters;

use super::{
    sources::Sources,
    table::{OTHER, write_part},
    text::UNKNOWN,
};
use crate::{
    config::TableConfig,
    counts::{
        key::{By, Key},
        table::{Sort, Table},
    },
    write::push,
};

/// Which text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Version 0.0.4 of Prometheus' own, which node_exporter's textfile collector reads.
    Prometheus,
}

/// What is told besides the drops in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// What the BPF program counted.
    pub counters: Counters,
    /// Drops that the program could not see.
    pub missed: u64,
    /// When counting began, in Unix time.
    pub start: Duration,
}

/// Writes metrics time and again.
///
/// Counters must never decrease. So a row that was told once is told from then on, and one that
/// was among the others when there was no more room stays there, whatever it grows to.
#[derive(Debug)]
pub struct Exposition {
    format: Format,
    told: HashSet<Key>,
}

impl Exposition {
    /// Nothing has been told yet.
    pub fn new(format: Format) -> Self {
        Self { format, told: HashSet::new() }
    }

    /// Appends all metrics. Of the rows those come first that the table sorts first, and no more
    /// than it is to have.
    pub fn write(
        &mut self,
        table: &Table,
        config: &TableConfig,
        totals: &Totals,
        sources: &mut Sources,
        out: &mut Vec<u8>,
    ) {
        let other = table.other().total;
        let mut rest = other;
        // What reads the same is one series: two of them would be an error.
        let mut series = BTreeMap::<Vec<u8>, u64>::new();
        for row in table.rows(config.sort, !matches!(config.sort, Sort::Key(_))) {
            let has_room = config.rows.is_none_or(|most| self.told.len() < most);
            if self.told.contains(&row.key) || has_room && self.told.insert(row.key) {
                *series.entry(labels(&row.key, table.by(), sources)).or_default() += row.total;
            } else {
                rest += row.total;
            }
        }
        if rest > 0 {
            *series.entry(labels_of_rest(table.by())).or_default() += rest;
        }
        let Totals { counters, missed, start } = totals;
        self.describe("drops", "Packets that the kernel dropped and the filters let pass.", out);
        for (labels, drops) in &series {
            out.extend_from_slice(b"dropwatch_drops_total{");
            out.extend_from_slice(labels);
            push(out, format_args!("}} {drops}\n"));
        }
        for (name, value, help) in [
            ("seen", counters.seen, "Drops that happened while dropwatch was attached."),
            ("matched", counters.matched, "Drops that passed the filters."),
            ("other", other, "Drops for whose key there was no room (--max-keys)."),
            ("missed", *missed, "Drops that dropwatch could not see while it handled another."),
        ] {
            self.describe(name, help, out);
            push(out, format_args!("dropwatch_{name}_total {value}\n"));
        }
        let name = "dropwatch_start_time_seconds";
        push(out, format_args!("# HELP {name} When counting began, in Unix time.\n"));
        push(out, format_args!("# TYPE {name} gauge\n"));
        if self.format == Format::OpenMetrics {
            push(out, format_args!("# UNIT {name} seconds\n"));
        }
        push(out, format_args!("{name} {}.{:03}\n", start.as_secs(), start.subsec_millis()));
        if self.format == Format::OpenMetrics {
            out.extend_from_slice(b"# EOF\n");
        }
    }

    /// Appends what stands above a counter's values.
    fn describe(&self, name: &str, help: &str, out: &mut Vec<u8>) {
        let suffix = match self.format {
            Format::OpenMetrics => "",
            Format::Prometheus => "_total",
        };
        push(out, format_args!("# HELP dropwatch_{name}{suffix} {help}\n"));
        push(out, format_args!("# TYPE dropwatch_{name}{suffix} counter\n"));
    }
}

/// What the labels are called that a part of a key becomes.
fn names(by: By) -> &'static [&'static str] {
    match by {
        By::Reason => &["reason", "subsystem"],
        By::Location => &["location", "function"],
        By::Protocol => &["protocol"],
        By::Interface => &["interface"],
        By::Netns => &["netns"],
        By::Flow => &["flow"],
    }
}

fn labels(key: &Key, by: &[By], sources: &mut Sources) -> Vec<u8> {
    let mut out = Vec::new();
    let mut value = Vec::new();
    for by in by {
        for name in names(*by) {
            value.clear();
            match *name {
                "subsystem" => write_subsystem(key, sources, &mut value),
                "function" => write_function(key, sources, &mut value),
                _ => write_part(*by, key, sources, &mut value),
            }
            write_label(name, &value, &mut out);
        }
    }
    out
}

fn labels_of_rest(by: &[By]) -> Vec<u8> {
    let mut out = Vec::new();
    let names = by.iter().flat_map(|by| names(*by));
    names.for_each(|name| write_label(name, OTHER.as_bytes(), &mut out));
    out
}

fn write_subsystem(key: &Key, sources: &Sources, out: &mut Vec<u8>) {
    let name = key.reason.map(|raw| sources.reasons.subsystem_name(raw));
    out.extend_from_slice(name.as_deref().unwrap_or(UNKNOWN).as_bytes());
}

/// The function without the place in it, by which drops of different builds of a kernel compare.
fn write_function(key: &Key, sources: &mut Sources, out: &mut Vec<u8>) {
    let frame = key.location.map(|address| sources.symbols.frame(address));
    let symbol = frame.as_ref().and_then(|frame| frame.symbol.as_ref());
    out.extend_from_slice(symbol.map_or(UNKNOWN, |symbol| &symbol.name).as_bytes());
}

/// Appends `name="value"`, after a comma where it is not the first. Values are UTF-8.
fn write_label(name: &str, value: &[u8], out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(b',');
    }
    push(out, format_args!("{name}=\""));
    for character in String::from_utf8_lossy(value).chars() {
        match character {
            '\\' => out.extend_from_slice(b"\\\\"),
            '"' => out.extend_from_slice(b"\\\""),
            '\n' => out.extend_from_slice(b"\\n"),
            _ => push(out, format_args!("{character}")),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
#[path = "openmetrics_tests.rs"]
mod tests;

//! Plain tables one after the other, for logs; or metrics, for programs.

use std::time::SystemTime;

use anyhow::Result;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::{
    accounting::CountAccount,
    config::{Config, TableConfig, TopConfig},
    counts::table::Table,
    explain::hints::Hints,
    output::print,
    render::{
        openmetrics::{Exposition, Totals},
        plain_table::{self, Rates},
        sources::Sources,
    },
    replace::Replaced,
    session::Session,
    verdict::Verdict,
    wrap::terminal_width,
    write::push,
};

/// Prints a table for each interval, and one for what is left of the last.
///
/// # Errors
/// When drops cannot be traced, or a table not be printed.
pub async fn run(config: &Config, top: &TopConfig) -> Result<Verdict> {
    let mut form = Form::new(config, top)?;
    let Session { mut probe, mut stop, begin, mut sources, reconciliation, .. } =
        Session::begin(config)?;
    let mut counts = probe.take_counts()?;
    let mut table = Table::new(config.table.by.clone(), 0);
    let start = SystemTime::now() - begin.elapsed();
    let start = start.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // Rates count from here.
    let snapshot = counts.read(&probe)?;
    table.feed(&snapshot);
    let mut totals = Totals { counters: snapshot.counters, missed: probe.missed(), start };
    if form.is_file() {
        // Nothing else would tell before the end of an interval that it cannot be written.
        form.put(&table, &config.table, &totals, &mut sources)?;
    }
    let mut ticks = interval_at(Instant::from_std(begin) + top.interval, top.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut printed = 0;
    let mut is_read = true;
    while is_read && top.iterations.is_none_or(|wanted| printed + 1 < wanted) {
        tokio::select! {
            biased;
            () = stop.requested() => break,
            _ = ticks.tick() => {}
        }
        sources.tick();
        let snapshot = counts.read(&probe)?;
        table.feed(&snapshot);
        totals = Totals { counters: snapshot.counters, missed: probe.missed(), ..totals };
        is_read = form.put(&table, &config.table, &totals, &mut sources)?;
        printed += 1;
    }
    if is_read && top.iterations.is_some_and(|wanted| printed < wanted) {
        tokio::select! {
            biased;
            () = stop.requested() => {}
            _ = ticks.tick() => {}
        }
    }
    let elapsed = begin.elapsed();
    probe.detach()?;
    let moved = reconciliation.end();
    if !is_read {
        return Ok(Verdict::default());
    }
    // The last table is exact.
    let snapshot = counts.read_settled(&probe).await?;
    table.feed(&snapshot);
    let (counters, missed) = (snapshot.counters, probe.missed());
    totals = Totals { counters, missed, ..totals };
    if form.put(&table, &config.table, &totals, &mut sources)? {
        eprint!("{}", moved.text(&snapshot, &mut sources));
        let account = CountAccount { counters, missed, elapsed, ..CountAccount::default() };
        eprintln!("dropwatch: {account}");
    }
    Ok(Verdict::default())
}

/// What is made of the counts.
enum Form {
    /// Tables on standard output, and what their reasons mean.
    Tables(Option<Hints>),
    /// Metrics, on standard output where there is no file.
    Metrics(Exposition, Option<Replaced>),
}

impl Form {
    fn new(config: &Config, top: &TopConfig) -> Result<Self> {
        if let Some((format, file)) = &top.metrics {
            let file = file.as_deref().map(Replaced::new).transpose()?;
            return Ok(Self::Metrics(Exposition::new(*format), file));
        }
        Ok(Self::Tables(Hints::wanted(config.hints)?))
    }

    fn is_file(&self) -> bool {
        matches!(self, Self::Metrics(_, Some(_)))
    }

    /// Prints or writes it. False where nobody reads any more.
    fn put(
        &mut self,
        table: &Table,
        config: &TableConfig,
        totals: &Totals,
        sources: &mut Sources,
    ) -> Result<bool> {
        let mut out = Vec::new();
        match self {
            Self::Tables(hints) => write_table(table, config, hints.as_ref(), sources, &mut out),
            Self::Metrics(exposition, file) => {
                exposition.write(table, config, totals, sources, &mut out);
                if let Some(file) = file {
                    return file.put(&out).map(|()| true);
                }
            }
        }
        print(&out)
    }
}

/// A table under a line with the time and what there was in all, and a line without anything.
fn write_table(
    table: &Table,
    config: &TableConfig,
    hints: Option<&Hints>,
    sources: &mut Sources,
    out: &mut Vec<u8>,
) {
    sources.clock.write_now(out);
    let sum = table.sum();
    push(out, format_args!("  {} drops, {:.1} per second\n", sum.total, sum.rate));
    plain_table::write(table, config, Rates::Lately, sources, out);
    if let Some(hints) = hints {
        plain_table::write_hints(table, config, hints, terminal_width(), sources, out);
    }
    out.push(b'\n');
}

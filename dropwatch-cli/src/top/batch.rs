//! Plain tables one after the other, for logs.

use anyhow::Result;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::{
    accounting::CountAccount,
    config::{Config, TopConfig},
    counts::table::Table,
    output::print,
    render::{
        plain_table::{self, Rates},
        sources::Sources,
    },
    session::Session,
    verdict::Verdict,
    write::push,
};

/// Prints a table for each interval, and one for what is left of the last.
///
/// # Errors
/// When drops cannot be traced, or a table not be printed.
pub async fn run(config: &Config, top: &TopConfig) -> Result<Verdict> {
    let Session { mut probe, mut stop, begin, mut sources, reconciliation, .. } =
        Session::begin(config)?;
    let mut counts = probe.take_counts()?;
    let mut table = Table::new(config.table.by.clone(), 0);
    // Rates count from here.
    table.feed(&counts.read(&probe)?);
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
        table.feed(&counts.read(&probe)?);
        is_read = print(&text(&table, config, &mut sources))?;
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
    if print(&text(&table, config, &mut sources))? {
        eprint!("{}", moved.text(&snapshot, &mut sources));
        let account = CountAccount {
            counters: snapshot.counters,
            missed: probe.missed(),
            elapsed,
            ..CountAccount::default()
        };
        eprintln!("dropwatch: {account}");
    }
    Ok(Verdict::default())
}

/// A table under a line with the time and what there was in all, and a line without anything.
fn text(table: &Table, config: &Config, sources: &mut Sources) -> Vec<u8> {
    let mut out = Vec::new();
    sources.clock.write_now(&mut out);
    let sum = table.sum();
    push(&mut out, format_args!("  {} drops, {:.1} per second\n", sum.total, sum.rate));
    plain_table::write(table, &config.table, Rates::Lately, sources, &mut out);
    out.push(b'\n');
    out
}

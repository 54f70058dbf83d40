//! `--summary`: counts in the kernel, and one table at the end.

use anyhow::Result;

use crate::{
    accounting::CountAccount,
    config::Config,
    counts::table::Table,
    output::print,
    render::plain_table::{self, Rates},
    session::Session,
};

/// Counts until the end is requested.
///
/// # Errors
/// When drops cannot be traced, or the table not be printed.
pub async fn run(config: &Config) -> Result<()> {
    let Session { mut probe, mut stop, begin, mut sources, .. } = Session::begin(config)?;
    let mut counts = probe.take_counts()?;
    stop.requested().await;
    let elapsed = begin.elapsed();
    probe.detach()?;
    let snapshot = counts.read_settled(&probe).await?;
    let mut table = Table::new(config.table.by.clone(), 0);
    table.feed(&snapshot);
    let mut out = Vec::new();
    plain_table::write(
        &table,
        &config.table,
        Rates::Mean(elapsed.as_secs_f64()),
        &mut sources,
        &mut out,
    );
    if print(&out)? {
        let account = CountAccount { counters: snapshot.counters, missed: probe.missed(), elapsed };
        eprintln!("dropwatch: {account}");
    }
    Ok(())
}

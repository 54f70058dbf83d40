//! `--summary`, and what happens while a program runs: counts in the kernel, and one table at the
//! end.

use anyhow::Result;

use crate::{
    accounting::CountAccount, baseline::Baseline, config::Config, explain::hints::Hints,
    output::print, render::plain_table, session::Session, verdict::Verdict,
};

/// Counts until the end is requested.
///
/// # Errors
/// When drops cannot be traced, or the table not be printed.
pub async fn run(config: &Config) -> Result<Verdict> {
    let baseline = config.baseline.as_deref().map(Baseline::read).transpose()?;
    let hints = Hints::wanted(config.hints)?;
    let Session { mut probe, mut stop, begin, mut sources, reconciliation, .. } =
        Session::begin(config)?;
    let mut counts = probe.take_counts()?;
    stop.requested().await;
    let elapsed = begin.elapsed();
    probe.detach()?;
    let moved = reconciliation.end();
    let mut snapshot = counts.read_settled(&probe).await?;
    let reconciled = moved.text(&snapshot, &mut sources);
    let verdict = Verdict::of(config, baseline.as_ref(), &mut snapshot, &mut sources, &stop);
    let mut out = Vec::new();
    plain_table::write_snapshot(
        &snapshot,
        elapsed.as_secs_f64(),
        &config.table,
        hints.as_ref(),
        &mut sources,
        &mut out,
    );
    // Standard output is that of the program, where there is one.
    let is_read = if config.command.is_empty() {
        print(&out)?
    } else {
        eprint!("{}", String::from_utf8_lossy(&out));
        true
    };
    if is_read {
        eprint!("{reconciled}");
        let (counters, missed) = (snapshot.counters, probe.missed());
        let account = CountAccount { counters, missed, usual: verdict.usual, elapsed };
        eprintln!("dropwatch: {account}");
    }
    Ok(verdict)
}

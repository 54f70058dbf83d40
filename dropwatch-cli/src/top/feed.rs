//! The live view over what the kernel counts.

use anyhow::Result;
use log::debug;

use super::{
    live::{self, Feed, LiveConfig},
    look::Look,
    names::Named,
};
use crate::{
    accounting::CountAccount,
    config::{Config, TopConfig},
    counts::{Snapshot, kernel::Counts, key::Key},
    decode::decode,
    drop::Drop,
    explain::hints::Hints,
    notice,
    probe::Probe,
    ring::Reader,
    session::Session,
    verdict::Verdict,
};

/// Counts and samples from the kernel.
struct Kernel {
    probe: Probe,
    counts: Counts,
    reader: Reader,
}

impl Feed for Kernel {
    fn snapshot(&mut self) -> Result<Snapshot> {
        self.counts.read(&self.probe)
    }

    fn want_sample(&mut self, key: &Key) -> Result<()> {
        self.counts.request_sample(key)
    }

    fn samples(&mut self) -> Vec<Drop> {
        let mut drops = Vec::new();
        self.reader.drain(|record| {
            match decode(record) {
                Ok(drop) => drops.push(drop),
                Err(error) => debug!("a record of {} bytes is none: {error:?}", record.len()),
            }
            true
        });
        drops
    }
}

/// Shows the view until somebody ends it, and then the account.
///
/// # Errors
/// When drops cannot be traced, or there is no terminal.
pub async fn run(config: &Config, top: &TopConfig) -> Result<Verdict> {
    let hints = Hints::wanted(config.hints)?;
    let held = notice::hold();
    let Session { mut probe, reader, mut stop, begin, sources, .. } = Session::begin(config)?;
    let counts = probe.take_counts()?;
    let mut kernel = Kernel { probe, counts, reader };
    let look = Look::of_environment(config.color);
    let mut names = Named::new(sources, look);
    if let Some(hints) = hints {
        names = names.with_hints(hints);
    }
    let live = LiveConfig {
        by: config.table.by.clone(),
        sort: config.table.sort,
        interval: top.interval,
        iterations: top.iterations,
        filters: top.filters.clone(),
        look,
        begin,
    };
    let ended = live::run(&mut kernel, &mut names, &live, &mut stop).await;
    let elapsed = begin.elapsed();
    let Kernel { mut probe, mut counts, .. } = kernel;
    probe.detach()?;
    let counters = counts.read_settled(&probe).await?.counters;
    drop(held);
    let missed = probe.missed();
    notice!("{}", CountAccount { counters, missed, elapsed, ..CountAccount::default() });
    ended.map(|()| Verdict::default())
}

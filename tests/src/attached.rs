//! What a dropwatch has in the kernel while it runs, and that nothing of it stays.

use std::{
    collections::BTreeSet,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{Event, Running, bpf_ids, command::output};

const LIMIT: Duration = Duration::from_secs(10);

/// The BPF objects that a process had.
#[derive(Debug)]
pub struct Attached(Vec<(&'static str, BTreeSet<u32>)>);

impl Attached {
    /// Those of a dropwatch that is attached.
    ///
    /// # Errors
    /// When it has no program, link or map.
    pub fn of(pid: u32) -> Result<Self> {
        let mut kinds = Vec::new();
        for kind in ["prog", "link", "map"] {
            let ids = bpf_ids(pid, kind)?;
            ensure!(!ids.is_empty(), "process {pid} has no {kind}");
            kinds.push((kind, ids));
        }
        let attached = Self(kinds);
        ensure!(
            attached.show().iter().any(|shown| shown.contains("name kfree_skb")),
            "process {pid} has other programs: {attached:?}"
        );
        Ok(attached)
    }

    /// What bpftool says of each of a kind (`prog`, `link`, `map`) that there is.
    pub fn show_kind(&self, kind: &str) -> Vec<String> {
        self.show_where(|found| found == kind)
    }

    fn show(&self) -> Vec<String> {
        self.show_where(|_| true)
    }

    fn show_where(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let kinds = self.0.iter().filter(|(kind, _)| wanted(kind));
        let all = kinds.flat_map(|(kind, ids)| ids.iter().map(move |id| (*kind, id)));
        all.filter_map(|(kind, id)| output("bpftool", &[kind, "show", "id", &id.to_string()]).ok())
            .collect()
    }

    /// Waits until the kernel has freed all of them: a moment after the last that used them.
    ///
    /// # Errors
    /// When something stays.
    pub fn wait_until_gone(&self) -> Result<()> {
        let begin = Instant::now();
        loop {
            let left = self.show();
            if left.is_empty() {
                return Ok(());
            }
            ensure!(begin.elapsed() < LIMIT, "left behind: {left:?}");
            sleep(Duration::from_millis(50));
        }
    }
}

/// Ends a dropwatch, and gives the drops that it showed: all went well, nothing was lost, every
/// matched drop is shown, and nothing stays in the kernel.
///
/// # Errors
/// When that is not so.
pub fn finish(dropwatch: Running) -> Result<Vec<Event>> {
    let attached = Attached::of(dropwatch.pid())?;
    let finished = dropwatch.interrupt()?;
    let account = finished.success()?;
    let events = finished.events()?;
    ensure!((account.lost, account.not_shown) == (0, 0), "{account:?}");
    ensure!(account.shown == events.len() as u64, "{account:?}, {} lines", events.len());
    ensure!(finished.notices() == 1, "{}", finished.stderr());
    attached.wait_until_gone()?;
    Ok(events)
}

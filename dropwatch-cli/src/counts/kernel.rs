//! The counts that the BPF program keeps.

use std::{
    collections::HashMap,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use aya::maps::{Array, MapData};
use dropwatch_common::{
    count::{CountKey, Counted, FlowKey, PerProcessor, SampleRequest},
    counters::Counters,
    record::INTERFACE_LEN,
};
use tokio::time::sleep;

use super::{Snapshot, batch, key::Key};
use crate::probe::{Probe, Shared};

/// How long the program may go on after it was detached, and how often that is looked at.
const SETTLE_TIME: Duration = Duration::from_millis(200);
const SETTLE_STEP: Duration = Duration::from_millis(1);
/// So often the counts of a processor are read again where a key was just taking a slot.
const RETRIES: u32 = 8;

/// Reads the counts.
pub struct Counts {
    map: MapData,
    by_flow: bool,
    requests: Array<MapData, Shared<SampleRequest>>,
    /// What each key is: a device's name is told by the map only, and not by the slots.
    names: HashMap<CountKey, [u8; INTERFACE_LEN]>,
}

impl Counts {
    pub(crate) fn new(
        map: MapData,
        by_flow: bool,
        requests: Array<MapData, Shared<SampleRequest>>,
    ) -> Self {
        Self { map, by_flow, requests, names: HashMap::new() }
    }

    /// What was counted up to now. While drops are counted a few may be missing, which the next
    /// one has; once the probe is detached it is exact.
    ///
    /// # Errors
    /// When the kernel does not give them.
    pub fn read(&mut self, probe: &Probe) -> Result<Snapshot> {
        let at = Instant::now();
        // The map first: what moves meanwhile from a slot into it is then not counted twice.
        let mut rows = self.read_map().context("cannot read the counts")?;
        let processors = read_processors(probe)?;
        let mut counters = Counters::default();
        for processor in processors {
            counters = counters + processor.counters;
            let slots = processor.slots.iter().filter(|slot| slot.drops > 0);
            rows.extend(slots.map(|slot| {
                let name = self.names.get(&slot.key).copied().unwrap_or_default();
                (Key::of_count(&slot.key, name), slot.drops)
            }));
        }
        Ok(Snapshot { at, rows, other: counters.other, counters })
    }

    /// The same once the probe is detached: the program may still be running on another processor
    /// for a moment.
    ///
    /// # Errors
    /// As above.
    pub async fn read_settled(&mut self, probe: &Probe) -> Result<Snapshot> {
        let begin = Instant::now();
        loop {
            let snapshot = self.read(probe)?;
            if snapshot.is_complete() || begin.elapsed() >= SETTLE_TIME {
                return Ok(snapshot);
            }
            sleep(SETTLE_STEP).await;
        }
    }

    fn read_map(&mut self) -> std::io::Result<Vec<(Key, u64)>> {
        let mut rows = Vec::new();
        let map = self.map.fd().as_fd();
        if self.by_flow {
            // SAFETY: this is the map `FLOWS`, and all are made of integers.
            unsafe {
                batch::each(map, |key: &FlowKey, counted: &Counted| {
                    rows.push((Key::of_flow(key, counted.name), counted.drops));
                })?;
            }
        } else {
            let names = &mut self.names;
            // SAFETY: this is the map `COUNTS`, and all are made of integers.
            unsafe {
                batch::each(map, |key: &CountKey, counted: &Counted| {
                    names.insert(*key, counted.name);
                    rows.push((Key::of_count(key, counted.name), counted.drops));
                })?;
            }
        }
        Ok(rows)
    }

    /// Asks for a sample of a key: the next drop of it comes through the ring too.
    ///
    /// # Errors
    /// When the kernel cannot be told.
    pub fn request_sample(&mut self, key: &Key) -> Result<()> {
        let request = SampleRequest { key: key.to_count(), wanted: 1 };
        self.requests.set(0, Shared(request), 0).context("cannot ask the kernel for a sample")
    }
}

/// Each processor's, in which every slot's key and count belong together; also where drops keep
/// coming and that could not be had at once.
fn read_processors(probe: &Probe) -> Result<Vec<PerProcessor>> {
    let is_settled = |processor: &PerProcessor| processor.begun == processor.ended;
    let mut settled = probe.processors()?;
    for _ in 0..RETRIES {
        if settled.iter().all(is_settled) {
            break;
        }
        for (kept, fresh) in settled.iter_mut().zip(probe.processors()?) {
            if !is_settled(kept) {
                *kept = fresh;
            }
        }
    }
    Ok(settled)
}

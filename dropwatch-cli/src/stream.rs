//! The way of the records: out of the ring, decoded, rendered, written.

use std::time::{Duration, Instant};

use anyhow::Result;
use log::debug;
use tokio::{
    task::yield_now,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    accounting::LossNotices,
    counts::local::LocalCounts,
    decode::decode,
    export::Exports,
    output::{CHUNK_SIZE, Chunk, Output},
    probe::Probe,
    render::Render,
    ring::Reader,
    stop::Stop,
};

/// After detaching, the program may still be running on another processor for a moment.
const SETTLE_TIME: Duration = Duration::from_millis(200);
/// How often it is told that drops were lost, and looked whether the world has changed.
const LOOK_AROUND: Duration = Duration::from_secs(1);
/// So many records are taken in one go even where none of them is shown.
const MOST_TAKEN: u32 = 4096;
/// How often the ring is emptied while symbols are read.
const LOAD_STEP: Duration = Duration::from_millis(2);
const SETTLE_STEP: Duration = Duration::from_millis(1);

/// Why streaming ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By a signal, or the time was up.
    Requested,
    /// As many drops as were wanted have been streamed.
    LimitReached,
    /// Nothing can be written any more.
    OutputClosed,
}

/// Takes drops from the ring to the output.
pub struct Stream<'a> {
    reader: Reader,
    render: &'a mut dyn Render,
    counts: LocalCounts,
    exports: Exports,
    output: &'a Output,
    limit: u64,
    rendered: u64,
    hidden: u64,
    malformed: u64,
}

impl<'a> Stream<'a> {
    /// A stream that ends after `limit` drops, where there is one.
    pub fn new(
        reader: Reader,
        render: &'a mut dyn Render,
        counts: LocalCounts,
        exports: Exports,
        output: &'a Output,
        limit: Option<u64>,
    ) -> Self {
        let limit = limit.unwrap_or(u64::MAX);
        Self {
            reader,
            render,
            counts,
            exports,
            output,
            limit,
            rendered: 0,
            hidden: 0,
            malformed: 0,
        }
    }

    /// Drops that were not to be shown.
    pub fn hidden(&self) -> u64 {
        self.hidden
    }

    /// The counts of the drops that were streamed, and the files that were made of them.
    pub fn into_parts(self) -> (LocalCounts, Exports) {
        (self.counts, self.exports)
    }

    /// Records that could not be decoded.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Streams until the end is requested, the limit is reached, or nobody reads any more.
    /// Losses are told on standard error meanwhile.
    ///
    /// # Errors
    /// When the ring or the counters cannot be read.
    pub async fn run(&mut self, stop: &mut Stop, probe: &Probe) -> Result<Ended> {
        let mut heading = Chunk::default();
        self.render.heading(&mut heading.text);
        if let Some(room) = self.output.room().await {
            room.send(heading);
        }

        let mut losses = LossNotices::default();
        let mut look_around = interval(LOOK_AROUND);
        look_around.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.rendered < self.limit {
            // To ask for a symbol would stand still until all are read, and the ring fill up.
            if !self.render.sources().symbols.is_ready() && self.reader.save() {
                tokio::select! {
                    biased;
                    () = stop.requested() => return Ok(Ended::Requested),
                    () = sleep(LOAD_STEP) => continue,
                }
            }
            let room = tokio::select! {
                biased;
                () = stop.requested() => return Ok(Ended::Requested),
                _ = look_around.tick() => {
                    self.render.tick();
                    self.exports.flush()?;
                    if let Some(notice) = losses.notice(probe.counters()?.lost) {
                        eprintln!("dropwatch: {notice}");
                    }
                    continue;
                }
                room = self.output.room() => room,
            };
            let Some(room) = room else { return Ok(Ended::OutputClosed) };
            let (chunk, empty) = self.next_chunk()?;
            if !chunk.ends.is_empty() {
                room.send(chunk);
            }
            if !empty {
                // Signals are seen only when the runtime gets its turn.
                yield_now().await;
                continue;
            }
            tokio::select! {
                biased;
                () = stop.requested() => return Ok(Ended::Requested),
                () = self.output.closed() => return Ok(Ended::OutputClosed),
                waited = self.reader.wait() => waited?,
            }
        }
        Ok(Ended::LimitReached)
    }

    /// Once no new drops are seen: takes what is still in the ring, until every drop that the
    /// program counted has come. False when a signal ended that, since nobody read the output.
    ///
    /// # Errors
    /// When the counters cannot be read.
    pub async fn drain(&mut self, stop: &mut Stop, probe: &Probe) -> Result<bool> {
        let begin = Instant::now();
        while self.rendered < self.limit {
            let room = tokio::select! {
                biased;
                () = stop.insisted() => return Ok(false),
                room = self.output.room() => room,
            };
            let Some(room) = room else { return Ok(true) };
            let (chunk, empty) = self.next_chunk()?;
            if !chunk.ends.is_empty() {
                room.send(chunk);
            }
            if empty {
                let counters = probe.counters()?;
                let left_out = counters.sampled_out + counters.rate_limited + counters.lost;
                let settled =
                    counters.matched <= left_out + self.rendered + self.hidden + self.malformed;
                if settled || begin.elapsed() > SETTLE_TIME {
                    return Ok(true);
                }
                sleep(SETTLE_STEP).await;
            }
        }
        Ok(true)
    }

    /// As many drops as make a chunk, and whether the ring is empty after that.
    fn next_chunk(&mut self) -> Result<(Chunk, bool)> {
        let Self { reader, render, output, counts, exports, limit, rendered, hidden, malformed } =
            self;
        let mut chunk = output.chunk();
        let mut exported = Ok(());
        let mut taken = 0;
        let empty = reader.drain(|record| {
            // Not moved out of the result, as that would copy it.
            match &decode(record) {
                Ok(drop) => {
                    if render.drop(drop, &mut chunk.text) {
                        counts.add(drop);
                        exported = exports.add(drop, render.sources());
                        chunk.ends.push(chunk.text.len());
                        *rendered += 1;
                    } else {
                        *hidden += 1;
                    }
                }
                Err(error) => {
                    debug!("a record of {} bytes is none: {error:?}", record.len());
                    *malformed += 1;
                }
            }
            taken += 1;
            taken < MOST_TAKEN
                && chunk.text.len() < CHUNK_SIZE
                && *rendered < *limit
                && exported.is_ok()
        });
        exported?;
        Ok((chunk, empty))
    }
}

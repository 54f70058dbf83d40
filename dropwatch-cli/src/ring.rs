//! Reading the ring: when to look, and how the kernel is told whether it has to wake us.
//!
//! While drops come, the ring is looked at on a short timer and the kernel wakes nobody, unless
//! the ring fills up. When none came for a while the kernel is asked to wake us with the next.

use std::{collections::VecDeque, time::Duration};

use anyhow::{Context, Result};
use aya::maps::{Array, MapData, RingBuf};
use dropwatch_common::reader::{POLLING, SLEEPING};
use tokio::{io::unix::AsyncFd, time::sleep};

/// How often the ring is looked at while drops come. What a person sees as at once.
const TICK: Duration = Duration::from_millis(10);
/// After so many looks that found nothing, sleep.
const IDLE_TICKS: u32 = 20;
/// The longest sleep. A record that is reserved before we fall asleep and completed after is the
/// only one for which the kernel does not wake us.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);

/// So many bytes of records wait at most for what is needed to handle them. That is what a flood
/// with stacks brings while the kernel's symbols are read.
const MOST_SAVED: usize = 32 << 20;

/// The ring, from the reader's side.
pub struct Reader {
    ring: AsyncFd<RingBuf<MapData>>,
    state: Array<MapData, u32>,
    idle_ticks: u32,
    sleeping: bool,
    saved: Saved,
}

/// Records that were taken out of the ring before they could be handled, one behind the other.
#[derive(Debug, Default)]
struct Saved {
    bytes: Vec<u8>,
    /// The length of each record.
    lens: VecDeque<usize>,
    /// Where the first one begins.
    start: usize,
}

impl Saved {
    fn push(&mut self, record: &[u8]) {
        self.bytes.extend(record);
        self.lens.push_back(record.len());
    }

    /// The first record, which is the next one's turn after that.
    fn next(&mut self) -> Option<&[u8]> {
        let Some(len) = self.lens.pop_front() else {
            // The memory is needed at the start only.
            *self = Self::default();
            return None;
        };
        self.start += len;
        self.bytes.get(self.start - len..self.start)
    }
}

impl Reader {
    /// Takes over the ring and the state that tells the kernel when to wake us.
    ///
    /// # Errors
    /// When the ring cannot be watched.
    pub fn new(ring: RingBuf<MapData>, state: Array<MapData, u32>) -> Result<Self> {
        // SAFETY: the ring owns its map, whose descriptor stays open as long as it.
        let ring = unsafe { AsyncFd::register(ring) };
        let ring = ring.map_err(|error| error.into_parts().1).context("cannot watch the ring")?;
        Ok(Self { ring, state, idle_ticks: 0, sleeping: false, saved: Saved::default() })
    }

    /// Makes room in the ring where its records cannot be handled yet. False where so many are
    /// waiting already that no more are taken.
    pub fn save(&mut self) -> bool {
        let ring = self.ring.get_mut();
        while self.saved.bytes.len() < MOST_SAVED {
            match ring.next() {
                Some(record) => self.saved.push(&record),
                None => return true,
            }
        }
        false
    }

    /// Gives each record that is in the ring to the function, until it returns false. True when
    /// the ring is empty.
    pub fn drain(&mut self, mut each: impl FnMut(&[u8]) -> bool) -> bool {
        let ring = self.ring.get_mut();
        let mut found = false;
        while let Some(record) = self.saved.next() {
            found = true;
            if !each(record) {
                self.idle_ticks = 0;
                return false;
            }
        }
        let empty = loop {
            match ring.next() {
                Some(record) => {
                    found = true;
                    if !each(&record) {
                        break false;
                    }
                }
                None => break true,
            }
        };
        self.idle_ticks = if found { 0 } else { self.idle_ticks.saturating_add(1) };
        empty
    }

    /// Waits until the ring should be looked at again.
    ///
    /// # Errors
    /// When the kernel cannot be told what we do.
    pub async fn wait(&mut self) -> Result<()> {
        if self.idle_ticks >= IDLE_TICKS {
            if !self.sleeping {
                self.sleeping = true;
                // What came before the kernel knew is found by looking once more.
                return self.announce(SLEEPING);
            }
        } else if self.sleeping {
            self.sleeping = false;
            self.announce(POLLING)?;
        }
        let longest = if self.sleeping { LONGEST_SLEEP } else { TICK };
        let woken = tokio::select! {
            ready = self.ring.readable_mut() => {
                ready.context("cannot watch the ring")?.clear_ready();
                true
            }
            () = sleep(longest) => false,
        };
        if woken {
            self.sleeping = false;
            self.idle_ticks = 0;
            self.announce(POLLING)?;
        }
        Ok(())
    }

    fn announce(&mut self, state: u32) -> Result<()> {
        self.state.set(0, state, 0).context("cannot tell the kernel when to wake us")
    }
}

//! Putting records into the ring.

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use dropwatch_common::{count::PerProcessor, counters::Counters, record::DropRecord};

use crate::{globals::config, maps, maps::RECORDS, source::Source, task};

/// How full the ring is, which is a call of its own, is asked with each so many records of a
/// processor. These are far less than the part of the ring that is still free then.
const LOOK_EVERY: u64 = 16;

/// Describes a drop in the ring itself, or counts it as lost.
#[inline(always)]
pub fn send(processor: &mut PerProcessor, drop: &impl Source) {
    // The clock waits for all that the processor has begun, so it is read before there is much.
    let now = task::now();
    match RECORDS.reserve::<DropRecord>(0) {
        Some(mut entry) => {
            // SAFETY: the place is the record's, and made of integers, for which any bits do.
            let record = unsafe { entry.assume_init_mut() };
            drop.describe(record, &mut processor.run_queue);
            record.boot_ns = now;
            entry.submit(wake_up_flags(&processor.counters));
        }
        None => processor.counters.lost += 1,
    }
}

/// Sends the bytes of a record, or counts it as lost.
#[inline(always)]
pub fn send_bytes(counters: &mut Counters, bytes: &[u8]) {
    if RECORDS.output::<[u8]>(bytes, wake_up_flags(counters)).is_err() {
        counters.lost += 1;
    }
}

#[inline(always)]
fn wake_up_flags(counters: &Counters) -> u64 {
    let is_filled = || {
        counters.matched % LOOK_EVERY == 0
            && RECORDS.query(BPF_RB_AVAIL_DATA as u64) >= config!(wake_at) as u64
    };
    if maps::take_wake_up(is_filled) { BPF_RB_FORCE_WAKEUP as u64 } else { BPF_RB_NO_WAKEUP as u64 }
}

//! Putting records into the ring.

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use dropwatch_common::{counters::Counters, record::DropRecord};

use crate::{globals::config, maps, maps::RECORDS, source::Source};

/// Describes a drop in the ring itself, with further flags, or counts it as lost.
#[inline(always)]
pub fn send(counters: &mut Counters, drop: &impl Source, flags: u32) {
    match RECORDS.reserve::<DropRecord>(0) {
        Some(mut entry) => {
            // SAFETY: the place is the record's, and made of integers, for which any bits do.
            let record = unsafe { entry.assume_init_mut() };
            drop.describe(record);
            record.flags |= flags;
            entry.submit(wake_up_flags());
        }
        None => counters.lost += 1,
    }
}

/// Sends the bytes of a record, or counts it as lost.
#[inline(always)]
pub fn send_bytes(counters: &mut Counters, bytes: &[u8]) {
    if RECORDS.output::<[u8]>(bytes, wake_up_flags()).is_err() {
        counters.lost += 1;
    }
}

#[inline(always)]
fn wake_up_flags() -> u64 {
    let filled = || RECORDS.query(BPF_RB_AVAIL_DATA as u64);
    if maps::take_wake_up(config!(wake_at) as u64, filled) {
        BPF_RB_FORCE_WAKEUP as u64
    } else {
        BPF_RB_NO_WAKEUP as u64
    }
}

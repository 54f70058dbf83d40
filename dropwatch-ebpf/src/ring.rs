//! Putting records into the ring.

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use dropwatch_common::{counters::Counters, record::DropRecord};

use crate::{globals, maps, maps::RECORDS};

/// Sends a record without a stack, or counts it as lost.
#[inline(always)]
pub fn send(counters: &mut Counters, record: DropRecord) {
    match RECORDS.reserve::<DropRecord>(0) {
        Some(mut entry) => {
            entry.write(record);
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
    if maps::take_wake_up(globals::wake_at(), filled) {
        BPF_RB_FORCE_WAKEUP as u64
    } else {
        BPF_RB_NO_WAKEUP as u64
    }
}

//! Leaving drops out on purpose, and counting them.

use core::arch::asm;

use aya_ebpf::helpers::generated::{bpf_get_prandom_u32, bpf_ktime_get_boot_ns};
use dropwatch_common::counters::Counters;

use crate::{globals::config, maps};

const SECOND: u64 = 1_000_000_000;

/// How many drops were sent in a second.
#[repr(C)]
pub struct Window {
    second: u64,
    sent: u64,
}

/// Whether a drop that matches is sent.
#[inline(always)]
pub fn takes(counters: &mut Counters) -> bool {
    if !is_sampled() {
        counters.sampled_out += 1;
        return false;
    }
    if !is_within_limit() {
        counters.rate_limited += 1;
        return false;
    }
    true
}

/// By chance: every Nth could be always the same of drops that take turns.
#[inline(always)]
fn is_sampled() -> bool {
    let one_of = config!(sample);
    // SAFETY: the helper takes nothing and always succeeds.
    one_of <= 1 || unsafe { bpf_get_prandom_u32() } <= u32::MAX / one_of
}

/// Of all processors together, which may send one more each.
#[inline(always)]
fn is_within_limit() -> bool {
    let limit = config!(rate_limit) as u64;
    if limit == 0 {
        return true;
    }
    let Some(window) = maps::window() else { return true };
    // SAFETY: the helper takes nothing and always succeeds.
    let second = unsafe { bpf_ktime_get_boot_ns() } / SECOND;
    // SAFETY: both are fields of what the pointer points to.
    let (sent, begin) = unsafe { (&raw mut (*window).sent, &raw mut (*window).second) };
    // SAFETY: the element lives as long as the map; each access is one load or store.
    unsafe {
        if begin.read_volatile() != second {
            begin.write_volatile(second);
            sent.write_volatile(0);
        }
        if sent.read_volatile() >= limit {
            return false;
        }
    }
    add_one(sent);
    true
}

/// Adds to a number that other processors add to at the same time. The compiler has no atomic
/// operations for this target.
#[inline(always)]
fn add_one(number: *mut u64) {
    // SAFETY: the number lives as long as its map.
    unsafe { asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) number, in(reg) 1_u64) }
}

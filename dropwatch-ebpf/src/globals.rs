//! The globals that the tool sets before it loads the program.
//!
//! They are read with volatile loads: the compiler must not take the values below for
//! constants. The verifier does know them, since `.rodata` is frozen by then.

use core::ptr::read_volatile;

use dropwatch_common::config::{Config, NO_FIELD, ReasonFilter};

#[unsafe(no_mangle)]
static CONFIG: Config = Config::EMPTY;

#[unsafe(no_mangle)]
static REASON_FILTER: ReasonFilter = ReasonFilter::new(true);

macro_rules! config {
    ($($field:ident).+) => {
        // SAFETY: the pointer is that of a field of a static.
        unsafe { read_volatile(&raw const CONFIG.$($field).+) }
    };
}

/// Byte offset of a field, or none where this kernel does not have the field.
type FieldOffset = Option<usize>;

#[inline(always)]
fn field(offset: u32) -> FieldOffset {
    if offset == NO_FIELD { None } else { Some(offset as usize) }
}

#[inline(always)]
pub fn skb_protocol() -> FieldOffset {
    field(config!(structs.skb_protocol))
}

#[inline(always)]
pub fn skb_len() -> FieldOffset {
    field(config!(structs.skb_len))
}

#[inline(always)]
pub fn task_comm() -> FieldOffset {
    field(config!(structs.task_comm))
}

#[inline(always)]
pub fn event_location() -> FieldOffset {
    field(config!(event.location))
}

#[inline(always)]
pub fn event_protocol() -> FieldOffset {
    field(config!(event.protocol))
}

#[inline(always)]
pub fn event_reason() -> FieldOffset {
    field(config!(event.reason))
}

#[inline(always)]
pub fn event_rx_sk() -> FieldOffset {
    field(config!(event.rx_sk))
}

#[inline(always)]
pub fn has_reason() -> bool {
    config!(has_reason) != 0
}

#[inline(always)]
pub fn has_rx_sk() -> bool {
    config!(has_rx_sk) != 0
}

#[inline(always)]
pub fn stacks() -> bool {
    config!(stacks) != 0
}

#[inline(always)]
pub fn wake_at() -> u64 {
    config!(wake_at) as u64
}

/// The core reason for which the tracepoint `qdisc_drop` tells a finer one, where there is one.
#[inline(always)]
pub fn coarse_qdisc_reason() -> Option<u32> {
    Some(config!(coarse_qdisc_reason)).filter(|&reason| reason != 0)
}

/// The filter by reason, where one is set.
#[inline(always)]
pub fn reason_filter() -> Option<&'static ReasonFilter> {
    (config!(filter_reasons) != 0).then(|| core::hint::black_box(&REASON_FILTER))
}

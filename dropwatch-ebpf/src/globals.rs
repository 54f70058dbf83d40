//! The globals that the tool sets before it loads the program.
//!
//! They are read with volatile loads: the compiler must not take the values below for
//! constants. The verifier does know them, since `.rodata` is frozen by then.

use core::ptr::read_volatile;

use dropwatch_common::config::{Config, NO_FIELD, ReasonFilter};

#[unsafe(no_mangle)]
static CONFIG: Config = Config {
    skb_protocol: NO_FIELD,
    skb_len: NO_FIELD,
    task_comm: NO_FIELD,
    has_rx_sk: 0,
    filter_reasons: 0,
    stacks: 0,
    wake_at: 0,
    reserved: 0,
};

#[unsafe(no_mangle)]
static REASON_FILTER: ReasonFilter = ReasonFilter::new(true);

macro_rules! config {
    ($field:ident) => {
        // SAFETY: the pointer is that of a field of a static.
        unsafe { read_volatile(&raw const CONFIG.$field) }
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
    field(config!(skb_protocol))
}

#[inline(always)]
pub fn skb_len() -> FieldOffset {
    field(config!(skb_len))
}

#[inline(always)]
pub fn task_comm() -> FieldOffset {
    field(config!(task_comm))
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

/// The filter by reason, where one is set.
#[inline(always)]
pub fn reason_filter() -> Option<&'static ReasonFilter> {
    (config!(filter_reasons) != 0).then(|| core::hint::black_box(&REASON_FILTER))
}

//! The globals that the tool sets before it loads the program.
//!
//! They are read with volatile loads: the compiler must not take the values below for
//! constants. The verifier does know them, since `.rodata` is frozen by then.

use core::ptr::read_volatile;

use dropwatch_common::{
    config::{Config, NO_FIELD},
    filter::{Filters, ReasonFilter},
};

#[unsafe(no_mangle)]
pub static CONFIG: Config = Config::EMPTY;

#[unsafe(no_mangle)]
static REASON_FILTER: ReasonFilter = ReasonFilter::new(true);

#[unsafe(no_mangle)]
static FILTERS: Filters = Filters::ALL;

/// A field of the configuration.
macro_rules! config {
    ($($field:ident).+) => {
        // SAFETY: the pointer is that of a field of a static.
        unsafe { core::ptr::read_volatile(&raw const $crate::globals::CONFIG.$($field).+) }
    };
}

/// Byte offset of a field of a kernel struct, or none where this kernel does not have the field.
macro_rules! offset {
    ($field:ident) => {
        $crate::globals::field($crate::globals::config!(structs.$field))
    };
}

pub(crate) use {config, offset};

#[inline(always)]
pub fn field(offset: u32) -> Option<usize> {
    if offset == NO_FIELD { None } else { Some(offset as usize) }
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

/// The other filters.
#[inline(always)]
pub fn filters() -> &'static Filters {
    core::hint::black_box(&FILTERS)
}

/// A number of the filters, which the verifier knows and the compiler must not.
#[inline(always)]
pub fn known<T: Copy>(number: &T) -> T {
    // SAFETY: the pointer is that of a reference.
    unsafe { read_volatile(number) }
}

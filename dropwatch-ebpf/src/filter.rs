//! The filters. They run before anything is copied.

use crate::globals;

/// Whether a drop with this raw reason, where there is one, is to be reported.
#[inline(always)]
pub fn passes(reason: Option<u32>) -> bool {
    match (globals::reason_filter(), reason) {
        (Some(filter), Some(reason)) => filter.passes(reason),
        _ => true,
    }
}

//! The filters. They run before anything is copied.

use crate::globals;

/// Whether a drop with this raw reason is to be reported.
#[inline(always)]
pub fn passes(reason: u32) -> bool {
    globals::reason_filter().is_none_or(|filter| filter.passes(reason))
}

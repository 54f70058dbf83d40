//! Files that other tools read, written beside what is shown: one file a format.

pub mod flamegraph;
pub mod folded;
pub mod pcapng;

use anyhow::Result;

use crate::{drop::Drop, render::sources::Sources};

/// Takes drops into a file.
pub trait Export {
    /// Takes one drop.
    ///
    /// # Errors
    /// When it cannot be written.
    fn drop(&mut self, drop: &Drop, sources: &mut Sources) -> Result<()>;

    /// Called about once a second: what was taken so far goes where others can read it.
    ///
    /// # Errors
    /// When it cannot be written.
    fn flush(&mut self) -> Result<()>;

    /// Called at the end.
    ///
    /// # Errors
    /// When the rest cannot be written.
    fn finish(&mut self) -> Result<()>;
}

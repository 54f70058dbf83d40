//! Showing drops. One file a format; this is the only place where a drop becomes output.

pub mod text;

use crate::drop::Drop;

/// A format.
pub trait Render {
    /// Appends what comes before the first drop.
    fn heading(&mut self, out: &mut Vec<u8>);

    /// Appends one drop.
    fn drop(&mut self, drop: &Drop, out: &mut Vec<u8>);

    /// Called about once a second while drops come, to look whether the world has changed.
    fn tick(&mut self);
}

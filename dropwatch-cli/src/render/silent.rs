//! No output: where the drops go elsewhere.

use super::{Render, sources::Sources};
use crate::drop::Drop;

/// Shows nothing, and keeps the names for others.
pub struct Silent(pub Sources);

impl Render for Silent {
    fn heading(&mut self, _: &mut Vec<u8>) {}

    fn drop(&mut self, _: &Drop, _: &mut Vec<u8>) {}

    fn sources(&mut self) -> &mut Sources {
        &mut self.0
    }

    fn tick(&mut self) {
        self.0.tick();
    }
}

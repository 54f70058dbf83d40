//! No output: where the drops go elsewhere.

use super::{Render, sources::Sources};
use crate::{drop::Drop, harmless::Tagger};

/// Shows nothing, and keeps the names for others.
pub struct Silent {
    sources: Sources,
    /// Where drops that are likely harmless are to be left out.
    tagger: Option<Tagger>,
}

impl Silent {
    /// With the names; without drops that are likely harmless, if so.
    pub fn new(sources: Sources, without_noise: bool) -> Self {
        Self { sources, tagger: without_noise.then(Tagger::default) }
    }
}

impl Render for Silent {
    fn heading(&mut self, _: &mut Vec<u8>) {}

    fn drop(&mut self, drop: &Drop, _: &mut Vec<u8>) -> bool {
        let Self { sources, tagger } = self;
        tagger.as_mut().is_none_or(|tagger| tagger.tag(drop, sources).is_none())
    }

    fn sources(&mut self) -> &mut Sources {
        &mut self.sources
    }

    fn tick(&mut self) {
        self.sources.tick();
        if let Some(tagger) = &mut self.tagger {
            tagger.tick();
        }
    }
}

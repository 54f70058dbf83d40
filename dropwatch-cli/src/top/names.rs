//! Names for the live view, which never waits for them.

use super::{look::Look, model::Names};
use crate::{
    counts::key::{By, Key},
    drop::Drop,
    explain::hints::Hints,
    harmless::Tagger,
    render::{sample, sources::Sources, table::write_part},
};

/// Names from where the stream has them.
pub struct Named {
    /// Where names come from.
    pub sources: Sources,
    hints: Option<Hints>,
    tagger: Tagger,
    look: Look,
}

impl Named {
    /// From these sources.
    pub fn new(sources: Sources, look: Look) -> Self {
        Self { sources, hints: None, tagger: Tagger::default(), look }
    }

    /// The same, and what reasons mean.
    pub fn with_hints(self, hints: Hints) -> Self {
        Self { hints: Some(hints), ..self }
    }

    /// Whether what reasons mean is told.
    pub fn has_hints(&self) -> bool {
        self.hints.is_some()
    }

    /// To be called now and then: looks whether the world has changed.
    pub fn tick(&mut self) {
        self.sources.tick();
        self.tagger.tick();
    }

    /// Whether all names can be had. While the kernel's symbols are being read they cannot.
    pub fn is_ready(&self) -> bool {
        self.sources.symbols.is_ready()
    }
}

impl Names for Named {
    fn part(&mut self, by: By, key: &Key) -> String {
        if by == By::Location && !self.is_ready() {
            return self.look.later().to_owned();
        }
        let mut out = Vec::new();
        write_part(by, key, &mut self.sources, &mut out);
        text(out)
    }

    fn drop(&mut self, drop: &Drop) -> Vec<String> {
        if !self.is_ready() {
            return vec![format!("    {}", self.look.later())];
        }
        let mut out = Vec::new();
        let tag = self.tagger.tag(drop, &mut self.sources);
        sample::write(drop, tag, &mut self.sources, &mut out);
        text(out).lines().map(str::to_owned).collect()
    }

    fn hint(&mut self, raw: u32) -> Option<String> {
        let meaning = self.hints.as_ref()?.meaning(raw, &self.sources.reasons)?;
        Some(format!("{}: {meaning}", self.sources.reasons.name(raw)))
    }
}

fn text(bytes: Vec<u8>) -> String {
    // All that is not text has been escaped.
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Clock, kernel::reasons::Reasons, symbols::Symbols, world::World};

    #[test]
    fn a_sample_tells_that_it_is_harmless() {
        let reasons = [(3, "NO_SOCKET"), (4, "TCP_OLD_DATA")];
        let sources = Sources {
            reasons: Reasons::of_trace_event(&reasons.map(|(raw, name)| (raw, name.to_owned()))),
            symbols: Symbols::none(),
            clock: Clock::fixed(0),
            world: World::nothing(),
        };
        let mut names = Named::new(sources, Look { color: false, unicode: false });
        let mut tags = |raw| {
            let lines = names.drop(&Drop { reason: Some(raw), ..Drop::UNKNOWN });
            lines.into_iter().filter(|line| line.contains("#tcp-again, likely harmless")).count()
        };
        assert_eq!((tags(3), tags(4)), (0, 1));
    }
}

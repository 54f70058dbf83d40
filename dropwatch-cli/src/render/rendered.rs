//! Text that was put together lately, to be had again for little.

use std::{borrow::Borrow, collections::HashMap, hash::Hash};

use foldhash::fast::RandomState;

use crate::write::few;

/// Most bytes that are kept for one format and kind of text.
const MOST_BYTES: usize = 1 << 20;

/// Texts by what they say. Beyond a million bytes all is forgotten.
#[derive(Debug)]
pub struct Rendered<K> {
    texts: HashMap<K, Box<[u8]>, RandomState>,
    bytes: usize,
    edition: u64,
}

impl<K: Eq + Hash> Rendered<K> {
    /// Keeps nothing yet.
    pub fn new() -> Self {
        Self { texts: HashMap::default(), bytes: 0, edition: 0 }
    }

    /// Forgets all that was kept for another edition of the world.
    pub fn of_edition(&mut self, edition: u64) -> &mut Self {
        if self.edition != edition {
            self.edition = edition;
            self.clear();
        }
        self
    }

    /// Appends the text, which is written where it is not kept.
    pub fn write<Q>(&mut self, key: &Q, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>))
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(text) = self.texts.get(key) {
            return few(out, text);
        }
        let start = out.len();
        write(out);
        let text = &out[start..];
        let size = text.len() + size_of::<(K, Box<[u8]>)>();
        if self.bytes + size > MOST_BYTES {
            self.clear();
        }
        self.bytes += size;
        self.texts.insert(key.to_owned(), text.into());
    }

    fn clear(&mut self) {
        self.texts.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(rendered: &mut Rendered<u64>, key: u64, new: &str) -> String {
        let mut out = b"before ".to_vec();
        rendered.write(&key, &mut out, |out| out.extend(new.bytes()));
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn what_was_written_is_kept_for_its_edition() {
        let mut rendered = Rendered::new();
        assert_eq!(text(&mut rendered, 1, "one"), "before one");
        assert_eq!(text(&mut rendered, 1, "other"), "before one");
        assert_eq!(text(&mut rendered, 2, "two"), "before two");
        assert_eq!(text(rendered.of_edition(0), 1, "other"), "before one");
        assert_eq!(text(rendered.of_edition(1), 1, "other"), "before other");
    }

    #[test]
    fn memory_is_bounded() {
        let mut rendered = Rendered::new();
        for key in 0..100_000 {
            assert_eq!(
                text(&mut rendered, key, "a name of usual length"),
                "before a name of usual length"
            );
            assert!(rendered.bytes <= MOST_BYTES);
        }
        assert!(rendered.texts.len() < 50_000);
    }
}

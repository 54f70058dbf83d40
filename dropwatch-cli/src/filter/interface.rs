//! `--interface`: a device's name, or its index.

use super::{list::number, name::NamePattern, range::Range};

/// One item of `--interface`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interface {
    /// By name, whatever namespace it is in. There need be none of this name yet.
    Name(NamePattern),
    /// By index, likewise.
    Index(u64),
}

impl Interface {
    /// Reads one item.
    ///
    /// # Errors
    /// What is wrong with it, to stand behind the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        match number(text, u32::MAX.into()) {
            Some(index) => Ok(Self::Index(index)),
            None => NamePattern::parse(text).map(Self::Name),
        }
    }

    /// The name, if that is what it is.
    pub fn name(&self) -> Option<NamePattern> {
        match self {
            Self::Name(name) => Some(name.clone()),
            Self::Index(_) => None,
        }
    }

    /// The index, if that is what it is.
    pub fn index(&self) -> Option<Range> {
        match self {
            Self::Name(_) => None,
            Self::Index(index) => Some([*index; 2]),
        }
    }
}

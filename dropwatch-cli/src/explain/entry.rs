//! The data about drop reasons: one entry a reason, in `reasons.toml`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// The entries, a table for each subsystem.
const DATA: &str = include_str!("reasons.toml");

/// What is known of a drop reason.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The meaning in a line, without a full stop.
    pub summary: String,
    /// The meaning in a few sentences.
    pub meaning: String,
    /// Functions that drop packets for it, each with its file.
    pub r#where: Vec<String>,
    /// How likely it is nothing to worry about.
    pub harmless: Likelihood,
    /// When it is normal, and when it is not.
    pub harmless_when: String,
    /// The counters that count it, with the command that shows them.
    pub counters: Vec<String>,
    /// Commands that tell more, with words in capitals to be replaced.
    pub check: Vec<String>,
    /// What usually helps.
    pub fix: String,
    /// The first release of Linux that has it under this name.
    pub since: String,
    /// The last release that has it, where it is gone.
    pub until: Option<String>,
    /// What it is called after that.
    pub renamed: Option<String>,
}

/// How likely a drop for a reason is nothing to worry about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Likelihood {
    /// On a healthy machine most are.
    Usually,
    /// It depends.
    Sometimes,
    /// Somebody suffers.
    Rarely,
}

impl Likelihood {
    /// The word for it, as it begins a sentence.
    pub fn word(self) -> &'static str {
        match self {
            Self::Usually => "Usually",
            Self::Sometimes => "Sometimes",
            Self::Rarely => "Rarely",
        }
    }
}

/// The entries by subsystem and by name, as `list-reasons` shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Entries(BTreeMap<String, BTreeMap<String, Entry>>);

impl Entries {
    /// All that there are.
    ///
    /// # Errors
    /// When the data is damaged, which the tests would have seen.
    pub fn load() -> Result<Self> {
        Self::parse(DATA).context("the data about drop reasons is damaged")
    }

    fn parse(text: &str) -> Result<Self> {
        Ok(toml::from_str(text)?)
    }

    /// The entry of a reason.
    pub fn get(&self, subsystem: &str, name: &str) -> Option<&Entry> {
        self.0.get(subsystem)?.get(name)
    }

    /// Subsystem, name and entry of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Entry)> {
        self.0.iter().flat_map(|(subsystem, entries)| {
            entries.iter().map(|(name, entry)| (subsystem.as_str(), name.as_str(), entry))
        })
    }
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;

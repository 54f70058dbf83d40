//! What a check found.

use anstyle::{AnsiColor, Style};
use anyhow::Error;
use serde::Serialize;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// What it is like.
    pub detail: String,
    /// What to do about it, where there is something to do.
    pub remedy: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Fine,
    /// Something that few need is not there.
    Note,
    /// dropwatch works, but shows less.
    Warning,
    /// dropwatch does not work.
    Failure,
    /// It could not be looked at.
    Skipped,
}

impl State {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Failure => "FAILURE",
            Self::Skipped => "skipped",
        }
    }

    /// Its colour.
    pub fn style(self, color: bool) -> Style {
        match self {
            _ if !color => Style::new(),
            Self::Fine => AnsiColor::Green.on_default(),
            Self::Note | Self::Skipped => Style::new().dimmed(),
            Self::Warning => AnsiColor::Yellow.on_default().bold(),
            Self::Failure => AnsiColor::Red.on_default().bold(),
        }
    }
}

impl Finding {
    /// All is well.
    pub fn fine(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, state: State::Fine, detail: detail.into(), remedy: None }
    }

    /// Something that few need is not there.
    pub fn note(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Note, remedy: Some(remedy.into()), ..Self::fine(name, detail) }
    }

    /// dropwatch shows less.
    pub fn warning(
        name: &'static str,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { state: State::Warning, ..Self::note(name, detail, remedy) }
    }

    /// It could not be looked at.
    pub fn skipped(name: &'static str, detail: impl Into<String>) -> Self {
        Self { state: State::Skipped, ..Self::fine(name, detail) }
    }

    /// What would end dropwatch with an error. Its message names the cause, and behind a
    /// semicolon the remedy.
    pub fn of_error(name: &'static str, error: &Error) -> Self {
        let text = format!("{error:#}");
        let state = State::Failure;
        match text.split_once("; ") {
            Some((detail, remedy)) => {
                Self { name, state, detail: detail.to_owned(), remedy: Some(remedy.to_owned()) }
            }
            None => Self { name, state, detail: text, remedy: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_their_remedy_behind_a_semicolon() {
        let error = anyhow::anyhow!("it is locked (really); boot another; or not");
        let finding = Finding::of_error("lockdown", &error);
        assert_eq!(finding.detail, "it is locked (really)");
        assert_eq!(finding.remedy.as_deref(), Some("boot another; or not"));
        assert_eq!(finding.state, State::Failure);
        assert_eq!(Finding::of_error("x", &anyhow::anyhow!("odd")).remedy, None);
    }
}

//! `--reason`: from patterns to the filter that the kernel applies.

use anyhow::Result;
use dropwatch_common::filter::{FILTER_REASONS, ReasonFilter};
use log::debug;
use wildmatch::WildMatch;

use super::{list::number, nearest::nearest};
use crate::{
    config::UsageError,
    kernel::{
        known_elsewhere::kernels_with,
        reasons::{Reason, Reasons, split},
    },
};

const CORE_PREFIX: &str = "SKB_DROP_REASON_";

/// One item of `--reason`: what it matches, and whether that is shown or excluded.
#[derive(Clone, Debug, PartialEq)]
pub struct ReasonPattern {
    text: String,
    exclude: bool,
    matcher: Matcher,
}

#[derive(Clone, Debug, PartialEq)]
enum Matcher {
    Raw(u32),
    Name(WildMatch),
    Subsystem { subsystem: WildMatch, name: WildMatch },
}

impl ReasonPattern {
    /// Reads one item: `NAME`, a glob, `SUBSYSTEM/NAME`, or a number, with `!` in front to
    /// exclude.
    ///
    /// # Errors
    /// A [`UsageError`] where nothing is said.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let (exclude, wanted) = match text.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, text),
        };
        if wanted.is_empty() || wanted.starts_with('/') || wanted.ends_with('/') {
            let message = "--reason has an empty item; write names separated by commas".to_owned();
            return Err(UsageError(message).into());
        }
        Ok(Self { text: wanted.to_owned(), exclude, matcher: Matcher::parse(wanted) })
    }

    /// Whether a reason is one of those meant.
    pub fn matches(&self, reason: &Reason, reasons: &Reasons) -> bool {
        self.matcher.matches(reason, reasons)
    }

    /// As it was given, without what excludes.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is this number, whatever that is called.
    pub fn is_raw(&self, raw: u32) -> bool {
        self.matcher == Matcher::Raw(raw)
    }

    /// Whether a reason of this subsystem and of this short name is meant, whatever its number.
    pub fn matches_name(&self, subsystem: &str, name: &str) -> bool {
        match &self.matcher {
            Matcher::Raw(_) => false,
            Matcher::Name(wanted) => wanted.matches(&name.to_ascii_uppercase()),
            Matcher::Subsystem { subsystem: wanted, name: within } => {
                wanted.matches(subsystem) && within.matches(&name.to_ascii_uppercase())
            }
        }
    }

    /// The same for a plain word that may stand anywhere in the name.
    pub fn anywhere(self) -> Self {
        let matcher = match self.matcher {
            Matcher::Name(name) if !has_wildcard(&self.text) => {
                Matcher::Name(glob(&format!("*{name}*")))
            }
            other => other,
        };
        Self { matcher, ..self }
    }
}

impl Matcher {
    fn parse(text: &str) -> Self {
        if let Some(raw) = raw_number(text) {
            return Self::Raw(raw);
        }
        let name = |text: &str| glob(&short_name(text));
        match text.split_once('/') {
            Some((subsystem, rest)) => Self::Subsystem {
                subsystem: glob(&subsystem.to_ascii_lowercase()),
                name: name(rest),
            },
            None => Self::Name(name(text)),
        }
    }

    fn matches(&self, reason: &Reason, reasons: &Reasons) -> bool {
        let is_named = |name: &WildMatch| name.matches(&reason.name.to_ascii_uppercase());
        match self {
            Self::Raw(raw) => *raw == reason.raw,
            Self::Name(name) => is_named(name),
            Self::Subsystem { subsystem, name } => {
                subsystem.matches(&reasons.subsystem_name(reason.raw))
                    && (is_named(name) || name.matches(&split(reason.raw).1.to_string()))
            }
        }
    }

    /// The raw values that are meant without a known reason: numbers, and all of a subsystem,
    /// whose module may not be loaded yet.
    fn raw_values(&self, reasons: &Reasons) -> Vec<u32> {
        match self {
            Self::Raw(raw) => vec![*raw],
            Self::Name(_) => Vec::new(),
            Self::Subsystem { subsystem, name } => reasons
                .subsystems()
                .filter(|(number, label)| {
                    subsystem.matches(label) || subsystem.matches(&number.to_string())
                })
                .flat_map(|(number, _)| {
                    (0..FILTER_REASONS as u32).map(move |low| u32::from(number) << 16 | low)
                })
                .filter(|raw| name.matches("") || name.matches(&split(*raw).1.to_string()))
                .collect(),
        }
    }
}

/// A name as the kernel writes it, without the prefix of core reasons.
pub fn short_name(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    upper.strip_prefix(CORE_PREFIX).unwrap_or(&upper).to_owned()
}

/// The raw number that a pattern is, where it is one.
pub fn raw_number(text: &str) -> Option<u32> {
    number(text, u32::MAX.into()).and_then(|raw| raw.try_into().ok())
}

fn glob(pattern: &str) -> WildMatch {
    WildMatch::new(pattern)
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether a reason passes, by the patterns alone.
pub fn pass(patterns: &[ReasonPattern], reason: &Reason, reasons: &Reasons) -> bool {
    let any = |exclude| {
        let mut those = patterns.iter().filter(move |pattern| pattern.exclude == exclude);
        let is_empty = those.clone().next().is_none();
        (is_empty, those.any(|pattern| pattern.matches(reason, reasons)))
    };
    let ((all, included), (_, excluded)) = (any(false), any(true));
    (all || included) && !excluded
}

/// The filter for these patterns on this kernel; none where there are no patterns.
///
/// # Errors
/// A [`UsageError`] for a pattern that matches no reason of this kernel.
pub fn resolve(patterns: &[ReasonPattern], reasons: &mut Reasons) -> Result<Option<ReasonFilter>> {
    if patterns.is_empty() {
        return Ok(None);
    }
    // A module whose reasons cannot be read is as one that is not loaded.
    if let Err(error) = reasons.search_modules() {
        debug!("cannot read all modules' drop reasons: {error:#}");
    }
    let (excluded, included): (Vec<_>, Vec<_>) =
        patterns.iter().partition(|pattern| pattern.exclude);
    let nothing = ReasonFilter::new(false);
    let mut filter = ReasonFilter::new(included.is_empty());
    for (patterns, pass) in [(included, true), (excluded, false)] {
        for pattern in patterns {
            set(&mut filter, pattern, pass, reasons)?;
        }
    }
    if filter == nothing {
        return Err(UsageError("--reason excludes everything that it includes".to_owned()).into());
    }
    Ok(Some(filter))
}

fn set(
    filter: &mut ReasonFilter,
    pattern: &ReasonPattern,
    pass: bool,
    reasons: &Reasons,
) -> Result<()> {
    let named =
        reasons.iter().filter(|reason| pattern.matches(reason, reasons)).map(|reason| reason.raw);
    let mut meant: Vec<_> = named.chain(pattern.matcher.raw_values(reasons)).collect();
    // Who asks for what queue disciplines drop asks for the finer reasons too.
    if reasons.coarse_qdisc_reason().is_some_and(|coarse| meant.contains(&coarse.raw)) {
        meant.extend(
            reasons
                .iter()
                .map(|reason| reason.raw)
                .filter(|raw| reasons.subsystem_name(*raw) == "qdisc"),
        );
    }
    if meant.is_empty() {
        return Err(UsageError(unknown(&pattern.text, reasons)).into());
    }
    for raw in meant {
        if !filter.set(raw, pass) {
            let message = format!(
                "no kernel has a drop reason {raw}; `dropwatch list-reasons` shows this kernel's"
            );
            return Err(UsageError(message).into());
        }
    }
    Ok(())
}

/// The message for a pattern that matches no reason of this kernel.
pub fn unknown(text: &str, reasons: &Reasons) -> String {
    let name = &short_name(text);
    let see = "`dropwatch list-reasons` lists them all";
    if let Some(kernels) = kernels_with(name) {
        return format!(
            "this kernel has no drop reason '{text}', though other kernels ({kernels}) do{}; {see}",
            not_loaded(reasons)
        );
    }
    if has_wildcard(text) || text.contains('/') {
        return format!(
            "'{text}' matches no drop reason of this kernel{}; {see}",
            not_loaded(reasons)
        );
    }
    let nearest = nearest(name, reasons.iter().map(|reason| reason.name.as_str()));
    if nearest.is_empty() {
        format!("'{text}' is no drop reason of this kernel; {see}")
    } else {
        format!(
            "'{text}' is no drop reason of this kernel; did you mean {}? {see}",
            nearest.join(", ")
        )
    }
}

/// The subsystems of which no reason is known: their modules are not loaded.
pub fn not_loaded(reasons: &Reasons) -> String {
    let known = |number| reasons.iter().any(|reason| split(reason.raw).0 == number);
    let missing: Vec<_> =
        reasons.subsystems().filter(|(number, _)| !known(*number)).map(|(_, name)| name).collect();
    if missing.is_empty() {
        String::new()
    } else {
        format!(" (the names of {} are known only while the module is loaded)", missing.join(", "))
    }
}

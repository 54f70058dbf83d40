//! Explanations for people, as wide as the terminal.

use anstyle::{AnsiColor, Style as Colour};

use super::{
    Entry,
    lookup::{Explained, Kernel, Presence},
};
use crate::{
    kernel::{known_elsewhere::kernels_with, reasons::split},
    wrap::{self, wrap},
};

/// How wide the column of labels is.
const LABEL: usize = 13;

/// What stands behind explanations: how to make commands out of them.
const PLACEHOLDERS: &str = "In the commands replace DEV by what stands in IFACE, SRC, ADDR and PORT by the addresses and the port in FLOW, \
     PID by the number in OWNER, and other words in capitals as the text says. Where the drop is in another network \
     namespace than yours (--hints tells), run them there: `ip netns exec NAME COMMAND`, or `nsenter -n -t PID COMMAND` \
     with the id of a process in it.";

/// What the terminal can show.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    width: usize,
    heading: Colour,
    label: Colour,
    command: Colour,
}

impl Style {
    /// Of the terminal at hand.
    pub fn of_terminal(color: bool) -> Self {
        Self::new(wrap::terminal_width(), color)
    }

    /// So many columns wide.
    pub fn new(width: usize, color: bool) -> Self {
        let plain = Colour::new();
        if !color {
            return Self { width, heading: plain, label: plain, command: plain };
        }
        Self {
            width,
            heading: AnsiColor::Yellow.on_default().bold(),
            label: plain.dimmed(),
            command: AnsiColor::Cyan.on_default(),
        }
    }
}

/// The explanations, a blank line between them.
pub fn text(explained: &[Explained<'_>], kernel: &Kernel, style: &Style) -> String {
    let mut texts: Vec<_> = explained.iter().map(|it| one(it, kernel, style)).collect();
    // Told once, since these are the same for all.
    if explained.iter().any(|it| it.entry.is_some()) {
        texts.push(paragraph(style, "", PLACEHOLDERS));
    }
    if let Err(why) = &kernel.reasons {
        texts.push(paragraph(
            style,
            "",
            &format!("The reasons of {} could not be read: {why}", kernel.name),
        ));
    }
    texts.join("\n")
}

fn one(explained: &Explained<'_>, kernel: &Kernel, style: &Style) -> String {
    let Style { heading, .. } = style;
    let mut text = format!("{heading}{}{heading:#}", explained.name);
    if explained.subsystem != "core" {
        text += &format!(" ({})", explained.subsystem);
    }
    text.push('\n');
    match explained.entry {
        Some(entry) => {
            text += &paragraph(style, "", &entry.summary);
            text.push('\n');
            text += &body(entry, style);
        }
        None => text += &paragraph(style, "", &without_entry(explained)),
    }
    text += &paragraph(style, "kernels", &kernels(explained, kernel));
    text
}

fn body(entry: &Entry, style: &Style) -> String {
    let mut text = paragraph(style, "meaning", &entry.meaning);
    text += &items(style, "where", &entry.r#where, false);
    let harmless = format!("{}. {}", entry.harmless.word(), entry.harmless_when);
    text += &paragraph(style, "harmless", &harmless);
    match entry.counters.is_empty() {
        true => text += &paragraph(style, "counters", "none of its own"),
        false => text += &items(style, "counters", &entry.counters, false),
    }
    text += &items(style, "check next", &entry.check, true);
    text += &paragraph(style, "usual fix", &entry.fix);
    text
}

/// What to say of a reason that the data does not have.
fn without_entry(explained: &Explained<'_>) -> String {
    format!(
        "This version of dropwatch does not know what {} means: the kernel is newer, or somebody's own. What the \
         kernel says of it stands beside the name in its source; `dropwatch --reason {} --stack` shows which \
         code drops for it.",
        explained.name, explained.name
    )
}

/// Which kernels have the reason, and whether the one at hand does.
fn kernels(explained: &Explained<'_>, kernel: &Kernel) -> String {
    let mut sentences = Vec::new();
    if let Some(entry) = explained.entry {
        let range = match &entry.until {
            Some(until) if *until == entry.since => format!("Linux {until} only"),
            Some(until) => format!("Linux {} to {until}", entry.since),
            None => format!("since Linux {}", entry.since),
        };
        let renamed = entry.renamed.as_ref();
        sentences.push(
            range + &renamed.map_or_else(String::new, |name| format!(", then called {name}")),
        );
    } else if let Some(kernels) = kernels_with(&explained.name) {
        sentences.push(format!("in {kernels}"));
    }
    let Kernel { name, .. } = kernel;
    sentences.push(match &explained.presence {
        Presence::Has(reason) => {
            let number = match split(reason.raw) {
                (0, number) => number.to_string(),
                _ => format!("{:#x}", reason.raw),
            };
            format!("{name} has it as number {number}, {}", reason.full_name)
        }
        Presence::HasNot => format!("{name} does not have it"),
        Presence::ModuleNotLoaded => format!(
            "whether {name} has it is known only while the module of {} is loaded",
            explained.subsystem
        ),
        Presence::Unknown => format!("whether {name} has it is not known"),
    });
    sentences.join("; ")
}

/// A label, and text beside it; without a label the text is indented less.
fn paragraph(style: &Style, label: &str, text: &str) -> String {
    lines(style, label, wrap(text, room(style, label)).iter().map(String::as_str))
}

/// A label, and items beside it, each on lines of its own. Commands are never broken, so that
/// they can be copied.
fn items(style: &Style, label: &str, items: &[String], are_commands: bool) -> String {
    let Style { command, .. } = style;
    let wrapped: Vec<_> = items
        .iter()
        .flat_map(|item| match are_commands {
            true => vec![format!("{command}{item}{command:#}")],
            false => wrap(item, room(style, label)),
        })
        .collect();
    lines(style, label, wrapped.iter().map(String::as_str))
}

fn room(style: &Style, label: &str) -> usize {
    style.width.saturating_sub(indent(label))
}

/// Where the text begins.
fn indent(label: &str) -> usize {
    if label.is_empty() { 2 } else { LABEL }
}

fn lines<'a>(style: &Style, label: &str, lines: impl Iterator<Item = &'a str>) -> String {
    let (colour, indent) = (style.label, indent(label));
    let mut text = String::new();
    for (index, line) in lines.enumerate() {
        match index {
            0 if !label.is_empty() => {
                text += &format!("  {colour}{label:<width$}{colour:#}{line}\n", width = indent - 2);
            }
            _ => text += &format!("{:indent$}{line}\n", ""),
        }
    }
    text
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;

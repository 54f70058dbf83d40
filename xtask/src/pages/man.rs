//! Man pages: what clap knows, and the sections that a manual has besides.

use super::{MAN, Page};
use clap::Command;
use clap_mangen::Man;
use roff::{Inline, Roff, bold, roman};
use std::{io, path::Path};

/// The heading of filters in the help has a note behind it, in parentheses.
const FILTERS: &str = "Filters";

const ENVIRONMENT: &[(&str, &str)] = &[
    ("NO_COLOR", "When it is set and not empty, no colour is used unless --color asks for it."),
    ("TERM", "On a terminal that is dumb there is neither colour nor a live table."),
    ("LC_ALL, LC_CTYPE, LANG", "The live table is drawn in ASCII unless the locale is of UTF-8."),
];

const FILES: &[(&str, &str)] = &[
    ("/sys/kernel/btf/", "The types of the kernel and its modules, with the names of the reasons."),
    ("/sys/kernel/tracing/", "The trace event that is used where the kernel has no BTF."),
    ("/proc/kallsyms", "The names of the kernel's functions."),
    ("/usr/lib/debug/boot/vmlinux-RELEASE", "Debug information, for lines of source in stacks."),
];

const OTHER_PAGES: &[&str] = &["bpftrace(8)", "perf(1)", "tcpdump(8)", "nstat(8)", "ip-netns(8)"];

const ENDED_WELL: &str = "0 when all went well, 1 when something failed, 2 for a usage error.";
const DOCTOR_ENDED: &str =
    "0 when dropwatch can trace here, 1 when it cannot, 2 for a usage error.";

/// A page for the command and for each of its subcommands.
pub fn pages(command: Command) -> io::Result<Vec<Page>> {
    // Otherwise there would be a page about `dropwatch help`.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let all: Vec<_> =
        [command.clone()].into_iter().chain(command.get_subcommands().cloned()).collect();
    let names: Vec<_> = all.iter().map(name).collect();
    let version = command.get_version().unwrap_or_default();
    all.iter()
        .map(|command| {
            let page = page(command, version, &names)?;
            Ok(Page { path: Path::new(MAN).join(format!("{}.1", name(command))), text: page })
        })
        .collect()
}

/// As in the title of the page: dropwatch, dropwatch-top.
fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn page(command: &Command, version: &str, names: &[String]) -> io::Result<Vec<u8>> {
    let name = name(command);
    let (command, note) = with_short_headings(command.clone());
    let usage = command.clone().render_usage().to_string();
    let command = command.override_usage(usage.trim_start_matches("Usage:").to_owned());
    let man = Man::new(command.clone());

    // Not by clap_mangen, which leaves out an empty date, and the version would be the date.
    let title = name.to_uppercase();
    let mut text =
        format!(".TH {title} 1 \"\" \"dropwatch {version}\" \"User Commands\"\n").into_bytes();
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    if let Some(note) = note {
        let mut roff = Roff::new();
        roff.control("PP", []).text([roman(format!("Of filters, {note}."))]);
        roff.to_writer(&mut text)?;
    }
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let help = command.get_after_long_help().or_else(|| command.get_after_help());
    let mut roff = after_help(&help.map(ToString::to_string).unwrap_or_default());
    if help.is_none() {
        let ended = if name == "dropwatch-doctor" { DOCTOR_ENDED } else { ENDED_WELL };
        roff.control("SH", ["EXIT STATUS"]).text([roman(ended)]);
    }
    list(&mut roff, "ENVIRONMENT", ENVIRONMENT);
    list(&mut roff, "FILES", FILES);
    see_also(&mut roff, &name, names);
    roff.to_writer(&mut text)?;
    Ok(text)
}

/// Takes the note off the heading of filters, since a section has a short name.
fn with_short_headings(command: Command) -> (Command, Option<String>) {
    let mut note = None;
    let command = command.mut_args(|arg| {
        let heading = arg.get_help_heading().and_then(|heading| heading.strip_prefix(FILTERS));
        let Some(behind) = heading else { return arg };
        note = Some(behind.trim().trim_matches(['(', ')']).to_owned());
        arg.help_heading(FILTERS)
    });
    (command, note)
}

/// The paragraphs after the options: each has a title, of a line (`Title:`) with a table below, or
/// in front of text (`Title: text`).
fn after_help(help: &str) -> Roff {
    let mut roff = Roff::new();
    for paragraph in help.split("\n\n").map(str::trim_end).filter(|text| !text.is_empty()) {
        let (title, rest) = paragraph.split_once(':').unwrap_or(("Notes", paragraph));
        roff.control("SH", [title.to_uppercase().as_str()]);
        match rest.strip_prefix('\n') {
            Some(table) => {
                let line = |line: &str| [roman(line.to_owned()), Inline::LineBreak];
                roff.control("nf", []);
                roff.text(table.lines().flat_map(line).collect::<Vec<_>>());
                roff.control("fi", []);
            }
            None => {
                let words: Vec<_> = rest.split_whitespace().collect();
                roff.text([roman(words.join(" "))]);
            }
        }
    }
    roff
}

fn list(roff: &mut Roff, title: &str, items: &[(&str, &str)]) {
    roff.control("SH", [title]);
    for &(item, text) in items {
        roff.control("TP", []).text([bold(item)]).text([roman(text)]);
    }
}

fn see_also(roff: &mut Roff, own: &str, names: &[String]) {
    let siblings = names.iter().filter(|name| *name != own).map(|name| format!("{name}(1)"));
    let pages = siblings.chain(OTHER_PAGES.iter().map(|&page| page.to_owned()));
    let mut inlines = Vec::new();
    for page in pages {
        if !inlines.is_empty() {
            inlines.push(roman(", "));
        }
        let (name, section) = page.split_once('(').unwrap_or((&page, ""));
        inlines.extend([bold(name.to_owned()), roman(format!("({section}"))]);
    }
    roff.control("SH", ["SEE ALSO"]).text(inlines);
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use dropwatch::cli::Cli;

    fn all() -> io::Result<Vec<(String, String)>> {
        let named = |page: Page| {
            let name = page.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (name, String::from_utf8_lossy(&page.text).into_owned())
        };
        Ok(pages(Cli::command())?.into_iter().map(named).collect())
    }

    #[test]
    fn each_subcommand_has_a_page_with_every_section() -> io::Result<()> {
        let pages = all()?;
        let names: Vec<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["dropwatch.1", "dropwatch-top.1", "dropwatch-list-reasons.1"] {
            assert!(names.contains(&name), "{names:?}");
        }
        assert_eq!(names.len(), Cli::command().get_subcommands().count() + 1);
        for (name, text) in &pages {
            let title = name.trim_end_matches(".1").to_uppercase();
            assert!(text.starts_with(&format!(".TH {title} 1 \"\" \"dropwatch ")), "{text}");
            for section in
                ["NAME", "SYNOPSIS", "OPTIONS", "\"EXIT STATUS\"", "FILES", "\"SEE ALSO\""]
            {
                let heading = format!(".SH {section}\n");
                assert_eq!(text.matches(&heading).count(), 1, "{section} in {name}:\n{text}");
            }
        }
        Ok(())
    }

    #[test]
    fn filters_have_a_short_heading_and_their_note() -> io::Result<()> {
        let (_, text) = all()?.into_iter().next().unwrap_or_default();
        assert!(text.contains("\n.SH FILTERS\n"), "{text}");
        assert!(text.contains("Of filters, commas and repeats are alternatives"), "{text}");
        Ok(())
    }

    #[test]
    fn examples_keep_their_lines() {
        let text = after_help("Examples:\n  one   1\n  two   2\n\nExit status: 0 or\n1").to_roff();
        assert!(text.contains(".SH EXAMPLES\n.nf\n"), "{text}");
        assert!(text.contains("one   1\n"), "{text}");
        assert!(text.contains(".SH \"EXIT STATUS\"\n0 or 1\n"), "{text}");
    }
}

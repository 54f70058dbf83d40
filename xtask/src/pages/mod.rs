//! Man pages and shell completions, made from the command line's types.

mod man;

use anyhow::{Context as _, Result};
use clap::{Command, CommandFactory as _};
use clap_complete::{Shell, generate};
use dropwatch::cli::Cli;
use std::path::PathBuf;

/// A file that belongs beside the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it goes, relative to the prefix of the installation.
    pub path: PathBuf,
    /// What is in it.
    pub text: Vec<u8>,
}

/// Where man pages go, relative to the prefix.
pub const MAN: &str = "share/man/man1";
/// Where zsh looks for what was installed from sources.
pub const ZSH: &str = "share/zsh/site-functions/_dropwatch";

/// The shells for which there are completions, and where each looks for them.
pub const COMPLETIONS: &[(Shell, &str)] = &[
    (Shell::Bash, "share/bash-completion/completions/dropwatch"),
    (Shell::Zsh, ZSH),
    (Shell::Fish, "share/fish/vendor_completions.d/dropwatch.fish"),
];

/// All of them: a man page for dropwatch and for each subcommand, a completion for each shell.
pub fn all() -> Result<Vec<Page>> {
    let mut pages = man::pages(Cli::command()).context("cannot write man pages")?;
    pages.extend(COMPLETIONS.iter().map(|&(shell, path)| {
        let mut text = Vec::new();
        generate(shell, &mut Cli::command(), "dropwatch", &mut text);
        if shell == Shell::Fish {
            text = mended_for_fish(&Cli::command(), &String::from_utf8_lossy(&text)).into_bytes();
        }
        Page { path: path.into(), text }
    }));
    Ok(pages)
}

/// What clap makes of the options before a subcommand, so that fish completes behind them: the
/// value of one may be missing (`--stack`), and may not be there yet (`--color `).
fn mended_for_fish(command: &Command, text: &str) -> String {
    let optional = command
        .get_opts()
        .filter(|option| option.get_num_args().is_some_and(|values| values.min_values() == 0));
    let words = optional.filter_map(|option| {
        let long = option.get_long()?;
        Some(option.get_short().map_or(long.to_owned(), |short| format!("{short}/{long}")))
    });
    // In quotes, since it is a wildcard otherwise.
    let text = words.fold(text.to_owned(), |text, word| {
        text.replace(&format!(" {word}= "), &format!(" '{word}=?' "))
    });
    text.replace("-- $cmd 2>/dev/null\n    or return\n", "-- $cmd 2>/dev/null\n    or return 0\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_completes_subcommands_and_options() -> Result<()> {
        let pages = all()?;
        for (shell, path) in COMPLETIONS {
            let page = pages.iter().find(|page| page.path == PathBuf::from(path));
            let text = String::from_utf8_lossy(&page.context("no such completion")?.text);
            for word in ["list-reasons", "doctor", "verbose-packet", "flamegraph"] {
                assert!(text.contains(word), "{shell} does not know {word}");
            }
        }
        Ok(())
    }

    #[test]
    fn fish_knows_that_values_can_be_missing() -> Result<()> {
        let pages = all()?;
        let fish = pages.iter().find(|page| page.path.extension().is_some_and(|it| it == "fish"));
        let text = String::from_utf8_lossy(&fish.context("no completion for fish")?.text);
        // As clap_complete makes it; the check of packages asks fish itself.
        for mended in [" 's/stack=?' ", " n/count= ", "-- $cmd 2>/dev/null\n    or return 0\n"] {
            assert!(text.contains(mended), "no {mended:?}");
        }
        Ok(())
    }

    #[test]
    fn no_two_pages_have_one_place() -> Result<()> {
        let mut paths: Vec<_> = all()?.into_iter().map(|page| page.path).collect();
        let all = paths.len();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), all);
        Ok(())
    }
}

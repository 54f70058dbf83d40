//! `--function`: the functions in which packets are dropped, as ranges of addresses.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use dropwatch_common::filter::{EXCLUDED_FUNCTION, WANTED_FUNCTION};
use wildmatch::WildMatch;

use super::{
    list::Wishes,
    nearest::nearest,
    prefix::{Entry, cover},
};
use crate::{
    config::UsageError,
    kernel::kallsyms::{each_function, function_name},
};

/// No function is as long, and what lies so far behind the last one belongs to something else.
const MAX_LEN: u64 = 1 << 20;

/// One item of `--function`.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionPattern {
    text: String,
    glob: WildMatch,
}

impl FunctionPattern {
    /// Reads one item: a name or a glob.
    ///
    /// # Errors
    /// What is wrong with it, to stand behind the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains(|c: char| c.is_whitespace() || matches!(c, '+' | '/' | '[')) {
            return Err("is no function; write its name or a glob, without an offset".to_owned());
        }
        Ok(Self { text: text.to_owned(), glob: WildMatch::new(text) })
    }

    /// Whether a function is meant, or what the compiler has split off one that is: it puts `.cold`,
    /// `.isra.0` and the like behind the name.
    pub fn matches(&self, symbol: &str) -> bool {
        let name = function_name(symbol);
        let source_name = name.split('.').next().unwrap_or(name);
        self.glob.matches(name) || self.glob.matches(source_name)
    }
}

/// What the kernel's trie is to hold for these patterns.
///
/// # Errors
/// A [`UsageError`] for a pattern that matches no function, or where nothing is left; another
/// where the kernel hides its functions.
pub fn resolve(wishes: &Wishes<FunctionPattern>) -> Result<Vec<Entry>> {
    if wishes.is_empty() {
        return Ok(Vec::new());
    }
    let mut search = Search::new(wishes);
    each_function(|address, name| search.add(address, name))?;
    if search.functions.is_empty() {
        bail!(
            "--function needs the addresses of the kernel's functions, which the kernel hides \
             (kernel.kptr_restrict): run dropwatch with CAP_SYSLOG and kernel.kptr_restrict at most 1"
        );
    }
    if let Some(pattern) = search.missing() {
        return Err(UsageError(unknown(&pattern.text)).into());
    }
    let entries = search.entries();
    if !wishes.wanted.is_empty() && entries.iter().all(|(.., bits)| bits & EXCLUDED_FUNCTION != 0) {
        return Err(UsageError("--function excludes everything that it includes".to_owned()).into());
    }
    Ok(entries)
}

/// The functions by address, and what the patterns say to each.
struct Search<'a> {
    patterns: Vec<(&'a FunctionPattern, u32)>,
    found: Vec<bool>,
    functions: BTreeMap<u64, u32>,
}

impl<'a> Search<'a> {
    fn new(wishes: &'a Wishes<FunctionPattern>) -> Self {
        let wanted = wishes.wanted.iter().map(|pattern| (pattern, WANTED_FUNCTION));
        let excluded = wishes.excluded.iter().map(|pattern| (pattern, EXCLUDED_FUNCTION));
        let patterns: Vec<_> = wanted.chain(excluded).collect();
        Self { found: vec![false; patterns.len()], patterns, functions: BTreeMap::new() }
    }

    fn add(&mut self, address: u64, name: &str) {
        if address == 0 {
            return;
        }
        let bits = self.functions.entry(address).or_default();
        for ((pattern, meaning), found) in self.patterns.iter().zip(&mut self.found) {
            if pattern.matches(name) {
                *bits |= meaning;
                *found = true;
            }
        }
    }

    /// A pattern that matched nothing.
    fn missing(&self) -> Option<&'a FunctionPattern> {
        let mut missing = self.patterns.iter().zip(&self.found).filter(|(_, found)| !**found);
        missing.next().map(|((pattern, _), _)| *pattern)
    }

    /// Each function reaches to the next. Neighbours to which the same is said are one range.
    fn entries(&self) -> Vec<Entry> {
        let ends = self.functions.keys().skip(1).copied().chain([u64::MAX]);
        let mut ranges: Vec<(u64, u64, u32)> = Vec::new();
        for ((&begin, &bits), next) in self.functions.iter().zip(ends) {
            let end = next.min(begin.saturating_add(MAX_LEN));
            match ranges.last_mut() {
                Some((_, before, same)) if *before == begin && *same == bits => *before = end,
                _ if bits == 0 => {}
                _ => ranges.push((begin, end, bits)),
            }
        }
        let prefixes = |&(begin, end, bits): &(u64, u64, u32)| {
            cover(begin, end).map(move |(len, first)| (len, first, bits))
        };
        ranges.iter().flat_map(prefixes).collect()
    }
}

/// The message for a pattern that matches no function of this kernel.
fn unknown(text: &str) -> String {
    let mut names = Vec::new();
    // Where they cannot be read any more there is nothing to suggest.
    let _ = each_function(|_, name| names.push(function_name(name).to_owned()));
    let nearest = nearest(text, names.iter().map(String::as_str));
    let suggestion = match nearest.is_empty() {
        true => String::new(),
        false => format!("; did you mean {}?", nearest.join(", ")),
    };
    format!(
        "--function '{text}' matches no function of this kernel (one that the compiler has inlined \
         is part of its caller, and a module has to be loaded){suggestion}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::kallsyms::each_function_in;

    const TEXT: &str = "\
0000000000000000 A fixed_percpu_data
ffffffff81000200 T udp_rcv
ffffffff81000000 T _stext
ffffffff81000110 t udp_queue.isra.0
ffffffff81000100 t __pfx_udp_queue.isra.0
ffffffff81000200 T udp_alias
ffffffff81000280 T tcp_rcv
ffffffff81000300 D udp_table
ffffffff81000400 t udp_queue.isra.0.cold
ffffffffc0000000 t nft_do_chain	[nf_tables]
";

    fn wishes(wanted: &[&str], excluded: &[&str]) -> Wishes<FunctionPattern> {
        let read = |texts: &[&str]| {
            texts.iter().map(|text| FunctionPattern::parse(text).expect("a pattern")).collect()
        };
        Wishes { wanted: read(wanted), excluded: read(excluded) }
    }

    fn entries(wishes: &Wishes<FunctionPattern>) -> Vec<Entry> {
        let mut search = Search::new(wishes);
        each_function_in(TEXT.as_bytes(), |address, name| search.add(address, name)).expect("text");
        assert_eq!(search.missing(), None);
        search.entries()
    }

    fn bits_at(entries: &[Entry], address: u64) -> u32 {
        let mut found =
            entries.iter().filter(|(len, first, _)| first >> (64 - len) == address >> (64 - len));
        let bits = found.next().map_or(0, |(.., bits)| *bits);
        assert_eq!(found.next(), None, "no prefix lies in another");
        bits
    }

    #[test]
    fn a_function_reaches_to_the_next() {
        let found = entries(&wishes(&["udp_*"], &["udp_queue"]));
        let (wanted, both) = (WANTED_FUNCTION, WANTED_FUNCTION | EXCLUDED_FUNCTION);
        for (address, bits) in [
            (0xffff_ffff_8100_00ff, 0),
            (0xffff_ffff_8100_0100, both),
            (0xffff_ffff_8100_01ff, both),
            (0xffff_ffff_8100_0200, wanted),
            (0xffff_ffff_8100_027f, wanted),
            (0xffff_ffff_8100_0280, 0),
            (0xffff_ffff_8100_0300, 0),
            (0xffff_ffff_8100_0400, both),
            (0xffff_ffff_8110_03ff, both),
            (0xffff_ffff_8110_0400, 0),
            (0xffff_ffff_c000_0000, 0),
        ] {
            assert_eq!(bits_at(&found, address), bits, "{address:x}");
        }
    }

    #[test]
    fn names_match_what_was_split_off() {
        let symbol = "udp_queue.isra.0.cold";
        for (pattern, expected) in [
            ("udp_queue", true),
            ("udp_queue.isra.0.cold", true),
            ("udp_queue.isra.0", false),
            ("udp_queue.*", true),
            ("*.cold", true),
            ("udp_q?eue", true),
            ("udp_", false),
            ("UDP_queue", false),
        ] {
            let pattern = FunctionPattern::parse(pattern).expect("a pattern");
            assert_eq!(pattern.matches(symbol), expected, "{}", pattern.text);
        }
        for text in ["udp_rcv+0x12", "udp rcv", "nft_do_chain[nf_tables]"] {
            assert!(FunctionPattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn neighbours_are_one_range() {
        // Both names and what lies before the function: 0x100..0x280.
        let found = entries(&wishes(&["udp_queue", "udp_alias"], &[]));
        let near = found.iter().filter(|(_, first, _)| *first < 0xffff_ffff_8100_0300).count();
        assert_eq!(near, 2, "{found:x?}");
        assert_eq!(bits_at(&found, 0xffff_ffff_8100_0250), WANTED_FUNCTION);
    }

    #[test]
    fn a_module_has_functions_too() {
        let found = entries(&wishes(&[], &["nft_*"]));
        assert_eq!(bits_at(&found, 0xffff_ffff_c000_0010), EXCLUDED_FUNCTION);
        let unknown = wishes(&["udp_*", "udp6_*"], &[]);
        let mut search = Search::new(&unknown);
        each_function_in(TEXT.as_bytes(), |address, name| search.add(address, name)).expect("text");
        assert_eq!(search.missing().map(|pattern| pattern.text.as_str()), Some("udp6_*"));
    }
}

//! The kernel's symbols.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    sync::OnceLock,
};

use anyhow::{Context, Result, ensure};

use crate::Place;

/// Functions by address and by name. Some addresses have several names, and some names several
/// addresses.
#[derive(Debug)]
pub struct Kallsyms {
    names: BTreeMap<u64, Vec<String>>,
    addresses: HashMap<String, Vec<u64>>,
}

impl Kallsyms {
    /// Those of the running kernel, as they were when they were first asked for.
    ///
    /// # Errors
    /// When they cannot be read, or the kernel hides them.
    pub fn of_kernel() -> Result<&'static Self> {
        static CACHE: OnceLock<Kallsyms> = OnceLock::new();
        match CACHE.get() {
            Some(symbols) => Ok(symbols),
            None => Self::now().map(|symbols| CACHE.get_or_init(|| symbols)),
        }
    }

    /// Those of the kernel and the modules that are loaded now.
    ///
    /// # Errors
    /// As above.
    pub fn now() -> Result<Self> {
        let text = fs::read_to_string("/proc/kallsyms").context("cannot read /proc/kallsyms")?;
        let mut symbols = Self { names: BTreeMap::new(), addresses: HashMap::new() };
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            let (Some(address), Some(kind), Some(name)) =
                (words.next(), words.next(), words.next())
            else {
                continue;
            };
            if matches!(kind, "t" | "T" | "w" | "W") {
                let address = u64::from_str_radix(address, 16).context("no address")?;
                symbols.names.entry(address).or_default().push(name.to_owned());
                symbols.addresses.entry(name.to_owned()).or_default().push(address);
            }
        }
        ensure!(symbols.names.len() > 1000, "the kernel hides its addresses");
        Ok(symbols)
    }

    /// Whether there is a function of this name.
    pub fn has(&self, function: &str) -> bool {
        self.addresses.contains_key(function)
    }

    /// Whether a place is the one at this address: it may be called by any of the function's
    /// names, but has to be inside of that function.
    pub fn is_at(&self, place: &Place, address: u64) -> bool {
        let begin = address.wrapping_sub(place.offset);
        let next = self.names.range(begin + 1..).next().map_or(u64::MAX, |(&next, _)| next);
        let named = self.names.get(&begin).is_some_and(|names| names.contains(&place.function));
        named && address <= next
    }

    /// Whether two places are the same.
    pub fn same(&self, left: &Place, right: &Place) -> bool {
        let begins = self.addresses.get(&left.function);
        let mut addresses = begins.into_iter().flatten().map(|begin| begin + left.offset);
        addresses.any(|address| self.is_at(left, address) && self.is_at(right, address))
    }
}

//! The kernel's functions and where they begin, from `/proc/kallsyms`.

use std::{
    fs::File,
    io::{BufRead, BufReader},
};

use anyhow::{Context, Result};

const PATH: &str = "/proc/kallsyms";
/// Symbols for what lies before a function: room to patch, and the hash of its type.
const BEFORE: [&str; 2] = ["__pfx_", "__cfi_"];

/// Goes through the functions of the running kernel and of its modules, each with its name; in
/// no order, and some have several names. Where the kernel hides the addresses they are 0.
///
/// # Errors
/// When they cannot be read.
pub fn each_function(function: impl FnMut(u64, &str)) -> Result<()> {
    let file = File::open(PATH);
    let source = BufReader::new(file.with_context(|| format!("cannot open {PATH}"))?);
    each_function_in(source, function).with_context(|| format!("cannot read {PATH}"))
}

/// Goes through the lines `ffffffff81c23580 T udp_rcv\t[module]`.
///
/// # Errors
/// When they cannot be read.
pub fn each_function_in(
    mut source: impl BufRead,
    mut function: impl FnMut(u64, &str),
) -> Result<()> {
    let mut line = String::new();
    while source.read_line(&mut line)? > 0 {
        let mut words = line.split_ascii_whitespace();
        if let (Some(address), Some("t" | "T" | "w" | "W"), Some(name)) =
            (words.next(), words.next(), words.next())
            && let Ok(address) = u64::from_str_radix(address, 16)
        {
            function(address, name);
        }
        line.clear();
    }
    Ok(())
}

/// The name of the function that a symbol belongs to.
pub fn function_name(symbol: &str) -> &str {
    BEFORE.iter().find_map(|before| symbol.strip_prefix(before)).unwrap_or(symbol)
}

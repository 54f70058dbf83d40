//! The BTF that aya asks for when it loads a program.
//!
//! aya wants to find one id in it, that of the tracepoint's typedef or the iterator's function,
//! which is known already. Reading the kernel's BTF a second time for that would take a third of
//! the start; this makes one in which nothing else is named, at the right id.

use anyhow::{Context, Result};
use aya::{Btf, Endianness};

const HEADER_SIZE: u32 = 24;
/// `BTF_KIND_FWD`, 12 bytes as all types here: name, kind in the top byte, type.
const KIND_FWD: u32 = 7 << 24;
const TYPE_SIZE: u32 = 12;
/// No kernel has as many types; a larger id is a mistake.
const MAX_ID: u32 = 10_000_000;

/// What the program attaches to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A tracepoint's typedef: `BTF_KIND_TYPEDEF`.
    Typedef = 8,
    /// An iterator's function: `BTF_KIND_FUNC`.
    Function = 12,
}

/// BTF in which the type with this id is one of this kind and name.
///
/// # Errors
/// When the id cannot be that of a type.
pub fn with(kind: Kind, name: &str, id: u32) -> Result<Btf> {
    let fillers = id
        .checked_sub(1)
        .filter(|_| id <= MAX_ID)
        .with_context(|| format!("{name} has no BTF id"))?;
    let strings = [b"\0", name.as_bytes(), b"\0"].concat();
    let types_len = id * TYPE_SIZE;
    let mut bytes = Vec::with_capacity((HEADER_SIZE + types_len) as usize + strings.len());
    // Magic, version 1, no flags.
    bytes.extend(0xeb9f_u16.to_ne_bytes());
    bytes.extend([1, 0]);
    let words =
        |words: &[u32]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<_>>();
    bytes.extend(words(&[HEADER_SIZE, 0, types_len, types_len, strings.len() as u32]));
    bytes.extend(words(&[0, KIND_FWD, 0]).repeat(fillers as usize));
    bytes.extend(words(&[1, (kind as u32) << 24, 0]));
    bytes.extend(strings);
    Ok(Btf::parse(&bytes, Endianness::default())?)
}

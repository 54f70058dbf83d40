//! Reading files that claim to be BTF: bounded in size, and checked before anyone parses them.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::{FromRawFd, OwnedFd},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};

/// Far above any kernel's BTF (4 to 15 MB), far below what would hurt.
pub const MAX_SIZE: u64 = 128 << 20;
/// The same for a module's (up to a few MB), which takes many times its size once it is read.
pub const MAX_MODULE_SIZE: u64 = 32 << 20;
/// Names are shorter than this in any case; those of kernels have up to 90 bytes.
const MAX_NAME: usize = 512;
/// Magic, version, flags and header length, then four section bounds of 4 bytes each.
const HEADER_SIZE: usize = 24;
const MAGIC: u16 = 0xeb9f;

/// The bytes of a file that has at most so many.
///
/// # Errors
/// When it cannot be read or is larger.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let too_large = || format!("the file is larger than {} MB", most >> 20);
    let file = File::open(path)?;
    ensure!(file.metadata()?.len() <= most, too_large());
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= most, too_large());
    Ok(bytes)
}

/// The parts of a BTF file.
#[derive(Clone, Copy, Debug)]
pub struct Sections<'a> {
    /// The types, one after another.
    pub types: &'a [u8],
    /// The strings, each of which ends in a zero.
    pub strings: &'a [u8],
    /// Whether the bytes of numbers stand in this machine's order.
    pub native: bool,
}

/// Checks the header and gives the sections. Either byte order will do, as for the BTF of
/// another machine.
///
/// # Errors
/// When the bytes are not BTF, or damaged.
pub fn check(bytes: &[u8]) -> Result<Sections<'_>> {
    if bytes.starts_with(b"\x7fELF") {
        bail!(
            "this is an ELF file; extract its BTF first: \
             objcopy -O binary --only-section=.BTF --set-section-flags .BTF=alloc FILE OUTPUT"
        );
    }
    ensure!(bytes.len() >= HEADER_SIZE, "not BTF: the file has only {} bytes", bytes.len());
    let big_endian = match u16::from_le_bytes([bytes[0], bytes[1]]) {
        MAGIC => false,
        magic if magic.swap_bytes() == MAGIC => true,
        magic => bail!("not BTF: it begins with {magic:#06x}, not with {MAGIC:#06x}"),
    };
    ensure!(bytes[2] == 1, "BTF of version {}, of which nothing is known", bytes[2]);
    let word = |index: usize| {
        let word = [bytes[index], bytes[index + 1], bytes[index + 2], bytes[index + 3]];
        u64::from(if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) })
    };
    let (header, types, types_len, strings, strings_len) =
        (word(4), word(8), word(12), word(16), word(20));
    let size = bytes.len() as u64;
    ensure!(
        header >= HEADER_SIZE as u64
            && header + types + types_len <= size
            && header + strings + strings_len <= size,
        "truncated or damaged BTF: its header asks for more than the {size} bytes there are"
    );
    let types = &bytes[(header + types) as usize..][..types_len as usize];
    let (strings, rest) = bytes[(header + strings) as usize..].split_at(strings_len as usize);
    // A longer header announces sections that are not known yet.
    ensure!(
        rest.is_empty() || header > HEADER_SIZE as u64,
        "damaged BTF: something follows its strings"
    );
    // A module's BTF can do with its kernel's strings.
    ensure!(strings.last().is_none_or(|&last| last == 0), "damaged BTF: its strings do not end");
    ensure!(
        are_names(strings),
        "damaged BTF: a name is empty, has unprintable characters or is too long"
    );
    Ok(Sections { types, strings, native: big_endian == cfg!(target_endian = "big") })
}

/// Whether these strings, which end in zeros, can be names: printable, of a length that the
/// kernel takes (`KSYM_NAME_LEN`), and none of them empty but the first of the kernel's own BTF.
/// These are a few MB at each start, so it goes without branches.
fn are_names(strings: &[u8]) -> bool {
    let names = strings.strip_prefix(b"\0").unwrap_or(strings);
    let odd = |byte: u8| u8::from(byte != 0) & u8::from(!(b' '..=b'~').contains(&byte));
    let empty = |(first, second): (&u8, &u8)| u8::from(first | second == 0);
    let pairs = names.iter().zip(names.get(1..).unwrap_or_default());
    let odd = names.iter().fold(0, |found, &byte| found | odd(byte));
    let empty = pairs.fold(u8::from(names.first() == Some(&0)), |found, pair| found | empty(pair));
    // A name that reaches across all of a block is too long.
    odd | empty == 0 && names.chunks(MAX_NAME).all(|block| block.contains(&0))
}

/// A file in memory that holds these bytes: a copy that nobody can truncate while it is read.
///
/// # Errors
/// When there is no memory.
pub fn private_copy(bytes: &[u8]) -> Result<File> {
    // SAFETY: the name is a C string, and the result is checked.
    let fd = unsafe { libc::memfd_create(c"btf".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error()).context("cannot make room in memory");
    }
    // SAFETY: the descriptor was opened just now and nobody else owns it.
    let mut file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    file.write_all(bytes)?;
    Ok(file)
}

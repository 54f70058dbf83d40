//! Reading files that claim to be BTF: bounded in size, and checked before anyone parses them.

use std::{
    fs::File,
    io::Read,
    ops::{Deref, Range},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::Path,
    ptr::NonNull,
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
#[derive(Clone, Debug)]
pub struct Sections {
    /// Where the types are, one after another.
    pub types: Range<usize>,
    /// Where the strings are, each of which ends in a zero.
    pub strings: Range<usize>,
    /// Whether the bytes of numbers stand in this machine's order.
    pub native: bool,
}

/// Checks the header and gives the sections. Either byte order will do, as for the BTF of
/// another machine.
///
/// # Errors
/// When the bytes are not BTF, or damaged.
pub fn check(bytes: &[u8]) -> Result<Sections> {
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
    let range = |begin: u64, len: u64| (header + begin) as usize..(header + begin + len) as usize;
    let (types, places) = (range(types, types_len), range(strings, strings_len));
    let strings = &bytes[places.clone()];
    // A longer header announces sections that are not known yet.
    ensure!(
        places.end == bytes.len() || header > HEADER_SIZE as u64,
        "damaged BTF: something follows its strings"
    );
    // A module's BTF can do with its kernel's strings.
    ensure!(strings.last().is_none_or(|&last| last == 0), "damaged BTF: its strings do not end");
    ensure!(
        are_names(strings),
        "damaged BTF: a name is empty, has unprintable characters or is too long"
    );
    Ok(Sections { types, strings: places, native: big_endian == cfg!(target_endian = "big") })
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

/// The bytes of a file, mapped into memory, which nobody can change or cut off.
#[derive(Debug)]
pub struct Mapped {
    file: File,
    address: NonNull<u8>,
    len: usize,
}

// SAFETY: the bytes are only read, from wherever.
unsafe impl Send for Mapped {}
// SAFETY: as above.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// A file of the kernel's, which cannot be cut off: itself where the kernel can map it (6.16
    /// and later), or else a copy.
    ///
    /// # Errors
    /// As for [`Self::copy`].
    pub fn of_kernel(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len() as usize;
        Self::map(file, len).or_else(|_| Self::copy(path, MAX_SIZE))
    }

    /// A copy of a file that has at most so many bytes.
    ///
    /// # Errors
    /// When it cannot be read or is larger, or there is no memory.
    pub fn copy(path: &Path, most: u64) -> Result<Self> {
        let too_large = || format!("the file is larger than {} MB", most >> 20);
        let file = File::open(path)?;
        ensure!(file.metadata()?.len() <= most, too_large());
        let mut copy = in_memory()?;
        let len = std::io::copy(&mut file.take(most + 1), &mut copy)?;
        ensure!(len <= most, too_large());
        Self::map(copy, len as usize)
    }

    fn map(file: File, len: usize) -> Result<Self> {
        let address = if len == 0 {
            NonNull::dangling()
        } else {
            // SAFETY: the kernel chooses a place where nothing else is, and the result is checked.
            let address = unsafe {
                libc::mmap(
                    std::ptr::null_mut(),
                    len,
                    libc::PROT_READ,
                    libc::MAP_PRIVATE,
                    file.as_raw_fd(),
                    0,
                )
            };
            ensure!(address != libc::MAP_FAILED, std::io::Error::last_os_error());
            NonNull::new(address.cast()).context("the kernel maps files to address 0")?
        };
        Ok(Self { file, address, len })
    }

    /// Where it can be opened once more.
    pub fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.file.as_raw_fd())
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: so many bytes are mapped until this is dropped, or there are none. They are
        // those of a file that only this has, or of one that the kernel does not change.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr(), self.len) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: it was mapped so, and nobody borrows the bytes any more.
            unsafe { libc::munmap(self.address.as_ptr().cast(), self.len) };
        }
    }
}

fn in_memory() -> Result<File> {
    // SAFETY: the name is a C string, and the result is checked.
    let fd = unsafe { libc::memfd_create(c"btf".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error()).context("cannot make room in memory");
    }
    // SAFETY: the descriptor was opened just now and nobody else owns it.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(fd) }))
}

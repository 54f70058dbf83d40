//! Numbers in network byte order out of bytes that may end anywhere.

/// `N` bytes from `at` on.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

/// The bytes of a layer, and how many it has by the headers around it.
#[derive(Clone, Copy)]
pub(super) struct Payload<'a> {
    /// What was captured of it, without what is behind its end.
    pub(super) bytes: &'a [u8],
    /// Unknown when the headers leave it open, as those of packets of more than 64 KiB do.
    pub(super) len: Option<u32>,
}

impl<'a> Payload<'a> {
    pub(super) fn new(bytes: &'a [u8], len: Option<u32>) -> Self {
        let bytes = match len {
            Some(len) => &bytes[..bytes.len().min(len as usize)],
            None => bytes,
        };
        Self { bytes, len }
    }

    /// What is behind the first `count` bytes, captured or not.
    pub(super) fn skip(self, count: usize) -> Self {
        Self {
            bytes: self.bytes.get(count..).unwrap_or_default(),
            len: self.len.map(|len| len.saturating_sub(count as u32)),
        }
    }
}

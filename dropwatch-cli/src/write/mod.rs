//! Writing the small things that packets, names and columns are made of.

mod address;
mod number;

use std::{fmt::Arguments, io::Write};

pub use address::{address, hardware_address};
pub use number::{decimal, digits, hex, hex_bytes};

/// Appends formatted text.
pub fn push(out: &mut Vec<u8>, text: Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = out.write_fmt(text);
}

/// Appends text.
#[inline(always)]
pub fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Appends the first `len` of these bytes. A copy of a length that the compiler knows is cheaper
/// than a short one of any length.
#[inline(always)]
pub fn short<const N: usize>(out: &mut Vec<u8>, bytes: &[u8; N], len: usize) {
    let end = out.len() + len.min(N);
    out.extend_from_slice(bytes);
    out.truncate(end);
}

/// Appends what is a few bytes long, as names are: in two pieces of the same length, which
/// overlap, where a copy of any length would cost more than what it copies.
#[inline]
pub fn few(out: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.len() {
        4..8 => overlapping::<4>(out, bytes),
        8..16 => overlapping::<8>(out, bytes),
        16..=32 => overlapping::<16>(out, bytes),
        _ => out.extend_from_slice(bytes),
    }
}

#[inline(always)]
fn overlapping<const N: usize>(out: &mut Vec<u8>, bytes: &[u8]) {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<N>(), bytes.last_chunk::<N>()) {
        short(out, first, bytes.len() - N);
        out.extend_from_slice(last);
    }
}

/// Fills up with blanks what stands from `start` on, up to a width.
pub fn pad_right(out: &mut Vec<u8>, start: usize, width: usize) {
    blanks(width.saturating_sub(shown(out, start)), out);
}

/// Puts blanks in front of what stands from `start` on, up to a width.
pub fn pad_left(out: &mut Vec<u8>, start: usize, width: usize) {
    let end = out.len();
    let count = width.saturating_sub(shown(out, start));
    blanks(count, out);
    out.copy_within(start..end, start + count);
    out[start..start + count].fill(b' ');
}

fn blanks(count: usize, out: &mut Vec<u8>) {
    const BLANKS: [u8; 32] = [b' '; 32];
    if count <= BLANKS.len() {
        short(out, &BLANKS, count);
    } else {
        out.resize(out.len() + count, b' ');
    }
}

/// How many characters are shown of what stands from `start` on.
fn shown(out: &[u8], start: usize) -> usize {
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let written = &out[start..];
    let any = |any, word: &[u8; 8]| any | u64::from_ne_bytes(*word);
    // Eight bytes at a time; the last may begin with some of what stands in front.
    let bits = written.as_chunks().0.iter().chain(out.last_chunk()).fold(0, any);
    if bits & HIGH == 0 && out.len() >= size_of::<u64>() {
        return written.len();
    }
    str::from_utf8(written).map_or(written.len(), |text| text.chars().count())
}

/// Whether a byte is of printable ASCII that stands for itself between quotes.
#[inline]
pub fn is_plain(byte: u8) -> bool {
    // Without branches, so that many bytes are looked at at a time.
    (b' '..=b'~').contains(&byte) & (byte != b'"') & (byte != b'\\')
}

/// A name as text. A task can call itself anything: what is not printable is escaped, a backslash
/// too, so that nothing else looks like an escape.
pub fn escape(name: &[u8], out: &mut Vec<u8>) {
    if name.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'\\') {
        return out.extend_from_slice(name);
    }
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\'' | '"' => push(out, format_args!("{character}")),
                _ => push(out, format_args!("{}", character.escape_debug())),
            }
        }
        for byte in chunk.invalid() {
            push(out, format_args!("\\x{byte:02x}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_bytes_are_whole() {
        let bytes: Vec<u8> = (0..100).collect();
        for len in 0..bytes.len() {
            let mut out = vec![0xff];
            few(&mut out, &bytes[..len]);
            assert_eq!(out[1..], bytes[..len]);
        }
    }

    #[test]
    fn columns_are_filled_up() {
        for (text, width) in
            [("", 3), ("ab", 3), ("abc", 3), ("abcd", 3), ("\u{e4}b", 4), ("a", 90)]
        {
            let (mut right, mut left) = (b"before ".to_vec(), b"before ".to_vec());
            right.extend(text.bytes());
            left.extend(text.bytes());
            pad_right(&mut right, 7, width);
            pad_left(&mut left, 7, width);
            assert_eq!(right, format!("before {text:<width$}").as_bytes());
            assert_eq!(left, format!("before {text:>width$}").as_bytes());
        }
    }
}

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

/// Fills up with blanks what stands from `start` on, up to a width.
pub fn pad_right(out: &mut Vec<u8>, start: usize, width: usize) {
    blanks(width.saturating_sub(shown(&out[start..])), out);
}

/// Puts blanks in front of what stands from `start` on, up to a width.
pub fn pad_left(out: &mut Vec<u8>, start: usize, width: usize) {
    let end = out.len();
    let count = width.saturating_sub(shown(&out[start..]));
    blanks(count, out);
    out.copy_within(start..end, start + count);
    out[start..start + count].fill(b' ');
}

fn blanks(count: usize, out: &mut Vec<u8>) {
    const BLANKS: [u8; 64] = [b' '; 64];
    if count <= BLANKS.len() {
        short(out, &BLANKS, count);
    } else {
        out.resize(out.len() + count, b' ');
    }
}

/// How many characters are shown.
fn shown(text: &[u8]) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    str::from_utf8(text).map_or(text.len(), |text| text.chars().count())
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

//! Writing the small things that packets, names and columns are made of.

use std::{fmt::Arguments, io::Write};

/// Appends formatted text.
pub fn push(out: &mut Vec<u8>, text: Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = out.write_fmt(text);
}

/// Appends a number, without the machinery of `format!`, which would take most of the time.
pub fn decimal(out: &mut Vec<u8>, number: impl Into<u32>) {
    let mut rest = number.into();
    let mut digits = [0; 10];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends text and blanks up to a width.
pub fn pad_right(text: &[u8], width: usize, out: &mut Vec<u8>) {
    out.extend(text);
    blanks(width.saturating_sub(shown(text)), out);
}

/// Appends blanks and text up to a width.
pub fn pad_left(text: &[u8], width: usize, out: &mut Vec<u8>) {
    blanks(width.saturating_sub(shown(text)), out);
    out.extend(text);
}

fn blanks(count: usize, out: &mut Vec<u8>) {
    out.resize(out.len() + count, b' ');
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
        return out.extend(name);
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

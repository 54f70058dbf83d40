//! Names that others chose, as text that cannot do anything to a terminal.

use std::fmt::{self, Write};

/// Writes bytes as text. What is not printable is escaped, a backslash too, so that nothing else
/// looks like an escape.
///
/// # Errors
/// When the formatter does not take it.
pub fn write_escaped(bytes: &[u8], out: &mut impl Write) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\'' | '"' => out.write_char(character)?,
                _ => write!(out, "{}", character.escape_debug())?,
            }
        }
        for byte in chunk.invalid() {
            write!(out, "\\x{byte:02x}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_printable_is_escaped() -> fmt::Result {
        for (bytes, text) in [
            (&b"a 'b' \"c\""[..], "a 'b' \"c\""),
            ("grün".as_bytes(), "grün"),
            (b"\x1b[31m\n\\\xff", "\\u{1b}[31m\\n\\\\\\xff"),
        ] {
            let mut out = String::new();
            write_escaped(bytes, &mut out)?;
            assert_eq!(out, text);
        }
        Ok(())
    }
}

//! Names back from how they were written.

/// The bytes of a name that [`escape`](crate::write::escape) wrote. What is no escape stays as it
/// is.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend(rest[..at].bytes());
        rest = &rest[at..];
        match one(&rest[1..]) {
            Some((bytes, len)) => {
                out.extend(bytes);
                rest = &rest[1 + len..];
            }
            None => {
                out.push(b'\\');
                rest = &rest[1..];
            }
        }
    }
    out.extend(rest.bytes());
    out
}

/// What stands behind a backslash means these bytes, and is so long.
fn one(text: &str) -> Option<(Vec<u8>, usize)> {
    let plain = |byte| Some((vec![byte], 1));
    match text.bytes().next()? {
        b'\\' => plain(b'\\'),
        b'\'' => plain(b'\''),
        b'"' => plain(b'"'),
        b'n' => plain(b'\n'),
        b'r' => plain(b'\r'),
        b't' => plain(b'\t'),
        b'0' => plain(0),
        b'x' => {
            let digits = text.get(1..3)?;
            Some((vec![u8::from_str_radix(digits, 16).ok()?], 3))
        }
        b'u' => {
            let (digits, _) = text.strip_prefix("u{")?.split_once('}')?;
            let character = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            Some((character.to_string().into_bytes(), digits.len() + 3))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{random, write::escape};

    #[test]
    fn what_was_escaped_comes_back() {
        let mut number = random::numbers();
        let mut random = || number() >> 8;
        let alphabet = [
            0, b'a', b'\\', b'\n', b' ', b'"', b'\'', 0x1b, 0x7f, 0xc3, 0xa4, 0xff, b'u', b'{',
            b'}',
        ];
        for _ in 0..20_000 {
            let len = random() as usize % 16;
            let name: Vec<u8> =
                (0..len).map(|_| alphabet[random() as usize % alphabet.len()]).collect();
            let mut text = Vec::new();
            escape(&name, &mut text);
            let text = String::from_utf8(text).expect("text");
            assert_eq!(unescape(&text), name, "{text}");
        }
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in [
            "\\",
            "a\\q",
            "\\x",
            "\\x1",
            "\\xg1",
            "\\u{",
            "\\u{110000}",
            "\\u{d800}",
            "\\xé",
            "\\é",
        ] {
            assert_eq!(unescape(text), text.as_bytes(), "{text}");
        }
    }
}

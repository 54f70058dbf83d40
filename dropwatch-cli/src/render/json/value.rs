//! Writing JSON as it is read: `object! { "name": value, … }`, straight into the output.

use std::net::IpAddr;

use crate::{
    drop::Name,
    packet::Mac,
    write::{address, decimal, escape, few, hex, hex_bytes, is_plain, text},
};

/// What can stand behind the name of a member.
pub trait Value {
    /// Appends it.
    fn write(self, out: &mut Vec<u8>);

    /// Appends it behind a name; `null` is that name with a null behind.
    #[inline(always)]
    fn write_member(self, name: &str, null: &str, out: &mut Vec<u8>)
    where
        Self: Sized,
    {
        let _ = null;
        text(out, name);
        self.write(out);
    }
}

/// An object with these members, which is a [`Value`]. The values are worked out when it is
/// written, one after another. `..value` stands for members that write themselves.
macro_rules! object {
    ($first:literal: $value:expr $(, $($rest:tt)*)?) => {
        $crate::render::json::value::With(move |out: &mut Vec<u8>| {
            $crate::write::text(out, concat!("{\"", $first, "\":"));
            $crate::render::json::value::Value::write($value, out);
            $crate::render::json::value::members!(out, $($($rest)*)?);
            out.push(b'}');
        })
    };
}

/// Appends members behind others of an object.
macro_rules! members {
    ($out:expr, $name:literal: $value:expr $(, $($rest:tt)*)?) => {
        $crate::render::json::value::Value::write_member(
            $value,
            concat!(",\"", $name, "\":"),
            concat!(",\"", $name, "\":null"),
            $out,
        );
        $crate::render::json::value::members!($out, $($($rest)*)?);
    };
    ($out:expr, ..$value:expr $(, $($rest:tt)*)?) => {
        $crate::render::json::value::Value::write($value, $out);
        $crate::render::json::value::members!($out, $($($rest)*)?);
    };
    ($out:expr,) => {};
}

pub(super) use {members, object};

/// What writes itself.
pub struct With<F: FnOnce(&mut Vec<u8>)>(pub F);

/// Text of characters that need no escape.
pub struct Plain<T>(pub T);

/// Text that a function writes, of characters that need no escape.
pub struct Quoted<F: FnOnce(&mut Vec<u8>)>(pub F);

/// A number as a string, in hexadecimal: many readers of JSON keep only 53 bits of a number.
pub struct Hex(pub u64);

/// Bytes as a string, two digits each.
pub struct HexBytes<'a>(pub &'a [u8]);

/// An array.
pub struct Array<I>(pub I);

impl<F: FnOnce(&mut Vec<u8>)> Value for With<F> {
    #[inline(always)]
    fn write(self, out: &mut Vec<u8>) {
        (self.0)(out);
    }
}

impl<T: Value> Value for Option<T> {
    #[inline(always)]
    fn write(self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(out),
            None => text(out, "null"),
        }
    }

    #[inline(always)]
    fn write_member(self, name: &str, null: &str, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write_member(name, null, out),
            None => text(out, null),
        }
    }
}

macro_rules! numbers {
    ($($number:ty)+) => {
        $(impl Value for $number {
            #[inline]
            fn write(self, out: &mut Vec<u8>) {
                decimal(out, self);
            }
        })+
    };
}

numbers! { u8 u16 u32 u64 }

impl Value for usize {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        decimal(out, self as u64);
    }
}

impl Value for bool {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        if self { text(out, "true") } else { text(out, "false") }
    }
}

impl Value for Plain<&str> {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        Quoted(|out| few(out, self.0.as_bytes())).write(out);
    }
}

impl<F: FnOnce(&mut Vec<u8>)> Value for Quoted<F> {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        out.push(b'"');
        let start = out.len();
        (self.0)(out);
        debug_assert!(out[start..].iter().all(|&byte| is_plain(byte)), "{:?}", &out[start..]);
        out.push(b'"');
    }
}

impl Value for Hex {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        Quoted(|out| hex(out, self.0)).write(out);
    }
}

impl Value for HexBytes<'_> {
    fn write(self, out: &mut Vec<u8>) {
        Quoted(|out| hex_bytes(out, self.0)).write(out);
    }
}

impl Value for IpAddr {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        Quoted(|out| address(out, self)).write(out);
    }
}

impl Value for Mac {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        Quoted(|out| self.write(out)).write(out);
    }
}

impl<I: IntoIterator<Item: Value>> Value for Array<I> {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (place, value) in self.0.into_iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            value.write(out);
        }
        out.push(b']');
    }
}

/// Any text.
impl Value for &str {
    fn write(self, out: &mut Vec<u8>) {
        out.push(b'"');
        let mut rest = self.as_bytes();
        while let Some(place) = rest.iter().position(|&byte| !is_plain(byte) && byte < 0x7f) {
            out.extend_from_slice(&rest[..place]);
            match rest[place] {
                b'"' => text(out, "\\\""),
                b'\\' => text(out, "\\\\"),
                b'\n' => text(out, "\\n"),
                b'\r' => text(out, "\\r"),
                b'\t' => text(out, "\\t"),
                0x08 => text(out, "\\b"),
                0x0c => text(out, "\\f"),
                control => {
                    text(out, "\\u00");
                    hex_bytes(out, &[control]);
                }
            }
            rest = &rest[place + 1..];
        }
        out.extend_from_slice(rest);
        out.push(b'"');
    }
}

/// A name as text shows it: what is not printable is escaped once for text, and the escapes'
/// backslashes for JSON.
impl Value for &Name {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        if self.is_plain() {
            return Quoted(|out| self.write_plain(out)).write(out);
        }
        let mut shown = Vec::new();
        escape(self.bytes(), &mut shown);
        str::from_utf8(&shown).unwrap_or_default().write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    fn written(value: impl Value) -> String {
        let mut out = Vec::new();
        value.write(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn text_is_as_serde_writes_it() {
        let mut number = random::numbers();
        let mut random = |below: u32| (number() >> 16) as u32 % below;
        for _ in 0..100_000 {
            let most = [0x20, 0x80, 0x300, 0x11_0000][random(4) as usize];
            let text: String =
                (0..random(20)).filter_map(|_| char::from_u32(random(most))).collect();
            assert_eq!(written(text.as_str()), serde_json::to_string(&text).expect("JSON"));
        }
    }

    #[test]
    fn names_are_escaped_twice() {
        let mut seed = 1_u64;
        for round in 0..100_000_u64 {
            let mut field = [0; 16];
            for byte in field.iter_mut() {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let any = (seed >> 33) as u8;
                *byte = if round % 3 == 0 { any } else { b'!' + any % 94 };
            }
            let len = (seed >> 40) as usize % 17;
            field[len..].fill(0);
            let name = Name::of_field(field);
            let mut shown = Vec::new();
            escape(name.bytes(), &mut shown);
            let shown = String::from_utf8(shown).expect("text");
            assert_eq!(written(&name), serde_json::to_string(&shown).expect("JSON"));
        }
    }

    #[test]
    fn objects_are_as_serde_writes_them() {
        let object = object! {
            "none": None::<u8>,
            "number": u64::MAX,
            "yes": true,
            "hex": Hex(0xff00),
            "bytes": HexBytes(&[0, 0xab]),
            "array": Array([1_u32, 2]),
            "empty": Array([0_u8; 0]),
            "object": object! { "only": Plain("member") },
            ..With(|out: &mut Vec<u8>| { members!(out, "last": 0_u8); }),
        };
        let expected = r#"{"none":null,"number":18446744073709551615,"yes":true,"hex":"0xff00",
            "bytes":"00ab","array":[1,2],"empty":[],"object":{"only":"member"},"last":0}"#;
        assert_eq!(written(object), expected.replace("\n            ", ""));
    }
}

//! Looking for traces of the machine that built an object.

use std::borrow::Cow;

/// What the paths of a machine look like, and the name of the registry's folder.
const PATHS: &[&str] = &[
    "/home/",
    "/root/",
    "/work/",
    "/tmp/",
    "/build/",
    "/usr/",
    "/opt/",
    "/var/",
    "/mnt/",
    "/srv/",
    ".cargo/",
    ".rustup/",
    "crates.io",
];

/// The strings in the object that hold a path of the machine.
pub fn paths(object: &[u8]) -> Vec<Cow<'_, str>> {
    strings(object).filter(|text| PATHS.iter().any(|path| text.contains(path))).collect()
}

/// The strings in the object that hold the name as a word.
pub fn words<'a>(object: &'a [u8], name: &str) -> Vec<Cow<'a, str>> {
    strings(object).filter(|text| has_word(text, name)).collect()
}

/// Whether the name stands in the text on its own, not as a part of a longer word.
pub fn has_word(text: &str, name: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(name).any(|(start, _)| {
        !is_part(text[..start].chars().next_back())
            && !is_part(text[start + name.len()..].chars().next())
    })
}

/// Runs of printable bytes, like strings(1).
fn strings(object: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    object
        .split(|byte| !byte.is_ascii_graphic() && *byte != b' ')
        .filter(|run| run.len() >= 4)
        .map(String::from_utf8_lossy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_machine_are_found() {
        let object = b"\x7fELF\0/dropwatch/main.rs\0\x01/usr/src/lib.rs\0a/usr/b\xff/rust/core";
        assert_eq!(paths(object), ["/usr/src/lib.rs", "a/usr/b"]);
        assert_eq!(
            paths(b"src/index.crates.io-1949cf8c/aya"),
            ["src/index.crates.io-1949cf8c/aya"]
        );
    }

    #[test]
    fn a_name_is_a_whole_word() {
        let object = b"made on box1 \0mybox1\0box12 box1_x\0//box1/share";
        assert_eq!(words(object, "box1"), ["made on box1 ", "//box1/share"]);
    }
}

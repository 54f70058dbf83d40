//! Names of tasks and of devices, which the kernel keeps in 16 bytes.

use anyhow::Result;
use dropwatch_common::filter::{Choice, MAX_ALTERNATIVES, Name, Names};

use super::{list::Wishes, range::too_many};

const FIELD: usize = size_of::<[u64; 2]>();
/// The last byte is a zero.
const MAX_LEN: usize = FIELD - 1;

/// A name, or what names begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    begin: String,
    whole: bool,
}

impl NamePattern {
    /// Reads a name, or the begin of one with `*` behind it.
    ///
    /// # Errors
    /// What is wrong with it, to stand behind the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (begin, whole) = text.strip_suffix('*').map_or((text, true), |begin| (begin, false));
        if begin.contains(['*', '?']) {
            return Err("is compared in the kernel, where '*' can stand at the end only".to_owned());
        }
        if begin.len() > MAX_LEN {
            let kept = &begin[..begin.floor_char_boundary(MAX_LEN)];
            return Err(format!("is too long: the kernel keeps {MAX_LEN} bytes; write '{kept}'"));
        }
        Ok(Self { begin: begin.to_owned(), whole })
    }

    /// Whether a name is meant.
    pub fn matches(&self, name: &[u8]) -> bool {
        let begin = self.begin.as_bytes();
        if self.whole { name == begin } else { name.starts_with(begin) }
    }

    /// The bytes to compare, and which. What stands behind the zero at a name's end can be
    /// anything.
    fn name(&self) -> Name {
        let mut value = [0; FIELD];
        value[..self.begin.len()].copy_from_slice(self.begin.as_bytes());
        let mut mask = [0; FIELD];
        mask[..self.begin.len() + usize::from(self.whole)].fill(u8::MAX);
        Name { value: words(value), mask: words(mask) }
    }
}

fn words(bytes: [u8; FIELD]) -> [u64; 2] {
    let (words, _) = bytes.as_chunks::<8>();
    [u64::from_ne_bytes(words[0]), u64::from_ne_bytes(words[1])]
}

/// What the kernel is to compare with.
///
/// # Errors
/// A [`UsageError`](crate::config::UsageError) where there is more than it can compare with.
pub fn choice(flag: &str, wishes: &Wishes<NamePattern>) -> Result<Choice<Names>> {
    Ok(Choice { wanted: names(flag, &wishes.wanted)?, excluded: names(flag, &wishes.excluded)? })
}

fn names(flag: &str, patterns: &[NamePattern]) -> Result<Names> {
    if patterns.len() > MAX_ALTERNATIVES {
        return Err(too_many(flag, patterns.len()).into());
    }
    let mut names = Names { len: patterns.len() as u64, ..Names::NONE };
    for (place, pattern) in names.names.iter_mut().zip(patterns) {
        *place = pattern.name();
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the BPF program compares.
    fn matches(pattern: &str, name: &str) -> bool {
        let mut bytes = [0; FIELD];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        let found = words(bytes);
        let Name { value, mask } = NamePattern::parse(pattern).expect(pattern).name();
        (0..2).all(|word| found[word] & mask[word] == value[word])
    }

    #[test]
    fn names_are_whole_or_what_they_begin_with() {
        for (pattern, name, expected) in [
            ("nginx", "nginx", true),
            ("nginx", "nginx2", false),
            ("nginx", "ngin", false),
            ("nginx", "Nginx", false),
            // A renamed device has the rest of its old name behind the zero.
            ("nginx", "nginx\0old", true),
            ("nginx*", "nginx", true),
            ("nginx*", "nginx: worker", true),
            ("nginx*", "ngin", false),
            ("*", "anything", true),
            ("*", "", true),
            ("exactly-fifteen", "exactly-fifteen", true),
            ("exactly-fiftee*", "exactly-fifteen", true),
            ("exactly-fiftee", "exactly-fifteen", false),
            ("exactly-fifteen*", "exactly-fifteen", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn what_the_kernel_cannot_compare_is_refused() {
        for text in ["*x", "a*b", "a?", "**"] {
            assert!(
                NamePattern::parse(text).expect_err(text).contains("at the end only"),
                "{text}"
            );
        }
        let error = NamePattern::parse("systemd-networkd").expect_err("16 bytes");
        assert!(error.ends_with("write 'systemd-network'"), "{error}");
        let error = NamePattern::parse("fourteen-bytesäöü").expect_err("more");
        assert!(error.ends_with("write 'fourteen-bytes'"), "{error}");
        let many = vec![NamePattern::parse("a").expect("a name"); MAX_ALTERNATIVES + 1];
        let wishes = Wishes { wanted: many, excluded: Vec::new() };
        assert!(
            choice("--comm", &wishes).expect_err("many").to_string().starts_with("--comm has 33")
        );
    }
}

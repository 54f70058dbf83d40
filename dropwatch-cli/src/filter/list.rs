//! What all filters have in common: lists separated by commas, `!` in front to exclude, and
//! numbers.

use anyhow::Result;

use crate::config::UsageError;

/// What is wanted of one kind, and what is excluded, as the user gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wishes<T> {
    /// The alternatives; all where there are none.
    pub wanted: Vec<T>,
    /// Excluded even where it is wanted.
    pub excluded: Vec<T>,
}

impl<T> Default for Wishes<T> {
    fn default() -> Self {
        Self { wanted: Vec::new(), excluded: Vec::new() }
    }
}

impl<T> Wishes<T> {
    /// Reads the values of a flag, of which each may be a list. `read` gives the meaning of one
    /// item, or says what is wrong with it: what it says follows the item.
    ///
    /// # Errors
    /// A [`UsageError`] that names the flag and the item.
    pub fn parse(
        flag: &str,
        values: &[String],
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Self> {
        let mut wishes = Self::default();
        for item in values.iter().flat_map(|list| list.split(',')) {
            let item = item.trim();
            let (list, wanted) = match item.strip_prefix('!') {
                Some(rest) => (&mut wishes.excluded, rest.trim_start()),
                None => (&mut wishes.wanted, item),
            };
            if wanted.is_empty() {
                let message = format!("{flag} has an empty item; write items separated by commas");
                return Err(UsageError(message).into());
            }
            list.push(
                read(wanted).map_err(|wrong| UsageError(format!("{flag} '{wanted}' {wrong}")))?,
            );
        }
        Ok(wishes)
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.excluded.is_empty()
    }

    /// Whether something passes of which it is told what it is among.
    pub fn admit(&self, is: impl Fn(&T) -> bool) -> bool {
        (self.wanted.is_empty() || self.wanted.iter().any(&is)) && !self.excluded.iter().any(&is)
    }

    /// The same of what each means, where that can be told.
    ///
    /// # Errors
    /// That of the first of which it cannot be told.
    pub fn try_map<U>(&self, meaning: impl Fn(&T) -> Result<U>) -> Result<Wishes<U>> {
        Ok(Wishes {
            wanted: self.wanted.iter().map(&meaning).collect::<Result<_>>()?,
            excluded: self.excluded.iter().map(&meaning).collect::<Result<_>>()?,
        })
    }

    /// The same of the part that each of some has.
    pub fn filter_map<U>(&self, part: impl Fn(&T) -> Option<U>) -> Wishes<U> {
        Wishes {
            wanted: self.wanted.iter().filter_map(&part).collect(),
            excluded: self.excluded.iter().filter_map(&part).collect(),
        }
    }
}

/// A number up to `max`, decimal or hexadecimal with `0x`.
pub fn number(text: &str, max: u64) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    // The standard library takes a sign too.
    let is_plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u64::from_str_radix(digits, radix).ok().filter(|&number| is_plain && number <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(values: &[&str]) -> Result<Wishes<String>> {
        let values: Vec<_> = values.iter().map(|&value| value.to_owned()).collect();
        Wishes::parse("--flag", &values, |item| match item {
            "bad" => Err("is bad".to_owned()),
            good => Ok(good.to_owned()),
        })
    }

    #[test]
    fn repeats_are_the_same_as_commas() -> Result<()> {
        let wishes = parse(&["a,!b", "c"])?;
        assert_eq!(
            (&wishes.wanted[..], &wishes.excluded[..]),
            (&["a".to_owned(), "c".to_owned()][..], &["b".to_owned()][..])
        );
        for same in [&["a", "!b", "c"][..], &["a,!b,c"], &[" a , ! b ,c "]] {
            assert_eq!(parse(same)?, wishes, "{same:?}");
        }
        assert!(parse(&[])?.is_empty() && !wishes.is_empty());
        Ok(())
    }

    #[test]
    fn mistakes_are_named() {
        for values in [&[""][..], &["a,"], &["a", ",b"], &["!"], &["a,! "]] {
            let error = parse(values).expect_err("an empty item");
            assert!(error.is::<UsageError>(), "{error}");
            assert!(error.to_string().starts_with("--flag has an empty item"), "{error}");
        }
        let error = parse(&["a,!bad"]).expect_err("a bad item");
        assert_eq!(error.to_string(), "--flag 'bad' is bad");
        assert!(error.is::<UsageError>());
    }

    #[test]
    fn numbers_are_plain() {
        assert_eq!(number("65535", 0xffff), Some(0xffff));
        assert_eq!(number("0x88CC", 0xffff), Some(0x88cc));
        assert_eq!(number("0", 0), Some(0));
        for text in ["", "0x", "-1", "+1", "0x+1", "1.5", "88cc", "65536", "99999999999999999999"] {
            assert_eq!(number(text, 0xffff), None, "{text}");
        }
    }
}

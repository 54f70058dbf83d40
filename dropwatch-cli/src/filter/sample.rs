//! `--sample` and `--rate-limit`: leaving drops out on purpose.

use super::list::number;

/// Reads `1/N`: one drop of N is shown.
///
/// # Errors
/// What is wrong with it.
pub fn sample(text: &str) -> Result<u32, String> {
    let one_of = text.split_once('/').filter(|(one, _)| one.trim() == "1");
    one_of
        .and_then(|(_, of)| positive(of.trim()))
        .ok_or_else(|| format!("--sample '{text}' is no part; write 1/10 for one drop of ten"))
}

/// Reads `N` or `N/s`: so many drops are shown in a second.
///
/// # Errors
/// What is wrong with it.
pub fn rate_limit(text: &str) -> Result<u32, String> {
    positive(text.strip_suffix("/s").unwrap_or(text).trim()).ok_or_else(|| {
        format!("--rate-limit '{text}' is no number of drops in a second; write 100 or 100/s")
    })
}

fn positive(text: &str) -> Option<u32> {
    number(text, u32::MAX.into()).map(|number| number as u32).filter(|&number| number > 0)
}

/// What to say of the effect on the output, where there is one.
pub fn notice(sample: Option<u32>, rate_limit: Option<u32>) -> Option<String> {
    let sample = sample.filter(|&one_of| one_of > 1);
    let showing = match (sample, rate_limit) {
        (None, None) => return None,
        (Some(one_of), None) => format!("a random 1 in {one_of} of the matched drops"),
        (None, Some(limit)) => format!("at most {limit} of the matched drops a second"),
        (Some(one_of), Some(limit)) => {
            format!("a random 1 in {one_of} of the matched drops, and at most {limit} a second")
        }
    };
    Some(format!("showing {showing}; the account counts the rest"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_one_of_many() {
        assert_eq!(sample("1/10"), Ok(10));
        assert_eq!(sample("1/1"), Ok(1));
        for text in ["", "10", "1/0", "2/10", "1/", "/10", "1/-1", "10%", "1/4294967296"] {
            assert!(sample(text).expect_err(text).starts_with("--sample"), "{text}");
        }
    }

    #[test]
    fn rates_are_for_a_second() {
        for text in ["50", "50/s"] {
            assert_eq!(rate_limit(text), Ok(50), "{text}");
        }
        for text in ["", "0", "/s", "50/m", "-1", "0.5"] {
            assert!(rate_limit(text).expect_err(text).starts_with("--rate-limit"), "{text}");
        }
    }

    #[test]
    fn the_effect_is_told_once() {
        assert_eq!(notice(None, None), None);
        assert_eq!(notice(Some(1), None), None);
        let text = notice(Some(10), None).expect("a notice");
        assert_eq!(
            text,
            "showing a random 1 in 10 of the matched drops; the account counts the rest"
        );
        assert!(notice(None, Some(50)).expect("a notice").contains("at most 50"));
        let both = notice(Some(10), Some(50)).expect("a notice");
        assert!(both.contains("1 in 10") && both.contains("at most 50"), "{both}");
    }
}

//! Tables and numbers as Markdown has them.

use std::fmt;

/// A table, below an empty line.
pub fn write_rows<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    heading: &[&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> fmt::Result {
    writeln!(f, "\n| {} |", heading.join(" | "))?;
    writeln!(f, "|{}", " --- |".repeat(N))?;
    for row in rows {
        writeln!(f, "| {} |", row.join(" | "))?;
    }
    Ok(())
}

/// A small share as one of so many, a larger one as a number.
pub fn ratio(share: f64) -> String {
    if share <= 0.5 { format!("1/{}", decimal(1.0 / share)) } else { format!("{share:.2}×") }
}

/// With one digit behind the point, unless that is none.
fn decimal(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// A share; a very small one is not 0.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0".to_owned(),
        percent if percent < 0.1 => "< 0.1 %".to_owned(),
        percent => format!("{percent:.1} %"),
    }
}

/// A whole number with commas.
pub fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A value, or that there is none.
pub fn cell(value: Option<f64>, show: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), show)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(
            [0.4, 999.0, 1000.0, 1_234_567.0].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [0.04, 0.1, 0.5, 0.51, 2.0].map(ratio),
            ["1/25", "1/10", "1/2", "0.51×", "2.00×"]
        );
        assert_eq!([0.0, 0.000_5, 0.001, 1.0].map(percent), ["0", "< 0.1 %", "0.1 %", "100.0 %"]);
    }
}

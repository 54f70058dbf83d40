//! How things look: colours, characters, and numbers.

use std::{env, time::Duration};

use ratatui_core::{
    style::{Color, Modifier, Style},
    text::Span,
};

use crate::counts::key::By;

/// Which colours and characters there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whether there are colours. Bold and reversed text is no colour.
    pub color: bool,
    /// Whether there is more than ASCII.
    pub unicode: bool,
}

impl Look {
    /// As the environment has it: more than ASCII only where the locale is one of UTF-8.
    pub fn of_environment(color: bool) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()));
        Self { color, unicode: locale.is_some_and(|locale| is_utf8(&locale)) }
    }

    fn colored(self, color: Color) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new() }
    }

    /// Headings, and what counts.
    pub fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What is less important.
    pub fn dimmed(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What must not be overlooked.
    pub fn alarming(self) -> Style {
        self.colored(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// The chosen line.
    pub fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Sparklines.
    pub fn bars(self) -> Style {
        self.colored(Color::Green)
    }

    /// A part of a key, as in the stream.
    pub fn part(self, by: By) -> Style {
        match by {
            By::Reason => self.colored(Color::Yellow).patch(self.bold()),
            By::Location => self.colored(Color::Cyan),
            _ => Style::new(),
        }
    }

    /// The mark of the column by which is sorted.
    pub fn sort_mark(self, descending: bool) -> &'static str {
        match (self.unicode, descending) {
            (true, true) => "▼",
            (true, false) => "▲",
            (false, true) => "v",
            (false, false) => "^",
        }
    }

    /// A line across.
    pub fn rule(self) -> &'static str {
        if self.unicode { "─" } else { "-" }
    }

    /// In the place of what is not known yet.
    pub fn later(self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    /// The begin of a text, where it is too wide.
    pub fn fit(self, text: &str, width: usize) -> String {
        if self::width(text) <= width {
            return text.to_owned();
        }
        let mut fitting = begin(text, width.saturating_sub(1)).to_owned();
        if width > 0 {
            fitting.push(if self.unicode { '…' } else { '~' });
        }
        fitting
    }

    /// The last of these numbers as bars, one column each, the newest at the right end. The
    /// highest is that of the greatest number, and only nothing is empty.
    pub fn sparkline(self, numbers: &[u64], width: usize) -> String {
        const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        const ASCII: [char; 9] = [' ', '.', ':', '-', '=', '+', '*', '#', '@'];
        let bars = if self.unicode { BARS } else { ASCII };
        let numbers = &numbers[numbers.len().saturating_sub(width)..];
        let most = numbers.iter().copied().max().unwrap_or(0).max(1);
        let bar = |&number: &u64| {
            let steps = (bars.len() - 1) as u128;
            bars[(u128::from(number) * steps).div_ceil(u128::from(most)) as usize]
        };
        let empty = width - numbers.len();
        " ".repeat(empty) + &numbers.iter().map(bar).collect::<String>()
    }
}

fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// The columns that a text takes.
pub fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// The begin of a text, at most this wide.
fn begin(text: &str, most: usize) -> &str {
    let mut taken = 0;
    for (at, character) in text.char_indices() {
        let end = at + character.len_utf8();
        taken += width(&text[at..end]);
        if taken > most {
            return &text[..at];
        }
    }
    text
}

/// A text in lines that are no wider. What follows the first is indented further.
pub fn wrap(text: &str, most: usize) -> Vec<String> {
    let indent = text.len() - text.trim_start_matches(' ').len() + 4;
    let indent = if indent < most / 2 { " ".repeat(indent) } else { String::new() };
    let mut lines = Vec::new();
    let mut rest = text.to_owned();
    while width(&rest) > most {
        let line = begin(&rest, most);
        // Between words, where there are any.
        let words = line.trim_start_matches(' ');
        let end = match words.rfind(' ') {
            Some(space) => line.len() - words.len() + space,
            None => line.len(),
        };
        if end == 0 {
            break;
        }
        let next = format!("{indent}{}", rest[end..].trim_start_matches(' '));
        lines.push(rest[..end].to_owned());
        rest = next;
    }
    lines.push(rest);
    lines
}

/// Drops per second: with a decimal only where that says something.
pub fn rate(rate: f64) -> String {
    if rate == 0.0 {
        "0".to_owned()
    } else if rate < 999.95 {
        format!("{rate:.1}")
    } else {
        format!("{rate:.0}")
    }
}

/// A part of all.
pub fn share(share: f64) -> String {
    let percent = share * 100.0;
    if 0.0 < percent && percent < 0.05 { "<0.1%".to_owned() } else { format!("{percent:.1}%") }
}

/// `7 s`, `1:23`, `4:05:06`.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNICODE: Look = Look { color: false, unicode: true };
    const ASCII: Look = Look { color: false, unicode: false };

    #[test]
    fn locales_of_utf8_are_known() {
        for locale in ["C.UTF-8", "de_DE.utf8", "en_US.UTF-8@x"] {
            assert!(is_utf8(locale), "{locale}");
        }
        for locale in ["C", "POSIX", "de_DE.ISO-8859-1", ""] {
            assert!(!is_utf8(locale), "{locale}");
        }
    }

    #[test]
    fn bars_grow_with_numbers() {
        assert_eq!(UNICODE.sparkline(&[0, 1, 50, 100], 4), " ▁▄█");
        assert_eq!(ASCII.sparkline(&[0, 1, 50, 100], 4), " .=@");
        assert_eq!(ASCII.sparkline(&[7], 4), "   @", "the newest is at the right end");
        assert_eq!(ASCII.sparkline(&[9, 9, 1, 2], 2), "=@", "only what fits counts");
        assert_eq!(ASCII.sparkline(&[0, 0], 2), "  ");
        assert_eq!(ASCII.sparkline(&[], 0), "");
        assert_eq!(ASCII.sparkline(&[u64::MAX, u64::MAX / 2], 2), "@=");
    }

    #[test]
    fn what_is_too_wide_is_cut() {
        assert_eq!(UNICODE.fit("location", 8), "location");
        assert_eq!(UNICODE.fit("location", 4), "loc…");
        assert_eq!(ASCII.fit("location", 4), "loc~");
        assert_eq!((UNICODE.fit("location", 1), UNICODE.fit("x", 0)), ("…".into(), String::new()));
        // Characters that take two columns.
        assert_eq!(UNICODE.fit("网络命名", 6), "网络…");
    }

    #[test]
    fn what_is_too_long_goes_on_in_the_next_line() {
        assert_eq!(wrap("    one two", 20), ["    one two"]);
        let lines = wrap("  a bb ccc dddd eeeee ffffff ggggggg", 16);
        assert_eq!(lines, ["  a bb ccc dddd", "      eeeee", "      ffffff", "      ggggggg"]);
        assert_eq!(wrap("aaaaaaaaaaaaaaaaaaaaaa", 10), ["aaaaaaaaaa", "    aaaaaa", "    aaaaaa"]);
        for most in 0..12 {
            let wrapped = wrap("    a very long text with 网络 in it", most).concat();
            assert!(wrapped.contains("very") || most < 5, "{most}");
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.0, 0.04, 0.5, 999.94, 999.96, 1e6].map(rate),
            ["0", "0.0", "0.5", "999.9", "1000", "1000000"]
        );
        assert_eq!(
            [0.0, 0.0001, 0.001, 0.5, 1.0].map(share),
            ["0.0%", "<0.1%", "0.1%", "50.0%", "100.0%"]
        );
        let times = [0, 59, 60, 3599, 3600, 90_061].map(|it| time(Duration::from_secs(it)));
        assert_eq!(times, ["0 s", "59 s", "1:00", "59:59", "1:00:00", "25:01:01"]);
    }
}

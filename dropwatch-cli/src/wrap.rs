//! Breaking text into lines that a terminal has room for.

use std::env;

/// Where there is no terminal.
const USUAL_WIDTH: usize = 80;
/// Narrower than this nothing can be read, and longer lines are hard to follow.
const WIDTHS: (usize, usize) = (40, 100);

/// How many columns text may have: those of the terminal, or what COLUMNS in the environment
/// says.
pub fn terminal_width() -> usize {
    let said = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let width = said.or_else(|| {
        terminal_size::terminal_size().map(|(terminal_size::Width(width), _)| width.into())
    });
    width.unwrap_or(USUAL_WIDTH).clamp(WIDTHS.0, WIDTHS.1)
}

/// Lines of at most so many characters. Words that are longer stand alone; what is in backticks
/// is a word, since it is a command.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0;
    for word in words(text) {
        let len = word.chars().count();
        match lines.last_mut() {
            Some(line) if used + 1 + len <= width => {
                line.push(' ');
                line.push_str(&word);
                used += 1 + len;
            }
            _ => {
                used = len;
                lines.push(word);
            }
        }
    }
    lines
}

/// The words of a text, with any blanks between them.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    // An unpaired backtick must not make one word of all the rest.
    let paired = text.matches('`').count().is_multiple_of(2);
    let mut open = false;
    for word in text.split_whitespace() {
        match words.last_mut() {
            Some(last) if open => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
        open ^= paired && !word.matches('`').count().is_multiple_of(2);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_longer_than_there_is_room() {
        assert_eq!(wrap("one two  three\nfour", 9), ["one two", "three", "four"]);
        assert_eq!(wrap("a word-that-is-too-long here", 6), ["a", "word-that-is-too-long", "here"]);
        assert_eq!(wrap("", 10), [""; 0]);
        assert_eq!(wrap("grüße an alle", 8), ["grüße an", "alle"]);
    }

    #[test]
    fn commands_stay_in_one_piece() {
        assert_eq!(wrap("see `ss -lun` there", 10), ["see", "`ss -lun`", "there"]);
        assert_eq!(wrap("odd ` one two", 5), ["odd `", "one", "two"]);
    }
}

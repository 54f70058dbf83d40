//! What keys do.

use super::input::Press;
use crate::counts::{key::By, table::Sort};

/// What the keys are for at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The table.
    Table,
    /// The table, with the chosen row's details below.
    Details,
    /// A filter is being typed.
    Filter,
    /// The help is shown.
    Help,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// End.
    Quit,
    /// Stop until the shell lets us go on.
    Suspend,
    /// Draw all of the screen anew.
    Redraw,
    /// Choose another row.
    Choose(Step),
    /// Show another part of the details.
    Scroll(Step),
    /// Sort by the column before or after.
    SortBefore,
    /// Likewise.
    SortAfter,
    /// Sort by this.
    SortBy(Sort),
    /// Sort the other way round.
    Reverse,
    /// Group by this part too, or no longer.
    Toggle(By),
    /// Stand still, or go on.
    Pause,
    /// Show the chosen row's details.
    Open,
    /// Show another sample.
    Another,
    /// Close what was opened last: help, details, filter, and then the view itself.
    Close,
    /// Show the help, or no longer.
    Help,
    /// Begin to type a filter.
    Filter,
    /// Add to it.
    Type(char),
    /// Take the last character away.
    Erase,
    /// Take all of it away.
    EraseAll,
    /// It is typed.
    Accept,
}

/// How far to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// By one.
    Up,
    /// By one.
    Down,
    /// By as much as is on the screen.
    PageUp,
    /// By as much as is on the screen.
    PageDown,
    /// To the first.
    First,
    /// To the last.
    Last,
}

impl Step {
    /// The place that is reached from this one, where so many are on the screen.
    pub fn from(self, place: usize, page: usize, last: usize) -> usize {
        let to = match self {
            Self::Up => place.saturating_sub(1),
            Self::Down => place + 1,
            Self::PageUp => place.saturating_sub(page),
            Self::PageDown => place + page,
            Self::First => 0,
            Self::Last => last,
        };
        to.min(last)
    }
}

/// Keys and what they do, for the help.
pub const HELP: &[(&str, &str)] = &[
    ("up down  j k", "choose a row; Home and PgUp, PgDn and End go further"),
    ("Enter", "show a sample packet and a sample stack of the row"),
    ("PgUp PgDn", "while that is open: scroll it"),
    ("n", "another sample, of the next drop"),
    ("1 2 3 4 5 6", "group by reason, location, protocol, interface, netns, flow"),
    ("left right  < >", "sort by another column"),
    ("t s", "sort by total, by rate (speed)"),
    ("r", "sort the other way round"),
    ("/", "show only rows in which this text stands; Enter keeps it"),
    ("space  p", "stand still, or go on; counting never stops"),
    ("Ctrl-L", "draw the screen anew"),
    ("Ctrl-Z", "suspend"),
    ("Esc", "close, or remove the filter, or quit"),
    ("q  Ctrl-C", "quit"),
];

/// What this key does now; nothing, for most.
pub fn action(press: Press, mode: Mode) -> Option<Action> {
    let everywhere = match press {
        Press::Ctrl('c') => Some(Action::Quit),
        Press::Ctrl('z') => Some(Action::Suspend),
        Press::Ctrl('l') => Some(Action::Redraw),
        Press::Escape => Some(Action::Close),
        _ => None,
    };
    everywhere.or_else(|| match mode {
        Mode::Filter => in_filter(press),
        Mode::Help => in_help(press),
        Mode::Details => step(press).map(in_details).or_else(|| in_table(press)),
        Mode::Table => step(press).map(Action::Choose).or_else(|| in_table(press)),
    })
}

fn in_table(press: Press) -> Option<Action> {
    Some(match press {
        Press::Char('q') => Action::Quit,
        Press::Char('?' | 'h') => Action::Help,
        Press::Char('/') => Action::Filter,
        Press::Char(' ' | 'p') => Action::Pause,
        Press::Char('r') => Action::Reverse,
        Press::Char('t') => Action::SortBy(Sort::Total),
        Press::Char('s') => Action::SortBy(Sort::Rate),
        Press::Char('<') | Press::Left => Action::SortBefore,
        Press::Char('>') | Press::Right => Action::SortAfter,
        Press::Char('n') => Action::Another,
        Press::Char(digit @ '1'..='6') => Action::Toggle(By::ALL[digit as usize - '1' as usize]),
        Press::Enter => Action::Open,
        _ => return None,
    })
}

fn in_filter(press: Press) -> Option<Action> {
    Some(match press {
        Press::Char(character) => Action::Type(character),
        Press::Backspace => Action::Erase,
        Press::Ctrl('u' | 'w') => Action::EraseAll,
        Press::Enter => Action::Accept,
        Press::Up => Action::Choose(Step::Up),
        Press::Down => Action::Choose(Step::Down),
        _ => return None,
    })
}

fn in_help(press: Press) -> Option<Action> {
    Some(match press {
        Press::Char('?' | 'h' | 'q') | Press::Enter => Action::Close,
        _ => return None,
    })
}

/// A row further is another row, a page further is another part of this one's details.
fn in_details(step: Step) -> Action {
    match step {
        Step::Up | Step::Down => Action::Choose(step),
        Step::PageUp | Step::PageDown | Step::First | Step::Last => Action::Scroll(step),
    }
}

fn step(press: Press) -> Option<Step> {
    Some(match press {
        Press::Up | Press::Char('k') => Step::Up,
        Press::Down | Press::Char('j') => Step::Down,
        Press::PageUp => Step::PageUp,
        Press::PageDown => Step::PageDown,
        Press::Home | Press::Char('g') => Step::First,
        Press::End | Press::Char('G') => Step::Last,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODES: [Mode; 4] = [Mode::Table, Mode::Details, Mode::Filter, Mode::Help];

    #[test]
    fn the_way_out_is_always_open() {
        for mode in MODES {
            assert_eq!(action(Press::Ctrl('c'), mode), Some(Action::Quit));
            assert_eq!(action(Press::Ctrl('z'), mode), Some(Action::Suspend));
            assert_eq!(action(Press::Escape, mode), Some(Action::Close));
        }
    }

    #[test]
    fn what_is_typed_is_text_while_a_filter_is_typed() {
        for character in "q/? 1jkrptsn<>h".chars() {
            let typed = action(Press::Char(character), Mode::Filter);
            assert_eq!(typed, Some(Action::Type(character)));
        }
        assert_eq!(action(Press::Enter, Mode::Filter), Some(Action::Accept));
    }

    #[test]
    fn digits_stand_for_the_parts_in_their_order() {
        for (digit, by) in ('1'..).zip(By::ALL) {
            assert_eq!(action(Press::Char(digit), Mode::Table), Some(Action::Toggle(by)));
        }
        for character in ['0', '7', 'x', 'é'] {
            assert_eq!(action(Press::Char(character), Mode::Table), None);
        }
    }

    #[test]
    fn pages_are_those_of_what_is_open() {
        let choose = |step| Some(Action::Choose(step));
        assert_eq!(action(Press::PageDown, Mode::Table), choose(Step::PageDown));
        assert_eq!(action(Press::PageDown, Mode::Details), Some(Action::Scroll(Step::PageDown)));
        assert_eq!(action(Press::Down, Mode::Details), choose(Step::Down));
        assert_eq!(action(Press::PageDown, Mode::Help), None);
    }
}

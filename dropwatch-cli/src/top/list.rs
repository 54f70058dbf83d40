//! The rows of the table as a list of which one is chosen and a part is on the screen.

use super::keys::Step;
use crate::counts::{key::Key, table::Row};

/// A line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What was counted.
    pub row: Row,
    /// Whether it is what had no room of its own.
    pub is_other: bool,
}

/// Which line is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chosen {
    /// Whichever is the first.
    First,
    /// That of this group, wherever it goes.
    Group(Key),
    /// What had no room of its own.
    Other,
}

/// The lines, in their order.
#[derive(Clone, Debug)]
pub struct List {
    lines: Vec<Line>,
    chosen: Chosen,
    /// Index of the first line that is shown, and how many fit.
    first: usize,
    page: usize,
}

impl Default for List {
    fn default() -> Self {
        Self { lines: Vec::new(), chosen: Chosen::First, first: 0, page: 1 }
    }
}

impl List {
    /// Takes other lines; the chosen one stays the chosen one where it is among them.
    pub fn set(&mut self, lines: Vec<Line>) {
        self.lines = lines;
    }

    /// All lines.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The lines that are on the screen, of which so many fit, and which of them is chosen.
    pub fn page(&mut self, len: usize) -> (&[Line], usize) {
        self.page = len.max(1);
        let chosen = self.chosen_index();
        let last_page = self.lines.len().saturating_sub(self.page);
        let least = (chosen + 1).saturating_sub(self.page);
        self.first = self.first.clamp(least, chosen).min(last_page);
        let end = self.lines.len().min(self.first + len);
        (&self.lines[self.first..end], chosen - self.first)
    }

    /// Numbers of the first and the last line that are on the screen, and of all.
    pub fn shown_range(&self) -> (usize, usize, usize) {
        let all = self.lines.len();
        ((self.first + 1).min(all), (self.first + self.page).min(all), all)
    }

    fn chosen_index(&self) -> usize {
        let is_chosen = |line: &Line| match self.chosen {
            Chosen::First => false,
            Chosen::Group(key) => !line.is_other && line.row.key == key,
            Chosen::Other => line.is_other,
        };
        self.lines.iter().position(is_chosen).unwrap_or(0)
    }

    /// The line that is chosen.
    pub fn chosen(&self) -> Option<&Line> {
        self.lines.get(self.chosen_index())
    }

    /// The group that was chosen, but for the first one, whichever that is.
    pub fn chosen_group(&self) -> Option<Key> {
        match self.chosen {
            Chosen::Group(key) => Some(key),
            Chosen::First | Chosen::Other => None,
        }
    }

    /// Chooses the line of another group.
    pub fn choose_group(&mut self, group: Option<Key>) {
        self.chosen = group.map_or(Chosen::First, Chosen::Group);
    }

    /// Chooses another line.
    pub fn choose(&mut self, step: Step) {
        let last = self.lines.len().saturating_sub(1);
        let index = step.from(self.chosen_index(), self.page, last);
        if step == Step::First {
            self.chosen = Chosen::First;
        } else {
            self.choose_index(index);
        }
    }

    /// From now on this line is chosen, not whichever is the first.
    pub fn hold(&mut self) {
        self.choose_index(self.chosen_index());
    }

    fn choose_index(&mut self, index: usize) {
        if let Some(line) = self.lines.get(index) {
            self.chosen = if line.is_other { Chosen::Other } else { Chosen::Group(line.row.key) };
        }
    }
}

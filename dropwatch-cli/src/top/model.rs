//! The state of the live view, without a terminal: what is counted, and what is shown of it.

use std::{
    cmp::Reverse,
    collections::HashMap,
    time::{Duration, Instant},
};

use dropwatch_common::counters::Counters;

use super::{
    keys::{Action, Mode, Step},
    list::{Line, List},
    samples::Samples,
};
use crate::{
    counts::{
        Snapshot,
        key::{By, Key},
        table::{Sort, Table},
    },
    drop::Drop,
    render::table::OTHER,
};

/// So many intervals are remembered; no column is wider.
pub const HISTORY: usize = 60;
/// How long a notice is shown.
const NOTICE_TIME: Duration = Duration::from_secs(10);
/// More makes no filter clearer.
const LONGEST_FILTER: usize = 100;

/// Names for people.
pub trait Names {
    /// A part of a key.
    fn part(&mut self, by: By, key: &Key) -> String;

    /// The lines that tell all about a drop.
    fn drop(&mut self, drop: &Drop) -> Vec<String>;

    /// What a raw reason means, after its name, where that is wanted and known.
    fn hint(&mut self, raw: u32) -> Option<String>;
}

/// What does not change while the view runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The machine's name.
    pub host: String,
    /// The kernel's release.
    pub kernel: String,
    /// The filters as they were given; empty where there are none.
    pub filters: String,
    /// Time between two snapshots.
    pub interval: Duration,
    /// Whether flows are counted.
    pub flows: bool,
    /// Whether there is a line for what the chosen reason means.
    pub hints: bool,
}

/// The table at a moment.
#[derive(Clone, Debug)]
struct Counted {
    table: Table,
    counters: Counters,
    elapsed: Duration,
}

/// What the loop has to do after an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Draw.
    Draw,
    /// Draw all of it.
    Redraw,
    /// Draw, and ask for a sample of what is [wanted](Model::wanted).
    Sample,
    /// End.
    Quit,
    /// Stop until somebody lets us go on.
    Suspend,
}

/// All that the view shows.
pub struct Model {
    /// What does not change.
    pub facts: Facts,
    now: Counted,
    /// What is shown while the view stands still.
    frozen: Option<Counted>,
    sort: Sort,
    descending: bool,
    filter: String,
    typing: bool,
    help: bool,
    /// By how many lines the chosen line's details are scrolled, where they are shown.
    details: Option<usize>,
    list: List,
    /// Lines of the details that fit, and that there are.
    details_page: usize,
    details_lines: usize,
    widths: HashMap<By, usize>,
    samples: Samples,
    notice: Option<(String, Instant)>,
}

impl Model {
    /// Nothing has been counted yet.
    pub fn new(facts: Facts, by: Vec<By>, sort: Sort) -> Self {
        let by = in_order(&by);
        let sort = match sort {
            Sort::Key(part) if !by.contains(&part) => Sort::Rate,
            sort => sort,
        };
        Self {
            facts,
            now: Counted {
                table: Table::new(by, HISTORY),
                counters: Counters::default(),
                elapsed: Duration::ZERO,
            },
            frozen: None,
            sort,
            descending: !matches!(sort, Sort::Key(_)),
            filter: String::new(),
            typing: false,
            help: false,
            details: None,
            list: List::default(),
            details_page: 1,
            details_lines: 0,
            widths: HashMap::new(),
            samples: Samples::default(),
            notice: None,
        }
    }

    /// Takes over what was counted.
    pub fn feed(&mut self, snapshot: &Snapshot, elapsed: Duration) {
        self.now.table.feed(snapshot);
        self.now.counters = snapshot.counters;
        self.now.elapsed = elapsed;
    }

    /// Time goes on, also between two snapshots.
    pub fn tick(&mut self, elapsed: Duration) {
        self.now.elapsed = elapsed;
    }

    /// Takes over a drop, to be shown as a sample.
    pub fn add_sample(&mut self, drop: Drop) {
        self.samples.add(Key::of_drop(&drop, self.facts.flows), drop);
    }

    /// Shows a notice for a while.
    pub fn notify(&mut self, notice: String, now: Instant) {
        self.notice = Some((notice, now));
    }

    /// The notice, as long as it is new.
    pub fn notice(&self, now: Instant) -> Option<&str> {
        let (text, since) = self.notice.as_ref()?;
        (now.saturating_duration_since(*since) < NOTICE_TIME).then_some(text)
    }

    /// What the keys are for.
    pub fn mode(&self) -> Mode {
        match self.details {
            _ if self.help => Mode::Help,
            _ if self.typing => Mode::Filter,
            Some(_) => Mode::Details,
            None => Mode::Table,
        }
    }

    /// Whether the view stands still.
    pub fn is_paused(&self) -> bool {
        self.frozen.is_some()
    }

    fn shown(&self) -> &Counted {
        self.frozen.as_ref().unwrap_or(&self.now)
    }

    /// The table that is shown.
    pub fn table(&self) -> &Table {
        &self.shown().table
    }

    /// What the BPF program counted, at the moment that is shown.
    pub fn counters(&self) -> Counters {
        self.shown().counters
    }

    /// The time since the begin, at the moment that is shown.
    pub fn elapsed(&self) -> Duration {
        self.shown().elapsed
    }

    /// What the lines are sorted by, and whether from the greatest on.
    pub fn sort(&self) -> (Sort, bool) {
        (self.sort, self.descending)
    }

    /// The filter, and whether it is being typed.
    pub fn filter(&self) -> (&str, bool) {
        (&self.filter, self.typing)
    }

    /// The lines that pass the filter, sorted.
    pub fn list(&self) -> &List {
        &self.list
    }

    /// The lines that are on the screen, of which so many fit, and which of them is chosen.
    pub fn page(&mut self, len: usize) -> (&[Line], usize) {
        self.list.page(len)
    }

    /// The width of a part's column, where this is the widest that is on the screen: it only
    /// grows, so that columns stay where they are while rows come and go.
    pub fn widen(&mut self, by: By, widest: Option<usize>) -> usize {
        let width = self.widths.entry(by).or_default();
        *width = (*width).max(widest.unwrap_or(0));
        *width
    }

    /// The part of the details that is on the screen, where there are so many lines and so many
    /// fit: how many are above.
    pub fn details_page(&mut self, lines: usize, fit: usize) -> usize {
        (self.details_lines, self.details_page) = (lines, fit.max(1));
        let Some(scrolled) = &mut self.details else { return 0 };
        *scrolled = (*scrolled).min(lines.saturating_sub(fit));
        *scrolled
    }

    /// The line that is chosen.
    pub fn chosen(&self) -> Option<&Line> {
        self.list.chosen()
    }

    /// The key in the chosen line of which most was counted, to ask for a sample of it.
    pub fn wanted(&self) -> Option<Key> {
        let line = self.chosen().filter(|line| !line.is_other)?;
        let keys = self.now.table.keys_of(&line.row.key);
        keys.max_by_key(|(_, total)| *total).map(|(key, _)| *key)
    }

    /// The last drop that was counted in the chosen line, as far as drops were kept.
    pub fn sample(&self) -> Option<&Drop> {
        let line = self.chosen().filter(|line| !line.is_other)?;
        let (table, group) = (self.table(), line.row.key);
        let counts =
            |key: &Key| table.group_of(key) == Some(&group) || key.project(table.by()) == group;
        self.samples.last(counts)
    }

    /// Whether the chosen line's details are open.
    pub fn shows_details(&self) -> bool {
        self.details.is_some()
    }

    /// Puts the lines together anew. What is filtered or sorted by its name needs the names of
    /// all, and these may change.
    pub fn refresh(&mut self, names: &mut impl Names) {
        let (sort, descending) = (self.sort, self.descending);
        let table = &self.shown().table;
        let by = table.by().to_vec();
        let mut rows = table.rows(sort, descending);
        if let Sort::Key(by) = sort {
            if descending {
                rows.sort_by_cached_key(|row| Reverse(names.part(by, &row.key)));
            } else {
                rows.sort_by_cached_key(|row| names.part(by, &row.key));
            }
        }
        let other = table.other();
        let mut lines: Vec<_> = rows.into_iter().map(|row| Line { row, is_other: false }).collect();
        if other.total > 0 {
            lines.push(Line { row: other, is_other: true });
        }
        if !self.filter.is_empty() {
            let filter = self.filter.to_lowercase();
            lines.retain(|line| {
                let text = if line.is_other {
                    OTHER.to_owned()
                } else {
                    let parts = by.iter().map(|by| names.part(*by, &line.row.key));
                    parts.collect::<Vec<_>>().join(" ")
                };
                text.to_lowercase().contains(&filter)
            });
        }
        self.list.set(lines);
    }

    /// Does what a key means. The lines are those of before until [`Model::refresh`].
    pub fn apply(&mut self, action: Action, now: Instant) -> Effect {
        match action {
            Action::Quit => return Effect::Quit,
            Action::Suspend => return Effect::Suspend,
            Action::Redraw => return Effect::Redraw,
            Action::Close => return self.close(),
            Action::Choose(step) => {
                self.list.choose(step);
                self.details = self.details.map(|_| 0);
                if self.shows_details() && self.sample().is_none() {
                    return Effect::Sample;
                }
            }
            Action::Scroll(step) => self.scroll(step),
            Action::SortBefore => self.sort_by_neighbour(false),
            Action::SortAfter => self.sort_by_neighbour(true),
            Action::SortBy(sort) => self.sort_by(sort),
            Action::Reverse => self.descending = !self.descending,
            Action::Toggle(by) => self.toggle(by, now),
            Action::Pause => {
                self.frozen = match self.frozen.take() {
                    Some(_) => None,
                    None => Some(self.now.clone()),
                }
            }
            Action::Open => {
                self.toggle_details();
                if self.shows_details() && self.sample().is_none() {
                    return Effect::Sample;
                }
            }
            Action::Another => {
                if !self.shows_details() {
                    self.toggle_details();
                }
                return Effect::Sample;
            }
            Action::Help => self.help = true,
            Action::Filter => self.typing = true,
            Action::Type(character) => {
                if self.filter.len() < LONGEST_FILTER {
                    self.filter.push(character);
                }
            }
            Action::Erase => {
                // As in a pager: nothing left to erase is the end of typing.
                self.typing = self.filter.pop().is_some();
            }
            Action::EraseAll => self.filter.clear(),
            Action::Accept => self.typing = false,
        }
        Effect::Draw
    }

    fn close(&mut self) -> Effect {
        if self.help {
            self.help = false;
        } else if self.typing {
            self.typing = false;
            self.filter.clear();
        } else if self.shows_details() {
            self.details = None;
        } else if !self.filter.is_empty() {
            self.filter.clear();
        } else {
            return Effect::Quit;
        }
        Effect::Draw
    }

    fn toggle_details(&mut self) {
        if self.shows_details() || self.chosen().is_none() {
            self.details = None;
        } else {
            // They stay those of this line.
            self.list.hold();
            self.details = Some(0);
        }
    }

    fn scroll(&mut self, step: Step) {
        let last = self.details_lines.saturating_sub(self.details_page);
        if let Some(scrolled) = &mut self.details {
            *scrolled = step.from(*scrolled, self.details_page, last);
        }
    }

    fn sort_by(&mut self, sort: Sort) {
        if self.sort != sort {
            self.sort = sort;
            self.descending = !matches!(sort, Sort::Key(_));
        }
    }

    fn sort_by_neighbour(&mut self, after: bool) {
        let keys = self.now.table.by().iter().map(|by| Sort::Key(*by));
        let columns: Vec<_> = [Sort::Rate, Sort::Total].into_iter().chain(keys).collect();
        let here = columns.iter().position(|sort| *sort == self.sort).unwrap_or(0);
        let there = if after { here + 1 } else { here + columns.len() - 1 };
        self.sort_by(columns[there % columns.len()]);
    }

    fn toggle(&mut self, part: By, now: Instant) {
        let mut by = self.now.table.by().to_vec();
        if by == [part] {
            return self.notify("one part to group by has to stay".to_owned(), now);
        }
        if by.contains(&part) {
            by.retain(|other| *other != part);
        } else if part == By::Flow && !self.facts.flows {
            let notice = "flows are not being counted; start with --by reason,location,flow";
            return self.notify(notice.to_owned(), now);
        } else {
            by.push(part);
        }
        let by = in_order(&by);
        self.widths.clear();
        if self.sort == Sort::Key(part) {
            self.sort_by(Sort::Rate);
        }
        // The same drops are in the chosen line as far as there is such a one.
        if let Some(key) = self.list.chosen_group() {
            let within = self.now.table.keys_of(&key).max_by_key(|(_, total)| *total);
            self.list.choose_group(within.map(|(key, _)| key.project(&by)));
        }
        if let Some(frozen) = &mut self.frozen {
            frozen.table.set_by(by.clone());
        }
        self.now.table.set_by(by);
    }
}

/// In the order in which they are shown, each once.
fn in_order(by: &[By]) -> Vec<By> {
    By::ALL.into_iter().filter(|part| by.contains(part)).collect()
}

#[cfg(test)]
mod tests;

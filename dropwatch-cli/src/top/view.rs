//! Drawing the live view.

use std::time::Instant;

use ratatui_core::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::Style,
    terminal::Frame,
};

use super::{
    columns::{Column, Place, arrange},
    keys::{HELP, Mode},
    list::Line,
    look::{Look, rate, share, time, width, wrap},
    model::{Model, Names},
};
use crate::{
    counts::key::{By, Key},
    render::table::OTHER,
};

/// No name of a reason is longer with what it means.
const LONGEST_HINT: usize = 130;

/// How the height is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Heights {
    title: u16,
    filters: u16,
    counts: u16,
    rows: u16,
    details: u16,
    hint: u16,
}

impl Heights {
    /// What is least needed goes first where there is no room; details want so many lines, and a
    /// hint as few as it fits in.
    fn divide(height: u16, details: Option<u16>, hint: u16) -> Self {
        // The heading of the columns, and the line at the bottom.
        let rest = height.saturating_sub(2);
        let counts = u16::from(rest > 2);
        let title = u16::from(rest > 5);
        let filters = u16::from(rest > 8);
        let hint = if rest > 8 { hint } else { 0 };
        let rest = rest - counts - title - filters - hint;
        let rows = match details {
            // Enough to see which row is chosen, and what is around it.
            Some(wanted) => {
                rest.saturating_sub(wanted.saturating_add(1)).max(rest.div_ceil(4)).min(rest)
            }
            None => rest,
        };
        Self { title, filters, counts, rows, details: rest - rows, hint }
    }
}

/// Draws all of it.
pub fn draw(
    frame: &mut Frame<'_>,
    model: &mut Model,
    names: &mut impl Names,
    look: Look,
    now: Instant,
) {
    let area = frame.area();
    let details = model.shows_details().then(|| details(model, names, area.width.into()));
    let wanted = details.as_ref().map(|lines| u16::try_from(lines.len()).unwrap_or(u16::MAX));
    let hint = hint(model, names, look, area.width.into());
    let heights = Heights::divide(area.height, wanted, hint.len() as u16);
    let mut pen = Pen { buffer: frame.buffer_mut(), look, area, y: area.y };
    pen.head(model, heights);
    if model.mode() == Mode::Help {
        pen.help();
    } else {
        pen.table(model, names, heights.rows);
        if let Some(lines) = &details {
            pen.details(model, names, lines, heights.details);
        }
        pen.hint(&hint[..heights.hint.into()]);
    }
    if let Some(cursor) = pen.foot(model, now) {
        frame.set_cursor_position(cursor);
    }
}

/// The lines about the chosen row's sample.
fn details(model: &Model, names: &mut impl Names, width: usize) -> Vec<String> {
    let lines = match model.sample() {
        Some(drop) => names.drop(drop),
        None if model.chosen().is_some_and(|line| line.is_other) => {
            vec!["    drops for whose keys there was no room (--max-keys)".to_owned()]
        }
        None => vec!["    waiting for the next drop that is counted here".to_owned()],
    };
    lines.iter().flat_map(|line| wrap(line, width)).collect()
}

/// What the chosen row's reason means, in as many lines as any needs, so that nothing moves when
/// another row is chosen.
fn hint(model: &Model, names: &mut impl Names, look: Look, width: usize) -> Vec<String> {
    if !model.facts.hints {
        return Vec::new();
    }
    let raw = model.chosen().and_then(|line| line.row.key.reason);
    let text = raw.and_then(|raw| names.hint(raw)).unwrap_or_default();
    let mut lines = wrap(&format!("  {text}"), width);
    let room = if width < LONGEST_HINT { 2 } else { 1 };
    if lines.len() > room {
        let rest = lines.split_off(room - 1).join(" ");
        lines.push(look.fit(&rest, width));
    }
    lines.resize(room, String::new());
    lines
}

/// What a row says.
struct Cells {
    rate: String,
    total: String,
    share: String,
    parts: Vec<(By, String)>,
}

impl Cells {
    fn new(line: &Line, by: &[By], names: &mut impl Names) -> Self {
        let mut part = |(at, by): (usize, &By)| {
            let text = match (line.is_other, at) {
                (false, _) => names.part(*by, &line.row.key),
                (true, 0) => OTHER.to_owned(),
                (true, _) => String::new(),
            };
            (*by, text)
        };
        Self {
            rate: rate(line.row.rate),
            total: line.row.total.to_string(),
            share: share(line.row.share),
            parts: by.iter().enumerate().map(&mut part).collect(),
        }
    }

    fn text(&self, column: Column) -> &str {
        match column {
            Column::Rate => &self.rate,
            Column::Total => &self.total,
            Column::Share => &self.share,
            Column::History => "",
            Column::Part(by) => {
                self.parts.iter().find(|(part, _)| *part == by).map_or("", |(_, text)| text)
            }
        }
    }
}

/// Writes line by line.
struct Pen<'a> {
    buffer: &'a mut Buffer,
    look: Look,
    area: Rect,
    /// The line.
    y: u16,
}

impl Pen<'_> {
    /// Writes from this column on, as far as there is room, and returns the column behind it.
    fn put(&mut self, x: usize, text: &str, style: Style) -> usize {
        let room = usize::from(self.area.width).saturating_sub(x);
        if room == 0 || self.y >= self.area.bottom() {
            return x;
        }
        // There is room, so the column is one of the area's.
        let at = self.area.x + x as u16;
        let (end, _) = self.buffer.set_stringn(at, self.y, text, room, style);
        usize::from(end - self.area.x)
    }

    /// Writes at the right end, unless something else reaches there.
    fn put_right(&mut self, from: usize, text: &str, style: Style) {
        let x = usize::from(self.area.width).saturating_sub(width(text));
        if x > from {
            self.put(x, text, style);
        }
    }

    fn head(&mut self, model: &Model, heights: Heights) {
        if heights.title > 0 {
            self.title(model);
            self.y += 1;
        }
        if heights.filters > 0 {
            let filters = match model.facts.filters.as_str() {
                "" => "all drops".to_owned(),
                filters => format!("only {filters}"),
            };
            let filters = self.look.fit(&filters, self.area.width.into());
            self.put(0, &filters, self.look.dimmed());
            self.y += 1;
        }
        if heights.counts > 0 {
            self.counts(model, heights.title == 0);
            self.y += 1;
        }
    }

    fn title(&mut self, model: &Model) {
        let facts = &model.facts;
        let x = self.put(0, "dropwatch top", self.look.bold());
        let x = self.put(x, &format!("  {}, Linux {}", facts.host, facts.kernel), Style::new());
        let text = format!("{}, every {:?}", time(model.elapsed()), facts.interval);
        if model.is_paused() {
            self.put_right(x, &format!("PAUSED at {text}"), self.look.alarming());
        } else {
            self.put_right(x, &text, Style::new());
        }
    }

    fn counts(&mut self, model: &Model, is_first: bool) {
        let (counters, sum) = (model.counters(), model.table().sum());
        let mut x = 0;
        for (label, number) in [
            ("seen ", counters.seen),
            ("  matched ", counters.matched),
            ("  other ", model.table().other().total),
        ] {
            x = self.put(x, label, self.look.dimmed());
            x = self.put(x, &number.to_string(), self.look.bold());
        }
        x = self.put(x, "  ", Style::new());
        x = self.put(x, &rate(sum.rate), self.look.bold());
        x = self.put(x, "/s ", self.look.dimmed());
        if is_first && model.is_paused() {
            x = self.put(x, "PAUSED ", self.look.alarming());
        }
        let history = model.table().history_of_sum();
        let room = usize::from(self.area.width).saturating_sub(x).min(history.len());
        self.put(x, &self.look.sparkline(&history, room), self.look.bars());
    }

    fn help(&mut self) {
        let keys = HELP.iter().map(|(keys, _)| keys.len()).max().unwrap_or(0);
        let last = self.area.bottom().saturating_sub(1);
        for (what, does) in HELP {
            if self.y < last {
                self.put(1, what, self.look.bold());
                self.put(keys + 3, does, Style::new());
                self.y += 1;
            }
        }
    }

    fn table(&mut self, model: &mut Model, names: &mut impl Names, height: u16) {
        let by = model.table().by().to_vec();
        let (lines, chosen) = model.page(height.into());
        let lines = lines.to_vec();
        let cells: Vec<_> = lines.iter().map(|line| Cells::new(line, &by, names)).collect();
        let widest = |column| cells.iter().map(|cells| width(cells.text(column))).max();
        let numbers = [Column::Rate, Column::Total].map(|column| widest(column).unwrap_or(0));
        let parts: Vec<_> =
            by.iter().map(|by| (*by, model.widen(*by, widest(Column::Part(*by))))).collect();
        let places = arrange(self.area.width.into(), numbers, &parts);

        self.headings(model, &places);
        self.y += 1;
        let keys: Vec<Key> = lines.iter().map(|line| line.row.key).collect();
        let histories = model.table().history(&keys);
        for (at, (line, cells)) in lines.iter().zip(&cells).enumerate() {
            let other = line.is_other.then(|| model.table().history_of_other());
            self.row(line, cells, other.as_ref().unwrap_or(&histories[at]), at == chosen, &places);
            self.y += 1;
        }
        if lines.is_empty() && height > 0 {
            let text = match model.filter() {
                ("", _) => "nothing has been dropped yet",
                _ => "no row has this text",
            };
            self.put(1, text, self.look.dimmed());
        }
        self.y += height - lines.len() as u16;
    }

    fn headings(&mut self, model: &Model, places: &[Place]) {
        let (sort, descending) = model.sort();
        let bold = self.look.bold();
        for place in places {
            let mut text = place.column.heading().to_owned();
            let mut style = bold;
            if place.column == Column::History {
                let all = model.facts.interval * place.width as u32;
                text = format!("LAST {}", time(all));
            }
            if place.column.is_sorted(sort) {
                text += self.look.sort_mark(descending);
                style = bold.patch(self.look.chosen());
            }
            self.cell(place, &text, style);
        }
    }

    fn row(
        &mut self,
        line: &Line,
        cells: &Cells,
        history: &[u64],
        is_chosen: bool,
        places: &[Place],
    ) {
        for place in places {
            let style = match place.column {
                Column::Part(_) if line.is_other => Style::new(),
                Column::Part(by) => self.look.part(by),
                Column::History => self.look.bars(),
                Column::Rate | Column::Total | Column::Share => Style::new(),
            };
            match place.column {
                Column::History => {
                    self.cell(place, &self.look.sparkline(history, place.width), style);
                }
                // What does not happen any more is less important.
                column if line.row.rate == 0.0 && !is_chosen => {
                    self.cell(place, cells.text(column), style.patch(self.look.dimmed()));
                }
                column => self.cell(place, cells.text(column), style),
            }
        }
        if is_chosen && self.y < self.area.bottom() {
            self.put(0, ">", Style::new());
            self.buffer.set_style(Rect { y: self.y, height: 1, ..self.area }, self.look.chosen());
        }
    }

    /// A column of a line.
    fn cell(&mut self, place: &Place, text: &str, style: Style) {
        let text = self.look.fit(text, place.width);
        let indent = if place.column.is_number() { place.width - width(&text) } else { 0 };
        self.put(place.x + indent, &text, style);
    }

    fn details(
        &mut self,
        model: &mut Model,
        names: &mut impl Names,
        lines: &[String],
        height: u16,
    ) {
        let Some(fit) = height.checked_sub(1) else { return };
        let above = model.details_page(lines.len(), fit.into());
        let rule = self.look.rule();
        self.put(0, &rule.repeat(self.area.width.into()), self.look.dimmed());
        let title = match model.chosen() {
            Some(line) if !line.is_other => {
                let parts = model.table().by().iter().map(|by| names.part(*by, &line.row.key));
                parts.collect::<Vec<_>>().join(" ")
            }
            _ => OTHER.to_owned(),
        };
        let shown = above + usize::from(fit).min(lines.len() - above);
        let position = format!(" {}-{shown} of {} ", above + 1, lines.len());
        let room = usize::from(self.area.width).saturating_sub(width(&position) + 8);
        let title = format!(" sample: {} ", self.look.fit(&title, room.saturating_sub(10)));
        let x = self.put(2, &title, self.look.bold());
        if lines.len() > usize::from(fit) {
            self.put_right(x, &format!("{position}{rule}{rule}"), self.look.dimmed());
        }
        self.y += 1;
        for line in &lines[above..shown] {
            self.put(0, line, Style::new());
            self.y += 1;
        }
    }

    fn hint(&mut self, lines: &[String]) {
        self.y = self.area.bottom().saturating_sub(1 + lines.len() as u16);
        for line in lines {
            self.put(0, line, self.look.dimmed());
            self.y += 1;
        }
    }

    /// The line at the bottom; returns where the cursor is, if there is one.
    fn foot(&mut self, model: &mut Model, now: Instant) -> Option<Position> {
        self.y = self.area.bottom().checked_sub(1)?;
        let mode = model.mode();
        let (filter, _) = model.filter();
        if mode == Mode::Filter {
            let x = self.put(0, &format!("/{filter}"), Style::new());
            self.put_right(x + 2, "Enter keeps it, Esc removes it", self.look.dimmed());
            let x = x.min(usize::from(self.area.width.saturating_sub(1))) as u16;
            return Some(Position { x: self.area.x + x, y: self.y });
        }
        if let Some(notice) = model.notice(now) {
            let notice = self.look.fit(notice, self.area.width.into());
            self.put(0, &notice, self.look.alarming());
            return None;
        }
        let rows = match model.list().shown_range() {
            _ if mode == Mode::Help => String::new(),
            (_, _, 0) => "no rows".to_owned(),
            (_, _, 1) => "1 row".to_owned(),
            (1, last, all) if last == all => format!("{all} rows"),
            (first, last, all) => format!("{first}-{last} of {all} rows"),
        };
        let filtered = format!("/{filter}");
        let hints: &[&str] = match mode {
            Mode::Help => &["Esc back to the table"],
            Mode::Details => &[
                "Esc close",
                "PgUp PgDn scroll",
                "n another sample",
                "up down other row",
                "? help",
            ],
            _ if !filter.is_empty() => &[&filtered, "Esc removes it", "? help", "q quit"],
            _ => &[
                "q quit",
                "? help",
                "Enter sample",
                "/ filter",
                "< > sort",
                "1-6 group",
                "space pause",
            ],
        };
        // Rather none than a part of one.
        let room = usize::from(self.area.width).saturating_sub(width(&rows) + 2);
        let mut x = 0;
        for hint in hints {
            if x + width(hint) > room && x > 0 {
                break;
            }
            x = self.put(x, hint, self.look.dimmed()) + 2;
        }
        self.put_right(x, &rows, self.look.dimmed());
        None
    }
}

use super::*;
use crate::top::samples::MAX_SAMPLES;

const SECOND: Duration = Duration::from_secs(1);

/// Names that are easily told apart.
struct Plain;

impl Names for Plain {
    fn part(&mut self, by: By, key: &Key) -> String {
        match by {
            By::Reason => format!("R{}", key.reason.unwrap_or(0)),
            By::Location => format!("func{}", key.location.unwrap_or(0)),
            other => format!("{}?", other.name()),
        }
    }

    fn drop(&mut self, drop: &Drop) -> Vec<String> {
        vec![format!("drop at {}", drop.location)]
    }

    fn hint(&mut self, _: u32) -> Option<String> {
        None
    }
}

fn key(reason: u32, location: u64) -> Key {
    Key { reason: Some(reason), location: Some(location), ..Key::default() }
}

fn sample(reason: u32, location: u64) -> Drop {
    Drop { reason: Some(reason), location, ..Drop::UNKNOWN }
}

/// A view over made-up counts.
struct View {
    model: Model,
    start: Instant,
    seconds: u32,
}

impl View {
    fn new() -> Self {
        let by = vec![By::Location, By::Reason];
        let model = Model::new(Facts::default(), by, Sort::Total);
        let mut view = Self { model, start: Instant::now(), seconds: 0 };
        view.feed(&[], 0);
        view
    }

    /// With ten rows, the last of which has most drops.
    fn with_rows() -> Self {
        let mut view = Self::new();
        let rows: Vec<_> = (1..=10).map(|n| (key(n, u64::from(n) * 10), u64::from(n))).collect();
        view.feed(&rows, 0);
        view
    }

    fn feed(&mut self, rows: &[(Key, u64)], other: u64) {
        let counters = Counters { seen: 100, ..Counters::default() };
        let at = self.start + self.seconds * SECOND;
        let snapshot = Snapshot { at, rows: rows.to_vec(), other, counters };
        self.model.feed(&snapshot, self.seconds * SECOND);
        self.model.refresh(&mut Plain);
        self.seconds += 1;
    }

    fn press(&mut self, actions: &[Action]) -> Effect {
        let mut effect = Effect::Draw;
        for action in actions {
            effect = self.model.apply(*action, self.start);
            self.model.refresh(&mut Plain);
        }
        effect
    }

    fn type_filter(&mut self, text: &str) {
        self.press(&[Action::Filter]);
        for character in text.chars() {
            self.press(&[Action::Type(character)]);
        }
    }

    fn reasons(&self) -> Vec<u32> {
        self.model.list().lines().iter().filter_map(|line| line.row.key.reason).collect()
    }

    fn chosen(&self) -> Option<u32> {
        self.model.chosen().and_then(|line| line.row.key.reason)
    }
}

#[test]
fn rows_are_sorted_by_what_the_keys_say() {
    let mut view = View::with_rows();
    assert_eq!(view.reasons()[..3], [10, 9, 8]);
    view.press(&[Action::Reverse]);
    assert_eq!(view.reasons()[..3], [1, 2, 3]);
    view.press(&[Action::SortAfter]);
    assert_eq!(view.model.sort(), (Sort::Key(By::Reason), false));
    assert_eq!(view.reasons()[..3], [1, 10, 2], "by name, from A to Z");
    view.press(&[Action::Reverse]);
    assert_eq!(view.reasons()[..3], [9, 8, 7]);
    view.press(&[Action::SortAfter, Action::SortAfter]);
    assert_eq!(view.model.sort(), (Sort::Rate, true), "round and round");
    view.press(&[Action::SortBefore]);
    assert_eq!(view.model.sort(), (Sort::Key(By::Location), false));
    view.press(&[Action::SortBy(Sort::Total)]);
    assert_eq!(view.model.sort(), (Sort::Total, true));
}

#[test]
fn parts_are_grouped_by_or_not() {
    let mut view = View::new();
    view.feed(&[(key(1, 10), 1), (key(1, 11), 2), (key(2, 10), 4)], 0);
    assert_eq!(view.model.list().lines().len(), 3);
    view.press(&[Action::Choose(Step::Down), Action::SortBy(Sort::Key(By::Location))]);
    assert_eq!(view.chosen(), Some(1));
    view.press(&[Action::Toggle(By::Location)]);
    assert_eq!(view.model.table().by(), [By::Reason]);
    assert_eq!(view.reasons(), [2, 1]);
    assert_eq!(view.chosen(), Some(1), "the group that has the same drops");
    assert_eq!(view.model.sort(), (Sort::Rate, true), "what it was sorted by is gone");
    view.press(&[Action::Toggle(By::Reason)]);
    assert_eq!(view.model.table().by(), [By::Reason], "one has to stay");
    assert!(view.model.notice(view.start).is_some_and(|text| text.contains("stay")));
    view.press(&[Action::Toggle(By::Netns), Action::Toggle(By::Location)]);
    assert_eq!(view.model.table().by(), [By::Reason, By::Location, By::Netns]);
}

#[test]
fn flows_are_there_only_where_they_are_counted() {
    let mut view = View::with_rows();
    view.press(&[Action::Toggle(By::Flow)]);
    assert_eq!(view.model.table().by(), [By::Reason, By::Location]);
    assert!(view.model.notice(view.start).is_some_and(|text| text.contains("--by")));
    assert_eq!(view.model.notice(view.start + 11 * SECOND), None, "it has been read");
    view.model.facts.flows = true;
    view.press(&[Action::Toggle(By::Flow)]);
    assert_eq!(view.model.table().by().last(), Some(&By::Flow));
}

#[test]
fn a_filter_keeps_rows_that_have_its_text() {
    let mut view = View::with_rows();
    view.type_filter("FUNC1");
    assert_eq!(view.model.mode(), Mode::Filter);
    assert_eq!(view.reasons(), [10, 1], "in any case, while it is being typed");
    view.press(&[Action::Type('0'), Action::Accept]);
    assert_eq!((view.reasons(), view.model.mode()), (vec![10, 1], Mode::Table));
    assert_eq!(view.model.table().sum().total, 55, "the sum is that of all");
    assert_eq!(view.press(&[Action::Close]), Effect::Draw);
    assert_eq!((view.model.filter(), view.reasons().len()), (("", false), 10));
    assert_eq!(view.press(&[Action::Close]), Effect::Quit);

    view.type_filter("r2 func20");
    assert_eq!(view.reasons(), [2], "over more than one column");
    view.press(&[Action::EraseAll]);
    assert_eq!((view.reasons().len(), view.model.mode()), (10, Mode::Filter));
    view.press(&[Action::Erase]);
    assert_eq!(view.model.mode(), Mode::Table);
    view.type_filter("nothing");
    assert_eq!(view.model.chosen(), None);
    assert_eq!(view.model.page(5), (&[][..], 0));
    assert_eq!(view.press(&[Action::Close]), Effect::Draw, "typing ends, and it is gone");
    assert_eq!(view.reasons().len(), 10);
    view.type_filter(&"x".repeat(1000));
    assert!(view.model.filter().0.len() <= LONGEST_FILTER);
}

#[test]
fn what_had_no_room_is_always_the_last_row() {
    let mut view = View::new();
    view.feed(&[(key(1, 10), 1)], 1000);
    let is_other = |view: &View| -> Vec<bool> {
        view.model.list().lines().iter().map(|line| line.is_other).collect()
    };
    assert_eq!(is_other(&view), [false, true]);
    view.press(&[Action::Reverse]);
    assert_eq!(is_other(&view), [false, true]);
    view.press(&[Action::Choose(Step::Last), Action::Open]);
    assert_eq!((view.model.sample(), view.model.wanted()), (None, None));
    view.press(&[Action::Close]);
    view.type_filter("OTHER");
    assert_eq!(is_other(&view), [true]);
}

#[test]
fn the_chosen_row_is_followed_wherever_it_goes() {
    let mut view = View::with_rows();
    let all = view.model.list().lines().to_vec();
    assert_eq!(view.model.page(4), (&all[..4], 0));
    view.press(&[Action::Choose(Step::Down), Action::Choose(Step::PageDown)]);
    assert_eq!(view.chosen(), Some(5));
    assert_eq!(view.model.page(4).1, 3, "at the bottom");
    assert_eq!(view.model.list().shown_range(), (3, 6, 10));
    view.feed(&[(key(5, 50), 1000)], 0);
    assert_eq!((view.chosen(), view.model.page(4).1), (Some(5), 0));
    view.press(&[Action::Choose(Step::Last)]);
    assert_eq!((view.chosen(), view.model.page(4).1), (Some(1), 3));
    assert_eq!(view.model.page(100).0.len(), 10, "in a window that has grown");
    view.press(&[Action::Choose(Step::Down), Action::Choose(Step::First)]);
    assert_eq!(view.chosen(), Some(5));
    view.feed(&[(key(2, 20), 9999)], 0);
    assert_eq!(view.chosen(), Some(2), "the first is the first, whichever it is");
    view.press(&[Action::Choose(Step::PageUp), Action::Choose(Step::Up)]);
    assert_eq!(view.chosen(), Some(2));
}

#[test]
fn a_view_that_stands_still_loses_nothing() {
    let mut view = View::with_rows();
    view.press(&[Action::Pause]);
    view.feed(&[(key(1, 10), 500)], 3);
    assert!(view.model.is_paused());
    assert_eq!((view.model.table().sum().total, view.reasons()[0]), (55, 10));
    view.press(&[Action::SortBy(Sort::Key(By::Reason)), Action::Toggle(By::Location)]);
    assert_eq!(view.reasons()[0], 1, "it can be looked at from all sides");
    view.feed(&[(key(1, 10), 600)], 3);
    assert_eq!(view.model.table().sum().total, 55);
    view.press(&[Action::Pause, Action::SortBy(Sort::Total)]);
    assert_eq!(view.model.table().sum().total, 55 - 1 + 600 + 3);
    assert_eq!(view.model.table().sum().rate, 100.0, "of the last interval");
    assert_eq!(view.model.table().by(), [By::Reason], "grouped as it was while it stood still");
}

#[test]
fn samples_are_those_of_the_chosen_row() {
    let mut view = View::with_rows();
    view.model.add_sample(sample(9, 90));
    assert_eq!(view.press(&[Action::Open]), Effect::Sample, "there is none yet");
    assert_eq!(view.model.wanted(), Some(key(10, 100)));
    view.model.add_sample(sample(10, 100));
    assert_eq!(view.model.sample(), Some(&sample(10, 100)));
    assert_eq!(view.press(&[Action::Choose(Step::Down)]), Effect::Draw);
    assert_eq!(view.model.sample(), Some(&sample(9, 90)));
    assert_eq!(view.press(&[Action::Another]), Effect::Sample);
    view.model.add_sample(Drop { cpu: 7, ..sample(9, 90) });
    assert_eq!(view.model.sample().map(|drop| drop.cpu), Some(7), "the last one");
    assert_eq!(view.press(&[Action::Choose(Step::Down)]), Effect::Sample);
    view.press(&[Action::Toggle(By::Reason)]);
    assert_eq!(view.model.sample(), None);
    view.press(&[Action::Help]);
    assert_eq!(view.model.mode(), Mode::Help);
    view.press(&[Action::Close]);
    assert_eq!(view.model.mode(), Mode::Details, "as before");
    view.press(&[Action::Open]);
    assert_eq!(view.model.mode(), Mode::Table);
    for location in 0..2 * MAX_SAMPLES as u64 {
        view.model.add_sample(sample(1, location));
    }
    let is_kept =
        |location: &u64| view.model.samples.last(|key| key.location == Some(*location)).is_some();
    let kept: Vec<_> = (0..2 * MAX_SAMPLES as u64).filter(is_kept).collect();
    assert_eq!((kept.len(), kept[0]), (MAX_SAMPLES, MAX_SAMPLES as u64), "the last ones");
}

#[test]
fn details_are_scrolled_within_what_there_is() {
    let mut view = View::with_rows();
    view.press(&[Action::Open]);
    assert_eq!(view.model.details_page(30, 10), 0);
    view.press(&[Action::Scroll(Step::PageDown)]);
    assert_eq!(view.model.details_page(30, 10), 10);
    view.press(&[Action::Scroll(Step::PageDown), Action::Scroll(Step::PageDown)]);
    assert_eq!(view.model.details_page(30, 10), 20);
    assert_eq!(view.model.details_page(15, 10), 5, "there are fewer by now");
    view.press(&[Action::Scroll(Step::First)]);
    assert_eq!(view.model.details_page(15, 10), 0);
    view.press(&[Action::Scroll(Step::Last), Action::Choose(Step::Down)]);
    assert_eq!(view.model.details_page(15, 10), 0, "of another row");
}

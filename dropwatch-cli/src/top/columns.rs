//! Which columns the table has, and how wide they are.

use super::model::HISTORY;
use crate::counts::{key::By, table::Sort};

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Drops per second.
    Rate,
    /// Drops since the start.
    Total,
    /// The part of all drops.
    Share,
    /// A sparkline.
    History,
    /// A part of the key.
    Part(By),
}

/// Where a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The column.
    pub column: Column,
    /// Where it begins.
    pub x: usize,
    /// How wide it is.
    pub width: usize,
}

/// In front of the table: the mark of the chosen row.
const MARGIN: usize = 1;
/// The least that a sparkline is worth its room.
const LEAST_HISTORY: usize = 8;
/// The least to which names are cut for the sake of other columns.
const LEAST_PART: usize = 12;

impl Column {
    /// What stands over it.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Rate => "RATE/s",
            Self::Total => "TOTAL",
            Self::Share => "SHARE",
            Self::History => "LAST",
            Self::Part(by) => by.heading(),
        }
    }

    /// Whether it is what is sorted by.
    pub fn is_sorted(self, sort: Sort) -> bool {
        match self {
            Self::Rate => sort == Sort::Rate,
            Self::Total => sort == Sort::Total,
            Self::Part(by) => sort == Sort::Key(by),
            Self::Share | Self::History => false,
        }
    }

    /// Whether it stands on the right.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Rate | Self::Total | Self::Share)
    }

    /// The width that its heading needs, with the mark of what is sorted by.
    fn least(self) -> usize {
        self.heading().len() + 1
    }
}

/// Arranges columns in a line of this width: numbers and names of at least these widths. Where
/// they do not fit, names are cut, and then the sparkline, the share and the rate are left out.
pub fn arrange(width: usize, numbers: [usize; 2], parts: &[(By, usize)]) -> Vec<Place> {
    let [rate, total] = numbers;
    let all = [
        (Column::Rate, rate.max(Column::Rate.least())),
        (Column::Total, total.max(Column::Total.least())),
        (Column::Share, Column::Share.least()),
    ];
    let mut parts: Vec<_> = parts
        .iter()
        .map(|(by, width)| (Column::Part(*by), Column::Part(*by).least().max(*width)))
        .collect();
    // Without a gap behind the last one.
    let room = (width + 1).saturating_sub(MARGIN);
    let taken = |columns: &[(Column, usize)]| columns.iter().map(|(_, width)| width + 1).sum();
    let least: usize = parts.iter().map(|(_, width)| (*width).min(LEAST_PART) + 1).sum();
    // From the best to the least.
    let choices = [(&all[..], true), (&all[..], false), (&all[..2], false), (&all[1..2], false)];
    let fits = |(numbers, history): &(&[(Column, usize)], bool)| {
        let numbers: usize = taken(numbers);
        numbers + usize::from(*history) * (LEAST_HISTORY + 1) + least <= room
    };
    let (numbers, history) = choices.into_iter().find(fits).unwrap_or((&all[1..2], false));

    let mut columns = numbers.to_vec();
    let for_history = if history { LEAST_HISTORY + 1 } else { 0 };
    let for_parts = room.saturating_sub(taken(&columns) + for_history);
    let gaps = parts.len();
    cut(&mut parts, for_parts.saturating_sub(gaps));
    if history {
        let free = for_parts.saturating_sub(taken(&parts));
        columns.push((Column::History, (LEAST_HISTORY + free).min(HISTORY)));
    }
    columns.extend(parts);
    let mut x = MARGIN;
    let place = |(column, width): (Column, usize)| {
        let place = Place { column, x, width };
        x += width + 1;
        place
    };
    columns.into_iter().map(place).filter(|place| place.width > 0).collect()
}

/// Cuts the widest until all together are no wider than this.
fn cut(columns: &mut [(Column, usize)], most: usize) {
    let mut over = columns.iter().map(|(_, width)| width).sum::<usize>().saturating_sub(most);
    while over > 0 {
        let Some((_, widest)) = columns.iter_mut().max_by_key(|(_, width)| *width) else { return };
        *widest -= 1;
        over -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: [(By, usize); 2] = [(By::Reason, 14), (By::Location, 27)];

    fn widths(places: &[Place]) -> Vec<(Column, usize)> {
        places.iter().map(|place| (place.column, place.width)).collect()
    }

    #[test]
    fn what_is_free_goes_to_the_sparkline() {
        let expected = |history| {
            [
                (Column::Rate, 7),
                (Column::Total, 9),
                (Column::Share, 6),
                (Column::History, history),
                (Column::Part(By::Reason), 14),
                (Column::Part(By::Location), 27),
            ]
        };
        assert_eq!(widths(&arrange(80, [5, 9], &PARTS)), expected(11));
        assert_eq!(widths(&arrange(200, [5, 9], &PARTS)), expected(HISTORY));
    }

    #[test]
    fn what_does_not_fit_is_cut_or_left_out() {
        let kinds = |width| -> Vec<Column> {
            arrange(width, [5, 9], &PARTS).iter().map(|place| place.column).collect()
        };
        let parts = [Column::Part(By::Reason), Column::Part(By::Location)];
        assert_eq!(kinds(60)[..4], [Column::Rate, Column::Total, Column::Share, Column::History]);
        assert_eq!(kinds(52)[..3], [Column::Rate, Column::Total, Column::Share]);
        assert_eq!(kinds(52)[3..], parts);
        assert_eq!(kinds(45)[..2], [Column::Rate, Column::Total]);
        assert_eq!(kinds(40)[..1], [Column::Total]);
        assert_eq!(kinds(40)[1..], parts);
    }

    #[test]
    fn columns_are_side_by_side_in_any_width() {
        let many = By::ALL.map(|by| (by, 40));
        for width in 0..300 {
            for parts in [&PARTS[..], &many[..], &PARTS[..1]] {
                let places = arrange(width, [5, 20], parts);
                for pair in places.windows(2) {
                    assert_eq!(pair[0].x + pair[0].width + 1, pair[1].x, "{width}: {places:?}");
                }
                let last = places.last().expect("a column");
                assert!(last.x + last.width <= width.max(22), "{width}: {places:?}");
            }
        }
    }
}

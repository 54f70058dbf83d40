//! What dropwatch says besides its output: on standard error, unless a live view has the terminal.
//! Then it is held back for the view to show, and said once the terminal is free again.

use std::{
    collections::VecDeque,
    fmt::Arguments,
    io::{Write, stderr},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Most notices that are held back; of more, the oldest are forgotten.
const HELD: usize = 1000;

/// Says something: `notice!("…", …)`.
#[macro_export]
macro_rules! notice {
    ($($text:tt)*) => { $crate::notice::say(format_args!($($text)*)) };
}

#[derive(Debug)]
struct Held {
    lines: VecDeque<String>,
    forgotten: u64,
    /// Those that the view has not shown yet.
    new: Vec<String>,
}

static HELD_BACK: Mutex<Option<Held>> = Mutex::new(None);

/// Says something on standard error, or holds it back.
pub fn say(text: Arguments<'_>) {
    match &mut *held_back() {
        None => print(text),
        Some(held) => {
            let text = text.to_string();
            if held.lines.len() == HELD {
                held.lines.pop_front();
                held.forgotten += 1;
            }
            held.lines.push_back(text.clone());
            if held.new.len() < HELD {
                held.new.push(text);
            }
        }
    }
}

/// Notices are held back as long as this is there.
#[derive(Debug)]
#[must_use]
pub struct Holding(());

/// From now on, notices are held back.
pub fn hold() -> Holding {
    held_back().get_or_insert(Held { lines: VecDeque::new(), forgotten: 0, new: Vec::new() });
    Holding(())
}

impl Drop for Holding {
    fn drop(&mut self) {
        release();
    }
}

/// What was held back since the last call.
pub fn take_new() -> Vec<String> {
    held_back().as_mut().map(|held| mem::take(&mut held.new)).unwrap_or_default()
}

/// Says all that was held back; from now on, nothing is. It does no harm a second time.
pub fn release() {
    let Some(held) = held_back().take() else { return };
    if held.forgotten > 0 {
        print(format_args!("{} earlier messages are left out", held.forgotten));
    }
    held.lines.iter().for_each(|line| print(format_args!("{line}")));
}

fn print(text: Arguments<'_>) {
    // Nobody can be told where that fails: the terminal may be gone.
    let _ = writeln!(stderr(), "dropwatch: {text}");
}

fn held_back() -> MutexGuard<'static, Option<Held>> {
    // What it guards is whole at any moment, whoever panicked.
    HELD_BACK.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_is_told_once_to_the_view() {
        let holding = hold();
        assert_eq!(take_new(), [""; 0]);
        notice!("{} drops", 7);
        notice!("all well");
        assert_eq!(take_new(), ["7 drops", "all well"]);
        for number in 0..HELD {
            notice!("{number}");
        }
        let held = held_back().take().expect("held back");
        drop(holding);
        assert_eq!((held.lines.len(), held.forgotten, held.new.len()), (HELD, 2, HELD));
        assert_eq!(held.lines.front().map(String::as_str), Some("0"));
        assert_eq!(take_new(), [""; 0]);
    }
}

//! `dropwatch top`: how many drops of which kind, as they happen.

pub mod columns;
pub mod input;
pub mod keys;
pub mod live;
pub mod look;
pub mod model;
pub mod names;
pub mod screen;
pub mod terminal;
pub mod view;

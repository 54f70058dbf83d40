//! The parts of dropwatch, in the order in which a drop passes them; `main.rs` joins them.

pub mod cli;
pub mod config;
pub mod notice;

pub mod filter;
pub mod kernel;

pub mod diagnostics;
pub mod iterators;
pub mod preflight;
pub mod privileges;
pub mod probe;
mod refusal;
mod stand_in_btf;

pub mod memory;
pub mod session;

pub mod decode;
pub mod drop;
pub mod packet;
pub mod ring;
pub mod stop;
pub mod stream;
pub mod verdict;

pub mod clock;
pub mod protocol;
pub mod render;
pub mod socket_names;
pub mod stacks;
pub mod symbols;
pub mod world;
pub(crate) mod write;

pub mod baseline;
mod casts;
pub mod command;
pub mod counts;
pub mod export;
pub mod fail_on;
pub mod reconcile;
pub mod recording;
pub mod report;
pub mod summary;

pub mod accounting;
pub mod output;
pub mod replace;
pub mod top;

pub mod doctor;
pub mod explain;
pub mod harmless;
pub mod list_reasons;
mod wrap;

#[cfg(test)]
#[path = "../tests/support/random.rs"]
mod random;

//! The parts of dropwatch, in the order in which a drop passes them; `main.rs` joins them.

pub mod cli;
pub mod config;

pub mod kernel;
pub mod reason_filter;

pub mod preflight;
pub mod probe;
mod stand_in_btf;
pub mod diagnostics;

pub mod stream;
pub mod stop;
pub mod ring;
pub mod decode;
pub mod drop;

pub mod render;
pub mod clock;
pub mod protocol;
pub mod symbols;
pub mod stacks;

pub mod output;
pub mod accounting;

pub mod list_reasons;

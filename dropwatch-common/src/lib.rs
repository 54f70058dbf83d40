//! What the BPF program and the command-line tool agree on.
//!
//! Everything here crosses the boundary between kernel and user space, so every type is
//! `repr(C)`, has no implicit padding, and is in the byte order of the machine both run on.

#![no_std]

pub mod config;
pub mod count;
pub mod counters;
pub mod filter;
pub mod owner;
pub mod reader;
pub mod record;

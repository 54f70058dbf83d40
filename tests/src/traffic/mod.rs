//! Packets for the kernel to drop. All of them stay on this machine: on loopback, or in
//! namespaces that a test made.

pub mod build;
pub mod frame;
pub mod option;
pub mod packet;
pub mod raw;
pub mod tcp;
pub mod udp;

/// A port that nobody listens on: discard, which no machine has had for decades.
pub const CLOSED_PORT: u16 = 9;

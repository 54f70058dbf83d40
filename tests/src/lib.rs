//! End-to-end tests: the real binary, and the real kernel dropping real packets.
//!
//! A test starts dropwatch ([`Launch`]), has the kernel drop packets ([`traffic`]) in network
//! namespaces of its own ([`Namespace`]), and compares what was printed ([`Event`],
//! [`Account`]) with what it did, or with what other tools saw ([`Bpftrace`], [`PerfStat`],
//! [`Reasons`]). Other things on the machine may drop packets meanwhile: a test tells its own
//! drops from others by the process id or by a length that nobody else uses.

mod account;
mod attached;
mod binary;
mod bpf;
mod bpftrace;
mod clock;
mod command;
pub mod confined;
mod event;
mod exclusive;
mod idle;
pub mod json;
mod kallsyms;
mod launch;
mod lines;
pub mod listing;
mod metrics;
mod module;
pub mod mount;
mod namespace;
pub mod need;
mod netlink;
pub mod openvswitch;
mod perf;
mod proc;
mod random;
mod reasons;
pub mod seccomp;
mod table;
pub mod tc;
mod temporary;
pub mod tmux;
pub mod traffic;
mod veth;
pub mod wireless;

pub use account::Account;
pub use attached::{Attached, finish};
pub use binary::dropwatch;
pub use bpftrace::Bpftrace;
pub use clock::{Window, Zone};
pub use command::{output, output_of};
pub use event::{Event, FIELDS, Frame, Place, Stack, parse};
pub use exclusive::{Exclusive, exclusive};
pub use idle::Idle;
pub use kallsyms::Kallsyms;
pub use launch::{Finished, Launch, Running, events_in};
pub use lines::Line;
pub use metrics::Metrics;
pub use module::Module;
pub use namespace::{Namespace, as_thread};
pub use need::Need;
pub use perf::PerfStat;
pub use proc::{bpf_ids, of_threads, peak_memory};
pub use random::Random;
pub use reasons::{Reasons, Row};
pub use table::Table;
pub use temporary::TempDir;
pub use veth::{Mac, Veth};

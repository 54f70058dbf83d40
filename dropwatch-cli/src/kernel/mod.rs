//! What has to be known of the running kernel before its drops can be read.

pub mod btf;
mod btf_file;
mod btf_names;
pub mod choice;
pub mod kallsyms;
pub mod known_elsewhere;
pub mod layout;
pub mod modules;
pub mod reasons;
pub mod trace_event;
pub mod tracepoint;

use std::fs;

use anyhow::{Result, ensure};
use dropwatch_common::config::EventOffsets;

use btf::Btf;
use layout::Layout;
use reasons::Reasons;
use trace_event::TraceEvent;
use tracepoint::Prototype;

/// Where the kernel shows its own BTF, and beside it that of each loaded module.
pub const BTF_DIR: &str = "/sys/kernel/btf";

/// What dropwatch knows of the running kernel.
#[derive(Debug)]
pub struct Kernel {
    /// How the tracepoint can be attached to, and where its fields are.
    pub tracepoint: Tracepoint,
    /// Whether the tracepoint passes a drop reason that is to be shown.
    pub has_reason: bool,
    /// The kernel's drop reasons.
    pub reasons: Reasons,
}

/// How the tracepoint `skb:kfree_skb` is attached to.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is only one of it")]
pub enum Tracepoint {
    /// Through BTF: all fields can be read.
    Btf {
        /// How the tracepoint passes its arguments.
        prototype: Prototype,
        /// Where in the kernel's structs the fields are.
        layout: Layout,
        /// BTF id of the tracepoint that tells why a queue discipline drops, where there is one.
        qdisc_drop: Option<u32>,
    },
    /// As a trace event, which has the most important fields only.
    Event {
        /// Where in the event the fields are.
        event: EventOffsets,
    },
}

/// What the user wants to do without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Without {
    /// Do not use BTF even where the kernel has it.
    pub btf: bool,
    /// Do not show reasons, and so accept a kernel that has none.
    pub reasons: bool,
}

impl Kernel {
    /// Finds out about the running kernel: from its BTF, or else from tracefs.
    ///
    /// # Errors
    /// When the kernel has no such tracepoint or no drop reasons, with the remedy.
    pub fn resolve(without: Without) -> Result<Self> {
        let mut kernel =
            if without.btf || !Btf::is_there() { Self::by_trace_event()? } else { Self::by_btf()? };
        if without.reasons {
            kernel.has_reason = false;
        }
        ensure!(
            kernel.has_reason || without.reasons,
            "kernel {} does not tell why it drops packets: drop reasons came with Linux 5.17 (some \
             distributions' 5.15 have them too); boot a newer kernel, or see drops without their reasons \
             with --without-reasons",
            release(),
        );
        Ok(kernel)
    }

    fn by_btf() -> Result<Self> {
        let btf = Btf::of_running_kernel()?;
        let prototype = Prototype::resolve(&btf)?;
        let reasons =
            if prototype.reason { Reasons::of_running_kernel(&btf)? } else { Reasons::default() };
        let layout = layout::resolve(&btf)?;
        Ok(Self {
            tracepoint: Tracepoint::Btf {
                prototype,
                layout,
                qdisc_drop: tracepoint::qdisc_drop(&btf),
            },
            has_reason: prototype.reason,
            reasons,
        })
    }

    fn by_trace_event() -> Result<Self> {
        let TraceEvent { offsets, reasons } = TraceEvent::of_running_kernel()?;
        Ok(Self {
            tracepoint: Tracepoint::Event { event: offsets },
            has_reason: !reasons.is_empty(),
            reasons: Reasons::of_trace_event(&reasons),
        })
    }
}

/// The running kernel's version as `uname -r` prints it, for messages.
pub fn release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_or_else(|_| "of unknown version".into(), |release| release.trim().to_owned())
}

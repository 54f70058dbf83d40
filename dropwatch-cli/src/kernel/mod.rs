//! What has to be known of the running kernel before its drops can be read.

pub mod btf;
pub mod known_elsewhere;
pub mod layout;
pub mod modules;
pub mod reasons;
pub mod tracepoint;

use std::{fs, path::Path};

use anyhow::Result;

use btf::Btf;
use layout::Layout;
use reasons::Reasons;
use tracepoint::Prototype;

/// Where the kernel shows its own BTF, and beside it that of each loaded module.
pub const BTF_DIR: &str = "/sys/kernel/btf";

/// The facts about the running kernel, all from its BTF.
#[derive(Debug)]
pub struct Kernel {
    /// How the tracepoint passes its arguments.
    pub prototype: Prototype,
    /// Where in the kernel's structs the fields are.
    pub layout: Layout,
    /// The kernel's drop reasons.
    pub reasons: Reasons,
}

impl Kernel {
    /// Reads the running kernel's BTF.
    ///
    /// # Errors
    /// When the kernel has no BTF, no tracepoint or no drop reasons, with the remedy.
    pub fn resolve() -> Result<Self> {
        let btf = Btf::of_running_kernel()?;
        let prototype = Prototype::resolve(&btf)?;
        Ok(Self {
            prototype,
            layout: Layout::resolve(&btf)?,
            reasons: Reasons::of_running_kernel(&btf)?,
        })
    }
}

/// The running kernel's version as `uname -r` prints it, for messages.
pub fn release() -> String {
    fs::read_to_string(Path::new("/proc/sys/kernel/osrelease"))
        .map_or_else(|_| "of unknown version".into(), |release| release.trim().to_owned())
}

//! The programs of this machine that are needed to boot another kernel.

use crate::process::find_program;
use anyhow::{Context as _, Result, bail};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

/// A program for each thing that is done on this machine, and the package that has it.
const TOOLS: &[(&str, &str)] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("depmod", "kmod"),
    ("modprobe", "kmod"),
    ("xz", "xz-utils"),
    ("zstd", "zstd"),
    ("ldd", "libc-bin"),
];

/// Says what is missing: of the tools, and of the programs that the guest gets.
pub fn check(programs: &[(&str, &str)]) -> Result<()> {
    // Fetching kernels takes these, and they cannot be installed where they are missing.
    if ["apt-get", "dpkg-deb"].into_iter().any(|name| find(name).is_none()) {
        bail!("kernels are fetched from Debian's archive, and there is no apt; run this on Debian");
    }
    let missing: BTreeSet<_> = TOOLS
        .iter()
        .chain(programs)
        .filter(|(program, _)| find(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    if !missing.is_empty() {
        let packages = missing.into_iter().collect::<Vec<_>>().join(" ");
        bail!("programs are missing; install them: apt-get install {packages}");
    }
    Ok(())
}

/// A program, wherever this machine has it: root's are not on everybody's PATH.
pub fn find(name: &str) -> Option<PathBuf> {
    let system = ["/usr/sbin", "/sbin"].map(|dir| Path::new(dir).join(name));
    find_program(name).or_else(|| system.into_iter().find(|path| path.is_file()))
}

/// A command that starts a program of this machine.
pub fn command(name: &str) -> Result<Command> {
    find(name).map(Command::new).with_context(|| format!("{name} is not installed"))
}

//! Standing in for rustc while cargo compiles the BPF program.
//!
//! Cargo gives each crate a number that depends on the checkout's folder and on cargo's
//! version, and the compiler writes it into the names of functions and constants. As cargo's
//! `RUSTC_WRAPPER` this program gives each crate a number that depends on its name only.

use anyhow::{Context as _, Result};
use std::{
    env,
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, ExitCode},
};

/// The environment variable that asks for this; it names the folder of the LLVM that the
/// linker is to use.
pub const STAND_IN: &str = "DROPWATCH_RUSTC_STAND_IN";

const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// Whether cargo started this program in the place of rustc.
pub fn is_asked_for() -> bool {
    env::var_os(STAND_IN).is_some()
}

/// Replaces this process by rustc.
pub fn stand_in() -> Result<ExitCode> {
    let mut args = env::args_os().skip(1);
    let rustc = args.next().with_context(|| {
        format!("{STAND_IN} is set, but no compiler is named; unset the variable")
    })?;
    let mut args: Vec<_> = args.collect();
    let mut command = Command::new(&rustc);
    if is_for_bpf(&args) {
        let name = env::var("CARGO_PKG_NAME").unwrap_or_default();
        let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
        set_metadata(&mut args, &crate_number(&name, &version));
        command.env(LIBRARY_PATH, library_path()?);
    }
    let error = command.args(args).exec();
    Err(error).with_context(|| format!("cannot start {}", rustc.display()))
}

fn is_for_bpf(args: &[OsString]) -> bool {
    args.windows(2).any(|pair| pair[0] == "--target" && pair[1] == super::toolchain::TARGET)
}

/// Two versions of a crate can meet in one program, but of our own crates there is one, and
/// another version of dropwatch alone is no other object.
fn crate_number(name: &str, version: &str) -> String {
    if name.starts_with("dropwatch-") { name.to_owned() } else { format!("{name}-{version}") }
}

fn set_metadata(args: &mut [OsString], number: &str) {
    for arg in args {
        if arg.to_string_lossy().starts_with("metadata=") {
            *arg = format!("metadata={number}").into();
        }
    }
}

/// The linker's LLVM before all other libraries.
fn library_path() -> Result<OsString> {
    let llvm = env::var_os(STAND_IN).map(PathBuf::from);
    let others = env::var_os(LIBRARY_PATH).unwrap_or_default();
    env::join_paths(llvm.into_iter().chain(env::split_paths(&others))).with_context(|| {
        format!("a folder's name cannot be in {}", OsStr::new(LIBRARY_PATH).display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_crates_number_changes() {
        let mut args = ["--crate-name", "aya_ebpf", "-C", "metadata=5fa", "-C", "opt-level=3"]
            .map(OsString::from);
        set_metadata(&mut args, &crate_number("aya-ebpf", "0.2.1"));
        let expected =
            ["--crate-name", "aya_ebpf", "-C", "metadata=aya-ebpf-0.2.1", "-C", "opt-level=3"];
        assert_eq!(args.each_ref().map(|arg| arg.to_str().unwrap_or("?")), expected);
    }

    #[test]
    fn a_release_of_dropwatch_changes_no_number() {
        assert_eq!(crate_number("dropwatch-common", "0.1.0"), "dropwatch-common");
    }
}

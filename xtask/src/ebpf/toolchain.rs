//! Which compilers and linker for BPF are on this machine.

use crate::{
    cli::ToolchainKind,
    process::{find_program, output},
    project::cargo_path,
};
use anyhow::{Context as _, Result};
use std::{
    fmt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The target that the BPF program is compiled for.
pub const TARGET: &str = "bpfel-unknown-none";

/// A compiler and a linker for the BPF program.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// Where the compiler is from.
    pub kind: ToolchainKind,
    /// The cargo that drives the compiler.
    pub cargo: PathBuf,
    /// The compiler.
    pub rustc: PathBuf,
    /// The folder that the compiler is installed in.
    pub sysroot: PathBuf,
    /// The first line of `rustc -vV`.
    pub rustc_version: String,
    /// The version of the compiler's LLVM.
    pub llvm_version: String,
    /// The compiler's LLVM, when it is a library of its own.
    pub llvm_library: Option<PathBuf>,
    /// bpf-linker.
    pub linker: PathBuf,
    /// What `bpf-linker --version` prints.
    pub linker_version: String,
}

/// A part of the toolchain is not installed.
#[derive(Debug, PartialEq, Eq)]
pub enum Missing {
    /// No compiler of the kinds that were allowed.
    Compiler(Option<ToolchainKind>),
    /// bpf-linker.
    Linker,
}

impl Toolchain {
    /// The toolchain of the kind, or the best that is here. Fails with [`Missing`] when there
    /// is none.
    pub fn find(kind: Option<ToolchainKind>) -> Result<Self> {
        // The committed object is made with Debian's compiler, so that comes first.
        let kinds = match &kind {
            Some(kind) => std::slice::from_ref(kind),
            None => &[ToolchainKind::Debian, ToolchainKind::Nightly],
        };
        let (kind, cargo, rustc, sysroot) =
            kinds.iter().find_map(|kind| compiler(*kind)).ok_or(Missing::Compiler(kind))?;
        let linker = find_program("bpf-linker").ok_or(Missing::Linker)?;

        let version = output(Command::new(&rustc).arg("-vV"))?;
        let rustc_version = version.lines().next().unwrap_or_default().to_owned();
        let llvm_version = version
            .lines()
            .find_map(|line| line.strip_prefix("LLVM version: "))
            .with_context(|| format!("`{} -vV` names no LLVM version", rustc.display()))?
            .to_owned();
        let linker_version = output(Command::new(&linker).arg("--version"))?.trim().to_owned();
        let llvm_library = llvm_library(&rustc);
        Ok(Self {
            kind,
            cargo,
            rustc,
            sysroot,
            rustc_version,
            llvm_version,
            llvm_library,
            linker,
            linker_version,
        })
    }
}

/// The compiler of that kind: its cargo, rustc and sysroot, when it can compile for BPF.
fn compiler(kind: ToolchainKind) -> Option<(ToolchainKind, PathBuf, PathBuf, PathBuf)> {
    match kind {
        ToolchainKind::Debian => {
            let rustc = PathBuf::from("/usr/bin/rustc");
            let sysroot = quiet_output(Command::new(&rustc).args(["--print", "sysroot"]))?;
            let sysroot = PathBuf::from(sysroot.trim());
            let has_core = sysroot.join("lib/rustlib").join(TARGET).is_dir();
            has_core.then(|| (kind, cargo_path(), rustc, sysroot))
        }
        ToolchainKind::Nightly => {
            // Unlike `rustup run`, `rustup which` never installs anything.
            let mut which = Command::new("rustup");
            which.args(["which", "--toolchain", "nightly", "rustc"]);
            let rustc = PathBuf::from(quiet_output(&mut which)?.trim());
            let bin = rustc.parent()?;
            let sysroot = bin.parent()?.to_path_buf();
            let has_source = sysroot.join("lib/rustlib/src/rust/library/core").is_dir();
            has_source.then(|| (kind, bin.join("cargo"), rustc.clone(), sysroot))
        }
    }
}

/// The LLVM library that the compiler itself is linked with.
fn llvm_library(rustc: &Path) -> Option<PathBuf> {
    let libraries = quiet_output(Command::new("ldd").arg(rustc))?;
    let line = libraries.lines().find(|line| line.trim_start().starts_with("libLLVM"))?;
    let (_, path) = line.split_once("=> ")?;
    Some(path.split(" (").next()?.into())
}

/// What the program prints, when there is such a program and it succeeds.
fn quiet_output(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok()).flatten()
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DEBIAN: &str = "\n    Debian 12:  apt-get install -y --no-install-recommends rustc-web libstd-rust-web-dev-bpf";
        const NIGHTLY: &str =
            "\n    rustup:     rustup toolchain install nightly --component rust-src";
        const LINKER: &str = "cargo install bpf-linker --version 0.10.3 --locked";
        match self {
            Self::Compiler(kind) => {
                write!(f, "no compiler for the BPF program is installed; install it with")?;
                if *kind != Some(ToolchainKind::Nightly) {
                    f.write_str(DEBIAN)?;
                }
                if *kind != Some(ToolchainKind::Debian) {
                    f.write_str(NIGHTLY)?;
                }
                write!(f, "\nand the linker with\n    {LINKER}")
            }
            Self::Linker => write!(
                f,
                "bpf-linker, which links the BPF program, is neither on PATH nor in cargo's bin \
                 folder; install it with\n    {LINKER}"
            ),
        }
    }
}

impl std::error::Error for Missing {}

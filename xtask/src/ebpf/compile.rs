//! Compiling the BPF program so that the same sources give the same bytes everywhere.

use super::{
    rustc::STAND_IN,
    toolchain::{TARGET, Toolchain},
};
use crate::{
    cli::ToolchainKind,
    process::{output, run},
    project::Project,
};
use anyhow::{Context as _, Result};
use std::{
    collections::BTreeSet,
    env,
    ffi::{OsStr, OsString},
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

/// Compiles and links the BPF program and gives the linked object's path.
pub fn compile(project: &Project, toolchain: &Toolchain) -> Result<PathBuf> {
    // Cargo notices another compiler but not another linker, so each linker has its folder.
    let target = project.target.join("ebpf").join(
        format!("{:?}-{}", toolchain.kind, toolchain.linker_version)
            .to_lowercase()
            .replace(' ', "-"),
    );
    let llvm = llvm_folder(&target, toolchain)?;

    let mut cargo = cargo(project, toolchain);
    cargo
        .args(["build", "--locked", "--release", "--target", TARGET, "--target-dir"])
        .arg(&target)
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags(project, toolchain, &target)?)
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &toolchain.linker)
        .env("RUSTC_WRAPPER", stand_in(&target)?)
        .env(STAND_IN, llvm);
    if toolchain.kind == ToolchainKind::Nightly {
        cargo.args(["-Z", "build-std=core"]);
    }
    run(&mut cargo).context("cannot compile the BPF program")?;
    Ok(target.join(TARGET).join("release/dropwatch"))
}

/// The toolchain's cargo in the folder of the BPF program, without what the environment tells
/// the cargo that runs us: flags and compilers for another target.
fn cargo(project: &Project, toolchain: &Toolchain) -> Command {
    let mut cargo = Command::new(&toolchain.cargo);
    cargo.current_dir(project.ebpf());
    for (name, _) in env::vars_os() {
        if is_foreign(&name) {
            cargo.env_remove(&name);
        }
    }
    cargo.env("RUSTC", &toolchain.rustc);
    if toolchain.kind == ToolchainKind::Debian {
        // aya-ebpf uses asm_experimental_arch, which a stable compiler refuses otherwise.
        cargo.env("RUSTC_BOOTSTRAP", "1");
    }
    cargo
}

fn is_foreign(name: &OsStr) -> bool {
    const FOREIGN: &[&str] = &["CARGO", "RUST", "LD_"];
    // How to reach registries, and how to talk to the user.
    const KEPT: &[&str] = &[
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_TERM_",
        "RUSTUP_HOME",
        "RUST_BACKTRACE",
    ];
    let name = name.to_string_lossy();
    FOREIGN.iter().any(|prefix| name.starts_with(prefix))
        && !KEPT.iter().any(|prefix| name.starts_with(prefix))
}

fn rustflags(project: &Project, toolchain: &Toolchain, target: &Path) -> Result<OsString> {
    let mut flags: Vec<OsString> = [
        "-Clink-arg=--btf",
        "-Cdebuginfo=2",
        // The verifier's log shows a line's text only when the debug information holds it, and
        // only DWARF 5 can.
        "-Cdwarf-version=5",
        "-Zembed-source=yes",
        // aya-ebpf takes the architecture of the machine that compiles otherwise.
        "--cfg=bpf_target_arch=\"x86_64\"",
    ]
    .map(OsString::from)
    .into();

    // The last one that fits wins.
    let mut names = vec![(toolchain.sysroot.join("lib/rustlib/src/rust"), "/rust")];
    names.extend(crate_folders(project, toolchain)?.into_iter().map(|folder| (folder, "/crates")));
    names.push((project.root.clone(), "/dropwatch"));
    names.push((target.to_path_buf(), "/target"));
    for (folder, name) in names {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(folder);
        flag.push("=");
        flag.push(name);
        flags.push(flag);
    }
    Ok(flags.join(OsStr::new("\x1f")))
}

/// The folders that hold the sources of the crates that the BPF program uses.
fn crate_folders(project: &Project, toolchain: &Toolchain) -> Result<BTreeSet<PathBuf>> {
    let mut metadata = cargo(project, toolchain);
    metadata.args(["metadata", "--locked", "--format-version=1", "--filter-platform", TARGET]);
    let metadata: serde_json::Value = serde_json::from_str(&output(&mut metadata)?)
        .context("cargo metadata gave no JSON about the BPF program")?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    Ok(packages
        .iter()
        .filter(|package| !package["source"].is_null())
        .filter_map(|package| Path::new(package["manifest_path"].as_str()?).ancestors().nth(2))
        .map(Path::to_path_buf)
        .collect())
}

/// A copy of this program to stand in for rustc. Its own file is replaced when `cargo test`
/// builds it anew while it runs.
fn stand_in(target: &Path) -> Result<PathBuf> {
    let (new, path) = (target.join("rustc.new"), target.join("rustc"));
    fs::copy("/proc/self/exe", &new)
        .and_then(|_| fs::rename(&new, &path))
        .with_context(|| format!("cannot copy this program to {}", path.display()))?;
    Ok(path)
}

/// A folder with nothing in it but the compiler's LLVM. bpf-linker takes the first library of
/// that name on its way, and that could be another compiler's, which gives other bytes.
fn llvm_folder(target: &Path, toolchain: &Toolchain) -> Result<PathBuf> {
    let folder = target.join("llvm");
    let link = folder.join("libLLVM.so");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    if fs::symlink_metadata(&link).is_ok() {
        fs::remove_file(&link).with_context(|| format!("cannot replace {}", link.display()))?;
    }
    if let Some(library) = &toolchain.llvm_library {
        symlink(library, &link).with_context(|| format!("cannot create {}", link.display()))?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_compilers_of_the_environment_stay_out() {
        for name in [
            "CARGO",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_TARGET_DIR",
            "LD_LIBRARY_PATH",
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTFLAGS",
            "RUSTUP_TOOLCHAIN",
        ] {
            assert!(is_foreign(OsStr::new(name)), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_TERM_COLOR", "HOME", "PATH"] {
            assert!(!is_foreign(OsStr::new(name)), "{name}");
        }
    }
}

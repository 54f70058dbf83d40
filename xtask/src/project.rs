//! Where things are in the checkout.

use crate::process;
use anyhow::{Context as _, Result};
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The checkout and its build folder.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder that holds the workspace's Cargo.toml.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
}

impl Project {
    /// Finds the checkout that this program was built from, whatever the current folder.
    pub fn find() -> Result<Self> {
        let root = root();
        let mut metadata = Command::new(cargo_path());
        metadata.args(["metadata", "--no-deps", "--format-version=1"]).current_dir(&root);
        let metadata: serde_json::Value = serde_json::from_str(&process::output(&mut metadata)?)
            .context("cargo metadata gave no JSON")?;
        let target = metadata["target_directory"]
            .as_str()
            .context("cargo metadata names no target directory")?
            .into();
        Ok(Self { root, target })
    }

    /// The sources of the BPF program.
    pub fn ebpf(&self) -> PathBuf {
        self.root.join("dropwatch-ebpf")
    }

    /// The committed BPF object.
    pub fn object(&self) -> PathBuf {
        self.root.join(OBJECT)
    }

    /// The release build of dropwatch.
    pub fn release_binary(&self) -> PathBuf {
        self.target.join("release/dropwatch")
    }

    /// A cargo that works in this checkout.
    pub fn cargo(&self) -> Command {
        let mut cargo = Command::new(cargo_path());
        cargo.current_dir(&self.root);
        cargo
    }

    /// Builds [`Self::release_binary`].
    pub fn build_release(&self) -> Result<()> {
        process::run(self.cargo().args(["build", "--release", "--package", "dropwatch-cli"]))
    }
}

/// The committed BPF object, relative to the root.
pub const OBJECT: &str = "dropwatch-cli/bpf/dropwatch.bpf.o";

/// The folder that holds the workspace's Cargo.toml.
pub fn root() -> PathBuf {
    // Cargo tells the folder when it runs this program or its tests.
    let own = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    own.parent().map_or_else(|| own.clone(), Path::to_path_buf)
}

/// The cargo that runs this program, or the one on PATH.
pub fn cargo_path() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

//! Tells the crate where the BPF object to embed is: the committed one, unless another is to be
//! tried in its place.

use std::{env, path::PathBuf};

fn main() {
    const CHOICE: &str = "DROPWATCH_BPF_OBJECT";
    println!("cargo::rerun-if-env-changed={CHOICE}");
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let object =
        env::var_os(CHOICE).map_or_else(|| package.join("bpf/dropwatch.bpf.o"), PathBuf::from);
    assert!(object.is_file(), "there is no BPF object at {}", object.display());
    println!("cargo::rerun-if-changed={}", object.display());
    println!("cargo::rustc-env={CHOICE}={}", object.display());
}

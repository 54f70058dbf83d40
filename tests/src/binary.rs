//! Finding the binary under test.

use std::{
    env,
    path::{Path, PathBuf},
};

const VARIABLE: &str = "DROPWATCH_BIN";

/// The dropwatch to test: what `DROPWATCH_BIN` names, else the release build in
/// the target folder, else the debug build.
///
/// # Panics
/// When there is none, with what to build.
pub fn dropwatch() -> PathBuf {
    if let Some(path) = env::var_os(VARIABLE).map(PathBuf::from) {
        assert!(path.is_file(), "{VARIABLE} names {}, which is no file", path.display());
        return path;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let built = ["release", "debug"].map(|profile| target.join(profile).join("dropwatch"));
    built.into_iter().find(|path| path.is_file()).unwrap_or_else(|| {
        panic!(
            "there is no dropwatch in {}; run `cargo build --release -p dropwatch-cli`, or name one in {VARIABLE}",
            target.display()
        )
    })
}

//! The binary of the packages: it runs whatever C library a machine has, or has not.

use super::TARGET;
use crate::{process, project::Project};
use anyhow::{Context as _, Result, bail, ensure};
use object::{
    Endianness,
    elf::{DT_NEEDED, FileHeader64, PT_DYNAMIC, PT_INTERP},
    read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _},
};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Builds dropwatch with all libraries in it, and without names of this machine's folders.
pub fn build(project: &Project) -> Result<PathBuf> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
        .context("there is no home folder; set CARGO_HOME")?;
    let mut cargo = project.cargo();
    cargo
        .args(["build", "--release", "--locked", "--package", "dropwatch-cli", "--target", TARGET])
        .env("CARGO_ENCODED_RUSTFLAGS", flags(&home, &project.root));
    process::run(&mut cargo)?;
    let binary = project.target.join(TARGET).join("release/dropwatch");
    let bytes = fs::read(&binary).with_context(|| format!("cannot read {}", binary.display()))?;
    check_static(&bytes).with_context(|| format!("{} is not static", binary.display()))?;
    Ok(binary)
}

/// The compiler's flags, as cargo takes them.
fn flags(cargo_home: &Path, root: &Path) -> String {
    [
        "-Ctarget-feature=+crt-static".to_owned(),
        // The first that fits from the end on is taken, and one folder may be in the other.
        format!("--remap-path-prefix={}=/cargo", cargo_home.display()),
        format!("--remap-path-prefix={}=/dropwatch", root.display()),
    ]
    .join("\x1f")
}

/// Says why a program needs others' files to start: a loader or shared libraries.
fn check_static(bytes: &[u8]) -> Result<()> {
    let header = FileHeader64::<Endianness>::parse(bytes).context("no ELF file of 64 bits")?;
    let endian = header.endian()?;
    for segment in header.program_headers(endian, bytes)? {
        match segment.p_type(endian) {
            PT_INTERP => bail!("it names a dynamic loader"),
            PT_DYNAMIC => {
                let entries = segment.dynamic(endian, bytes)?.unwrap_or_default();
                let needed = entries.iter().any(|entry| entry.d_tag(endian) == DT_NEEDED);
                ensure!(!needed, "it needs shared libraries");
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_needs_a_loader_is_refused() -> Result<()> {
        // The tests themselves are linked as usual.
        let own = fs::read(env::current_exe()?)?;
        let error = check_static(&own).map_err(|error| error.to_string());
        assert_eq!(error, Err("it names a dynamic loader".to_owned()));
        assert!(check_static(b"#!/bin/sh\n").is_err());
        Ok(())
    }

    #[test]
    fn folders_of_this_machine_are_renamed() {
        let flags = flags(Path::new("/home/a b/.cargo"), Path::new("/src"));
        let flags: Vec<_> = flags.split('\x1f').collect();
        assert_eq!(flags[1], "--remap-path-prefix=/home/a b/.cargo=/cargo");
        assert_eq!(flags.len(), 3);
    }
}

//! The committed BPF object: is it up to date, does it load, and does it tell nothing about the
//! machine that built it?

use anyhow::{Context as _, Result};
use std::{fs, path::Path};
use xtask::{
    ebpf::{check::check_sources, leaks, sources},
    project::{OBJECT, root},
};

fn committed() -> Result<Vec<u8>> {
    fs::read(root().join(OBJECT))
        .with_context(|| format!("cannot read {OBJECT}; make it with `cargo xtask ebpf build`"))
}

#[test]
fn it_is_built_from_these_sources() -> Result<()> {
    check_sources(&root(), &committed()?)
}

#[test]
fn aya_finds_its_programs_and_maps() -> Result<()> {
    let object = committed()?;
    let object = aya_obj::Object::parse(&object)?;
    assert!(!object.programs.is_empty());
    assert!(!object.maps.is_empty());
    assert!(object.btf.is_some());
    assert!(object.btf_ext.is_some());
    Ok(())
}

#[test]
fn it_holds_no_path_of_a_machine() -> Result<()> {
    assert_eq!(leaks::paths(&committed()?), [""; 0]);
    Ok(())
}

#[test]
fn it_does_not_hold_this_machines_name() -> Result<()> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname")?;
    let name = name.trim();
    // A machine may be called like something in the sources.
    if !name.is_empty() && !is_in_the_sources(&root(), name)? {
        assert_eq!(leaks::words(&committed()?, name), [""; 0]);
    }
    Ok(())
}

fn is_in_the_sources(root: &Path, name: &str) -> Result<bool> {
    for file in sources::files(root)? {
        if leaks::has_word(&fs::read_to_string(root.join(file))?, name) {
            return Ok(true);
        }
    }
    Ok(false)
}

//! What the guest has instead of a disk.

use super::{
    cache::entries,
    cpio::Archive,
    layout::{DROPWATCH, TEST_DIR},
    payload::Payload,
    userland,
};
use crate::project::Project;
use anyhow::Result;
use std::path::Path;

/// All that is the same for all kernels.
pub fn base(project: &Project, payload: &Payload) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    let mut programs = userland::add_programs(&mut archive)?;
    for dir in ["dev", "proc", "sys", "run", "tmp"] {
        archive.directory(Path::new(dir))?;
    }
    userland::add_file(&mut archive, &payload.init, Path::new("/init"))?;
    userland::add_file(&mut archive, &payload.dropwatch, Path::new(DROPWATCH))?;
    programs.push(payload.dropwatch.clone());
    for test in &payload.tests {
        userland::add_file(&mut archive, &test.program, &Path::new(TEST_DIR).join(&test.name))?;
        programs.push(test.program.clone());
    }
    userland::add_libraries(&mut archive, &programs)?;
    // Tests have the names of some files and folders from when they were built.
    archive.directory(&project.target.join("tmp"))?;
    for folder in ["dropwatch-cli", "tests"] {
        let folder = project.root.join(folder);
        add_folder(&mut archive, &folder, &folder)?;
    }
    archive.finish()
}

/// Adds a folder of this machine and all that is in it.
pub fn add_folder(archive: &mut Archive, from: &Path, to: &Path) -> Result<()> {
    archive.directory(to)?;
    for path in entries(from)? {
        let to = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            add_folder(archive, &path, &to)?;
        } else {
            userland::add_file(archive, &path, &to)?;
        }
    }
    Ok(())
}

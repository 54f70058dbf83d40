//! The kernel's modules that the tests need: a folder `/lib/modules/RELEASE` for the guest, in
//! which its modprobe finds them as on any machine.

use super::{cache::Unpacked, cpio::Archive, host, initramfs, layout::BOOT_MODULES};
use crate::process;
use anyhow::{Context as _, Result};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Modules with drop reasons of their own, which tests load and unload.
const LOADED_BY_TESTS: &[&str] = &["openvswitch", "mac80211_hwsim"];
/// What depmod wants to know besides the modules.
const LISTS: &[&str] = &["modules.order", "modules.builtin", "modules.builtin.modinfo"];

/// An archive of the modules and their indexes, which are put together in this folder.
pub fn archive(kernel: &Unpacked, folder: &Path) -> Result<Vec<u8>> {
    let below = |root: &Path| root.join("lib/modules").join(&kernel.release);
    let (from, to) = (below(&kernel.root), below(folder));
    // An earlier run may have put other modules there.
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    for file in files(kernel)? {
        let place = to.join(file.strip_prefix(&from)?).with_file_name(plain_name(&file)?);
        write(&place, &decompressed(&file)?)?;
    }
    for list in LISTS {
        let list = from.join(list);
        let text = fs::read(&list).with_context(|| format!("cannot read {}", list.display()))?;
        write(&to.join(list.file_name().unwrap_or_default()), &text)?;
    }
    process::run(host::command("depmod")?.arg("-b").arg(folder).arg(&kernel.release))?;
    let mut archive = Archive::default();
    initramfs::add_folder(&mut archive, &to, &below(Path::new("/")))?;
    fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    archive.finish()
}

/// The files of the modules, and of those they depend on.
fn files(kernel: &Unpacked) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for module in BOOT_MODULES.iter().chain(LOADED_BY_TESTS) {
        let mut show = host::command("modprobe")?;
        show.arg("-d").arg(&kernel.root).args(["-S", &kernel.release]);
        // What this machine has configured for its own modules does not matter here.
        show.args(["-C", "/dev/null"]);
        // Not every kernel has them all as modules: some are built in, some come only with a
        // flavour. This fails then.
        let output = show
            .args(["--show-depends", module])
            .output()
            .with_context(|| process::cannot_start(&show))?;
        files.extend(files_in(&String::from_utf8_lossy(&output.stdout)));
    }
    Ok(files)
}

/// Lines `insmod <file>`, or `builtin <name>`.
fn files_in(depends: &str) -> Vec<PathBuf> {
    depends
        .lines()
        .filter_map(|line| line.strip_prefix("insmod "))
        .map(|file| file.trim().into())
        .collect()
}

/// `veth.ko` for `veth.ko.xz`.
fn plain_name(file: &Path) -> Result<String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let (stem, _) = name.split_once(".ko").with_context(|| format!("{name} is no module"))?;
    Ok(format!("{stem}.ko"))
}

fn write(path: &Path, data: &[u8]) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    fs::create_dir_all(path.parent().unwrap_or(path)).with_context(cannot)?;
    fs::write(path, data).with_context(cannot)
}

fn decompressed(module: &Path) -> Result<Vec<u8>> {
    let program = match module.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => {
            return fs::read(module).with_context(|| format!("cannot read {}", module.display()));
        }
    };
    let mut decompress = host::command(program)?;
    process::bytes(decompress.args(["-d", "-c", "-q"]).arg(module))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_lose_their_compression() -> Result<()> {
        for (file, name) in [("/m/veth.ko.xz", "veth.ko"), ("/m/nsh.ko", "nsh.ko")] {
            assert_eq!(plain_name(Path::new(file))?, name);
        }
        assert!(plain_name(Path::new("/m/modules.order")).is_err());
        Ok(())
    }

    #[test]
    fn what_is_built_in_has_no_file() {
        let depends = "builtin ipv6\ninsmod /r/lib/modules/6.1/nfnetlink.ko \n\
            insmod /r/lib/modules/6.1/nf_tables.ko.xz\n";
        let files = ["/r/lib/modules/6.1/nfnetlink.ko", "/r/lib/modules/6.1/nf_tables.ko.xz"];
        assert_eq!(files_in(depends), files.map(PathBuf::from));
    }
}

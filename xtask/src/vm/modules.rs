//! The kernel's modules that the tests need, in the order in which the guest loads them.

use super::{
    cache::Unpacked,
    cpio::Archive,
    host,
    layout::{MODULE_DIR, MODULE_LIST},
};
use crate::process;
use anyhow::{Context as _, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What the tests use to make the kernel drop packets, and what has drop reasons of its own.
/// Not every kernel has them all as modules: some are built in, some come only with a flavour.
const MODULES: &[&str] = &[
    "af_packet",
    "ipv6",
    "veth",
    "dummy",
    "bridge",
    "8021q",
    "vxlan",
    "nf_tables",
    "nft_counter",
    "nft_ct",
    "nft_reject_inet",
    "sch_ingress",
    "sch_tbf",
    "sch_netem",
    "cls_bpf",
    "openvswitch",
    "mac80211_hwsim",
];

/// An archive of the modules and the list of them.
pub fn archive(kernel: &Unpacked) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    let mut list = String::new();
    for module in load_order(kernel)? {
        let name = module.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (stem, _) = name.split_once(".ko").with_context(|| format!("{name} is no module"))?;
        let file = Path::new(MODULE_DIR).join(format!("{stem}.ko"));
        archive.file(&file, &decompressed(&module)?)?;
        list += &format!("{}\n", file.display());
    }
    archive.file(Path::new(MODULE_LIST), list.as_bytes())?;
    archive.finish()
}

/// The files of all modules, each behind those it depends on.
fn load_order(kernel: &Unpacked) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for module in MODULES {
        let mut show = host::command("modprobe")?;
        show.arg("-d").arg(&kernel.root).args(["-S", &kernel.release]);
        // What this machine has configured for its own modules does not matter here.
        show.args(["-C", "/dev/null"]);
        // This fails where the kernel does not have the module.
        let output = show
            .args(["--show-depends", module])
            .output()
            .with_context(|| process::cannot_start(&show))?;
        for file in files_in(&String::from_utf8_lossy(&output.stdout)) {
            if !files.contains(&file) {
                files.push(file);
            }
        }
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
    fn what_is_built_in_is_not_loaded() {
        let depends = "builtin ipv6\ninsmod /r/lib/modules/6.1/nfnetlink.ko \n\
            insmod /r/lib/modules/6.1/nf_tables.ko.xz\n";
        let files = ["/r/lib/modules/6.1/nfnetlink.ko", "/r/lib/modules/6.1/nf_tables.ko.xz"];
        assert_eq!(files_in(depends), files.map(PathBuf::from));
    }
}

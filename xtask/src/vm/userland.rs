//! The programs of this machine that the guest gets, and the libraries that they need.

use super::{cpio::Archive, host};
use crate::process;
use anyhow::{Context as _, Result};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The programs that the tests start, and the packages that have them.
pub const PROGRAMS: &[(&str, &str)] = &[
    ("bash", "bash"),
    ("bpftool", "bpftool"),
    ("cat", "coreutils"),
    ("head", "coreutils"),
    ("ip", "iproute2"),
    ("modprobe", "kmod"),
    ("mount", "mount"),
    ("nft", "nftables"),
    ("nstat", "iproute2"),
    ("prlimit", "util-linux"),
    ("rmmod", "kmod"),
    ("setpriv", "util-linux"),
    ("sh", "dash"),
    ("sleep", "coreutils"),
    ("ss", "iproute2"),
    ("sysctl", "procps"),
    ("tc", "iproute2"),
    ("unshare", "util-linux"),
];

/// Adds the programs, and the files in which they look something up.
pub fn add_programs(archive: &mut Archive) -> Result<Vec<PathBuf>> {
    let mut programs = Vec::new();
    for (name, _) in PROGRAMS {
        let program = host::find(name).with_context(|| format!("{name} is not installed"))?;
        add_file(archive, &program, &Path::new("/usr/bin").join(name))?;
        programs.push(program);
    }
    // Scripts and libc expect it there.
    archive.link(Path::new("/bin/sh"), "/usr/bin/sh")?;
    // Where `ip netns` looks.
    archive.link(Path::new("/var/run"), "/run")?;
    archive.file(Path::new("/etc/passwd"), b"root:x:0:0::/:/bin/sh\n")?;
    archive.file(Path::new("/etc/group"), b"root:x:0:\n")?;
    archive.file(Path::new("/etc/hosts"), b"127.0.0.1 localhost\n::1 localhost\n")?;
    Ok(programs)
}

/// Adds the libraries that these programs need, at the places where the loader looks for them.
pub fn add_libraries(archive: &mut Archive, programs: &[PathBuf]) -> Result<()> {
    let mut libraries = BTreeSet::new();
    for program in programs {
        libraries.extend(libraries_in(&process::output(host::command("ldd")?.arg(program))?));
    }
    for library in &libraries {
        add_file(archive, library, library)?;
    }
    Ok(())
}

/// Adds a file of this machine.
pub fn add_file(archive: &mut Archive, from: &Path, to: &Path) -> Result<()> {
    let data = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    archive.file(to, &data)
}

/// Lines `libc.so.6 => /lib/libc.so.6 (0x…)`; for the loader `/lib64/ld-linux.so.2 (0x…)`.
fn libraries_in(ldd: &str) -> Vec<PathBuf> {
    ldd.lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(PathBuf::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found() {
        let ldd = "\tlinux-vdso.so.1 (0x00007ffd)\n\
            \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f3a)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f3b)\n";
        let libraries = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(libraries_in(ldd), libraries.map(PathBuf::from));
        assert!(libraries_in("\tstatically linked\n").is_empty());
    }
}

//! The texts that a Debian package has about itself.

use super::deb::PACKAGE;

/// Who answers for the package, which has to be an address. There is none at which somebody could
/// be reached, and the domain says so: it is reserved for that (RFC 2606).
const MAINTAINER: &str = "The dropwatch authors <authors@dropwatch.invalid>";

/// DEBIAN/control.
///
/// There is another package with the program /usr/bin/dropwatch. It is another tool, which this one
/// does not stand for: so `Conflicts`, at which `dpkg -i` refuses and apt asks, and no `Replaces`,
/// with which dpkg would remove the other unasked.
pub fn control(version: &str, installed_size: u64) -> String {
    format!(
        "Package: {PACKAGE}\n\
         Version: {version}\n\
         Architecture: amd64\n\
         Maintainer: {MAINTAINER}\n\
         Installed-Size: {installed_size}\n\
         Conflicts: dropwatch\n\
         Section: net\n\
         Priority: optional\n\
         Description: tells why the Linux kernel is dropping packets\n\
         \x20A BPF program describes every packet that the kernel drops: the reason, the\n\
         \x20function, the packet, the device, the network namespace and the process that\n\
         \x20suffers. They are filtered and counted in the kernel, streamed, shown in a live\n\
         \x20table, or written for other tools; what a reason means is explained.\n\
         \x20.\n\
         \x20It needs Linux 5.17 or later, and no other package.\n"
    )
}

/// What files of these bytes take on disk, in KiB, as Debian's policy counts it.
pub fn installed_size(files: impl Iterator<Item = u64>) -> u64 {
    files.map(|bytes| bytes.div_ceil(1024)).sum()
}

/// The changelog in Debian's format; `date` as in a letter.
pub fn changelog(version: &str, date: &str) -> String {
    format!(
        "{PACKAGE} ({version}) unstable; urgency=medium\n\n  * dropwatch {version}: see \
         CHANGELOG.md.gz.\n\n -- {MAINTAINER}  {date}\n"
    )
}

/// The copyright file, in the format that programs read.
pub fn copyright(mit: &str) -> String {
    let mit: String = mit
        .lines()
        .skip_while(|line| !line.starts_with("Permission"))
        .map(|line| if line.is_empty() { " .\n".to_owned() } else { format!(" {line}\n") })
        .collect();
    format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: dropwatch\n\
         Comment: What the program has in it of others, with their licences, is listed in\n \
         THIRD-PARTY.txt.gz beside this file.\n\n\
         Files: *\n\
         Copyright: 2026 The dropwatch authors\n\
         License: Expat or Apache-2.0\n\n\
         Files: dropwatch-ebpf/*\n\
         Copyright: 2026 The dropwatch authors\n\
         License: Expat or GPL-2\n\n\
         License: Expat\n{mit}\n\
         License: Apache-2.0\n \
         On Debian systems, the text of the Apache License, Version 2.0, is in\n \
         /usr/share/common-licenses/Apache-2.0.\n\n\
         License: GPL-2\n \
         On Debian systems, the text of the GNU General Public License, version 2, is in\n \
         /usr/share/common-licenses/GPL-2.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_take_whole_kibibytes() {
        assert_eq!(installed_size([0, 1, 1024, 1025].into_iter()), 1 + 1 + 2);
    }

    #[test]
    fn the_control_file_has_a_field_a_line() {
        let control = control("1.2.3", 7000);
        for field in ["Package: dropwatch-bpf", "Version: 1.2.3", "Installed-Size: 7000"] {
            assert!(control.lines().any(|line| line == field), "{control}");
        }
        for line in control.lines() {
            assert!(line.starts_with(' ') || line.contains(": "), "{line:?}");
            assert!(line.len() <= 80, "{line:?}");
        }
        assert!(!control.contains("Depends"), "{control}");
    }

    #[test]
    fn licences_are_indented_and_have_no_empty_lines() {
        let text = copyright("MIT License\n\nCopyright X\n\nPermission is\n\nTHE SOFTWARE\n");
        assert!(text.contains("License: Expat\n Permission is\n .\n THE SOFTWARE\n\n"), "{text}");
    }
}

//! Whether functions have names, and stacks lines of source.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::rights;
use crate::{doctor::Finding, kernel::release, preflight};

/// Where the kernel with its debug information may be, before its version.
const DEBUG_INFO: [&str; 2] = ["/boot/vmlinux-", "/usr/lib/debug/boot/vmlinux-"];
/// Where some distributions put it, and dropwatch does not look.
const ELSEWHERE: &str = "/usr/lib/debug/lib/modules";

/// Checks both.
pub fn examine() -> [Finding; 2] {
    let restriction = fs::read_to_string("/proc/sys/kernel/kptr_restrict").unwrap_or_default();
    let has_file = Path::new("/proc/kallsyms").exists();
    let visible = preflight::addresses_visible();
    [
        symbols(visible, has_file, restriction.trim(), rights::has_syslog()),
        debug_info(&release(), Path::exists),
    ]
}

fn symbols(visible: bool, has_file: bool, restriction: &str, has_syslog: bool) -> Finding {
    const NAME: &str = "symbols";
    if visible {
        return Finding::fine(NAME, "the kernel shows its addresses, so functions have names");
    }
    if !has_file {
        return Finding::warning(
            NAME,
            "the kernel has no symbols, so functions are shown as numbers",
            "run a kernel that was built with CONFIG_KALLSYMS",
        );
    }
    let remedy = match (restriction, has_syslog) {
        ("2", _) => "sysctl kernel.kptr_restrict=1, and run dropwatch with CAP_SYSLOG",
        (_, false) => "run dropwatch with CAP_SYSLOG, through sudo or as root",
        // The capability does not count there, since it is not the host's.
        (_, true) => "run dropwatch on the host, and not in a user namespace or a container",
    };
    let detail = format!(
        "the kernel hides its addresses here (kernel.kptr_restrict is {restriction}), so functions are shown as \
         numbers, and neither --function nor the tags of places work"
    );
    Finding::warning(NAME, detail, remedy)
}

fn debug_info(release: &str, exists: impl Fn(&Path) -> bool) -> Finding {
    const NAME: &str = "debug information";
    let place = DEBUG_INFO.map(|before| PathBuf::from(format!("{before}{release}")));
    if let Some(file) = place.iter().find(|file| exists(file)) {
        return Finding::fine(
            NAME,
            format!("stacks have lines of source, from {}", file.display()),
        );
    }
    let other = PathBuf::from(format!("{ELSEWHERE}/{release}/vmlinux"));
    let remedy = if exists(&other) {
        format!("ln -s {} {}", other.display(), place[1].display())
    } else {
        format!(
            "install the kernel's debug information, if you want it: linux-image-{release}-dbg on Debian, \
             linux-image-{release}-dbgsym on Ubuntu, `dnf debuginfo-install kernel` on Fedora"
        )
    };
    Finding::note(
        NAME,
        "none, so stacks have neither lines of source nor inlined functions",
        remedy,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn hidden_addresses_have_their_remedy() {
        assert_eq!(symbols(true, true, "1", true).state, State::Fine);
        for (restriction, has_syslog, remedy) in [
            ("2", true, "kptr_restrict=1"),
            ("1", false, "CAP_SYSLOG"),
            ("0", false, "CAP_SYSLOG"),
            ("1", true, "on the host"),
            ("0", true, "on the host"),
        ] {
            let finding = symbols(false, true, restriction, has_syslog);
            assert_eq!(finding.state, State::Warning);
            assert!(finding.remedy.is_some_and(|text| text.contains(remedy)), "{restriction}");
        }
        let finding = symbols(false, false, "", true);
        assert!(finding.remedy.is_some_and(|text| text.contains("CONFIG_KALLSYMS")));
    }

    #[test]
    fn debug_information_is_looked_for_where_it_is_read() {
        let at = |file: &'static str| debug_info("6.1", move |path| path == Path::new(file));
        assert_eq!(at("/usr/lib/debug/boot/vmlinux-6.1").state, State::Fine);
        let elsewhere = at("/usr/lib/debug/lib/modules/6.1/vmlinux");
        assert_eq!(elsewhere.state, State::Note);
        let remedy = elsewhere.remedy.unwrap_or_default();
        assert!(
            remedy.starts_with("ln -s /usr/lib/debug/lib/modules/6.1/vmlinux /usr"),
            "{remedy}"
        );
        assert!(at("/nowhere").remedy.is_some_and(|text| text.contains("linux-image-6.1-dbg")));
    }
}

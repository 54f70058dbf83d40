//! `dropwatch list-reasons`, compared with what bpftool reads from the same BTF.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use dropwatch_tests::{
    Launch, Reasons, Row, TempDir, dropwatch,
    listing::{check, list},
    need,
};

const KERNEL: &str = "/sys/kernel/btf/vmlinux";
/// Names a folder with the BTF of more kernels, each in a folder of its own: `vmlinux`, and
/// modules besides it.
const MORE_KERNELS: &str = "DROPWATCH_BTFS";
/// A user and a group with no rights.
const NOBODY: &str = "65534";

fn rows(reasons: &Reasons, wanted: impl Fn(&Row) -> bool) -> Vec<Row> {
    reasons.rows().filter(|row| wanted(row)).cloned().collect()
}

#[test]
fn this_kernels_reasons() -> Result<()> {
    need!(Program("bpftool"), Path(KERNEL), Reasons);
    let expected = rows(Reasons::of_kernel()?, |_| true);
    assert!(expected.len() > 50, "the kernel has few reasons: {expected:?}");
    check(&[], &expected)
}

#[test]
fn markers_are_no_reasons() -> Result<()> {
    need!(Path(KERNEL), Reasons);
    let text = list(&[])?.stdout();
    for marker in ["MAX", "SUBSYS_MASK", "NOT_DROPPED_YET", "CONSUMED", "SUBSYS_NUM"] {
        let listed = |line: &str| {
            line.split_whitespace()
                .any(|word| word.ends_with(&format!("_{marker}")) || word == marker)
        };
        assert!(!text.lines().any(listed), "{marker} is listed");
    }
    Ok(())
}

#[test]
fn nobody_needs_rights_for_it() -> Result<()> {
    need!(Root, Program("setpriv"), Reasons);
    // The build may be in a folder that only root can enter.
    let folder = TempDir::new()?;
    let copy = folder.join("dropwatch");
    fs::copy(dropwatch(), &copy)?;
    for path in [folder.path(), &copy] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    let unprivileged =
        ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--no-new-privs"];
    let listed = Launch::new(&["list-reasons"]).binary(&copy).through(&unprivileged).run()?;
    assert!(listed.status.success(), "{}", listed.stderr());
    assert_eq!(listed.stdout(), list(&[])?.stdout());

    let traced = Launch::new::<&str>(&[]).binary(&copy).through(&unprivileged).run()?;
    assert!(!traced.status.success(), "these rights suffice for more than listing");
    Ok(())
}

#[test]
fn patterns() -> Result<()> {
    need!(Program("bpftool"), Path(KERNEL), Reasons);
    let reasons = Reasons::of_kernel()?;
    let number = reasons.number("NO_SOCKET").context("every kernel has NO_SOCKET")?;
    let no_socket = rows(reasons, |row| row.number == number);
    for pattern in [
        "NO_SOCKET",
        "no_socket",
        "SKB_DROP_REASON_NO_SOCKET",
        &number.to_string(),
        &format!("{number:#x}"),
    ] {
        check(&[pattern], &no_socket)?;
    }
    // A glob stands for the whole name, a word for any part of it.
    let tcp = rows(reasons, |row| row.name.starts_with("TCP_"));
    let sock = rows(reasons, |row| row.name.contains("SOCK"));
    let core = rows(reasons, |row| row.subsystem == "core");
    assert!(tcp.len() > 5 && sock.len() > 2 && core.len() > 50);
    check(&["TCP_*"], &tcp)?;
    check(&["tcp_*"], &tcp)?;
    check(&["sock"], &sock)?;
    check(&["core/*"], &core)?;
    check(
        &["core/tcp_*"],
        &rows(reasons, |row| row.subsystem == "core" && row.name.starts_with("TCP_")),
    )
}

#[test]
fn a_pattern_without_a_match_is_an_error() -> Result<()> {
    need!(Path(KERNEL), Reasons);
    let finished = Launch::new(&["list-reasons", "NO_SUCH_REASON"]).run()?;
    assert!(!finished.status.success());
    assert_eq!(finished.stdout(), "");
    assert!(finished.stderr().contains("NO_SUCH_REASON"), "{}", finished.stderr());
    Ok(())
}

#[test]
fn another_file_with_btf() -> Result<()> {
    need!(Program("bpftool"), Path(KERNEL), Reasons);
    let folder = TempDir::new()?;
    let copy = folder.join("kernel.btf");
    fs::copy(KERNEL, &copy)?;
    let expected = Reasons::of_files(&copy, &[])?;
    check(&["--btf", &copy.to_string_lossy()], &rows(&expected, |_| true))?;

    let Some(more) = env::var_os(MORE_KERNELS) else { return Ok(()) };
    for kernel in files_in(Path::new(&more))?.iter().filter(|path| path.is_dir()) {
        let base = kernel.join("vmlinux");
        let modules: Vec<_> = files_in(kernel)?.into_iter().filter(|path| *path != base).collect();
        let expected =
            Reasons::of_files(&base, &modules.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
        let files = [vec![base], modules].concat();
        let args: Vec<_> =
            files.iter().flat_map(|file| ["--btf".into(), file.to_string_lossy()]).collect();
        let args: Vec<_> = args.iter().map(|arg| arg.as_ref()).collect();
        check(&args, &rows(&expected, |_| true)).with_context(|| kernel.display().to_string())?;
    }
    Ok(())
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

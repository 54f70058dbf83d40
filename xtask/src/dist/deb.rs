//! The Debian package. It has no dependencies, so it fits every release.

use super::{
    debian,
    staging::{Contents, Staging},
};
use crate::{
    pages::{self, Page},
    process,
};
use anyhow::{Context as _, Result, anyhow, ensure};
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

/// The package's name: Debian has another one that is called dropwatch.
pub const PACKAGE: &str = "dropwatch-bpf";

/// Where Debian's zsh looks for completions of packages.
const ZSH: &str = "share/zsh/vendor-completions/_dropwatch";

/// Makes the package in this folder. The same contents give the same bytes.
pub fn make(contents: &Contents, dir: &Path) -> Result<PathBuf> {
    let files = files(contents)?;
    let staging = Staging::start(dir.join("deb"))?;
    for (path, mode, bytes) in &files {
        staging.put(path, *mode, bytes)?;
    }
    let sizes = files.iter().map(|(_, _, bytes)| bytes.len() as u64);
    let control = debian::control(&contents.version, debian::installed_size(sizes));
    staging.put("DEBIAN/control", 0o644, control.as_bytes())?;
    let sums = md5sums(&staging.root, files.iter().map(|(path, ..)| path.as_path()))?;
    staging.put("DEBIAN/md5sums", 0o644, sums.as_bytes())?;

    let deb = dir.join(format!("{PACKAGE}_{}_amd64.deb", contents.version));
    let mut build = Command::new("dpkg-deb");
    build
        // Files that are newer get this time, and all are.
        .env("SOURCE_DATE_EPOCH", contents.time.to_string())
        // Older dpkg cannot unpack what newer would compress by zstd.
        .args(["--root-owner-group", "-Zxz", "--build"])
        .args([&staging.root, &deb])
        .stdout(Stdio::null());
    process::run(&mut build)?;
    Ok(deb)
}

/// What is in it: path without the leading slash, mode and contents.
fn files(contents: &Contents) -> Result<Vec<(PathBuf, u32, Vec<u8>)>> {
    let binary = fs::read(&contents.binary)
        .with_context(|| format!("cannot read {}", contents.binary.display()))?;
    let mut files = vec![(PathBuf::from("usr/bin/dropwatch"), 0o755, binary)];
    for page in &contents.pages {
        files.push(place(page)?);
    }
    let doc = Path::new("usr/share/doc").join(PACKAGE);
    let changelog = debian::changelog(&contents.version, &date(contents.time)?);
    files.push((doc.join("changelog.gz"), 0o644, gzip(changelog.as_bytes())?));
    let mit = contents.documents.iter().find(|(name, _)| name == "LICENSE-MIT");
    let (_, mit) = mit.context("there is no LICENSE-MIT")?;
    let copyright = debian::copyright(&String::from_utf8_lossy(mit));
    files.push((doc.join("copyright"), 0o644, copyright.into_bytes()));
    // The file above has the licences, or tells where Debian has them.
    let others = contents.documents.iter().filter(|(name, _)| !name.starts_with("LICENSE"));
    for (name, text) in others {
        files.push((doc.join(format!("{name}.gz")), 0o644, gzip(text)?));
    }
    Ok(files)
}

/// Where a page goes in a Debian system, and how.
fn place(page: &Page) -> Result<(PathBuf, u32, Vec<u8>)> {
    let path = if page.path == Path::new(pages::ZSH) { Path::new(ZSH) } else { &page.path };
    let path = Path::new("usr").join(path);
    if page.path.starts_with(pages::MAN) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        return Ok((path.with_file_name(format!("{name}.gz")), 0o644, gzip(&page.text)?));
    }
    Ok((path, 0o644, page.text.clone()))
}

/// A time as in a letter.
fn date(time: u64) -> Result<String> {
    let mut date = Command::new("date");
    date.args(["--utc", "--rfc-email", &format!("--date=@{time}")]).env("LC_ALL", "C");
    Ok(process::output(&mut date)?.trim().to_owned())
}

/// Compresses without a time.
fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut child = Command::new("gzip")
        .args(["--no-name", "--best", "--stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start gzip")?;
    let mut input = child.stdin.take().context("gzip has no standard input")?;
    // Written beside the reading: each waits for the other once a pipe is full.
    let (written, output) = thread::scope(|scope| {
        let writer = scope.spawn(move || input.write_all(bytes));
        let output = child.wait_with_output();
        (writer.join(), output)
    });
    written.map_err(|_| anyhow!("writing to gzip panicked"))?.context("cannot write to gzip")?;
    let output = output.context("cannot read from gzip")?;
    ensure!(output.status.success(), "gzip failed ({})", output.status);
    Ok(output.stdout)
}

fn md5sums<'a>(root: &Path, paths: impl Iterator<Item = &'a Path>) -> Result<String> {
    process::output(Command::new("md5sum").arg("--").args(paths).current_dir(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_where_debian_has_them() -> Result<()> {
        let page = |path: &str| Page { path: path.into(), text: b"text\n".to_vec() };
        let (path, _, text) = place(&page("share/man/man1/dropwatch-top.1"))?;
        assert_eq!(path, Path::new("usr/share/man/man1/dropwatch-top.1.gz"));
        assert_eq!(text.get(..2), Some(&[0x1f, 0x8b][..]));
        let (path, ..) = place(&page(pages::ZSH))?;
        assert_eq!(path, Path::new("usr/share/zsh/vendor-completions/_dropwatch"));
        Ok(())
    }

    #[test]
    fn what_is_compressed_has_neither_name_nor_time() -> Result<()> {
        let packed = gzip(&vec![b'a'; 1 << 20])?;
        // Flags and time, bytes 3 to 7 of RFC 1952.
        assert_eq!(packed.get(3..8), Some(&[0; 5][..]));
        Ok(())
    }
}

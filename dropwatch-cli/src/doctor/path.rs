//! Whether `dropwatch` starts this program: distributions have another one of that name.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::doctor::Finding;

const PROGRAM: &str = "dropwatch";
/// Where sudo looks on the usual distributions, whatever the user's PATH is.
const SECURE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Looks for programs of that name.
pub fn examine() -> Finding {
    let own = env::current_exe().and_then(|path| path.canonicalize()).unwrap_or_default();
    let path = env::var_os("PATH").unwrap_or_default();
    let real = |file: &Path| file.is_file().then(|| file.canonicalize().ok()).flatten();
    compare(&own, &found(env::split_paths(&path), real), &found(secure_path(), real))
}

fn secure_path() -> impl Iterator<Item = PathBuf> {
    SECURE_PATH.split(':').map(PathBuf::from)
}

/// The programs of that name in these folders, in order, and where their links lead.
fn found(
    folders: impl Iterator<Item = PathBuf>,
    real: impl Fn(&Path) -> Option<PathBuf>,
) -> Vec<(PathBuf, PathBuf)> {
    let candidates = folders.map(|folder| folder.join(PROGRAM));
    candidates.filter_map(|file| real(&file).map(|target| (file, target))).collect()
}

/// Whether the first on either way is this program, whose file is `own`.
fn compare(own: &Path, here: &[(PathBuf, PathBuf)], sudo: &[(PathBuf, PathBuf)]) -> Finding {
    const NAME: &str = "PATH";
    for (way, programs) in [("dropwatch", here), ("sudo dropwatch", sudo)] {
        if let Some((file, target)) = programs.first()
            && target != own
        {
            return Finding::warning(
                NAME,
                format!("`{way}` starts another program, {}, and not this one", file.display()),
                format!(
                    "start this one as {}, or remove the other (see `dpkg -S {1}` or `rpm -qf {1}`)",
                    own.display(),
                    file.display()
                ),
            );
        }
    }
    match here.iter().chain(sudo).find(|(_, target)| target != own) {
        Some((file, _)) => Finding::fine(
            NAME,
            format!("`dropwatch` is this program; the other one is {}", file.display()),
        ),
        None => Finding::fine(NAME, "there is no other program of that name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    fn at(files: &[&str]) -> Vec<(PathBuf, PathBuf)> {
        files.iter().map(|file| (PathBuf::from(file), PathBuf::from(file))).collect()
    }

    #[test]
    fn another_that_comes_first_is_told() {
        let (own, other) = ("/usr/local/bin/dropwatch", "/usr/sbin/dropwatch");
        let compare = |here: &[&str], sudo: &[&str]| compare(Path::new(own), &at(here), &at(sudo));
        assert_eq!(compare(&[own], &[own]).state, State::Fine);
        assert_eq!(compare(&[], &[]).state, State::Fine);
        let second = compare(&[own, other], &[own, other]);
        assert!(second.state == State::Fine && second.detail.contains(other), "{second:?}");
        let first = compare(&[other, own], &[own, other]);
        assert!(first.state == State::Warning && first.detail.contains(other), "{first:?}");
        let through_sudo = compare(&[own], &[other, own]);
        assert!(through_sudo.detail.contains("`sudo dropwatch`"), "{through_sudo:?}");
        // A link to this program is this program.
        let link = [(PathBuf::from("/usr/bin/dropwatch"), PathBuf::from(own))];
        assert_eq!(super::compare(Path::new(own), &link, &link).state, State::Fine);
    }
}

//! What goes with a binary: the licences of all that is in it.

use super::TARGET;
use crate::{process, project::Project};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Files of the checkout, and what they are called in a package.
const FILES: &[(&str, &str)] = &[
    ("README.md", "README.md"),
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("dropwatch-ebpf/LICENSE-GPL2", "LICENSE-GPL2"),
];

/// The list of what others wrote.
const THIRD_PARTY: &str = "THIRD-PARTY.txt";

/// How licences are called in a package of Rust code.
const LICENCE_NAMES: &[&str] =
    &["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// A package that is linked into the program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    licence: String,
    folder: PathBuf,
}

/// What is to be read, and the licences: names and texts.
pub fn documents(project: &Project) -> Result<Vec<(String, Vec<u8>)>> {
    let mut documents = FILES
        .iter()
        .map(|(path, name)| {
            let path = project.root.join(path);
            let text =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok(((*name).to_owned(), text))
        })
        .collect::<Result<Vec<_>>>()?;
    documents.push((THIRD_PARTY.to_owned(), third_party(project)?.into_bytes()));
    Ok(documents)
}

fn third_party(project: &Project) -> Result<String> {
    let mut metadata = project.cargo();
    metadata.args(["metadata", "--locked", "--format-version=1", "--filter-platform", TARGET]);
    let metadata = serde_json::from_str(&process::output(&mut metadata)?)
        .context("cargo metadata gave no JSON")?;
    let packages = linked(&metadata, "dropwatch-cli")?;
    let libc = process::output(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in &packages {
        for text in licence_files(&package.folder)? {
            texts.entry(text).or_default().push(format!("{} {}", package.name, package.version));
        }
    }
    Ok(list(&packages, libc.trim(), &texts))
}

/// The packages from registries that are linked into a package of the workspace, sorted. Those that
/// only run while it is compiled are left out.
fn linked(metadata: &Value, root: &str) -> Result<BTreeSet<Package>> {
    let array = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages: BTreeMap<String, Value> = array(&metadata["packages"])
        .into_iter()
        .map(|package| (text(&package["id"]), package))
        .collect();
    let nodes: BTreeMap<String, Value> = array(&metadata["resolve"]["nodes"])
        .into_iter()
        .map(|node| (text(&node["id"]), node))
        .collect();
    let root = packages
        .values()
        .find(|package| package["name"] == root && package["source"].is_null())
        .with_context(|| format!("cargo metadata has no package {root}"))?;
    let mut open = vec![text(&root["id"])];
    let mut seen = BTreeSet::new();
    let mut found = BTreeSet::new();
    while let Some(id) = open.pop() {
        let Some(package) = packages.get(&id).filter(|_| seen.insert(id.clone())) else { continue };
        let kinds =
            array(&package["targets"]).into_iter().flat_map(|target| array(&target["kind"]));
        if kinds.into_iter().any(|kind| kind == "proc-macro") {
            continue;
        }
        if !package["source"].is_null() {
            let manifest = PathBuf::from(text(&package["manifest_path"]));
            found.insert(Package {
                name: text(&package["name"]),
                version: text(&package["version"]),
                licence: text(&package["license"]),
                folder: manifest.parent().unwrap_or(Path::new("")).to_owned(),
            });
        }
        let normal = |dependency: &Value| {
            array(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null())
        };
        let dependencies = nodes.get(&id).map(|node| array(&node["deps"])).unwrap_or_default();
        open.extend(dependencies.iter().filter(|dep| normal(dep)).map(|dep| text(&dep["pkg"])));
    }
    Ok(found)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The texts of the licences in a package's folder, by the names of the files.
fn licence_files(folder: &Path) -> Result<Vec<String>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_file() && LICENCE_NAMES.iter().any(|licence| name.starts_with(licence)) {
            files.push(path);
        }
    }
    files.sort();
    let read = |path: &PathBuf| {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).trim_end().replace("\r\n", "\n"))
    };
    files.iter().map(read).collect()
}

/// The list; each text stands there once, with those who use it.
fn list(packages: &BTreeSet<Package>, libc: &str, texts: &BTreeMap<String, Vec<String>>) -> String {
    let mut list = format!(
        "What others wrote and this program has in it\n\n\
         dropwatch itself is MIT or Apache-2.0, its BPF program MIT or GPL-2.0-only, at your choice:\n\
         see LICENSE-MIT, LICENSE-APACHE and LICENSE-GPL2.\n\n\
         Two parts are under the GNU Lesser General Public License, version 2.1 or later: the GNU C\n\
         library ({libc}) and btf-rs. You may exchange either and link the program anew: dropwatch's\n\
         sources are all it takes, with `cargo build --release`; those of btf-rs, and of inferno,\n\
         which is under the CDDL, are at https://crates.io, those of the C library at\n\
         https://www.gnu.org/software/libc/.\n\n\
         The packages of Rust code; the standard library of Rust, https://www.rust-lang.org, is MIT\n\
         or Apache-2.0 too:\n\n"
    );
    for Package { name, version, licence, .. } in packages {
        // Writing to memory does not fail.
        let _ = writeln!(list, "  {name} {version}: {licence}");
    }
    for (text, users) in texts {
        let line = "=".repeat(80);
        let _ = write!(list, "\n{line}\n{}\n{line}\n\n{text}\n", users.join(", "));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(name: &str, source: Option<&str>, kind: &str) -> Value {
        json!({"id": name, "name": name, "version": "1.0.0", "license": "MIT", "source": source,
            "manifest_path": format!("/{name}/Cargo.toml"), "targets": [{"kind": [kind]}]})
    }

    fn node(name: &str, deps: &[(&str, Option<&str>)]) -> Value {
        let dep = |(name, kind): &(&str, Option<&str>)| json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        json!({"id": name, "deps": deps.iter().map(dep).collect::<Vec<_>>()})
    }

    #[test]
    fn only_what_is_linked_is_listed() -> Result<()> {
        let registry = Some("registry");
        let metadata = json!({
            "packages": [
                package("tool", None, "bin"), package("common", None, "lib"),
                package("used", registry, "lib"), package("below", registry, "lib"),
                package("macro", registry, "proc-macro"), package("in-macro", registry, "lib"),
                package("for-tests", registry, "lib"),
            ],
            "resolve": {"nodes": [
                node("tool", &[("common", None), ("macro", None), ("for-tests", Some("dev"))]),
                node("common", &[("used", None)]), node("used", &[("below", None)]),
                node("macro", &[("in-macro", None)]),
            ]},
        });
        let names: Vec<_> =
            linked(&metadata, "tool")?.into_iter().map(|linked| linked.name).collect();
        assert_eq!(names, ["below", "used"]);
        assert!(linked(&metadata, "used").is_err());
        Ok(())
    }

    #[test]
    fn a_text_stands_there_once() {
        let texts = BTreeMap::from([("Be kind.".to_owned(), vec!["a 1".into(), "b 2".into()])]);
        let list = list(&BTreeSet::new(), "glibc 2.36", &texts);
        assert_eq!(list.matches("Be kind.").count(), 1);
        assert!(list.contains("\na 1, b 2\n") && list.contains("glibc 2.36"), "{list}");
    }
}

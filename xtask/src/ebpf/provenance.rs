//! What an object is made of and with. The object carries it in a section of its own.

use super::object;
use anyhow::{Context as _, Result};
use std::fmt;

/// The section's name.
pub const SECTION: &str = ".dropwatch.build";

/// What an object is made of and with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The hash over the sources.
    pub sources: String,
    /// The first line of `rustc -vV`.
    pub rustc: String,
    /// The version of LLVM.
    pub llvm: String,
    /// What `bpf-linker --version` prints.
    pub linker: String,
}

impl Provenance {
    /// Reads what the object says about itself.
    pub fn of(object: &[u8]) -> Result<Self> {
        let text = object::section(object, SECTION)?.with_context(|| {
            format!(
                "the BPF object has no section {SECTION}, so nobody knows what it is made of; \
                 run `cargo xtask ebpf build`"
            )
        })?;
        Self::parse(&String::from_utf8_lossy(text))
    }

    fn parse(text: &str) -> Result<Self> {
        let field = |name: &str| {
            text.lines()
                .filter_map(|line| line.split_once(" = "))
                .find_map(|(key, value)| (key == name).then(|| value.to_owned()))
                .with_context(|| {
                    format!(
                        "section {SECTION} of the BPF object has no line `{name} = …`; \
                         run `cargo xtask ebpf build`"
                    )
                })
        };
        Ok(Self {
            sources: field("sources")?,
            rustc: field("rustc")?,
            llvm: field("llvm")?,
            linker: field("linker")?,
        })
    }

    /// Whether both are made with the same tools, so that the same sources give the same bytes.
    pub fn has_tools_of(&self, other: &Self) -> bool {
        self.tools() == other.tools()
    }

    /// The tools, for messages.
    pub fn tools(&self) -> String {
        format!("{}, LLVM {}, {}", self.rustc, self.llvm, self.linker)
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sources = {}", self.sources)?;
        writeln!(f, "rustc = {}", self.rustc)?;
        writeln!(f, "llvm = {}", self.llvm)?;
        writeln!(f, "linker = {}", self.linker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() -> Result<()> {
        let provenance = Provenance {
            sources: "sha256:12".into(),
            rustc: "rustc 1.96.0 (a = b)".into(),
            llvm: "22.1.8".into(),
            linker: "bpf-linker 0.10.3".into(),
        };
        assert_eq!(Provenance::parse(&provenance.to_string())?, provenance);
        Ok(())
    }

    #[test]
    fn a_missing_line_is_named() {
        let parsed = Provenance::parse("sources = sha256:12\n");
        let error = parsed.expect_err("it names no compiler");
        assert!(error.to_string().contains("`rustc = …`"), "{error}");
    }
}

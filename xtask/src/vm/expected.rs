//! The tests that may be skipped on a kernel in continuous integration.

use super::kernels::Kernel;
use crate::{process::in_ci, project::Project, suite::skips};
use anyhow::Result;
use std::collections::BTreeMap;

/// Lines `<kernel>: <test name> — <reason>`, where `*` stands for all tests that are skipped for
/// just this reason; without them everything may be skipped.
#[derive(Debug)]
pub struct ExpectedSkips {
    text: Option<String>,
}

impl ExpectedSkips {
    /// The list, relative to the root.
    pub const FILE: &str = "tests/vm-expected-skips.txt";

    /// Reads the list where it matters.
    pub fn read(project: &Project) -> Result<Self> {
        let read = || skips::read_expected(&project.root.join(Self::FILE));
        Ok(Self { text: in_ci().then(read).transpose()? })
    }

    /// No list.
    #[cfg(test)]
    pub fn none() -> Self {
        Self { text: None }
    }

    /// Of the tests skipped on a kernel those that are not listed.
    pub fn unexpected<'a>(
        &self,
        kernel: Kernel,
        skipped: &'a BTreeMap<String, String>,
    ) -> Vec<&'a str> {
        let Some(text) = &self.text else { return Vec::new() };
        let listed: Vec<_> = skips::parse_expected(text)
            .filter_map(|(name, reason)| Some((name.split_once(": ")?, reason)))
            .filter(|((kernels, _), _)| kernel.is_meant_by(kernels.trim()))
            .map(|((_, test), reason)| (test.trim(), reason))
            .collect();
        let is_listed = |test: &str, why: &str| {
            listed.iter().any(|&(name, reason)| name == test || name == "*" && reason == why)
        };
        let unexpected = skipped.iter().filter(|(test, why)| !is_listed(test, why));
        unexpected.map(|(test, _)| test.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::kernels::Flavour, *};

    #[test]
    fn a_list_is_for_a_kernel() {
        let text = "# why\n*: a::x — no perf\n6.1: b::y — no reasons\n6.12-generic: c::z — w\n";
        let expected = ExpectedSkips { text: Some(text.to_owned()) };
        let skipped = ["a::x", "b::y", "c::z"].map(|test| (test.to_owned(), String::new()));
        let skipped = BTreeMap::from(skipped);
        for (series, flavour, unexpected) in [
            ("6.1", Flavour::Cloud, ["c::z"].as_slice()),
            ("6.12", Flavour::Cloud, &["b::y", "c::z"]),
            ("6.12", Flavour::Generic, &["b::y"]),
        ] {
            assert_eq!(expected.unexpected(Kernel { series, flavour }, &skipped), unexpected);
        }
        let all = ExpectedSkips { text: Some("5.10: * — no reasons\n".to_owned()) };
        let kernel = Kernel { series: "5.10", flavour: Flavour::Cloud };
        let skipped_there = [("a::x", "no reasons"), ("b::y", "no nft")];
        let skipped_there =
            skipped_there.map(|(test, reason)| (test.to_owned(), reason.to_owned()));
        assert_eq!(all.unexpected(kernel, &BTreeMap::from(skipped_there)), ["b::y"]);
        let kernel = Kernel { series: "6.1", flavour: Flavour::Cloud };
        assert_eq!(ExpectedSkips::none().unexpected(kernel, &skipped), [""; 0]);
    }
}

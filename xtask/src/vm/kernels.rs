//! The kernels on which dropwatch is tested.

use std::fmt;

/// One line a kernel: adding one is adding a line.
pub const KERNELS: &[Kernel] = &[
    Kernel { series: "5.10", flavour: Flavour::Cloud },
    Kernel { series: "6.1", flavour: Flavour::Cloud },
    Kernel { series: "6.12", flavour: Flavour::Cloud },
    // Of these flavours only this one has wireless networks, and so the reasons of mac80211.
    Kernel { series: "6.12", flavour: Flavour::Generic },
    Kernel { series: "6.18", flavour: Flavour::Cloud },
    Kernel { series: "7.2", flavour: Flavour::Cloud },
    Kernel { series: "7.3", flavour: Flavour::Cloud },
];

/// A series of which the newest version is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// Its first two numbers.
    pub series: &'static str,
    /// What it is built for.
    pub flavour: Flavour,
}

/// What a kernel is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Virtual machines: small, without most drivers.
    Cloud,
    /// Any machine.
    Generic,
}

impl Kernel {
    /// Whether a word on the command line, or in a list of expected skips, means this one: `*`,
    /// its series or its name.
    pub fn is_meant_by(self, word: &str) -> bool {
        word == "*" || word == self.series || word == self.to_string()
    }

    /// Of the names of packages, those to fetch for the newest version of this series.
    pub fn packages(self, names: &[&str]) -> Option<Vec<String>> {
        let releases = names.iter().filter_map(|name| self.release_in(name));
        let newest = releases.max_by_key(|release| numbers(release))?;
        // From 6.19 on the image is an empty package that depends on these two.
        let parts = ["linux-binary", "linux-modules"].map(|part| format!("{part}-{newest}"));
        let has = |name: &String| names.contains(&name.as_str());
        if has(&parts[0]) {
            parts.iter().all(has).then(|| parts.into())
        } else {
            Some(vec![format!("linux-image-{newest}")])
        }
    }

    /// `6.12.117+deb13-cloud-amd64` from `linux-image-6.12.117+deb13-cloud-amd64`.
    fn release_in(self, package: &str) -> Option<&str> {
        let release = package.strip_prefix("linux-image-")?;
        let version = release.strip_suffix(match self.flavour {
            Flavour::Cloud => "-cloud-amd64",
            Flavour::Generic => "-amd64",
        })?;
        let rest = version.strip_prefix(self.series)?.strip_prefix('.')?;
        // Other flavours have another word here.
        let is_version = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
        rest.split('-').all(is_version).then_some(release)
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flavour = match self.flavour {
            Flavour::Cloud => "cloud",
            Flavour::Generic => "generic",
        };
        write!(f, "{}-{flavour}", self.series)
    }
}

/// The numbers in a version, in the order in which versions are compared.
fn numbers(release: &str) -> Vec<u64> {
    release.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &[
        "linux-image-6.1-cloud-amd64",
        "linux-image-6.1.0-0.deb11.60-cloud-amd64",
        "linux-image-6.1.0-56-cloud-amd64",
        "linux-image-6.1.0-9-cloud-amd64",
        "linux-image-6.12.43+deb12-cloud-amd64",
        "linux-image-6.12.117+deb13-amd64",
        "linux-image-6.12.117+deb13-cloud-amd64",
        "linux-image-6.12.117+deb13-cloud-amd64-unsigned",
        "linux-image-6.12.200+deb13-rt-amd64",
        "linux-image-7.2.12+deb13-cloud-amd64",
        "linux-binary-7.2.12+deb13-cloud-amd64",
        "linux-modules-7.2.12+deb13-cloud-amd64",
        "linux-image-7.1.13+deb13-cloud-amd64",
        "linux-binary-7.1.13+deb13-cloud-amd64",
    ];

    fn packages(series: &'static str, flavour: Flavour) -> Option<String> {
        Kernel { series, flavour }.packages(NAMES).map(|packages| packages.join(" "))
    }

    #[test]
    fn the_newest_is_taken() {
        for (series, flavour, expected) in [
            ("6.1", Flavour::Cloud, "linux-image-6.1.0-56-cloud-amd64"),
            ("6.12", Flavour::Cloud, "linux-image-6.12.117+deb13-cloud-amd64"),
            ("6.12", Flavour::Generic, "linux-image-6.12.117+deb13-amd64"),
            (
                "7.2",
                Flavour::Cloud,
                "linux-binary-7.2.12+deb13-cloud-amd64 linux-modules-7.2.12+deb13-cloud-amd64",
            ),
        ] {
            assert_eq!(packages(series, flavour).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_series_may_be_gone() {
        assert_eq!(packages("6.9", Flavour::Cloud), None);
        // The modules went first.
        assert_eq!(packages("7.1", Flavour::Cloud), None);
    }

    #[test]
    fn kernels_are_named() {
        let kernel = Kernel { series: "6.12", flavour: Flavour::Generic };
        assert!(["*", "6.12", "6.12-generic"].iter().all(|word| kernel.is_meant_by(word)));
        assert!(!["6.1", "6.12-cloud", ""].iter().any(|word| kernel.is_meant_by(word)));
    }
}

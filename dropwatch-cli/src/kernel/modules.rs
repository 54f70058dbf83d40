//! The modules that are loaded, and which of them an address lies in.

use std::fs;

/// Loaded modules by the address at which their code begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modules(Vec<Module>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Module {
    base: u64,
    size: u64,
    name: String,
}

impl Modules {
    /// The modules loaded now; none where the kernel does not tell.
    pub fn loaded() -> Self {
        Self::parse(&fs::read_to_string("/proc/modules").unwrap_or_default())
    }

    /// Whether a module of this name is loaded; told even where addresses are hidden.
    pub fn is_loaded(name: &str) -> bool {
        let text = fs::read_to_string("/proc/modules").unwrap_or_default();
        text.lines().any(|line| line.split(' ').next() == Some(name))
    }

    /// Reads the lines of `/proc/modules`: name, size, users, their names, state, address.
    fn parse(text: &str) -> Self {
        let module = |line: &str| {
            let mut words = line.split(' ');
            let (name, size) = (words.next()?, words.next()?.parse().ok()?);
            let base = words.find_map(|word| word.strip_prefix("0x"))?;
            let base = u64::from_str_radix(base, 16).ok().filter(|&base| base != 0)?;
            Some(Module { base, size, name: name.to_owned() })
        };
        let mut modules: Vec<_> = text.lines().filter_map(module).collect();
        modules.sort_by_key(|module| module.base);
        Self(modules)
    }

    /// The module that this address of code lies in.
    ///
    /// A module's size is that of all its parts, but only its code begins at its base (since
    /// 6.4). So its end by size may reach beyond the next base, and the nearest base counts.
    pub fn containing(&self, address: u64) -> Option<&str> {
        let after = self.0.partition_point(|module| module.base <= address);
        let nearest = self.0.get(after.checked_sub(1)?)?;
        (address - nearest.base < nearest.size).then_some(nearest.name.as_str())
    }

    /// Whether this address is where the kernel puts modules: among those that are loaded, or not
    /// far behind. What lies there and in none of them was in one that is gone.
    pub fn are_around(&self, address: u64) -> bool {
        const BEHIND: u64 = 16 << 20;
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else { return false };
        let end = last.base.saturating_add(last.size).saturating_add(BEHIND);
        (first.base..end).contains(&address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
nf_tables 372736 3 nft_ct,nft_reject, Live 0xffffffffc0a10000
veth 45056 0 - Live 0xffffffffc0a00000 (OE)
hidden 16384 0 - Live 0x0000000000000000
nonsense
";

    #[test]
    fn an_address_belongs_to_the_nearest_base_below() {
        let modules = Modules::parse(TEXT);
        assert_eq!(modules.containing(0xffffffffc0a00000), Some("veth"));
        assert_eq!(modules.containing(0xffffffffc0a0afff), Some("veth"));
        assert_eq!(modules.containing(0xffffffffc0a10010), Some("nf_tables"));
        assert_eq!(modules.containing(0xffffffffc0a0b000), None);
        assert_eq!(modules.containing(0xffffffffc09fffff), None);
        assert_eq!(modules.containing(0xffffffffffffffff), None);
        assert_eq!(modules.containing(0), None);
        for (address, around) in [
            (0xffffffffc0a00000, true),
            (0xffffffffc0a0b000, true),
            (0xffffffffc0b00000, true),
            (0xffffffffc09fffff, false),
            (0xffffffffc2b00000, false),
            (0xffffffff81000000, false),
        ] {
            assert_eq!(modules.are_around(address), around, "{address:x}");
        }
        assert!(!Modules::default().are_around(0));
    }
}

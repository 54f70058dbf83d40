//! The capabilities that are needed to start, and the few that are kept after that.

use anyhow::{Context, Result};
use caps::{CapSet, Capability, CapsHashSet};

/// What is kept once the program is attached: CAP_BPF to read the maps, which kernels before
/// 5.19 ask for even though they are open, and CAP_SYSLOG to see the addresses of modules that
/// are loaded later.
const KEPT: [Capability; 2] = [Capability::CAP_BPF, Capability::CAP_SYSLOG];

/// What is missing to load the program. CAP_SYS_ADMIN stands for all: it included CAP_BPF and
/// CAP_PERFMON until Linux 5.8 split them off, and still does.
///
/// # Errors
/// When the kernel does not tell.
pub fn missing() -> Result<Vec<Capability>> {
    let effective = caps::read(None, CapSet::Effective).context("cannot read the capabilities")?;
    Ok(missing_of(&effective))
}

fn missing_of(effective: &CapsHashSet) -> Vec<Capability> {
    if effective.contains(&Capability::CAP_SYS_ADMIN) {
        return Vec::new();
    }
    let needed = [Capability::CAP_BPF, Capability::CAP_PERFMON];
    needed.into_iter().filter(|capability| !effective.contains(capability)).collect()
}

/// Whether the kernel's addresses may be seen, where it hides them from others.
///
/// # Errors
/// When the kernel does not tell.
pub fn may_see_addresses() -> Result<bool> {
    let effective = caps::read(None, CapSet::Effective).context("cannot read the capabilities")?;
    Ok(effective.contains(&Capability::CAP_SYSLOG))
}

/// Gives up all capabilities that reading what the program records does not need.
///
/// # Errors
/// When the kernel refuses, which it has no reason to.
pub fn drop_all_but_reading() -> Result<()> {
    let permitted = caps::read(None, CapSet::Permitted).context("cannot read the capabilities")?;
    let kept: CapsHashSet =
        permitted.into_iter().filter(|capability| KEPT.contains(capability)).collect();
    let nothing = CapsHashSet::new();
    // The effective set first: it may never hold what is not permitted.
    for (set, capabilities) in
        [(CapSet::Effective, &kept), (CapSet::Inheritable, &nothing), (CapSet::Permitted, &kept)]
    {
        caps::set(None, set, capabilities).context("cannot give up capabilities")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_are_named() {
        let missing = |effective: &[Capability]| missing_of(&effective.iter().copied().collect());
        assert!(missing(&[Capability::CAP_SYS_ADMIN]).is_empty());
        assert!(missing(&[Capability::CAP_BPF, Capability::CAP_PERFMON]).is_empty());
        assert_eq!(missing(&[Capability::CAP_BPF]), [Capability::CAP_PERFMON]);
        assert_eq!(missing(&[]), [Capability::CAP_BPF, Capability::CAP_PERFMON]);
        assert_eq!(Capability::CAP_BPF.to_string(), "CAP_BPF");
    }
}

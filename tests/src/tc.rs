//! Dropping packets in traffic control.

use anyhow::Result;

use crate::{Namespace, TempDir, bpf, command::output, mount, namespace::as_thread};

/// `TC_ACT_SHOT`: drop the packet.
const SHOT: u32 = 2;

/// Drops all packets that a device of the namespace receives (`ingress`) or sends (`egress`).
///
/// # Errors
/// When the kernel has no clsact or no BPF classifiers.
pub fn drop_all(namespace: &Namespace, device: &str, direction: &str) -> Result<()> {
    let folder = TempDir::new()?;
    as_thread("dwt-tc", || {
        // The mount is this thread's own and goes with it, and with the mount the pin. The
        // filter itself holds the program.
        mount::privately(c"bpf", folder.path(), c"")?;
        namespace.enter()?;
        let pin = folder.join("shot");
        bpf::pin(&bpf::classifier(SHOT)?, &pin)?;
        output("tc", &["qdisc", "add", "dev", device, "clsact"])?;
        let filter = ["filter", "add", "dev", device, direction, "bpf", "object-pinned"];
        let pin = pin.to_string_lossy();
        output("tc", &[&filter[..], &[&*pin, "direct-action"]].concat())?;
        Ok(())
    })
}

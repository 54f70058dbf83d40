//! How this kernel's tracepoint `skb:kfree_skb` passes its arguments.

use anyhow::{Result, bail, ensure};

use super::{btf::Btf, release};

/// The typedef by which BTF describes the tracepoint.
const TYPEDEF: &str = "btf_trace_kfree_skb";

/// The tracepoint's arguments, as BTF describes them; never deduced from a version number,
/// since distributions backport them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prototype {
    /// BTF id of the typedef, by which the kernel is told where to attach.
    pub typedef_id: u32,
    /// Whether the receiving socket is passed (mainline 6.11, commit c53795d48ee8).
    pub rx_sk: bool,
}

impl Prototype {
    /// Reads the prototype from the kernel's BTF.
    ///
    /// # Errors
    /// When there is no such tracepoint, or it passes no drop reason.
    pub fn resolve(btf: &Btf) -> Result<Self> {
        let (Some(typedef_id), Some(parameters)) =
            (btf.typedef_id(TYPEDEF), btf.function_pointer(TYPEDEF))
        else {
            bail!(
                "kernel {} has no tracepoint skb:kfree_skb: it was built without CONFIG_TRACEPOINTS or \
                 CONFIG_NET; dropwatch cannot see drops on it",
                release(),
            );
        };
        // The first parameter is the tracer's own data.
        let parameters: Vec<_> = parameters.iter().skip(1).map(String::as_str).collect();
        ensure!(
            parameters.starts_with(&["struct sk_buff *", "void *"]),
            "the tracepoint skb:kfree_skb of kernel {} passes ({}), which dropwatch does not know",
            release(),
            parameters.join(", "),
        );
        ensure!(
            parameters.get(2) == Some(&"enum skb_drop_reason"),
            "kernel {} does not tell why it drops packets: drop reasons came with Linux 5.17 (some \
             distributions' 5.15 have them too); boot a newer kernel",
            release(),
        );
        Ok(Self { typedef_id, rx_sk: parameters.get(3) == Some(&"struct sock *") })
    }
}

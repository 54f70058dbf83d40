//! How this kernel's tracepoint `skb:kfree_skb` passes its arguments.

use anyhow::{Result, bail, ensure};

use super::{btf::Btf, release};

/// The typedef by which BTF describes the tracepoint.
const TYPEDEF: &str = "btf_trace_kfree_skb";

/// The tracepoint by which queue disciplines tell finer reasons (kernel 7.1 and later).
const QDISC_TYPEDEF: &str = "btf_trace_qdisc_drop";

/// BTF id of the tracepoint `qdisc_drop`, where there is one that passes a packet and a reason as
/// the BPF program expects them.
pub fn qdisc_drop(btf: &Btf) -> Option<u32> {
    let parameters = btf.function_pointer(QDISC_TYPEDEF)?;
    let known =
        parameters.get(4)? == "struct sk_buff *" && parameters.get(5)? == "enum qdisc_drop_reason";
    known.then(|| btf.typedef_id(QDISC_TYPEDEF))?
}

/// The tracepoint's arguments, as BTF describes them; never deduced from a version number,
/// since distributions backport them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prototype {
    /// BTF id of the typedef, by which the kernel is told where to attach.
    pub typedef_id: u32,
    /// Whether a drop reason is passed (mainline 5.17, commit c504e5c2f964).
    pub reason: bool,
    /// Whether the receiving socket is passed (mainline 6.11, commit c53795d48ee8).
    pub rx_sk: bool,
}

impl Prototype {
    /// Reads the prototype from the kernel's BTF.
    ///
    /// # Errors
    /// When there is no such tracepoint, or it passes something else than packets.
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
        let reason = parameters.get(2) == Some(&"enum skb_drop_reason");
        let rx_sk = reason && parameters.get(3) == Some(&"struct sock *");
        Ok(Self { typedef_id, reason, rx_sk })
    }
}

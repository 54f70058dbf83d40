//! Where this kernel keeps the fields that the BPF program reads.

use anyhow::{Context, Result};
use dropwatch_common::config::{NO_FIELD, StructOffsets};

use super::btf::Btf;

/// Reads the offsets from the kernel's BTF.
///
/// # Errors
/// When a field is missing. All of these have been there since long before drop reasons.
pub fn resolve(btf: &Btf) -> Result<StructOffsets> {
    let offset = |of, field| {
        btf.member_offset(of, field).with_context(|| {
            format!(
                "this kernel's BTF has no field {field} in struct {of}; is the BTF that of this kernel?"
            )
        })
    };
    Ok(StructOffsets {
        skb_protocol: offset("sk_buff", "protocol")?,
        skb_len: offset("sk_buff", "len")?,
        // Without the helper that gives the task, another gives its name.
        task_comm: if has_helper(btf, "get_current_task_btf") {
            offset("task_struct", "comm")?
        } else {
            NO_FIELD
        },
    })
}

/// Whether the kernel has this helper for BPF programs: `bpf_get_current_task_btf` came with 5.11.
fn has_helper(btf: &Btf, name: &str) -> bool {
    let helpers = btf.named_enum("bpf_func_id").map(|found| found.members).unwrap_or_default();
    helpers.iter().any(|(member, _)| member.strip_prefix("BPF_FUNC_") == Some(name))
}

//! Where this kernel keeps the fields that the BPF program reads.

use anyhow::{Context, Result};

use super::btf::Btf;

/// Byte offsets of fields, from the kernel's BTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// `sk_buff::protocol`, 2 bytes in network byte order.
    pub skb_protocol: u32,
    /// `sk_buff::len`, 4 bytes.
    pub skb_len: u32,
    /// `task_struct::comm`, 16 bytes.
    pub task_comm: u32,
}

impl Layout {
    /// Reads the offsets from the kernel's BTF.
    ///
    /// # Errors
    /// When a field is missing. All of these have been there since long before drop reasons.
    pub fn resolve(btf: &Btf) -> Result<Self> {
        let offset = |of, field| {
            btf.member_offset(of, field).with_context(|| {
                format!("this kernel's BTF has no field {field} in struct {of}; is the BTF that of this kernel?")
            })
        };
        Ok(Self {
            skb_protocol: offset("sk_buff", "protocol")?,
            skb_len: offset("sk_buff", "len")?,
            task_comm: offset("task_struct", "comm")?,
        })
    }
}

//! Where this kernel keeps the fields that the BPF program reads.

use anyhow::{Context, Result};
use dropwatch_common::{
    config::{Casts, NO_FIELD, PreemptCount, StructOffsets},
    record::PACKET_LEN,
};

use super::btf::Btf;

/// The section of variables that each processor has its own of.
const PER_CPU: &str = ".data..percpu";

/// What the BPF program has to know of the kernel's structs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Where the fields are.
    pub structs: StructOffsets,
    /// The bit in the byte `skb_vlan_present`, where there is one.
    pub vlan_present_mask: u8,
    /// Where `preempt_count` is.
    pub preempt_count: PreemptCount,
    /// How to read at an address without a helper, where the kernel can.
    pub cast: Option<Cast>,
    /// BTF id of the function by which processes are iterated over, and their files.
    pub iterators: Option<Iterators>,
}

/// How programs cast addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cast {
    /// BTF id of the kernel function that does it.
    pub function: u32,
    /// What to.
    pub to: Casts,
}

/// BTF ids of the kernel's iterators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iterators {
    /// Over processes.
    pub task: u32,
    /// Over their open files.
    pub task_file: u32,
}

/// Reads the layout from the kernel's BTF.
///
/// # Errors
/// When a field is missing that has been there since long before drop reasons. What is missing
/// otherwise is unknown in the output.
pub fn resolve(btf: &Btf) -> Result<Layout> {
    let needed = |of, field| {
        btf.member_offset(of, field).with_context(|| {
            format!(
                "this kernel's BTF has no field {field} in struct {of}; is the BTF that of this kernel?"
            )
        })
    };
    let found = |of, field| btf.member_offset(of, field).unwrap_or(NO_FIELD);
    let has_task = has_helper(btf, "get_current_task_btf");
    let vlan_present = btf.member_bit("sk_buff", "vlan_present");
    let structs = StructOffsets {
        skb_protocol: needed("sk_buff", "protocol")?,
        skb_len: needed("sk_buff", "len")?,
        skb_head: found("sk_buff", "head"),
        skb_tail: found("sk_buff", "tail"),
        skb_mac_header: found("sk_buff", "mac_header"),
        skb_network_header: found("sk_buff", "network_header"),
        skb_transport_header: found("sk_buff", "transport_header"),
        skb_iif: found("sk_buff", "skb_iif"),
        skb_dev: found("sk_buff", "dev"),
        skb_sk: found("sk_buff", "sk"),
        skb_vlan_proto: found("sk_buff", "vlan_proto"),
        skb_vlan_tci: found("sk_buff", "vlan_tci"),
        skb_vlan_present: vlan_present.map_or(NO_FIELD, |(byte, _)| byte),
        dev_ifindex: found("net_device", "ifindex"),
        dev_name: found("net_device", "name"),
        dev_type: found("net_device", "type"),
        dev_net: found("net_device", "nd_net"),
        dev_tx: found("net_device", "_tx"),
        queue_dev: found("netdev_queue", "dev"),
        net_inum: found("net", "ns.inum"),
        sk_family: found("sock_common", "skc_family"),
        sk_state: found("sock_common", "skc_state"),
        sk_num: found("sock_common", "skc_num"),
        sk_dport: found("sock_common", "skc_dport"),
        sk_rcv_saddr: found("sock_common", "skc_rcv_saddr"),
        sk_daddr: found("sock_common", "skc_daddr"),
        sk_v6_rcv_saddr: found("sock_common", "skc_v6_rcv_saddr"),
        sk_v6_daddr: found("sock_common", "skc_v6_daddr"),
        sk_net: found("sock_common", "skc_net"),
        sk_cookie: found("sock_common", "skc_cookie"),
        sk_type: found("sock", "sk_type"),
        sk_protocol: found("sock", "sk_protocol"),
        sk_uid: found("sock", "sk_uid"),
        sk_socket: found("sock", "sk_socket"),
        sk_cgroup: found("sock", "sk_cgrp_data.cgroup"),
        socket_file: found("socket", "file"),
        socket_sk: found("socket", "sk"),
        file_inode: found("file", "f_inode"),
        inode_number: found("inode", "i_ino"),
        cgroup_kn: found("cgroup", "kn"),
        kn_id: found("kernfs_node", "id"),
        // Without the helper that gives the task, another gives its name.
        task_comm: if has_task { needed("task_struct", "comm")? } else { NO_FIELD },
        task_cfs_rq: found("task_struct", "se.cfs_rq"),
        cfs_rq_rq: found("cfs_rq", "rq"),
        rq_cpu: found("rq", "cpu"),
        rq_curr: found("rq", "curr"),
        task_tgid: found("task_struct", "tgid"),
        task_pid: found("task_struct", "pid"),
        task_group_leader: found("task_struct", "group_leader"),
        task_nsproxy: found("task_struct", "nsproxy"),
        nsproxy_net: found("nsproxy", "net_ns"),
    };
    let cast = cast(btf, &structs);
    Ok(Layout {
        structs,
        vlan_present_mask: vlan_present.map_or(0, |(_, mask)| mask),
        preempt_count: preempt_count(btf),
        cast,
        iterators: iterators(btf),
    })
}

/// On x86 it is a per-CPU variable: of its own, or from 6.2 to 6.14 a part of `pcpu_hot`. Other
/// architectures have it in the task.
fn preempt_count(btf: &Btf) -> PreemptCount {
    let in_task = btf.member_offset("task_struct", "thread_info.preempt_count");
    let in_hot = || {
        let start = btf.variable_offset(PER_CPU, "pcpu_hot")?;
        start.checked_add(btf.member_offset("pcpu_hot", "preempt_count")?)
    };
    let from_rq = || {
        let there = btf.variable_offset(PER_CPU, "__preempt_count").or_else(in_hot)?;
        let here = btf.variable_offset(PER_CPU, "runqueues")?;
        i32::try_from(i64::from(there) - i64::from(here)).ok()
    };
    PreemptCount { in_task: in_task.unwrap_or(NO_FIELD), from_rq: from_rq().unwrap_or(0) }
}

/// The function came with 6.2.
fn cast(btf: &Btf, structs: &StructOffsets) -> Option<Cast> {
    // It has an array that is long enough, and is there whatever the kernel was configured for.
    const BYTES: (&str, &str) = ("linux_binprm", "buf");
    let function = btf.function_id("bpf_rdonly_cast")?;
    btf.array_len(BYTES.0, BYTES.1).filter(|&len| len >= PACKET_LEN)?;
    let found = [structs.task_comm, structs.task_cfs_rq, structs.cfs_rq_rq, structs.rq_cpu];
    let leads_to_task = structs.rq_curr != NO_FIELD && !found.contains(&NO_FIELD);
    let run_queue = btf.struct_id("rq").filter(|_| leads_to_task).unwrap_or(0);
    Some(Cast {
        function,
        to: Casts {
            bytes: btf.struct_id(BYTES.0)?,
            bytes_offset: btf.member_offset(BYTES.0, BYTES.1)?,
            run_queue,
            skb: btf.struct_id("sk_buff")?,
            sock: btf.struct_id("sock")?,
            task: btf.struct_id("task_struct")?,
        },
    })
}

/// They can be used where there is the helper `bpf_sock_from_file` too, which came with 5.11.
fn iterators(btf: &Btf) -> Option<Iterators> {
    has_helper(btf, "sock_from_file").then_some(())?;
    Some(Iterators {
        task: btf.function_id("bpf_iter_task")?,
        task_file: btf.function_id("bpf_iter_task_file")?,
    })
}

/// Whether the kernel has this helper for BPF programs: `bpf_get_current_task_btf` came with 5.11.
fn has_helper(btf: &Btf, name: &str) -> bool {
    let helpers = btf.named_enum("bpf_func_id").map(|found| found.members).unwrap_or_default();
    helpers.iter().any(|(member, _)| member.strip_prefix("BPF_FUNC_") == Some(name))
}

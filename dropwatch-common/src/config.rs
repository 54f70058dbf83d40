//! The globals that the tool sets before it loads the BPF program.
//!
//! They live in `.rodata`, which is frozen before the program is verified: the verifier knows
//! their values, so a feature that is off is pruned and costs nothing.

/// An offset for a field that this kernel does not have.
pub const NO_FIELD: u32 = u32::MAX;

/// What stands in the object for the number of the kernel function that casts: it is called like a
/// helper, and the tool puts the call that this kernel knows in its place.
pub const CAST_MARK: i32 = 0x6361_7374;

/// Name of the `.rodata` global holding a [`Config`].
pub const CONFIG_GLOBAL: &str = "CONFIG";

/// What the program reads and reports. Set once, before the program is loaded.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the fields are in the kernel's structs; for the program that uses BTF.
    pub structs: StructOffsets,
    /// Where the fields are in the trace event; for the program that does without BTF.
    pub event: EventOffsets,
    /// 1 when the tracepoint passes a drop reason (kernel 5.17 and later).
    pub has_reason: u32,
    /// 1 when the tracepoint passes `rx_sk` (kernel 6.11 and later).
    pub has_rx_sk: u32,
    /// 1 to filter by [`ReasonFilter`](crate::filter::ReasonFilter).
    pub filter_reasons: u32,
    /// 1 to filter by [`Filters`](crate::filter::Filters) and the maps; otherwise none of them is
    /// looked at.
    pub filter_others: u32,
    /// 1 to filter by the map `FUNCTIONS`.
    pub filter_functions: u32,
    /// 1 to filter by the map `HOSTS`.
    pub filter_hosts: u32,
    /// What drops are counted by, a `BY_*`; for the programs that count.
    pub count_by: u32,
    /// 1 to send a drop of each new key beside counting it, and when one is wanted.
    pub samples: u32,
    /// Bytes waiting in the ring from which on the reader is woken without delay.
    pub wake_at: u32,
    /// The core reason for which the tracepoint `qdisc_drop` tells a finer one (kernel 7.1 and
    /// later); 0 where there is none.
    pub coarse_qdisc_reason: u32,
    /// The bit in the byte at [`StructOffsets::skb_vlan_present`].
    pub vlan_present_mask: u32,
    /// Where the kernel keeps `preempt_count`.
    pub preempt_count: PreemptCount,
    /// What addresses can be cast to.
    pub casts: Casts,
    /// One of so many matched drops is sent, chosen by chance; 0 and 1 for all.
    pub sample: u32,
    /// So many drops are sent in a second at most; 0 for all.
    pub rate_limit: u32,
}

impl Config {
    /// Knows no field and asks for nothing.
    pub const EMPTY: Self = Self {
        structs: StructOffsets::NONE,
        event: EventOffsets {
            location: NO_FIELD,
            protocol: NO_FIELD,
            reason: NO_FIELD,
            rx_sk: NO_FIELD,
        },
        has_reason: 0,
        has_rx_sk: 0,
        filter_reasons: 0,
        filter_others: 0,
        filter_functions: 0,
        filter_hosts: 0,
        count_by: 0,
        samples: 0,
        wake_at: 0,
        coarse_qdisc_reason: 0,
        vlan_present_mask: 0,
        preempt_count: PreemptCount { in_task: NO_FIELD, from_rq: 0 },
        casts: Casts::NONE,
        sample: 0,
        rate_limit: 0,
    };
}

/// Where the kernel keeps `preempt_count`, the nesting of its contexts.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreemptCount {
    /// Its offset in `task_struct`, or [`NO_FIELD`].
    pub in_task: u32,
    /// Its distance from the processor's `struct rq`, where both are per-CPU variables; or 0.
    pub from_rq: i32,
}

/// BTF ids of what addresses can be cast to, all 0 where this kernel cannot (before 6.2).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Casts {
    /// A struct with as many bytes in one array as are copied from a packet.
    pub bytes: u32,
    /// Where in it these are.
    pub bytes_offset: u32,
    /// `struct rq`; 0 also where no task leads to it.
    pub run_queue: u32,
    /// `struct sk_buff`.
    pub skb: u32,
    /// `struct sock`.
    pub sock: u32,
    /// `struct task_struct`.
    pub task: u32,
}

impl Casts {
    /// Casts nothing.
    pub const NONE: Self =
        Self { bytes: 0, bytes_offset: 0, run_queue: 0, skb: 0, sock: 0, task: 0 };
}

macro_rules! offsets {
    ($($(#[$doc:meta])* $field:ident,)+) => {
        /// Byte offsets of fields in kernel structs, or [`NO_FIELD`].
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct StructOffsets {
            $($(#[$doc])* pub $field: u32,)+
        }

        impl StructOffsets {
            /// Knows no field.
            pub const NONE: Self = Self { $($field: NO_FIELD,)+ };
        }
    };
}

offsets! {
    /// `sk_buff::protocol`, 2 bytes in network byte order.
    skb_protocol,
    /// `sk_buff::len`, 4 bytes.
    skb_len,
    /// `sk_buff::head`, a pointer to the buffer.
    skb_head,
    /// `sk_buff::tail`, 4 bytes: where the linear part ends, from `head` on.
    skb_tail,
    /// `sk_buff::mac_header`, 2 bytes, from `head` on; all ones where it is not set.
    skb_mac_header,
    /// `sk_buff::network_header`, likewise; 0 where it is not set.
    skb_network_header,
    /// `sk_buff::transport_header`, likewise; all ones where it is not set.
    skb_transport_header,
    /// `sk_buff::skb_iif`, 4 bytes.
    skb_iif,
    /// `sk_buff::dev`, a pointer to a `net_device`, or something else: it is in a union.
    skb_dev,
    /// `sk_buff::sk`, a pointer to a `sock`; in a union before 6.8.
    skb_sk,
    /// `sk_buff::vlan_proto`, 2 bytes in network byte order.
    skb_vlan_proto,
    /// `sk_buff::vlan_tci`, 2 bytes.
    skb_vlan_tci,
    /// The byte with the bit `sk_buff::vlan_present`, before 6.2; later a VLAN tag is present
    /// where `vlan_proto` is not 0.
    skb_vlan_present,
    /// `net_device::ifindex`, 4 bytes.
    dev_ifindex,
    /// `net_device::name`, 16 bytes.
    dev_name,
    /// `net_device::type`, 2 bytes.
    dev_type,
    /// `net_device::nd_net`, a pointer to a `net`.
    dev_net,
    /// `net_device::_tx`, a pointer to `netdev_queue`s.
    dev_tx,
    /// `netdev_queue::dev`, a pointer back to the `net_device`.
    queue_dev,
    /// `net::ns.inum`, 4 bytes.
    net_inum,
    /// `sock_common::skc_family`, 2 bytes.
    sk_family,
    /// `sock_common::skc_state`, 1 byte.
    sk_state,
    /// `sock_common::skc_num`, 2 bytes.
    sk_num,
    /// `sock_common::skc_dport`, 2 bytes in network byte order.
    sk_dport,
    /// `sock_common::skc_rcv_saddr`, 4 bytes.
    sk_rcv_saddr,
    /// `sock_common::skc_daddr`, 4 bytes.
    sk_daddr,
    /// `sock_common::skc_v6_rcv_saddr`, 16 bytes; not there without IPv6.
    sk_v6_rcv_saddr,
    /// `sock_common::skc_v6_daddr`, 16 bytes; not there without IPv6.
    sk_v6_daddr,
    /// `sock_common::skc_net`, a pointer to a `net`.
    sk_net,
    /// `sock_common::skc_cookie`, 8 bytes.
    sk_cookie,
    /// `sock::sk_type`, 2 bytes.
    sk_type,
    /// `sock::sk_protocol`, 2 bytes.
    sk_protocol,
    /// `sock::sk_uid`, 4 bytes.
    sk_uid,
    /// `sock::sk_socket`, a pointer to a `socket`.
    sk_socket,
    /// `sock::sk_cgrp_data.cgroup`, a pointer to a `cgroup`.
    sk_cgroup,
    /// `socket::file`, a pointer to a `file`.
    socket_file,
    /// `socket::sk`, a pointer to a `sock`.
    socket_sk,
    /// `file::f_inode`, a pointer to an `inode`.
    file_inode,
    /// `inode::i_ino`, 8 bytes.
    inode_number,
    /// `cgroup::kn`, a pointer to a `kernfs_node`.
    cgroup_kn,
    /// `kernfs_node::id`, 8 bytes.
    kn_id,
    /// `task_struct::comm`, 16 bytes.
    task_comm,
    /// `task_struct::se.cfs_rq`, a pointer to a `cfs_rq`; not there without fair group scheduling.
    task_cfs_rq,
    /// `cfs_rq::rq`, a pointer to an `rq`; likewise.
    cfs_rq_rq,
    /// `rq::cpu`, 4 bytes.
    rq_cpu,
    /// `rq::curr`, a pointer to a `task_struct`.
    rq_curr,
    /// `task_struct::tgid`, 4 bytes.
    task_tgid,
    /// `task_struct::pid`, 4 bytes.
    task_pid,
    /// `task_struct::group_leader`, a pointer to a `task_struct`.
    task_group_leader,
    /// `task_struct::nsproxy`, a pointer to an `nsproxy`.
    task_nsproxy,
    /// `nsproxy::net_ns`, a pointer to a `net`.
    nsproxy_net,
}

/// Byte offsets of fields in the trace event `skb:kfree_skb`, or [`NO_FIELD`]. They stand in
/// the event's `format` file in tracefs.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventOffsets {
    /// `location`, 8 bytes.
    pub location: u32,
    /// `protocol`, 2 bytes in host byte order.
    pub protocol: u32,
    /// `reason`, 4 bytes.
    pub reason: u32,
    /// `rx_sk`, 8 bytes.
    pub rx_sk: u32,
}

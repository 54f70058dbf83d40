//! Kernels in small: the shapes that drop reasons, tracepoint and structs have in the BTF of
//! real ones, with some of their members.

use super::builder::{Builder, kind};

type Members = &'static [(&'static str, u32)];

struct Kernel {
    version: &'static str,
    /// Empty where the kernel does not tell reasons.
    core: Members,
    subsystems: Members,
    /// Further enums in the kernel itself, each with a tracepoint that passes it.
    enums: &'static [(&'static str, Members)],
    modules: &'static [(&'static str, &'static [(&'static str, Members)])],
    /// The type of the tracepoint's last parameter; empty where there is none.
    rx_sk: &'static str,
}

const MASK: (&str, u32) = ("SKB_DROP_REASON_SUBSYS_MASK", 0xffff_0000);

const KERNELS: &[Kernel] = &[
    Kernel { version: "5.10", core: &[], subsystems: &[], enums: &[], modules: &[], rx_sk: "" },
    Kernel {
        version: "6.1",
        core: &[
            ("SKB_NOT_DROPPED_YET", 0),
            ("SKB_DROP_REASON_NOT_SPECIFIED", 1),
            ("SKB_DROP_REASON_NO_SOCKET", 2),
            ("SKB_DROP_REASON_TCP_CSUM", 4),
            ("SKB_DROP_REASON_SOCKET_FILTER", 5),
            ("SKB_DROP_REASON_NETFILTER_DROP", 7),
            ("SKB_DROP_REASON_MAX", 66),
        ],
        subsystems: &[],
        enums: &[],
        modules: &[("openvswitch", &[])],
        rx_sk: "",
    },
    Kernel {
        version: "6.12",
        core: &[
            ("SKB_NOT_DROPPED_YET", 0),
            ("SKB_CONSUMED", 1),
            ("SKB_DROP_REASON_NOT_SPECIFIED", 2),
            ("SKB_DROP_REASON_NO_SOCKET", 3),
            ("SKB_DROP_REASON_TCP_CSUM", 4),
            ("SKB_DROP_REASON_SOCKET_FILTER", 5),
            ("SKB_DROP_REASON_UDP_CSUM", 6),
            ("SKB_DROP_REASON_NETFILTER_DROP", 11),
            ("SKB_DROP_REASON_TCP_OLD_DATA", 33),
            ("SKB_DROP_REASON_TCP_OVERWINDOW", 34),
            ("SKB_DROP_REASON_QDISC_DROP", 52),
            ("SKB_DROP_REASON_SKB_UCOPY_FAULT", 62),
            ("SKB_DROP_REASON_IPV6_NDISC_BAD_OPTIONS", 79),
            ("SKB_DROP_REASON_MAX", 104),
            MASK,
        ],
        subsystems: &[
            ("SKB_DROP_REASON_SUBSYS_CORE", 0),
            ("SKB_DROP_REASON_SUBSYS_MAC80211_UNUSABLE", 1),
            ("SKB_DROP_REASON_SUBSYS_MAC80211_MONITOR", 2),
            ("SKB_DROP_REASON_SUBSYS_OPENVSWITCH", 3),
            ("SKB_DROP_REASON_SUBSYS_NUM", 4),
        ],
        enums: &[],
        modules: &[
            (
                "openvswitch",
                &[(
                    "ovs_drop_reason",
                    &[
                        ("__OVS_DROP_REASON", 0x3_0000),
                        ("OVS_DROP_LAST_ACTION", 0x3_0001),
                        ("OVS_DROP_ACTION_ERROR", 0x3_0002),
                        ("OVS_DROP_METER", 0x3_0005),
                        ("OVS_DROP_MAX", 0x3_0006),
                    ],
                )],
            ),
            (
                "mac80211",
                &[
                    (
                        "___mac80211_drop_reason",
                        &[
                            ("___RX_CONTINUE", 1),
                            ("___RX_QUEUED", 0),
                            ("___RX_DROP_MONITOR", 0x2_0000),
                            ("___RX_DROP_UNUSABLE", 0x1_0000),
                            ("___RX_DROP_U_MIC_FAIL", 0x1_0001),
                        ],
                    ),
                    (
                        "mac80211_drop_reason",
                        &[
                            ("RX_CONTINUE", 1),
                            ("RX_QUEUED", 0),
                            ("RX_DROP_MONITOR", 0x2_0000),
                            ("RX_DROP_M_UNEXPECTED_4ADDR_FRAME", 0x2_0001),
                            ("RX_DROP_U_MIC_FAIL", 0x1_0001),
                            ("RX_DROP_U_REPLAY", 0x1_0002),
                        ],
                    ),
                ],
            ),
        ],
        rx_sk: "struct",
    },
    Kernel {
        version: "7.1",
        core: &[
            ("SKB_NOT_DROPPED_YET", 0),
            ("SKB_CONSUMED", 1),
            ("SKB_DROP_REASON_NOT_SPECIFIED", 2),
            ("SKB_DROP_REASON_NO_SOCKET", 3),
            ("SKB_DROP_REASON_NETFILTER_DROP", 12),
            ("SKB_DROP_REASON_QDISC_DROP", 64),
            ("SKB_DROP_REASON_MAX", 126),
            MASK,
        ],
        subsystems: &[
            ("SKB_DROP_REASON_SUBSYS_CORE", 0),
            ("SKB_DROP_REASON_SUBSYS_MAC80211_UNUSABLE", 1),
            ("SKB_DROP_REASON_SUBSYS_OPENVSWITCH", 2),
            ("SKB_DROP_REASON_SUBSYS_QDISC", 3),
            ("SKB_DROP_REASON_SUBSYS_NUM", 4),
        ],
        enums: &[(
            "qdisc_drop_reason",
            &[
                ("QDISC_DROP_UNSPEC", 0),
                ("__QDISC_DROP_REASON", 0x3_0000),
                ("QDISC_DROP_GENERIC", 0x3_0001),
                ("QDISC_DROP_OVERLIMIT", 0x3_0002),
                ("QDISC_DROP_MAX", 0x3_0003),
            ],
        )],
        modules: &[(
            "openvswitch",
            &[(
                "ovs_drop_reason",
                &[
                    ("__OVS_DROP_REASON", 0x2_0000),
                    ("OVS_DROP_LAST_ACTION", 0x2_0001),
                    ("OVS_DROP_MAX", 0x2_0002),
                ],
            )],
        )],
        rx_sk: "const struct",
    },
];

fn kernel(version: &str) -> &'static Kernel {
    KERNELS.iter().find(|kernel| kernel.version == version).expect("a kernel of the table")
}

/// The BTF of a kernel, with its enums signed or not.
pub fn vmlinux_signed(version: &str, signed: bool) -> Builder {
    let kernel = kernel(version);
    let mut btf = Builder::new();
    let int = btf.int("unsigned int");
    let sk_buff = sk_buff(&mut btf, int);
    btf.aggregate(kind::STRUCT, "task_struct", &[("comm", int, 0x5c0 * 8)]);
    let (skb, data) = (btf.pointer(sk_buff), btf.pointer(0));
    let mut parameters = vec![data, skb, data];
    // Neither do kernels without subsystems have an enum of that name.
    if !kernel.subsystems.is_empty() {
        btf.enumeration("skb_drop_reason_subsys", signed, kernel.subsystems);
    }
    if !kernel.core.is_empty() {
        helpers(&mut btf);
        parameters.push(btf.enumeration("skb_drop_reason", signed, kernel.core));
    }
    let sock = btf.aggregate(kind::STRUCT, "sock", &[]);
    let sock = match kernel.rx_sk {
        "const struct" => btf.refer(kind::CONST, "", sock),
        _ => sock,
    };
    let sock = btf.pointer(sock);
    if !kernel.rx_sk.is_empty() {
        parameters.push(sock);
    }
    for (name, members) in kernel.enums {
        let fine = btf.enumeration(name, signed, members);
        let name = name.trim_end_matches("_reason");
        tracepoint(&mut btf, name, &[data, data, data, data, skb, fine]);
    }
    tracepoint(&mut btf, "kfree_skb", &parameters);
    btf
}

/// The BTF of a kernel.
pub fn vmlinux(version: &str) -> Builder {
    vmlinux_signed(version, false)
}

/// The BTF of one of its modules, which has a copy of the core reasons too.
pub fn module(version: &str, name: &str, base: &Builder) -> Builder {
    let kernel = kernel(version);
    let (_, enums) =
        kernel.modules.iter().find(|(each, _)| *each == name).expect("a module of the table");
    let mut btf = Builder::on(base);
    btf.enumeration("skb_drop_reason", false, &[("SKB_DROP_REASON_A_COPY", 3)]);
    for (name, members) in *enums {
        btf.enumeration(name, false, members);
    }
    btf
}

/// The typedef that describes a tracepoint.
pub fn tracepoint(btf: &mut Builder, name: &str, parameters: &[u32]) -> u32 {
    let function = btf.function(parameters);
    let pointer = btf.pointer(function);
    btf.refer(kind::TYPEDEF, &format!("btf_trace_{name}"), pointer)
}

/// `struct sk_buff`, in which the fields stand in anonymous structs and unions.
fn sk_buff(btf: &mut Builder, int: u32) -> u32 {
    let headers = btf.with_bit_fields(
        "",
        &[("pkt_type", int, 0, 3), ("mark", int, 32, 0), ("protocol", int, 64, 0)],
    );
    let group = btf.aggregate(kind::UNION, "", &[("", headers, 0), ("headers", headers, 0)]);
    btf.aggregate(kind::STRUCT, "sk_buff", &[("len", int, 112 * 8), ("", group, 128 * 8)])
}

/// Adds the enum of the helpers for BPF programs.
pub fn helpers(btf: &mut Builder) {
    let helpers = [("BPF_FUNC_unspec", 0), ("BPF_FUNC_get_current_task_btf", 158)];
    btf.enumeration("bpf_func_id", false, &helpers);
}

//! Drop reasons from BTF of the shapes that kernels have.

mod support;

use dropwatch::kernel::{btf::Btf, reasons::Reasons};

use support::{
    builder::{Builder, HEADER_SIZE},
    file, kernels,
};

fn open(builder: &Builder) -> Btf {
    Btf::open(&file(&builder.bytes())).expect("BTF as a kernel has it")
}

/// The reasons of a kernel and its modules.
fn reasons(version: &str, modules: &[&str]) -> Reasons {
    let base = kernels::vmlinux(version);
    let kernel = open(&base);
    let mut reasons = Reasons::of_btf(&kernel).expect("drop reasons");
    for name in modules {
        let module = file(&kernels::module(version, name, &base).bytes());
        reasons.add_module(&Btf::open_split(&module, &kernel).expect("BTF of a module"));
    }
    reasons
}

fn list(reasons: &Reasons) -> Vec<(u32, &str)> {
    reasons.iter().map(|reason| (reason.raw, reason.name.as_str())).collect()
}

fn names_in(reasons: &Reasons, subsystem: u32) -> Vec<(u32, &str)> {
    list(reasons).into_iter().filter(|(raw, _)| raw >> 16 == subsystem).collect()
}

#[test]
fn kernel_without_subsystems() {
    let mut reasons = reasons("6.1", &["openvswitch"]);
    assert_eq!(
        list(&reasons),
        [
            (1, "NOT_SPECIFIED"),
            (2, "NO_SOCKET"),
            (4, "TCP_CSUM"),
            (5, "SOCKET_FILTER"),
            (7, "NETFILTER_DROP")
        ]
    );
    assert_eq!(reasons.get(2).expect("known").full_name, "SKB_DROP_REASON_NO_SOCKET");
    assert_eq!(reasons.name(0), "NOT_DROPPED_YET");
    // Neither the end marker nor what lies beyond it is a reason.
    assert_eq!(reasons.name(66), "core/66");
    assert_eq!(reasons.name(0x3_0001), "3/1");
    assert_eq!(reasons.subsystem_name(2), "core");
}

#[test]
fn states_markers_and_the_mask_are_no_reasons() {
    let mut reasons = reasons("6.12", &[]);
    let names: Vec<_> = reasons.iter().map(|reason| reason.full_name.as_str()).collect();
    for no_reason in [
        "SKB_NOT_DROPPED_YET",
        "SKB_CONSUMED",
        "SKB_DROP_REASON_MAX",
        "SKB_DROP_REASON_SUBSYS_MASK",
    ] {
        assert!(!names.contains(&no_reason), "{no_reason}");
    }
    assert_eq!(reasons.name(0), "NOT_DROPPED_YET");
    assert_eq!(reasons.name(1), "CONSUMED");
    assert_eq!(reasons.name(0xffff_0000), "65535/0");
}

#[test]
fn subsystems_have_names_before_their_modules_are_known() {
    let mut reasons = reasons("6.12", &[]);
    assert_eq!(
        reasons.subsystems().collect::<Vec<_>>(),
        [(0, "core"), (1, "mac80211_unusable"), (2, "mac80211_monitor"), (3, "openvswitch")]
    );
    assert_eq!(reasons.name(0x3_0005), "openvswitch/5");
    assert_eq!(reasons.name(0x1_0001), "mac80211_unusable/1");
    assert_eq!(reasons.name(0x7_0003), "7/3");
    assert_eq!(reasons.name(u32::MAX), "65535/65535");
}

#[test]
fn a_signed_enum_reads_like_an_unsigned_one() {
    let open = |signed| {
        let kernel = kernels::vmlinux_signed("6.12", signed);
        let kernel = open(&kernel);
        let mask = kernel.named_enum("skb_drop_reason").expect("the core's").members.pop();
        (mask.expect("members").1, Reasons::of_btf(&kernel).expect("drop reasons"))
    };
    let ((signed_mask, signed), (mask, unsigned)) = (open(true), open(false));
    // As bpftool and bpftrace print the mask of such a kernel.
    assert_eq!(signed_mask, 18_446_744_073_709_486_080);
    assert_eq!(mask, 0xffff_0000);
    assert_eq!(list(&signed), list(&unsigned));
    assert!(list(&signed).len() > 5);
}

#[test]
fn modules_name_the_reasons_of_their_subsystems() {
    let mut reasons = reasons("6.12", &["openvswitch", "mac80211"]);
    assert_eq!(
        names_in(&reasons, 3),
        [
            (0x3_0001, "OVS_DROP_LAST_ACTION"),
            (0x3_0002, "OVS_DROP_ACTION_ERROR"),
            (0x3_0005, "OVS_DROP_METER")
        ]
    );
    assert_eq!(
        names_in(&reasons, 1),
        [(0x1_0001, "RX_DROP_U_MIC_FAIL"), (0x1_0002, "RX_DROP_U_REPLAY")]
    );
    assert_eq!(
        names_in(&reasons, 2),
        [(0x2_0000, "RX_DROP_MONITOR"), (0x2_0001, "RX_DROP_M_UNEXPECTED_4ADDR_FRAME")]
    );
    // RX_QUEUED and RX_CONTINUE are 0 and 1, and mean nothing of a core reason.
    assert_eq!(reasons.name(0), "NOT_DROPPED_YET");
    assert_eq!(reasons.get(1), None);
    assert!(!reasons.iter().any(|reason| reason.full_name.starts_with('_')));
    // A reason that is newer than the module's enum still has its subsystem's name.
    assert_eq!(reasons.name(0x3_0006), "openvswitch/6");
}

#[test]
fn a_modules_copy_of_the_core_reasons_changes_nothing() {
    for version in ["6.1", "6.12", "7.1"] {
        let mut reasons = reasons(version, &["openvswitch"]);
        assert!(!reasons.iter().any(|reason| reason.name.contains("A_COPY")), "{version}");
        let no_socket = if version == "6.1" { 2 } else { 3 };
        assert_eq!(reasons.name(no_socket), "NO_SOCKET", "{version}");
    }
}

#[test]
fn a_subsystem_can_be_in_the_kernel_itself() {
    let mut reasons = reasons("7.1", &[]);
    // QDISC_DROP_UNSPEC is 0, without the subsystem's bits.
    assert_eq!(
        names_in(&reasons, 3),
        [(0x3_0001, "QDISC_DROP_GENERIC"), (0x3_0002, "QDISC_DROP_OVERLIMIT")]
    );
    assert_eq!(reasons.name(0), "NOT_DROPPED_YET");
    assert_eq!(reasons.name(0x3_0000), "qdisc/0");
    assert_eq!(reasons.name(0x3_0003), "qdisc/3");
}

#[test]
fn one_number_has_another_name_on_another_kernel() {
    let mut older = reasons("6.12", &["openvswitch"]);
    let mut newer = reasons("7.1", &["openvswitch"]);
    assert_eq!(older.name(0x3_0001), "OVS_DROP_LAST_ACTION");
    assert_eq!(newer.name(0x3_0001), "QDISC_DROP_GENERIC");
    assert_eq!(newer.name(0x2_0001), "OVS_DROP_LAST_ACTION");
    assert_eq!((older.name(2), reasons("6.1", &[]).name(2)), ("NOT_SPECIFIED", "NO_SOCKET"));
}

#[test]
fn an_enum_of_no_subsystem_adds_nothing() {
    let mut btf = kernels::vmlinux("6.12");
    btf.enumeration("tcp_drop_reason", false, &[("TCP_NONE", 0), ("TCP_ELSEWHERE", 0x9_0001)]);
    let mut reasons = Reasons::of_btf(&open(&btf)).expect("drop reasons");
    assert_eq!(reasons.name(0x9_0001), "9/1");
    assert!(!reasons.iter().any(|reason| reason.name.starts_with("TCP_ELSE")));
}

#[test]
fn btf_without_drop_reasons_says_since_when_they_are() {
    let mut btf = Builder::new();
    btf.int("int");
    let error = Reasons::of_btf(&open(&btf)).expect_err("no reasons");
    assert!(error.to_string().contains("5.17"), "{error}");
}

#[test]
fn either_byte_order_is_read() {
    let mut bytes = kernels::vmlinux("6.12").bytes();
    let types_len = u32::from_le_bytes(bytes[12..16].try_into().expect("4 bytes")) as usize;
    bytes[..2].reverse();
    for word in bytes[4..HEADER_SIZE + types_len].chunks_exact_mut(4) {
        word.reverse();
    }
    let big = Btf::open(&file(&bytes)).expect("BTF of another machine");
    assert_eq!(list(&Reasons::of_btf(&big).expect("drop reasons")), list(&reasons("6.12", &[])));
}

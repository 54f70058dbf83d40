//! The tracepoints' prototypes and the offsets of fields, from BTF of the shapes that kernels
//! have.

mod support;

use dropwatch::kernel::{
    btf::Btf,
    layout::{self, Layout},
    tracepoint::{self, Prototype},
};
use dropwatch_common::config::{NO_FIELD, StructOffsets};

use support::{
    builder::{Builder, kind},
    file, kernels,
};

fn open(builder: &Builder) -> Btf {
    Btf::open(&file(&builder.bytes())).expect("BTF as a kernel has it")
}

#[test]
fn prototypes_of_kernels() {
    for (version, reason, rx_sk) in
        [("5.10", false, false), ("6.1", true, false), ("6.12", true, true), ("7.1", true, true)]
    {
        let btf = kernels::vmlinux(version);
        let prototype = Prototype::resolve(&open(&btf));
        // The tracepoint's typedef is what the kernels in small end with.
        let typedef_id = btf.next_id - 1;
        assert_eq!(prototype.expect(version), Prototype { typedef_id, reason, rx_sk }, "{version}");
    }
}

/// The error for a tracepoint whose parameters these are, after the tracer's own. Types: `v`
/// void *, `s` struct sk_buff *, `c` const struct sk_buff *, `r` reason, `k` struct sock *,
/// `p` struct page *, `i` int, `f` a pointer to a function.
fn prototype(parameters: &str) -> anyhow::Result<Prototype> {
    let mut btf = Builder::new();
    let int = btf.int("int");
    let void = btf.pointer(0);
    let named = |name, btf: &mut Builder| btf.aggregate(kind::STRUCT, name, &[]);
    let skb = named("sk_buff", &mut btf);
    let constant = btf.refer(kind::CONST, "", skb);
    let (sock, page) = (named("sock", &mut btf), named("page", &mut btf));
    let reason = btf.enumeration("skb_drop_reason", false, &[("SKB_DROP_REASON_NO_SOCKET", 3)]);
    let function = btf.function(&[int]);
    let types: Vec<_> = std::iter::once(void)
        .chain(parameters.chars().map(|letter| match letter {
            's' => btf.pointer(skb),
            'c' => btf.pointer(constant),
            'k' => btf.pointer(sock),
            'p' => btf.pointer(page),
            'f' => btf.pointer(function),
            'r' => reason,
            'i' => int,
            _ => void,
        }))
        .collect();
    kernels::tracepoint(&mut btf, "kfree_skb", &types);
    Prototype::resolve(&open(&btf))
}

#[test]
fn a_kernel_that_tells_no_reason_is_recognised() {
    // Something else at the reason's place is not read as one, nor what comes after it.
    for parameters in ["sv", "svi", "svk", "svik"] {
        let prototype = prototype(parameters).expect("known");
        assert!(!prototype.reason && !prototype.rx_sk, "{parameters}");
    }
    assert!(prototype("svr").expect("known").reason);
}

#[test]
fn the_socket_is_taken_only_where_it_is_one() {
    assert!(!prototype("svr").expect("known").rx_sk);
    assert!(prototype("svrk").expect("known").rx_sk);
    assert!(prototype("cvrk").expect("known").rx_sk);
    assert!(prototype("svrki").expect("known").rx_sk);
    // Something else at its place is not read as a socket.
    for parameters in ["svrp", "svri", "svrv", "svrpk"] {
        assert!(!prototype(parameters).expect("known").rx_sk, "{parameters}");
    }
}

#[test]
fn unknown_prototypes_are_refused_and_shown() {
    for (parameters, shown) in [
        ("", "()"),
        ("s", "(struct sk_buff *)"),
        ("vsr", "(void *, struct sk_buff *, enum skb_drop_reason)"),
        ("sirk", "(struct sk_buff *, int, enum skb_drop_reason, struct sock *)"),
        ("fv", "(? *, void *)"),
    ] {
        let error = prototype(parameters).expect_err(parameters);
        assert!(error.to_string().contains(shown), "{error}");
        assert!(error.to_string().contains("skb:kfree_skb"), "{error}");
    }
}

#[test]
fn a_kernel_without_the_tracepoint_is_told_so() {
    let none = Builder::new();
    let mut struct_of_that_name = Builder::new();
    struct_of_that_name.aggregate(kind::STRUCT, "btf_trace_kfree_skb", &[]);
    let mut no_function = Builder::new();
    let int = no_function.int("int");
    no_function.refer(kind::TYPEDEF, "btf_trace_kfree_skb", int);
    let mut nowhere = Builder::new();
    nowhere.refer(kind::TYPEDEF, "btf_trace_kfree_skb", 77);
    for (name, btf) in [
        ("no-typedef", none),
        ("struct", struct_of_that_name),
        ("no-function", no_function),
        ("nowhere", nowhere),
    ] {
        let error = Prototype::resolve(&open(&btf)).expect_err(name).to_string();
        assert!(error.contains("tracepoint skb:kfree_skb"), "{name}: {error}");
    }
}

#[test]
fn fields_are_found_through_anonymous_structs_and_unions() {
    let btf = open(&kernels::vmlinux("6.12"));
    let Layout { structs, .. } = layout::resolve(&btf).expect("all fields");
    let known =
        StructOffsets { skb_protocol: 136, skb_len: 112, task_comm: 0x5c0, ..StructOffsets::NONE };
    assert_eq!(structs, known);
    // What has a name is a member of its own, not a part of the struct around it.
    assert_eq!(btf.member_offset("sk_buff", "headers"), Some(128));
    assert_eq!(btf.member_offset("sk_buff", "nothing"), None);
    assert_eq!(btf.member_offset("nothing", "len"), None);
    assert_eq!(btf.member_offset("unsigned int", "len"), None);
}

#[test]
fn a_bit_field_has_no_offset() {
    let mut btf = Builder::new();
    let int = btf.int("int");
    btf.with_bit_fields(
        "flags",
        &[("first", int, 0, 1), ("byte", int, 8, 8), ("whole", int, 32, 0)],
    );
    btf.aggregate(kind::STRUCT, "old", &[("odd", int, 3), ("even", int, 16)]);
    let btf = open(&btf);
    assert_eq!(btf.member_offset("flags", "first"), None);
    assert_eq!(btf.member_offset("flags", "byte"), None);
    assert_eq!(btf.member_offset("flags", "whole"), Some(4));
    assert_eq!(btf.member_bit("flags", "first"), Some((0, 1)));
    assert_eq!(btf.member_bit("flags", "byte"), None);
    assert_eq!(btf.member_bit("flags", "whole"), None);
    assert_eq!(btf.member_offset("old", "odd"), None);
    assert_eq!(btf.member_offset("old", "even"), Some(2));
}

#[test]
fn a_members_member_is_found_by_its_path() {
    let mut btf = Builder::new();
    let int = btf.int("int");
    let common = btf.aggregate(kind::STRUCT, "ns_common", &[("ops", int, 0), ("inum", int, 64)]);
    let hidden = btf.aggregate(kind::UNION, "", &[("ns", common, 32)]);
    btf.aggregate(kind::STRUCT, "net", &[("count", int, 0), ("", hidden, 128)]);
    let btf = open(&btf);
    assert_eq!(btf.member_offset("net", "ns.inum"), Some((128 + 32 + 64) / 8));
    for path in ["ns.nothing", "count.inum", "inum", "ns.", "ns.inum.deeper"] {
        assert_eq!(btf.member_offset("net", path), None, "{path}");
    }
}

#[test]
fn a_missing_field_is_named() {
    let mut btf = Builder::new();
    let int = btf.int("int");
    btf.aggregate(kind::STRUCT, "sk_buff", &[("len", int, 64), ("protocol", int, 128)]);
    // Linux before 5.11 has no helper that gives the task, and then nobody reads it.
    let without_helper = layout::resolve(&open(&btf)).expect("what is needed");
    assert_eq!(without_helper.structs.task_comm, NO_FIELD);
    kernels::helpers(&mut btf);
    let error = layout::resolve(&open(&btf)).expect_err("no comm").to_string();
    assert!(error.contains("comm") && error.contains("task_struct"), "{error}");
    for (fields, missing) in [(["len", "mark"], "protocol"), (["protocol", "mark"], "len")] {
        let mut btf = Builder::new();
        let int = btf.int("int");
        btf.aggregate(kind::STRUCT, "sk_buff", &fields.map(|name| (name, int, 64)));
        let error = layout::resolve(&open(&btf)).expect_err(missing).to_string();
        assert!(error.contains(missing) && error.contains("sk_buff"), "{error}");
    }
}

#[test]
fn the_tracepoint_of_queue_disciplines_is_taken_only_in_its_known_form() {
    let newer = kernels::vmlinux("7.1");
    // The tracepoint of packets stands behind it: a function, a pointer and a typedef.
    assert_eq!(tracepoint::qdisc_drop(&open(&newer)), Some(newer.next_id - 4));
    assert_eq!(tracepoint::qdisc_drop(&open(&kernels::vmlinux("6.12"))), None);
    for known in 0..6 {
        let mut btf = Builder::new();
        let skb = btf.aggregate(kind::STRUCT, "sk_buff", &[]);
        let reason = btf.enumeration("qdisc_drop_reason", false, &[]);
        let (skb, void) = (btf.pointer(skb), btf.pointer(0));
        let mut types = vec![void, void, void, void, skb, reason];
        types.truncate(known);
        assert_eq!(qdisc_drop(btf.clone(), &types), None, "{known} parameters");
        // As many parameters, of which only the first are what they should be.
        types.resize(6, void);
        let taken = qdisc_drop(btf, &types);
        assert_eq!(taken, None, "{known} parameters as they should be");
    }
}

fn qdisc_drop(mut btf: Builder, types: &[u32]) -> Option<u32> {
    kernels::tracepoint(&mut btf, "qdisc_drop", types);
    tracepoint::qdisc_drop(&open(&btf))
}

#[test]
fn a_module_has_the_types_of_its_kernel() {
    let base = kernels::vmlinux("6.12");
    let module = file(&kernels::module("6.12", "openvswitch", &base).bytes());
    let kernel = open(&base);
    let module = Btf::open_split(&module, &kernel).expect("a module's BTF");
    let of = |btf| (Prototype::resolve(btf).expect("known"), layout::resolve(btf).expect("fields"));
    assert_eq!(of(&module), of(&kernel));
}

//! What `--reason` lets through, and what it says of items that mean nothing.

mod support;

use anyhow::Result;
use clap::Parser;
use dropwatch::{
    cli::Cli,
    config::{Config, UsageError},
    filter::reason,
    kernel::{btf::Btf, reasons::Reasons},
};
use dropwatch_common::filter::ReasonFilter;

use support::{file, kernels};

/// The reasons of the small 6.12, with those of some of its modules.
fn reasons(modules: &[&str]) -> Reasons {
    let base = kernels::vmlinux("6.12");
    let kernel = Btf::open(&file(&base.bytes())).expect("BTF");
    let mut reasons = Reasons::of_btf(&kernel).expect("drop reasons");
    for name in modules {
        let module = file(&kernels::module("6.12", name, &base).bytes());
        reasons.add_module(&Btf::open_split(&module, &kernel).expect("a module's BTF"));
    }
    reasons
}

/// The filter that these values of `--reason` make, from the command line on.
fn filter(values: &[&str], modules: &[&str]) -> Result<Option<ReasonFilter>> {
    let arguments = values.iter().flat_map(|value| ["--reason", value]);
    let cli = Cli::try_parse_from(["dropwatch"].into_iter().chain(arguments))?;
    reason::resolve(&Config::new(&cli.trace)?.filters.reasons, &mut reasons(modules))
}

/// Names of the reasons that pass, when all modules are loaded.
fn passing(values: &[&str]) -> Vec<String> {
    let modules = ["openvswitch", "mac80211"];
    let filter = filter(values, &modules).expect("a filter").expect("some patterns");
    let reasons = reasons(&modules);
    let passing = reasons.iter().filter(|reason| filter.passes(reason.raw));
    passing.map(|reason| reason.name.clone()).collect()
}

/// The message of a usage error: one line that names the item.
fn usage_error(values: &[&str]) -> String {
    let error = filter(values, &[]).expect_err("a usage error");
    assert!(error.is::<UsageError>(), "{error}");
    let text = error.to_string();
    assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
    text
}

#[test]
fn no_pattern_no_filter() {
    assert_eq!(filter(&[], &[]).expect("nothing wrong"), None);
}

#[test]
fn a_name_in_any_case_with_or_without_prefix() {
    for name in [
        "NO_SOCKET",
        "no_socket",
        "No_Socket",
        "SKB_DROP_REASON_NO_SOCKET",
        "skb_drop_reason_no_socket",
        "  NO_SOCKET ",
        "3",
        "0x3",
        "0X0003",
        "core/NO_SOCKET",
        "Core/no_socket",
        "core/3",
        "core/SKB_DROP_REASON_NO_SOCKET",
    ] {
        assert_eq!(passing(&[name]), ["NO_SOCKET"], "{name}");
    }
}

#[test]
fn globs() {
    assert_eq!(passing(&["TCP_*"]), ["TCP_CSUM", "TCP_OLD_DATA", "TCP_OVERWINDOW"]);
    assert_eq!(passing(&["skb_drop_reason_tcp_o*"]), ["TCP_OLD_DATA", "TCP_OVERWINDOW"]);
    assert_eq!(passing(&["*_csum"]), ["TCP_CSUM", "UDP_CSUM"]);
    assert_eq!(passing(&["?CP_CSUM"]), ["TCP_CSUM"]);
    assert_eq!(passing(&["*drop*"]).len(), 9);
    // A name without a wildcard is a whole name.
    assert!(usage_error(&["TCP"]).contains("'TCP'"));
    assert!(usage_error(&["CSUM"]).contains("'CSUM'"));
}

#[test]
fn several_items_are_alternatives() {
    let both = ["NO_SOCKET", "NETFILTER_DROP"];
    assert_eq!(passing(&["NO_SOCKET,NETFILTER_DROP"]), both);
    assert_eq!(passing(&["NETFILTER_DROP", "NO_SOCKET"]), both);
    assert_eq!(passing(&["NETFILTER_DROP , no_socket,11"]), both);
    assert_eq!(passing(&["TCP_*,TCP_CSUM", "NO_SOCKET"]).len(), 4);
}

#[test]
fn what_is_excluded_stays_excluded_in_any_order() {
    let expected = ["TCP_CSUM", "TCP_OVERWINDOW"];
    for values in [
        &["TCP_*,!TCP_OLD_DATA"][..],
        &["!TCP_OLD_DATA,TCP_*"],
        &["TCP_*", "!TCP_OLD_DATA"],
        &["!TCP_OLD_DATA", "TCP_*"],
        &["! tcp_old_data", "TCP_OLD_DATA", "TCP_*"],
        &["TCP_*,!33"],
        &["TCP_*,!0x21"],
        &["!core/33", "TCP_*"],
    ] {
        assert_eq!(passing(values), expected, "{values:?}");
    }
}

#[test]
fn only_exclusions_leave_all_others() {
    let all: Vec<_> =
        reasons(&["openvswitch", "mac80211"]).iter().map(|reason| reason.name.clone()).collect();
    let without = |excluded: &[&str]| -> Vec<_> {
        all.iter().filter(|name| !excluded.contains(&name.as_str())).cloned().collect()
    };
    assert_eq!(passing(&["!NO_SOCKET"]), without(&["NO_SOCKET"]));
    assert_eq!(passing(&["!*_CSUM", "!3"]), without(&["TCP_CSUM", "UDP_CSUM", "NO_SOCKET"]));
    // Reasons that nobody knows yet pass too.
    let filter = filter(&["!NO_SOCKET"], &[]).expect("a filter").expect("a pattern");
    for unknown in [0, 1, 500, 70_000, 0x3_0001, 0x9_0001, 0xffff_0001, u32::MAX] {
        assert!(filter.passes(unknown), "{unknown:#x}");
    }
}

#[test]
fn an_inclusion_leaves_out_what_nobody_knows() {
    let filter = filter(&["*"], &[]).expect("a filter").expect("a pattern");
    assert!(filter.passes(3));
    for unknown in [0, 1, 105, 0x9_0001, 0xffff_0001, u32::MAX] {
        assert!(!filter.passes(unknown), "{unknown:#x}");
    }
}

#[test]
fn everything_excluded_is_an_error() {
    for values in [
        &["NO_SOCKET,!NO_SOCKET"][..],
        &["!NO_SOCKET", "3"],
        &["TCP_*,!TCP_*"],
        &["TCP_CSUM", "!*"],
        &["openvswitch/*", "!openvswitch/*"],
        &["openvswitch/5", "!0x30005"],
    ] {
        assert!(usage_error(values).contains("excludes everything"), "{values:?}");
    }
}

#[test]
fn subsystems_by_name_and_number() {
    let all = ["OVS_DROP_LAST_ACTION", "OVS_DROP_ACTION_ERROR", "OVS_DROP_METER"];
    for item in
        ["openvswitch/*", "OPENVSWITCH/OVS_*", "open*/ovs*", "OVS_*", "Openvswitch/ovs_drop_*"]
    {
        assert_eq!(passing(&[item]), all, "{item}");
    }
    for item in ["openvswitch/5", "OPENVSWITCH/ovs_drop_meter", "196613", "0x30005", "3/5"] {
        assert_eq!(passing(&[item]), ["OVS_DROP_METER"], "{item}");
    }
    assert_eq!(
        passing(&["mac80211_*/*"]),
        [
            "RX_DROP_U_MIC_FAIL",
            "RX_DROP_U_REPLAY",
            "RX_DROP_MONITOR",
            "RX_DROP_M_UNEXPECTED_4ADDR_FRAME"
        ]
    );
    assert_eq!(passing(&["openvswitch/*,!openvswitch/5"]), all[..2]);
    assert!(!passing(&["!openvswitch/*"]).iter().any(|name| name.starts_with("OVS")));
}

#[test]
fn what_queue_disciplines_drop_is_meant_with_its_finer_reasons() {
    let kernel = Btf::open(&file(&kernels::vmlinux("7.1").bytes())).expect("BTF");
    let passes = |item: &str, raw| {
        let cli = Cli::try_parse_from(["dropwatch", "--reason", item]).expect("arguments");
        let patterns = Config::new(&cli.trace).expect("patterns").filters.reasons;
        let mut reasons = Reasons::of_btf(&kernel).expect("drop reasons");
        let filter = reason::resolve(&patterns, &mut reasons).expect("a filter");
        filter.expect("a pattern").passes(raw)
    };
    let (coarse, generic, overlimit) = (64, 0x3_0001, 0x3_0002);
    for item in ["QDISC_DROP", "64", "qdisc_*", "core/QDISC_DROP"] {
        assert!([coarse, generic, overlimit].iter().all(|&raw| passes(item, raw)), "{item}");
        assert!(!passes(item, 3), "{item}");
    }
    assert!(passes("QDISC_DROP_OVERLIMIT", overlimit));
    assert!(!passes("QDISC_DROP_OVERLIMIT", generic));
    assert!([coarse, generic, overlimit].iter().all(|&raw| !passes("!QDISC_DROP", raw)));
}

#[test]
fn a_subsystem_whose_module_is_not_loaded_can_be_filtered() {
    for item in ["openvswitch/*", "OPENVSWITCH/*", "3/*", "!core/*,!mac80211_*/*"] {
        let filter = filter(&[item], &[]).expect(item).expect("a pattern");
        for raw in [0x3_0001, 0x3_0005, 0x3_0100] {
            assert!(filter.passes(raw), "{item}: {raw:#x}");
        }
        for raw in [3, 0x1_0001, 0x2_0001] {
            assert!(!filter.passes(raw), "{item}: {raw:#x}");
        }
    }
    let one = filter(&["openvswitch/5"], &[]).expect("a filter").expect("a pattern");
    assert!(one.passes(0x3_0005) && !one.passes(0x3_0006) && !one.passes(5));
    let but_one = filter(&["openvswitch/*,!openvswitch/5"], &[]).expect("a filter");
    let but_one = but_one.expect("a pattern");
    assert!(!but_one.passes(0x3_0005) && but_one.passes(0x3_0006));
}

#[test]
fn numbers_need_no_name() {
    let filter = filter(&["105,0x9000a"], &[]).expect("a filter").expect("patterns");
    assert!(filter.passes(105) && filter.passes(0x9_000a));
    assert!(!filter.passes(104) && !filter.passes(0x9_000b) && !filter.passes(10));
}

#[test]
fn numbers_that_no_kernel_has() {
    for item in ["512", "0x101ff3", "1048576", "4294967295", "0xffffffff", "!70000"] {
        let error = usage_error(&[item]);
        assert!(error.contains("no kernel") && error.contains("list-reasons"), "{error}");
    }
    // Too large for a number, and so a name that nobody has.
    for item in ["4294967296", "0x100000000", "-1", "0x", "0xno"] {
        assert!(usage_error(&[item]).contains(item), "{item}");
    }
}

#[test]
fn empty_items() {
    for values in [
        &[""][..],
        &[" "],
        &["NO_SOCKET,"],
        &[",NO_SOCKET"],
        &["TCP_*,,3"],
        &["!"],
        &["! ,3"],
        &["/"],
        &["core/"],
    ] {
        assert!(usage_error(values).contains("empty"), "{values:?}");
    }
}

#[test]
fn typing_errors_get_suggestions() {
    for (item, suggestion) in [
        ("NO_SOKET", "NO_SOCKET"),
        ("no_sockt", "NO_SOCKET"),
        ("NOSOCKET", "NO_SOCKET"),
        ("!no_socker", "NO_SOCKET"),
        ("SKB_DROP_REASON_NO_SOCKETS", "NO_SOCKET"),
        ("netfilter_drops", "NETFILTER_DROP"),
        ("TPC_CSUM", "TCP_CSUM"),
    ] {
        let error = usage_error(&[item]);
        let (_, suggested) = error.split_once("did you mean ").expect("a suggestion");
        assert!(suggested.starts_with(suggestion), "{error}");
        assert!(error.contains(item.trim_start_matches('!')), "{error}");
        assert!(error.contains("list-reasons"), "{error}");
    }
}

#[test]
fn suggestions_are_few_and_only_for_what_is_similar() {
    let error = usage_error(&["xyzzy"]);
    assert!(!error.contains("did you mean") && error.contains("list-reasons"), "{error}");
    let error = usage_error(&["XCP_CSUM"]);
    let (_, suggested) = error.split_once("did you mean ").expect("suggestions");
    let (suggested, _) = suggested.split_once('?').expect("a question");
    assert!(suggested.split(", ").count() <= 3, "{error}");
}

#[test]
fn names_that_other_kernels_have() {
    // A name of a kernel in the table of known names, and one of a module that is not loaded.
    let error = usage_error(&["PSP_INPUT"]);
    assert!(error.contains("other kernels") && error.contains("6.18"), "{error}");
    let error = usage_error(&["skb_drop_reason_dup_frag"]);
    assert!(error.contains("other kernels") && error.contains("6.12"), "{error}");
    let error = usage_error(&["OVS_DROP_METER"]);
    assert!(error.contains("openvswitch") && error.contains("loaded"), "{error}");
}

#[test]
fn globs_and_subsystems_that_match_nothing() {
    for item in ["FOO_*", "nonsense/*", "openvswitch/NO_SOCKET", "core/OVS_*", "4/*"] {
        let error = usage_error(&[item]);
        assert!(error.contains(&format!("'{item}'")) && error.contains("list-reasons"), "{error}");
        assert!(error.contains("openvswitch"), "which modules are not loaded: {error}");
    }
}

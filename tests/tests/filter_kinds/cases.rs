//! Filters, and what each shows.

use std::{fs, os::unix::fs::MetadataExt, process};

use anyhow::{Context, Result};
use dropwatch_tests::{Event, Namespace};

use crate::traffic::{Flow, Machine, TCP, UDP_NEXT, UDP_ONE};

/// What a filter shows.
pub type Shows = Box<dyn Fn(&Flow, &Event) -> bool>;

pub struct Case {
    pub args: Vec<String>,
    pub shows: Shows,
}

fn case(args: &[&str], shows: impl Fn(&Flow, &Event) -> bool + 'static) -> Case {
    Case { args: args.iter().map(|&arg| arg.to_owned()).collect(), shows: Box::new(shows) }
}

/// A filter as it is, and with everything that it wants excluded: what is unknown of a packet is
/// not wanted and not excluded either, so that all is shown by exactly one of both.
pub fn both_ways(
    flag: &str,
    list: &str,
    shows: impl Fn(&Flow, &Event) -> bool + Clone + 'static,
) -> [Case; 2] {
    let excluded = list.split(',').map(|item| format!("!{item}")).collect::<Vec<_>>().join(",");
    let others = shows.clone();
    [case(&[flag, list], shows), case(&[flag, &excluded], move |flow, event| !others(flow, event))]
}

fn inode(namespace: &Namespace) -> Result<String> {
    let path = format!("/run/netns/{}", namespace.name());
    Ok(fs::metadata(&path).with_context(|| format!("no {path}"))?.ino().to_string())
}

pub fn one_kind(machine: &Machine) -> Result<Vec<Case>> {
    let own = process::id();
    let loopback = inode(&machine.loopback)?;
    let far = machine.veth.far.name();
    Ok([
        both_ways("--protocol", "IPv6", |_, event| event.protocol == "IPv6"),
        both_ways("--protocol", "ip,0x88b5", |_, event| event.protocol != "IPv6"),
        both_ways("--interface", "lo", |flow, _| !flow.over_veth),
        both_ways("--interface", "ve*,no-such-device", |flow, _| flow.over_veth),
        // The loopback device is the first of each namespace.
        both_ways("--interface", "1", |flow, _| !flow.over_veth),
        both_ways("--interface", "1,no-such-device", |flow, _| !flow.over_veth),
        both_ways("--interface", "9999,veth*", |flow, _| flow.over_veth),
        both_ways("--netns", &loopback, |flow, _| !flow.over_veth),
        both_ways("--netns", far, |flow, _| flow.over_veth),
        both_ways("--pid", &own.to_string(), move |_, event| event.pid == own),
        both_ways("--comm", "dwt kind a", |_, event| event.comm == "dwt kind a"),
        both_ways("--comm", "dwt kind*,nginx", |_, event| event.comm.starts_with("dwt kind")),
        both_ways("--function", "tcp_v4_rcv", |_, event| event.location.function == "tcp_v4_rcv"),
        both_ways("--function", "*udp*,__netif_*", |_, event| {
            let function = &event.location.function;
            function.contains("udp") || function.starts_with("__netif_")
        }),
        both_ways("--src", "10.1.0.0/16", |flow, _| flow.address(0, "10.1.")),
        both_ways("--src", "10.1.2.3,::1", |flow, _| {
            flow.address(0, "10.1.2.3") || flow.address(0, "::1")
        }),
        both_ways("--dst", "10.1.2.3/32", |flow, _| flow.address(1, "10.1.2.3")),
        both_ways("--dst", "::/0", |flow, _| flow.address(1, "::")),
        both_ways("--host", "10.2.0.1", |flow, _| {
            flow.address(0, "10.2.") || flow.address(1, "10.2.")
        }),
        both_ways("--host", "0.0.0.0/0", |flow, _| flow.address(0, "1")),
        both_ways("--sport", "1000,1001", |flow, _| flow.port(0, 1000, 1001)),
        both_ways("--dport", "400-500,9", |flow, _| flow.port(1, 443, 443) || flow.port(1, 9, 9)),
        both_ways("--port", "2000", |flow, _| flow.port(0, 2000, 2000) || flow.port(1, 2000, 2000)),
        both_ways("--l4", "tcp", |flow, _| flow.l4 == Some("tcp")),
        both_ways("--l4", "17,icmp", |flow, _| flow.l4 == Some("udp")),
    ]
    .into_iter()
    .flatten()
    .collect())
}

pub fn several_kinds(machine: &Machine) -> Vec<Case> {
    vec![
        case(&["--min-len", "334"], |flow, _| flow.len >= 334),
        case(&["--max-len", "334"], |flow, _| flow.len <= 334),
        case(&["--min-len", "310", "--max-len", "334"], |flow, _| (310..=334).contains(&flow.len)),
        // Repeats are alternatives, and what is excluded stays excluded.
        case(&["--src", "10.1.2.3", "--src", "10.2.0.1"], |flow, _| {
            flow.address(0, "10.1.2.3") || flow.address(0, "10.2.")
        }),
        case(&["--src", "!10.1.2.3", "--src", "10.1.0.0/16"], |flow, _| {
            flow.address(0, "10.1.2.4")
        }),
        // A longer prefix within a shorter one, of other flags too.
        case(&["--src", "10.0.0.0/8", "--host", "10.1.0.0/16,!10.2.0.1"], |flow, _| {
            flow.len == UDP_ONE.len
        }),
        case(&["--port", "1000-3000,!1000-1001"], |flow, _| flow.len == TCP.len),
        case(&["--interface", "lo,veth*,!1"], |flow, _| flow.over_veth),
        case(&["--function", "*,!*udp*"], |_, event| !event.location.function.contains("udp")),
        // All kinds have to hold.
        case(&["--l4", "udp", "--port", "2000"], |flow, _| {
            flow.l4 == Some("udp") && flow.port(1, 2000, 2000)
        }),
        case(&["--l4", "udp", "--port", "2000", "--interface", "lo"], |flow, _| {
            flow.len == UDP_ONE.len
        }),
        case(&["--dst", "10.1.2.3", "--sport", "2000", "--reason", "TCP_*"], |flow, _| {
            flow.len == TCP.len
        }),
        case(
            &[
                "--reason",
                "UDP_CSUM",
                "--protocol",
                "ipv4,!ipv6",
                "--interface",
                "lo,!veth*",
                "--netns",
                machine.loopback.name(),
                "--pid",
                &process::id().to_string(),
                "--comm",
                "dwt*,!dwt kind b",
                "--function",
                "*udp*",
                "--src",
                "10.1.2.0/24",
                "--dst",
                "10.0.0.0/8,!::/0",
                "--host",
                "10.2.0.1",
                "--port",
                "1-65535",
                "--sport",
                "1001",
                "--dport",
                "2000-3000,!2000",
                "--l4",
                "!tcp",
                "--min-len",
                "310",
                "--max-len",
                "310",
            ],
            |flow, event| flow.len == UDP_NEXT.len && event.pid == process::id(),
        ),
    ]
}

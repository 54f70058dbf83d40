//! `--reason`: what each pattern shows, compared with an unfiltered run of the same traffic; and
//! `--interface` for packets that have left theirs.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};

use anyhow::{Context, Result, bail};
use dropwatch_tests::{
    Account, Event, Launch, Namespace, Reasons, exclusive, need,
    need::kernel_tells_receivers,
    traffic::{CLOSED_PORT, frame, raw, tcp, udp},
};

/// How many drops of each reason the traffic causes.
const TRAFFIC: [(&str, usize); 4] =
    [("NO_SOCKET", 7), ("SOCKET_FILTER", 5), ("TCP_CSUM", 4), ("NETFILTER_DROP", 3)];

fn send(namespace: &Namespace) -> Result<()> {
    let at = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let mut segment = frame::tcp_syn(at(40_000), at(CLOSED_PORT), b"");
    frame::spoil_tcp(&mut segment);
    namespace.nft("ip", "input", "udp dport 10 drop")?;
    namespace.run("dwt filters", || {
        udp::send(at(CLOSED_PORT), 100, 5)?;
        tcp::connect_in_vain(at(CLOSED_PORT), 2)?;
        udp::send(udp::deaf_socket(at(0))?.local_addr()?, 100, 5)?;
        raw::send(Ipv4Addr::LOCALHOST, &segment, 4)?;
        udp::send(at(10), 100, 3)
    })
}

/// The drops that this process caused, but for when they were.
fn own(events: Vec<Event>) -> Vec<Event> {
    let own = events.into_iter().filter(|event| event.ran_for(std::process::id()));
    own.map(|event| Event { time: 0, ..event }).collect()
}

/// A command line, and which reasons it shows.
struct Case {
    args: Vec<String>,
    shows: fn(&str) -> bool,
}

fn case(reasons: &[&str], shows: fn(&str) -> bool) -> Case {
    let args = reasons.iter().flat_map(|reason| ["--reason".to_owned(), (*reason).to_owned()]);
    Case { args: args.collect(), shows }
}

#[test]
fn patterns_select_reasons_in_the_kernel() -> Result<()> {
    need!(Root, Program("ip"), Program("nft"), Reason("TCP_CSUM"), Reason("NETFILTER_DROP"));
    let reasons = Reasons::of_kernel()?;
    let number = |name| reasons.number(name).with_context(|| format!("no {name}"));
    let (decimal, hexadecimal) =
        (number("NO_SOCKET")?.to_string(), format!("{:#x}", number("SOCKET_FILTER")?));

    let cases = [
        case(&["NO_SOCKET"], |name| name == "NO_SOCKET"),
        case(&["no_socket"], |name| name == "NO_SOCKET"),
        case(&["SKB_DROP_REASON_NO_SOCKET"], |name| name == "NO_SOCKET"),
        case(&["skb_drop_reason_tcp_csum"], |name| name == "TCP_CSUM"),
        case(&[&decimal], |name| name == "NO_SOCKET"),
        case(&[&hexadecimal], |name| name == "SOCKET_FILTER"),
        case(&["TCP_*"], |name| name.starts_with("TCP_")),
        case(&["*SOCKET*"], |name| name.contains("SOCKET")),
        case(&["!NO_SOCKET"], |name| name != "NO_SOCKET"),
        case(&["!*SOCKET*"], |name| !name.contains("SOCKET")),
        case(&["NO_SOCKET,TCP_CSUM"], |name| ["NO_SOCKET", "TCP_CSUM"].contains(&name)),
        case(&["NO_SOCKET", "TCP_CSUM"], |name| ["NO_SOCKET", "TCP_CSUM"].contains(&name)),
        case(&["*SOCKET*,!NO_SOCKET"], |name| name.contains("SOCKET") && name != "NO_SOCKET"),
        // What is excluded stays excluded, whatever comes later.
        case(&["!NO_SOCKET", "*SOCKET*"], |name| name.contains("SOCKET") && name != "NO_SOCKET"),
        case(&["core/*,!TCP_*"], |name| !name.starts_with("TCP_")),
    ];

    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let unfiltered = Launch::new::<&str>(&[]).start()?;
    let filtered =
        cases.iter().map(|case| Launch::new(&case.args).start()).collect::<Result<Vec<_>>>()?;
    send(&namespace)?;
    let finished = filtered.into_iter().map(|run| run.interrupt()).collect::<Result<Vec<_>>>()?;

    let all = own(unfiltered.interrupt()?.events()?);
    for (reason, count) in TRAFFIC {
        assert_eq!(all.iter().filter(|event| event.reason == reason).count(), count, "{reason}");
    }
    for (case, finished) in cases.iter().zip(&finished) {
        let Case { args, shows } = case;
        let events = finished.events()?;
        if let Some(event) = events.iter().find(|event| !shows(&event.reason)) {
            panic!("{args:?} shows {event:?}");
        }
        let expected: Vec<_> = all.iter().filter(|event| shows(&event.reason)).cloned().collect();
        assert!(!expected.is_empty() && expected.len() < all.len(), "{args:?} proves nothing");
        // What is not shown was not even matched: the kernel has sorted it out.
        let account @ Account { seen, matched, .. } = finished.success()?;
        assert_eq!(matched, events.len() as u64, "{args:?}: {account:?}");
        let hidden = (all.len() - expected.len()) as u64;
        assert!(seen >= matched + hidden, "{args:?}: {account:?}");
        assert_eq!(own(events), expected, "{args:?}");
    }
    Ok(())
}

/// TCP takes a packet from its device before a socket handles it.
#[test]
fn a_packet_without_a_device_is_found_by_the_name_of_the_one_it_came_in_by() -> Result<()> {
    need!(Root, Program("ip"), Reason("TCP_RESET"));
    if !kernel_tells_receivers() {
        // There a packet without a device has no network namespace either.
        return Ok(());
    }
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let listener =
        namespace.run("dwt listener", || Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?))?;
    let SocketAddr::V4(to) = listener.local_addr()? else { bail!("not an IPv4 address") };
    let reset = frame::tcp_reset(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 40_000), to);
    for (interface, count) in [("lo", 3), ("l*", 3), ("!lo", 0), ("dwt-none", 0), ("!dwt-none", 3)]
    {
        let args = ["--reason", "TCP_RESET", "--interface", interface];
        let dropwatch = Launch::new(&args).start()?;
        namespace.run("dwt sender", || raw::send(Ipv4Addr::LOCALHOST, &reset, 3))?;
        let finished = dropwatch.interrupt()?;
        let own = finished.events()?.into_iter().filter(|event| event.ran_for(std::process::id()));
        assert_eq!(own.count(), count, "{interface}: {}", finished.stdout());
    }
    Ok(())
}

//! Doing without BTF, and without reasons: what is shown is the same as with them, but for what
//! cannot be known.

use std::{
    ffi::OsStr,
    net::{Ipv4Addr, Ipv6Addr},
    process,
};

use anyhow::{Context, Result};
use dropwatch_tests::{
    Attached, Event, Finished, Launch, Namespace, Stack, exclusive,
    mount::WITH_TRACEFS,
    need,
    traffic::{CLOSED_PORT, udp},
};

const CLOSED: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, CLOSED_PORT);
const COUNT: u32 = 500;

/// A launch that has tracefs, which not every machine has mounted.
fn with_tracefs<A: AsRef<OsStr>>(args: &[A]) -> Launch {
    Launch::new(args).through(&WITH_TRACEFS)
}

/// Where UDP drops what comes to a closed port. From 7.2 on the latter are a part of the former.
const UDP_RECEIVE: [&str; 4] = ["udp_rcv", "udpv6_rcv", "__udp4_lib_rcv", "__udp6_lib_rcv"];

/// The drops that this process caused. There may be others than of what was sent: kernels
/// before 6.2 free the ICMPv6 answers as drops.
fn own(finished: &Finished) -> Result<Vec<Event>> {
    let mut events = finished.events()?;
    events.retain(|event| event.ran_for(process::id()));
    Ok(events)
}

/// The function that dropped, without what the compiler appends to the name of a special copy.
fn function(event: &Event) -> &str {
    event.location.function.split('.').next().unwrap_or_default()
}

/// Has both see the same drops, some of which have another protocol, and gives what each showed
/// of them.
fn both(one: Launch, other: Launch, count: u32) -> Result<[(Finished, Vec<Event>); 2]> {
    let namespace = Namespace::new()?;
    let [one, other] = [one.start()?, other.start()?];
    let attached = [Attached::of(one.pid())?, Attached::of(other.pid())?];
    namespace.run("dwt without", || {
        udp::send(CLOSED, 100, count)?;
        udp::send((Ipv6Addr::LOCALHOST, CLOSED_PORT), 200, count)
    })?;
    let both = [one.interrupt()?, other.interrupt()?].map(|finished| {
        let account = finished.success()?;
        assert_eq!((account.lost, account.missed), (0, 0), "{account:?}");
        assert_eq!(account.shown, finished.events()?.len() as u64, "{account:?}");
        let own = own(&finished)?;
        let of_udp = own.iter().filter(|event| UDP_RECEIVE.contains(&function(event))).count();
        assert_eq!(of_udp, 2 * count as usize, "{account:?}");
        Ok((finished, own))
    });
    for attached in attached {
        attached.wait_until_gone()?;
    }
    let [one, other]: [Result<_>; 2] = both;
    Ok([one?, other?])
}

/// The drops without what need not be the same: each stamps and numbers for itself, and without
/// BTF it is not known whether a task was interrupted.
fn comparable(events: &[Event]) -> Vec<Event> {
    let event = |event: &Event| Event { time: 0, stack: None, interrupted: false, ..event.clone() };
    events.iter().map(event).collect()
}

fn assert_one_notice(finished: &Finished, text: &str) {
    let notices = finished.stderr.iter().filter(|line| line.text.contains(text)).count();
    assert_eq!(notices, 1, "{}", finished.stderr());
    assert_eq!(finished.notices(), 2, "notice and account: {}", finished.stderr());
}

#[test]
fn without_btf_all_but_the_length_is_the_same() -> Result<()> {
    need!(Root, Program("ip"), Program("unshare"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let args = ["--reason", "NO_SOCKET"];
    let without = with_tracefs(&args).args(&["--no-btf"]);
    let [(_, with), (finished, without)] = both(Launch::new(&args), without, COUNT)?;
    assert_one_notice(&finished, "without BTF");
    let expected: Vec<_> =
        comparable(&with).into_iter().map(|event| Event { len: None, ..event }).collect();
    assert!(with.iter().all(|event| event.len.is_some() && event.reason == "NO_SOCKET"));
    assert_eq!(comparable(&without), expected);
    assert_eq!(without.len(), 2 * COUNT as usize, "NO_SOCKET is for what was sent only");
    for (event, protocol) in [(&without[0], "IPv4"), (&without[COUNT as usize], "IPv6")] {
        assert_eq!(event.protocol, protocol);
    }
    Ok(())
}

#[test]
fn without_btf_every_reason_has_its_name() -> Result<()> {
    need!(Root, Program("ip"), Program("unshare"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let (with, without) = (Launch::new::<&str>(&[]), with_tracefs(&["--no-btf"]));
    let [(_, with), (finished, without)] = both(with, without, 3)?;
    assert_one_notice(&finished, "without BTF");
    let reasons =
        |events: &[Event]| -> Vec<_> { events.iter().map(|event| event.reason.clone()).collect() };
    assert_eq!(reasons(&without), reasons(&with));
    Ok(())
}

#[test]
fn without_btf_stacks_are_the_same() -> Result<()> {
    need!(Root, Program("ip"), Program("unshare"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let args = ["--reason", "NO_SOCKET", "--stack=full"];
    let without = with_tracefs(&args).args(&["--no-btf"]);
    let [(_, with), (finished, without)] = both(Launch::new(&args), without, 3)?;
    assert_one_notice(&finished, "without BTF");
    for (without, with) in without.iter().zip(&with) {
        let [without_frames, with_frames] = [without, with]
            .map(|event| event.stack.as_ref().map(Stack::called).unwrap_or_default());
        assert_eq!(without_frames, with_frames);
        assert!(with_frames.len() > 3, "{with:?}");
        assert_eq!(with_frames[0], with.location);
    }
    Ok(())
}

#[test]
fn without_btf_or_tracefs_there_is_a_remedy() -> Result<()> {
    need!(Root, Program("unshare"));
    // debugfs has tracefs within.
    let hide = "mount -t tmpfs none /sys/kernel/tracing && \
                { ! [ -d /sys/kernel/debug ] || mount -t tmpfs none /sys/kernel/debug; } && exec \"$@\"";
    let through = ["unshare", "--mount", "sh", "-c", hide, "sh"];
    let finished = Launch::new(&["--no-btf"]).through(&through).run()?;
    let message = finished.stderr();
    assert_eq!(finished.status.code(), Some(1), "{message}");
    assert_eq!(finished.stdout(), "", "{message}");
    assert!(message.contains("mount -t tracefs tracefs /sys/kernel/tracing"), "{message}");
    assert_eq!(finished.notices(), 1, "{message}");
    Ok(())
}

/// On its own, and together with `--no-btf`.
#[test]
fn without_reasons_all_else_is_the_same() -> Result<()> {
    need!(Root, Program("ip"), Program("unshare"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    for no_btf in [false, true] {
        let (with, without) = match no_btf {
            true => (with_tracefs(&["--no-btf"]), with_tracefs(&["--without-reasons", "--no-btf"])),
            false => (Launch::new::<&str>(&[]), Launch::new(&["--without-reasons"])),
        };
        let [(_, with), (finished, without)] = both(with, without, COUNT / 10)?;
        match no_btf {
            true => assert_one_notice(&finished, "without BTF"),
            false => assert_eq!(finished.notices(), 1, "{}", finished.stderr()),
        }
        assert!(with.iter().all(|event| event.reason != "?"));
        let expected: Vec<_> = comparable(&with)
            .into_iter()
            .map(|event| Event { reason: "?".to_owned(), ..event })
            .collect();
        assert_eq!(comparable(&without), expected, "--no-btf: {no_btf}");
    }
    Ok(())
}

/// On kernels of all ages, with BTF and without.
#[test]
fn without_reasons_drops_are_shown() -> Result<()> {
    const COMM: &str = "dwt no reasons";
    need!(Root, Program("ip"), Program("unshare"));
    let _turn = exclusive();
    for args in [&[][..], &["--stack=full"], &["--no-btf"], &["--no-btf", "--stack=full"]] {
        let namespace = Namespace::new()?;
        let dropwatch = with_tracefs(&["--without-reasons"]).args(args).start()?;
        namespace.run(COMM, || {
            udp::send(CLOSED, 100, 3)?;
            udp::send((Ipv6Addr::LOCALHOST, CLOSED_PORT), 200, 3)
        })?;
        let finished = dropwatch.interrupt()?;
        let account = finished.success()?;
        assert_eq!((account.lost, account.without_stack), (0, 0), "{args:?}: {account:?}");
        let mut own = own(&finished)?;
        own.retain(|event| UDP_RECEIVE.contains(&function(event)));
        assert_eq!(own.len(), 6, "{args:?}: {account:?}");
        for (index, event) in own.iter().enumerate() {
            let (protocol, payload) = if index < 3 { ("IPv4", 100) } else { ("IPv6", 200) };
            let len = (!args.contains(&"--no-btf")).then_some(udp::HEADER + payload);
            assert_eq!((event.reason.as_str(), event.protocol.as_str()), ("?", protocol));
            assert_eq!(event.len, len, "{args:?}: {event:?}");
            assert_eq!(event.comm == COMM, event.pid == process::id(), "{event:?}");
            let called = event.stack.as_ref().map(Stack::called);
            assert_eq!(called.is_some(), args.contains(&"--stack=full"), "{args:?}: {event:?}");
            if let Some(called) = called {
                assert!(called.len() > 3 && called[0] == event.location, "{called:#?}");
            }
        }
    }
    Ok(())
}

#[test]
fn reasons_cannot_be_chosen_without_reasons() -> Result<()> {
    for args in
        [["--without-reasons", "--reason", "NO_SOCKET"], ["--reason", "3", "--without-reasons"]]
    {
        let finished = Launch::new(&args).run()?;
        let message = finished.stderr();
        assert_eq!(finished.status.code(), Some(2), "{message}");
        assert_eq!(finished.stdout(), "");
        let error = message.lines().next().context("no message")?;
        assert!(error.contains("--reason") && error.contains("--without-reasons"), "{message}");
    }
    Ok(())
}

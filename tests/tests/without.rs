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
const COUNT: u32 = 2_000;

/// A launch that has tracefs, which not every machine has mounted.
fn with_tracefs<A: AsRef<OsStr>>(args: &[A]) -> Launch {
    Launch::new(args).through(&WITH_TRACEFS)
}

/// The drops that this process caused.
fn own(finished: &Finished) -> Result<Vec<Event>> {
    let mut events = finished.events()?;
    events.retain(|event| event.ran_for(process::id()));
    Ok(events)
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
        assert_eq!(own.len(), 2 * count as usize, "{account:?}");
        Ok((finished, own))
    });
    for attached in attached {
        attached.wait_until_gone()?;
    }
    let [one, other]: [Result<_>; 2] = both;
    Ok([one?, other?])
}

/// The drops without what need not be the same: each stamps and numbers for itself.
fn comparable(events: &[Event]) -> Vec<Event> {
    events.iter().map(|event| Event { time: 0, stack: None, ..event.clone() }).collect()
}

fn assert_one_notice(finished: &Finished, text: &str) {
    let notices = finished.stderr.iter().filter(|line| line.text.contains(text)).count();
    assert_eq!(notices, 1, "{}", finished.stderr());
    assert_eq!(finished.stderr.len(), 2, "notice and account: {}", finished.stderr());
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
    let function = without[0].location.function.split('.').next().unwrap_or_default();
    assert!(["__udp4_lib_rcv", "udp_rcv"].contains(&function), "{function}");
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
    assert_eq!(finished.stderr.len(), 1, "{message}");
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
            false => assert_eq!(finished.stderr.len(), 1, "{}", finished.stderr()),
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

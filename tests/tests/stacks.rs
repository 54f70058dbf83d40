//! Stacks: each is the one of its drop, and begins where the packet was dropped.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddrV4},
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use dropwatch_tests::{
    Bpftrace, Event, Kallsyms, Launch, Namespace, Place, Reasons, Stack, exclusive, need,
    traffic::{CLOSED_PORT, tcp, udp},
};

fn at(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

/// Every drop with its stack, also where that was printed further up. Each stack begins with
/// the location of its drop, and no two share a number.
fn with_stacks(events: &[Event]) -> Result<Vec<(&Event, Vec<Place>)>> {
    let mut stacks: HashMap<u64, Vec<Place>> = HashMap::new();
    let mut found = Vec::new();
    for event in events {
        let called = match &event.stack {
            Some(stack @ Stack::Frames(number, _)) => {
                let called = stack.called();
                let known = stacks.entry(*number).or_insert_with(|| called.clone());
                ensure!(*known == called, "two stacks have the number {number}");
                called
            }
            Some(Stack::AsAbove(number)) => {
                stacks.get(number).with_context(|| format!("no stack {number} above"))?.clone()
            }
            other => bail!("{event:?} has no stack: {other:?}"),
        };
        ensure!(called.first() == Some(&event.location), "the stack of {event:?} is {called:#?}");
        found.push((event, called));
    }
    let mut distinct: Vec<_> = stacks.values().collect();
    distinct.sort();
    ensure!(distinct.windows(2).all(|pair| pair[0] != pair[1]), "one stack has two numbers");
    Ok(found)
}

/// Those of the drops that this process caused.
fn own(stacks: Vec<(&Event, Vec<Place>)>) -> Vec<(&Event, Vec<Place>)> {
    stacks.into_iter().filter(|(event, _)| event.pid == std::process::id()).collect()
}

/// What bpftrace counted by location and stack: the stack from the function that dropped the
/// packet on, and how often.
fn read_stacks(lines: &[String], kallsyms: &Kallsyms) -> Result<Vec<(Vec<Place>, usize)>> {
    let mut stacks = Vec::new();
    let (mut location, mut frames) = (0, Vec::new());
    for line in lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
        if let Some(keys) = line.strip_prefix("@[0x") {
            location = u64::from_str_radix(keys.trim_end_matches(','), 16)?;
        } else if let Some(count) = line.strip_prefix("]: ") {
            let inner = frames.iter().position(|place| kallsyms.is_at(place, location));
            let inner = inner.with_context(|| format!("{location:#x} is not in {frames:?}"))?;
            stacks.push((frames.split_off(inner), count.parse()?));
            frames.clear();
        } else if let Some((function, offset)) = line.rsplit_once('+') {
            let (function, offset) = (function.to_owned(), offset.parse()?);
            frames.push(Place { function, offset, module: None });
        }
    }
    Ok(stacks)
}

/// Every stack has to be in both, equally often.
fn compare(
    shown: &[(&Event, Vec<Place>)],
    counted: &[(Vec<Place>, usize)],
    kallsyms: &Kallsyms,
) -> Result<()> {
    let same = |left: &[Place], right: &[Place]| {
        left.len() == right.len() && left.iter().zip(right).all(|(l, r)| kallsyms.same(l, r))
    };
    let mut distinct: HashMap<&[Place], usize> = HashMap::new();
    for (_, called) in shown {
        *distinct.entry(called).or_default() += 1;
    }
    for (stack, count) in counted {
        let found = distinct.keys().find(|shown| same(shown, stack)).copied();
        let found = found.with_context(|| format!("no drop has the stack {stack:#?}"))?;
        ensure!(distinct.remove(found) == Some(*count), "bpftrace has {count} of {stack:#?}");
    }
    ensure!(distinct.is_empty(), "bpftrace has not seen {distinct:#?}");
    Ok(())
}

fn bpftrace(filter: &str) -> Result<Bpftrace> {
    let filter = format!("pid == {} && {filter}", std::process::id());
    Bpftrace::start(&filter, "@[args->location, kstack] = count();")
}

/// A namespace in which the first packet has found its way already: it goes another way in the
/// kernel than those after it.
fn warm_namespace() -> Result<Namespace> {
    let namespace = Namespace::new()?;
    namespace.run("dwt warm", || udp::send(at(CLOSED_PORT), 100, 1))?;
    Ok(namespace)
}

#[test]
fn a_stack_is_printed_once() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = warm_namespace()?;
    let args = ["--reason", "NO_SOCKET", "--stack", "--count", "3"];
    let dropwatch = Launch::new(&args).start()?;
    namespace.run("dwt stacks", || udp::send(at(CLOSED_PORT), 100, 3))?;
    let events = dropwatch.wait()?.events()?;
    assert_eq!(events.len(), 3);
    let printed = events.iter().filter_map(|event| match event.stack {
        Some(Stack::Frames(number, _)) => Some(number),
        _ => None,
    });
    let printed: Vec<_> = printed.collect();
    assert!(printed.iter().copied().eq(1..=printed.len() as u64), "printed {printed:?}");

    let own = own(with_stacks(&events)?);
    ensure!(own.len() > 1, "others drop too much: {events:#?}");
    for (_, called) in &own {
        assert_eq!(*called, own[0].1);
        // From 7.2 on the one is a part of the other, its only caller.
        let receive = ["__udp4_lib_rcv", "udp_rcv"];
        assert!(receive.contains(&called[0].function.as_str()), "{called:#?}");
        // On its way from the system call to the receiving side.
        for function in ["ip_local_deliver_finish", "udp_sendmsg"] {
            assert!(called.iter().any(|place| place.function == function), "{called:#?}");
        }
    }
    Ok(())
}

#[test]
fn or_each_time() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = warm_namespace()?;
    let dropwatch = Launch::new(&["--reason", "NO_SOCKET", "--stack=full"]).start()?;
    namespace.run("dwt stacks", || udp::send(at(CLOSED_PORT), 100, 3))?;
    let events = dropwatch.interrupt()?.events()?;
    let own = own(with_stacks(&events)?);
    assert_eq!(own.len(), 3);
    for (event, _) in &own {
        assert!(matches!(event.stack, Some(Stack::Frames(..))), "{event:?}");
        assert_eq!(event.stack, own[0].0.stack);
    }
    Ok(())
}

#[test]
fn bpftrace_has_the_same_stacks() -> Result<()> {
    need!(Root, Program("ip"), Program("bpftrace"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let number = Reasons::of_kernel()?.number("NO_SOCKET").context("needed")?;
    let dropwatch = Launch::new(&["--reason", "NO_SOCKET", "--stack"]).start()?;
    let bpftrace = bpftrace(&format!("args->reason == {number}"))?;
    namespace.run("dwt stacks", || {
        udp::send(at(CLOSED_PORT), 100, 3)?;
        tcp::connect_in_vain(at(CLOSED_PORT), 2)?;
        udp::send((std::net::Ipv6Addr::LOCALHOST, CLOSED_PORT), 100, 1)
    })?;
    let kallsyms = Kallsyms::of_kernel()?;
    let counted = read_stacks(&bpftrace.finish()?, kallsyms)?;
    let events = dropwatch.interrupt()?.events()?;
    let stacks = own(with_stacks(&events)?);
    assert_eq!(stacks.len(), 6);
    assert!(counted.len() >= 3, "{counted:?}");
    compare(&stacks, &counted, kallsyms)
}

/// Two threads, each with its own kind of drop, at the same time.
#[test]
fn stacks_are_never_mixed_up() -> Result<()> {
    need!(Root, Program("ip"), Program("nft"), Program("bpftrace"), Reason("NETFILTER_DROP"));
    const COUNT: u32 = 15_000;
    const DROPPED_PORT: u16 = 10;
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    namespace.nft("ip", "input", &format!("udp dport {DROPPED_PORT} drop"))?;
    let args = ["--reason", "NO_SOCKET,NETFILTER_DROP", "--stack", "--buffer-size", "64M"];
    let dropwatch = Launch::new(&args).start()?;
    let reasons = Reasons::of_kernel()?;
    let numbers =
        ["NO_SOCKET", "NETFILTER_DROP"].map(|name| reasons.number(name).unwrap_or_default());
    let [first, second] = numbers;
    let bpftrace = bpftrace(&format!("(args->reason == {first} || args->reason == {second})"))?;
    thread::scope(|scope| -> Result<()> {
        let other =
            scope.spawn(|| namespace.run("dwt two", || udp::send(at(DROPPED_PORT), 100, COUNT)));
        namespace.run("dwt one", || udp::send(at(CLOSED_PORT), 100, COUNT))?;
        other.join().map_err(|_| anyhow::anyhow!("the other sender failed"))?
    })?;
    let kallsyms = Kallsyms::of_kernel()?;
    let counted = read_stacks(&bpftrace.finish()?, kallsyms)?;
    let finished = dropwatch.interrupt()?;
    let account = finished.success()?;
    ensure!(account.lost == 0 && account.without_stack == 0, "{account:?}");
    let events = finished.events()?;
    let stacks = own(with_stacks(&events)?);
    // Nearly all are seen in the context of their sender.
    for (comm, reason) in [("dwt one", "NO_SOCKET"), ("dwt two", "NETFILTER_DROP")] {
        let of = |(event, _): &&(&Event, _)| event.comm == comm && event.reason == reason;
        let count = stacks.iter().filter(of).count();
        assert!(count > COUNT as usize / 2, "{count} drops of {comm}");
    }
    compare(&stacks, &counted, kallsyms)
}

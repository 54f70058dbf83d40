//! Every filter but `--reason`, both ways round: what it shows, compared with an unfiltered run
//! of the same traffic at the same time.

mod cases;
mod traffic;

use std::{fs, process, time::Duration};

use anyhow::{Context, Result};
use dropwatch_tests::{
    Attached, Event, Finished, Launch, Running, exclusive, mount::WITH_TRACEFS, need,
};

use cases::{Case, both_ways, one_kind, several_kinds};
use traffic::{BASH, COUNT, FLOWS, Flow, Machine};

/// So many runs at the same time: each has a buffer and reads the kernel's BTF.
const AT_ONCE: usize = 12;
const SMALL: [&str; 2] = ["--buffer-size", "256K"];

/// The drops of the test, in an order of their own: those of different processors may be told in
/// another.
fn own(finished: &Finished) -> Result<Vec<(Flow, Event)>> {
    let events = finished.events()?.into_iter().map(|event| Event { time: 0, ..event });
    let mut own: Vec<_> = events.filter_map(|event| Some((Flow::of(&event)?, event))).collect();
    own.sort_by_cached_key(|own| format!("{own:?}"));
    Ok(own)
}

fn events(own: Vec<(Flow, Event)>) -> Vec<Event> {
    own.into_iter().map(|(_, event)| event).collect()
}

/// Where there is much to do, ksoftirqd drops packets a moment after they were sent.
fn wait_for_all(unfiltered: &Running) {
    let heading = 1;
    unfiltered.lines(heading + FLOWS.len() * COUNT as usize, Duration::from_secs(5));
}

/// Runs all that can run at once on the same traffic.
fn check(machine: &Machine, cases: &[Case]) -> Result<()> {
    let unfiltered = Launch::new(&SMALL).start()?;
    let start = |case: &Case| Launch::new(&case.args).args(&SMALL).start();
    let filtered = cases.iter().map(start).collect::<Result<Vec<_>>>()?;
    machine.send()?;
    wait_for_all(&unfiltered);
    let finished = filtered.into_iter().map(|run| run.interrupt()).collect::<Result<Vec<_>>>()?;

    let all = own(&unfiltered.interrupt()?)?;
    for flow in FLOWS {
        let count = all.iter().filter(|(of, _)| of.len == flow.len).count();
        assert_eq!(count, COUNT as usize, "{flow:?} in {all:#?}");
    }
    for (Case { args, shows }, finished) in cases.iter().zip(&finished) {
        let expected: Vec<_> =
            all.iter().filter(|(flow, event)| shows(flow, event)).cloned().collect();
        assert!(!expected.is_empty() && expected.len() < all.len(), "{args:?} proves nothing");
        assert_eq!(events(own(finished)?), events(expected), "{args:?}");
        // What is not shown was not even matched: the kernel has sorted it out.
        let account = finished.success()?;
        assert_eq!(account.matched, finished.events()?.len() as u64, "{args:?}: {account:?}");
        let hidden = all.len() - events(own(finished)?).len();
        assert!(account.seen >= account.matched + hidden as u64, "{args:?}: {account:?}");
    }
    Ok(())
}

#[test]
fn each_kind_shows_what_it_wants_and_hides_what_it_excludes() -> Result<()> {
    need!(Root, Program("ip"), Program("bash"), Reason("UDP_CSUM"));
    let _turn = exclusive();
    let machine = Machine::new()?;
    one_kind(&machine)?.chunks(AT_ONCE).try_for_each(|cases| check(&machine, cases))
}

#[test]
fn repeats_are_alternatives_and_kinds_all_hold() -> Result<()> {
    need!(Root, Program("ip"), Program("bash"), Reason("UDP_CSUM"), Reason("TCP_CSUM"));
    let _turn = exclusive();
    let machine = Machine::new()?;
    several_kinds(&machine).chunks(AT_ONCE).try_for_each(|cases| check(&machine, cases))
}

/// As many alternatives of all kinds as there can be: the verifier takes the program.
#[test]
fn all_that_can_be_given_at_once() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let list = |item: &dyn Fn(u32) -> String| (1..=32).map(item).collect::<Vec<_>>().join(",");
    let numbers = list(&|n| format!("{},!{}", 4 * n, 4 * n + 2));
    let names = list(&|n| format!("a{n}*,!b{n}"));
    let mut args = vec!["--reason", "!NO_SOCKET", "--min-len", "1", "--max-len", "9000"];
    let flags = ["--protocol", "--netns", "--pid", "--port", "--sport", "--dport", "--l4"];
    args.extend(flags.iter().flat_map(|flag| [*flag, numbers.as_str()]));
    let both = format!("{names},{numbers}");
    args.extend(["--interface", &both, "--comm", &names, "--function", "*,!*udp*"]);
    args.extend(["--src", "10.0.0.0/8,!10.1.0.0/16", "--dst", "!::1", "--host", "::/0,!::2"]);
    args.extend(["--sample", "1/2", "--rate-limit", "9", "--stack"]);
    let account = Launch::new(&args).args(&SMALL).start()?.interrupt()?.success()?;
    assert_eq!(account.shown, 0, "{account:?}");
    Ok(())
}

/// Without BTF the filters remain for which the trace event has enough.
#[test]
fn without_btf_some_remain() -> Result<()> {
    need!(Root, Program("ip"), Program("unshare"), Program("bash"), Reason("UDP_CSUM"));
    let own = process::id();
    let cases = [
        both_ways("--protocol", "ip6", |_, event| event.protocol == "IPv6"),
        both_ways("--pid", &own.to_string(), move |_, event| event.pid == own),
        both_ways("--comm", "dwt kind a,bas*", |_, event| {
            event.comm == "dwt kind a" || event.comm == "bash"
        }),
        both_ways("--function", "*udp*", |_, event| event.location.function.contains("udp")),
    ];
    let cases = cases.into_iter().flatten().collect::<Vec<_>>();
    let _turn = exclusive();
    let machine = Machine::new()?;
    let launch = |args: &[String]| {
        Launch::new(args).args(&SMALL).args(&["--no-btf"]).through(&WITH_TRACEFS).start()
    };
    let unfiltered = launch(&[])?;
    let filtered = cases.iter().map(|case| launch(&case.args)).collect::<Result<Vec<_>>>()?;
    machine.send()?;
    wait_for_all(&unfiltered);
    let finished = filtered.into_iter().map(|run| run.interrupt()).collect::<Result<Vec<_>>>()?;

    // Without lengths only the task tells the test's own drops.
    let own = |finished: &Finished| -> Result<Vec<Event>> {
        let events = finished.events()?.into_iter().map(|event| Event { time: 0, ..event });
        let mut own: Vec<_> = events
            .filter(|it| {
                ["bash", "dwt kind", "ksoftirqd/"].iter().any(|begin| it.comm.starts_with(begin))
            })
            .collect();
        own.sort_by_cached_key(|event| format!("{event:?}"));
        Ok(own)
    };
    let all = own(&unfiltered.interrupt()?)?;
    assert!(all.len() >= FLOWS.len() * COUNT as usize, "{all:#?}");
    for (Case { args, shows }, finished) in cases.iter().zip(&finished) {
        let expected: Vec<_> = all.iter().filter(|event| shows(&BASH, event)).cloned().collect();
        assert_eq!(own(finished)?, expected, "{args:?}");
        let account = finished.success()?;
        assert_eq!(account.matched, finished.events()?.len() as u64, "{args:?}: {account:?}");
    }
    Ok(())
}

/// The kernel counts the runs of programs while this lives.
struct RunCounts(String);

impl RunCounts {
    const PATH: &str = "/proc/sys/kernel/bpf_stats_enabled";

    fn on() -> Result<Self> {
        let before = fs::read_to_string(Self::PATH)?;
        fs::write(Self::PATH, "1")?;
        Ok(Self(before))
    }
}

impl Drop for RunCounts {
    fn drop(&mut self) {
        // It fails only where it could not be set.
        let _ = fs::write(Self::PATH, self.0.trim());
    }
}

fn run_count(attached: &Attached) -> Result<u64> {
    let shown = attached.show_kind("prog");
    let program =
        shown.iter().find(|text| text.contains("name kfree_skb ")).context("no program")?;
    // It is not there as long as it is 0.
    let Some((_, count)) = program.split_once("run_cnt ") else { return Ok(0) };
    Ok(count.split_whitespace().next().context("no count")?.parse()?)
}

/// The program ran once for each drop that was seen, and what does not match never left it.
#[test]
fn the_kernel_sorts_out() -> Result<()> {
    need!(Root, Program("ip"), Program("bpftool"), Program("bash"), Path(RunCounts::PATH), Reasons);
    const TRIES: usize = 5;
    let _turn = exclusive();
    let machine = Machine::new()?;
    let _counts = RunCounts::on()?;
    for attempt in 1.. {
        let dropwatch = Launch::new(&["--sport", "1000", "--interface", "lo"]).start()?;
        let attached = Attached::of(dropwatch.pid())?;
        machine.send()?;
        dropwatch.lines(1 + COUNT as usize, Duration::from_secs(5));
        let runs = run_count(&attached)?;
        let finished = dropwatch.interrupt()?;
        let account = finished.success()?;
        assert_eq!(account.matched, u64::from(COUNT), "{account:?}");
        assert_eq!(account.shown, finished.events()?.len() as u64, "{account:?}");
        assert!(runs <= account.seen, "the program ran {runs} times: {account:?}");
        // More may have been dropped since.
        if runs == account.seen && runs >= u64::from(COUNT) * FLOWS.len() as u64 {
            break;
        }
        assert!(attempt < TRIES, "the program ran {runs} times: {account:?}");
    }
    Ok(())
}

/// What means nothing is a usage error, also without root.
#[test]
fn mistakes_end_with_status_2() -> Result<()> {
    for (args, cause) in [
        (&["--no-btf", "--port", "5"][..], "--port needs the kernel's BTF"),
        (&["--no-btf", "--netns", "1"], "--netns needs the kernel's BTF"),
        (&["--src", "localhost"], "host names are not looked up"),
        (&["--comm", "a*b"], "--comm 'a*b'"),
        (&["--protocol", "tcp"], "--l4"),
        (&["--sample", "10"], "1/10"),
    ] {
        let finished = Launch::new(args).run()?;
        assert_eq!(finished.status.code(), Some(2), "{}", finished.stderr());
        assert_eq!(finished.notices(), 1, "{}", finished.stderr());
        assert!(finished.stderr().contains(cause), "{}", finished.stderr());
    }
    Ok(())
}

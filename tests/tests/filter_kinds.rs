//! Every filter but `--reason`, both ways round: what it shows, compared with an unfiltered run
//! of the same traffic at the same time.

use std::{
    fs,
    net::{Ipv4Addr, Ipv6Addr, SocketAddrV4},
    process,
    thread::sleep,
    time::Duration,
};

use anyhow::{Context, Result};
use dropwatch_tests::{
    Attached, Event, Finished, Launch, Namespace, Veth, exclusive,
    mount::WITH_TRACEFS,
    need, output,
    traffic::{CLOSED_PORT, frame, packet, raw, udp},
};

/// So many packets of each flow.
const COUNT: u32 = 3;
/// So many runs at the same time: each has a buffer and reads the kernel's BTF.
const AT_ONCE: usize = 12;
const SMALL: [&str; 2] = ["--buffer-size", "256K"];

/// Addresses on the loopback device of a namespace.
const ONE: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 3);
const NEXT: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 4);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 1);

/// What a test sends, told apart by the length that is shown.
#[derive(Clone, Copy, Debug)]
struct Flow {
    len: u32,
    l4: Option<&'static str>,
    addresses: Option<[&'static str; 2]>,
    ports: Option<[u16; 2]>,
    over_veth: bool,
}

const UDP_ONE: Flow = Flow {
    len: 309,
    l4: Some("udp"),
    addresses: Some(["10.1.2.3", "10.1.2.4"]),
    ports: Some([1000, 2000]),
    over_veth: false,
};
const UDP_NEXT: Flow = Flow {
    len: 310,
    l4: Some("udp"),
    addresses: Some(["10.1.2.4", "10.2.0.1"]),
    ports: Some([1001, 2001]),
    over_veth: false,
};
const TCP: Flow = Flow {
    len: 323,
    l4: Some("tcp"),
    addresses: Some(["10.2.0.1", "10.1.2.3"]),
    ports: Some([2000, 443]),
    over_veth: false,
};
/// The kernel chooses the source port.
const IPV6: Flow = Flow {
    len: 334,
    l4: Some("udp"),
    addresses: Some(["::1", "::1"]),
    ports: Some([0, CLOSED_PORT]),
    over_veth: false,
};
const EXPERIMENTAL: Flow =
    Flow { len: 345, l4: None, addresses: None, ports: None, over_veth: true };
const CABLE: Flow = Flow {
    len: 356,
    l4: Some("udp"),
    addresses: Some(["10.0.0.1", "10.0.0.2"]),
    ports: Some([1000, 2000]),
    over_veth: true,
};
/// By another process.
const BASH: Flow = Flow {
    len: 367,
    l4: Some("udp"),
    addresses: Some(["127.0.0.1", "127.0.0.1"]),
    ports: Some([0, CLOSED_PORT]),
    over_veth: false,
};
const FLOWS: [Flow; 7] = [UDP_ONE, UDP_NEXT, TCP, IPV6, EXPERIMENTAL, CABLE, BASH];

impl Flow {
    fn of(event: &Event) -> Option<Self> {
        FLOWS.into_iter().find(|flow| event.len == Some(flow.len))
    }

    fn address(&self, side: usize, begin: &str) -> bool {
        self.addresses.is_some_and(|both| both[side].starts_with(begin))
    }

    fn port(&self, side: usize, first: u16, last: u16) -> bool {
        self.ports.is_some_and(|both| (first..=last).contains(&both[side]))
    }
}

/// Where the packets are dropped.
struct Machine {
    loopback: Namespace,
    veth: Veth,
}

impl Machine {
    fn new() -> Result<Self> {
        let machine = Self { loopback: Namespace::new()?, veth: Veth::new()? };
        for address in [ONE, NEXT, OTHER] {
            let address = format!("{address}/32");
            machine.loopback.output("ip", &["address", "add", &address, "dev", "lo"])?;
        }
        Ok(machine)
    }

    /// Packets that nobody answers, as far as that can be: their checksums are wrong.
    fn send(&self) -> Result<()> {
        let at = SocketAddrV4::new;
        let datagram = |from, to, flow: Flow| {
            let mut packet = frame::udp(from, to, &vec![0; (flow.len - udp::HEADER) as usize]);
            frame::spoil_udp(&mut packet);
            packet
        };
        let one = datagram(at(ONE, 1000), at(NEXT, 2000), UDP_ONE);
        let next = datagram(at(NEXT, 1001), at(OTHER, 2001), UDP_NEXT);
        let payload = vec![0; TCP.len as usize - frame::TCP_HEADER];
        let mut segment = frame::tcp_syn(at(OTHER, 2000), at(ONE, 443), &payload);
        frame::spoil_tcp(&mut segment);
        self.loopback.run("dwt kind a", || {
            raw::send(NEXT, &one, COUNT)?;
            raw::send(OTHER, &next, COUNT)
        })?;
        self.loopback.run("dwt kind b", || {
            raw::send(ONE, &segment, COUNT)?;
            udp::send((Ipv6Addr::LOCALHOST, CLOSED_PORT), IPV6.len - udp::HEADER, COUNT)
        })?;

        let ethernet = |ether_type, payload: &[u8]| {
            frame::ethernet(Veth::FAR_MAC, Veth::NEAR_MAC, ether_type, payload)
        };
        let unknown = ethernet(frame::EXPERIMENTAL, &vec![0; EXPERIMENTAL.len as usize]);
        let cable = datagram(at(Veth::NEAR, 1000), at(Veth::FAR, 2000), CABLE);
        let cable = ethernet(frame::IPV4, &cable);
        self.veth.near.run("dwt kind c", || {
            packet::send(Veth::DEVICE, &unknown, COUNT)?;
            packet::send(Veth::DEVICE, &cable, COUNT)
        })?;

        let write = format!("printf %0{}d 0 >/dev/udp/127.0.0.1/9", BASH.len - udp::HEADER);
        for _ in 0..COUNT {
            self.loopback.output("bash", &["-c", &write])?;
        }
        Ok(())
    }
}

/// What a filter shows.
type Shows = Box<dyn Fn(&Flow, &Event) -> bool>;

struct Case {
    args: Vec<String>,
    shows: Shows,
}

fn case(args: &[&str], shows: impl Fn(&Flow, &Event) -> bool + 'static) -> Case {
    Case { args: args.iter().map(|&arg| arg.to_owned()).collect(), shows: Box::new(shows) }
}

/// A filter as it is, and with everything that it wants excluded: what is unknown of a packet is
/// not wanted and not excluded either, so that all is shown by exactly one of both.
fn both_ways(
    flag: &str,
    list: &str,
    shows: impl Fn(&Flow, &Event) -> bool + Clone + 'static,
) -> [Case; 2] {
    let excluded = list.split(',').map(|item| format!("!{item}")).collect::<Vec<_>>().join(",");
    let others = shows.clone();
    [case(&[flag, list], shows), case(&[flag, &excluded], move |flow, event| !others(flow, event))]
}

fn inode(namespace: &Namespace) -> Result<String> {
    use std::os::unix::fs::MetadataExt;
    let path = format!("/run/netns/{}", namespace.name());
    Ok(fs::metadata(&path).with_context(|| format!("no {path}"))?.ino().to_string())
}

fn one_kind(machine: &Machine) -> Result<Vec<Case>> {
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

fn several_kinds(machine: &Machine) -> Vec<Case> {
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

/// Runs all that can run at once on the same traffic.
fn check(machine: &Machine, cases: &[Case]) -> Result<()> {
    let unfiltered = Launch::new(&SMALL).start()?;
    let start = |case: &Case| Launch::new(&case.args).args(&SMALL).start();
    let filtered = cases.iter().map(start).collect::<Result<Vec<_>>>()?;
    machine.send()?;
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
    let finished = filtered.into_iter().map(|run| run.interrupt()).collect::<Result<Vec<_>>>()?;

    // Without lengths only the task tells the test's own drops.
    let own = |finished: &Finished| -> Result<Vec<Event>> {
        let events = finished.events()?.into_iter().map(|event| Event { time: 0, ..event });
        let mut own: Vec<_> =
            events.filter(|it| it.comm == "bash" || it.comm.starts_with("dwt kind")).collect();
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
    need!(Root, Program("ip"), Program("bpftool"), Program("bash"), Path(RunCounts::PATH));
    const TRIES: usize = 5;
    let _turn = exclusive();
    let machine = Machine::new()?;
    let _counts = RunCounts::on()?;
    for attempt in 1.. {
        let dropwatch = Launch::new(&["--sport", "1000", "--interface", "lo"]).start()?;
        let attached = Attached::of(dropwatch.pid())?;
        machine.send()?;
        let runs = run_count(&attached)?;
        let finished = dropwatch.interrupt()?;
        let account = finished.success()?;
        assert_eq!(account.matched, u64::from(COUNT), "{account:?}");
        assert_eq!(account.shown, finished.events()?.len() as u64, "{account:?}");
        assert!(runs >= u64::from(COUNT) * FLOWS.len() as u64 && runs <= account.seen);
        // Something else may have been dropped since.
        if runs == account.seen {
            break;
        }
        assert!(attempt < TRIES, "the program ran {runs} times: {account:?}");
    }
    Ok(())
}

fn closed(namespace: &Namespace, count: u32) -> Result<()> {
    namespace.run("dwt sample", || udp::send((ONE, CLOSED_PORT), 100, count))
}

fn loopback() -> Result<Namespace> {
    let namespace = Namespace::new()?;
    namespace.output("ip", &["address", "add", &format!("{ONE}/32"), "dev", "lo"])?;
    Ok(namespace)
}

fn assert_notice(finished: &Finished, text: &str) {
    let first = finished.stderr.first().map(|line| line.text.as_str()).unwrap_or_default();
    assert!(first.contains(text) && first.contains("the account counts the rest"), "{first}");
    assert_eq!(finished.stderr.len(), 2, "notice and account: {}", finished.stderr());
}

const NARROW: [&str; 4] = ["--dst", "10.1.2.3", "--dport", "9"];

#[test]
fn a_sample_is_a_random_part_and_the_rest_is_counted() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    const DROPS: u32 = 4_000;
    // One of four, and five standard deviations to each side.
    const LIKELY: std::ops::RangeInclusive<u64> = 863..=1_137;
    let _turn = exclusive();
    let namespace = loopback()?;
    let dropwatch = Launch::new(&NARROW).args(&["--sample", "1/4"]).start()?;
    closed(&namespace, DROPS)?;
    let finished = dropwatch.interrupt()?;
    let account = finished.success()?;
    assert_eq!((account.matched, account.lost), (DROPS.into(), 0), "{account:?}");
    assert_eq!(account.sampled_out + account.shown, account.matched, "{account:?}");
    assert!(LIKELY.contains(&account.shown), "{account:?}");
    assert_eq!(account.shown, finished.events()?.len() as u64, "{account:?}");
    assert_notice(&finished, "a random 1 in 4");
    Ok(())
}

#[test]
fn a_rate_limit_holds_in_each_second_and_the_rest_is_counted() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    const LIMIT: u64 = 50;
    let _turn = exclusive();
    let namespace = loopback()?;
    let dropwatch = Launch::new(&NARROW).args(&["--rate-limit", "50/s"]).start()?;
    // Over more than two seconds, so that at least two of the kernel's are whole.
    for _ in 0..22 {
        closed(&namespace, 100)?;
        sleep(Duration::from_millis(100));
    }
    let finished = dropwatch.interrupt()?;
    let account = finished.success()?;
    assert_eq!((account.matched, account.lost), (2_200, 0), "{account:?}");
    assert_eq!(account.rate_limited + account.shown, account.matched, "{account:?}");
    // Each processor may have one more on its way when the limit is reached.
    let processors: u64 = output("nproc", &["--all"])?.trim().parse()?;
    let seconds = account.seconds.ceil() as u64 + 1;
    assert!(account.shown >= 2 * LIMIT, "{account:?}");
    assert!(account.shown <= seconds * (LIMIT + processors), "{account:?}");
    assert_notice(&finished, "at most 50");
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
        assert_eq!(finished.stderr.len(), 1, "{}", finished.stderr());
        assert!(finished.stderr().contains(cause), "{}", finished.stderr());
    }
    Ok(())
}

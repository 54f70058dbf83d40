//! Drop reasons of modules: openvswitch, which drops real packets here, and mac80211.

use std::{
    fs,
    net::Ipv4Addr,
    path::Path,
    process,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use dropwatch_tests::{
    Event, Kallsyms, Launch, Module, Namespace, Reasons, Row, Running, Stack, Veth, as_thread,
    exclusive, finish, listing, mount, need,
    openvswitch::{Action, Switch},
    traffic::{CLOSED_PORT, frame, packet, udp},
    wireless::{self, Radios},
};

const MODULE: &str = "openvswitch";
/// The subsystem of what mac80211 cannot use.
const UNUSABLE: &str = "mac80211_unusable";
const BTF_FOLDER: &str = "/sys/kernel/btf";
const COUNT: u32 = 3;
const PAYLOAD: u32 = 321;
/// The other EtherType that is kept free for experiments.
const EXPERIMENTAL_2: u16 = 0x88b6;
const LIMIT: Duration = Duration::from_secs(20);

/// A cable into a switch that drops what comes.
struct Traffic {
    // In this order: the switch uses the device.
    _switch: Switch,
    veth: Veth,
}

/// What a packet's line has to say.
struct Expected {
    reason: &'static str,
    protocol: &'static str,
    len: u32,
}

/// For each flow of the switch. It works on whole Ethernet frames.
const EXPECTED: [Expected; 3] = [
    Expected { reason: "OVS_DROP_EXPLICIT", protocol: "IPv4", len: 14 + 20 + 8 + PAYLOAD },
    Expected { reason: "OVS_DROP_LAST_ACTION", protocol: "0x88b5", len: 14 + PAYLOAD },
    Expected { reason: "OVS_DROP_EXPLICIT_WITH_ERROR", protocol: "0x88b6", len: 14 + PAYLOAD },
];
const ALL: usize = EXPECTED.len() * COUNT as usize;

impl Traffic {
    fn new() -> Result<Self> {
        let veth = Veth::new()?;
        let switch = Switch::new(&veth.far, Veth::DEVICE)?;
        switch.flow(frame::IPV4, Action::Drop(0))?;
        switch.flow(frame::EXPERIMENTAL, Action::Nothing)?;
        switch.flow(EXPERIMENTAL_2, Action::Drop(5))?;
        Ok(Self { _switch: switch, veth })
    }

    /// Has so many packets of each kind dropped.
    fn send(&self) -> Result<()> {
        self.veth.near.run("dwt ovs", || {
            udp::send((Veth::FAR, CLOSED_PORT), PAYLOAD, COUNT)?;
            for ether_type in [frame::EXPERIMENTAL, EXPERIMENTAL_2] {
                let payload = [0x5a; PAYLOAD as usize];
                let frame = frame::ethernet(Veth::FAR_MAC, Veth::NEAR_MAC, ether_type, &payload);
                packet::send(Veth::DEVICE, &frame, COUNT)?;
            }
            Ok(())
        })
    }
}

/// The drops that the switch made. Nothing else on this machine uses the module.
fn of_switch(events: &[Event]) -> Vec<&Event> {
    events.iter().filter(|event| event.location.module.as_deref() == Some(MODULE)).collect()
}

/// That these are all drops of so many [`Traffic::send`], and nothing is wrong in them.
fn check(events: &[&Event], times: usize, symbols: &Kallsyms) {
    assert_eq!(events.len(), times * ALL, "{events:#?}");
    for expected in EXPECTED {
        let of_flow: Vec<_> =
            events.iter().filter(|event| event.protocol == expected.protocol).collect();
        assert_eq!(of_flow.len(), times * COUNT as usize, "{}: {events:#?}", expected.reason);
        for event in of_flow {
            assert_eq!(event.reason, expected.reason, "{event:?}");
            assert_eq!(event.len, Some(expected.len), "{event:?}");
            assert!(event.ran_for(process::id()), "{event:?}");
            assert!(symbols.has(&event.location.function), "{event:?}");
            assert!(event.location.offset > 0, "a return address is inside of its function");
        }
    }
}

fn rows(reasons: &Reasons, wanted: impl Fn(&Row) -> bool) -> Vec<Row> {
    reasons.rows().filter(|row| wanted(row)).cloned().collect()
}

#[test]
fn what_openvswitch_drops_is_named() -> Result<()> {
    need!(Root, Program("ip"), Subsystem("openvswitch"), Module(MODULE));
    let _turn = exclusive();
    let _module = Module::load(MODULE)?;
    let traffic = Traffic::new()?;
    let dropwatch = Launch::new(&["--stack"]).start()?;
    traffic.send()?;
    let events = finish(dropwatch)?;
    let events = of_switch(&events);
    check(&events, 1, &Kallsyms::now()?);
    for event in events {
        let stack = event.stack.as_ref().context("a stack was asked for")?;
        assert_ne!(*stack, Stack::Unavailable, "{event:?}");
        let first = stack.called().into_iter().next();
        assert!(first.is_none_or(|first| first == event.location), "{event:#?}");
    }
    Ok(())
}

#[test]
fn names_and_numbers_filter_what_openvswitch_drops() -> Result<()> {
    need!(Root, Program("ip"), Program("bpftool"), Subsystem("openvswitch"), Module(MODULE));
    let _turn = exclusive();
    let _module = Module::load(MODULE)?;
    let traffic = Traffic::new()?;
    let number = Reasons::now()?.number("OVS_DROP_EXPLICIT").context("bpftool does not know it")?;
    let filters =
        ["OVS_DROP_EXPLICIT", &format!("{number:#x}"), "openvswitch/ovs_drop_exp*,!*error"];
    let dropwatches = filters.map(|filter| Launch::new(&["--reason", filter]).start());
    traffic.send()?;
    for (dropwatch, filter) in dropwatches.into_iter().zip(filters) {
        let events = finish(dropwatch?)?;
        let reasons: Vec<_> = events.iter().map(|event| event.reason.as_str()).collect();
        assert_eq!(reasons, ["OVS_DROP_EXPLICIT"; COUNT as usize], "--reason {filter}");
    }
    Ok(())
}

/// On 6.12 it is OVS_DROP_LAST_ACTION, and from 7.1 on QDISC_DROP_GENERIC.
#[test]
fn the_running_kernel_decides_what_a_number_means() -> Result<()> {
    const NUMBER: u32 = 0x30001;
    need!(Root, Program("bpftool"), Subsystem("openvswitch"), Module(MODULE));
    let _turn = exclusive();
    let _module = Module::load(MODULE)?;
    let reasons = Reasons::now()?;
    let of_module = rows(&reasons, |row| row.subsystem == MODULE);
    assert!(of_module.len() > 5, "bpftool does not know the module: {of_module:?}");
    listing::check(&["openvswitch/*"], &of_module)?;
    listing::check(&[], &rows(&reasons, |_| true))?;
    let text = format!("{NUMBER:#x}");
    if reasons.name(NUMBER).is_some() {
        return listing::check(&[&text], &rows(&reasons, |row| row.number == NUMBER));
    }
    let listed = Launch::new(&["list-reasons", &text]).run()?;
    assert_eq!((listed.status.code(), listed.stdout()), (Some(1), String::new()));
    Ok(())
}

#[test]
fn a_module_that_comes_later_gets_its_names() -> Result<()> {
    need!(Root, Program("ip"), Subsystem("openvswitch"), IdleModule(MODULE));
    let _turn = exclusive();
    let by_name = Launch::new(&["--reason", "OVS_DROP_EXPLICIT"]).run()?;
    assert_eq!(by_name.status.code(), Some(2), "{}", by_name.stderr());
    assert!(by_name.stderr().contains(MODULE), "{}", by_name.stderr());

    let all = Launch::new::<&str>(&[]).start()?;
    let filtered = Launch::new(&["--reason", "openvswitch/*"]).start()?;
    let _module = Module::load(MODULE)?;
    let traffic = Traffic::new()?;
    traffic.send()?;
    let symbols = Kallsyms::now()?;
    let filtered = finish(filtered)?;
    check(&filtered.iter().collect::<Vec<_>>(), 1, &symbols);
    check(&of_switch(&filtered), 1, &symbols);
    check(&of_switch(&finish(all)?), 1, &symbols);
    Ok(())
}

#[test]
fn a_module_goes_and_comes_back_while_its_drops_stream() -> Result<()> {
    const CLOSED: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, CLOSED_PORT);
    need!(Root, Program("ip"), Subsystem("openvswitch"), IdleModule(MODULE), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let dropwatch = Launch::new::<&str>(&[]).start()?;
    let mut symbols = Vec::new();
    for times in 1..=2 {
        let module = Module::load(MODULE)?;
        let traffic = Traffic::new()?;
        traffic.send()?;
        wait_for(&dropwatch, "OVS_DROP_", times * ALL)?;
        symbols.push(Kallsyms::now()?);
        drop(traffic);
        module.unload()?;
        assert!(!Module::is_there(MODULE), "it cannot be unloaded while dropwatch runs");
        namespace.run("dwt ovs", || udp::send(CLOSED, PAYLOAD, COUNT))?;
        wait_for(&dropwatch, " NO_SOCKET ", times * COUNT as usize)?;
    }
    let events = finish(dropwatch)?;
    let of_switch = of_switch(&events);
    assert_eq!(of_switch.len(), 2 * ALL, "{of_switch:#?}");
    for (events, symbols) in of_switch.chunks(ALL).zip(&symbols) {
        check(events, 1, symbols);
    }
    let own = |event: &&Event| event.ran_for(process::id()) && event.reason == "NO_SOCKET";
    assert_eq!(events.iter().filter(own).count(), 2 * COUNT as usize);
    Ok(())
}

/// Waits until so many lines have this in them.
fn wait_for(dropwatch: &Running, text: &str, count: usize) -> Result<()> {
    let begin = Instant::now();
    let mut lines = dropwatch.lines(1, LIMIT);
    while lines.iter().filter(|line| line.text.contains(text)).count() < count {
        ensure!(begin.elapsed() < LIMIT, "fewer than {count} lines with {text}: {lines:#?}");
        lines = dropwatch.lines(lines.len() + 1, Duration::from_millis(100));
    }
    Ok(())
}

#[test]
fn a_module_without_btf_has_numbers_for_names() -> Result<()> {
    need!(Root, Program("ip"), Program("bpftool"), Subsystem("openvswitch"), Module(MODULE));
    let _turn = exclusive();
    let _module = Module::load(MODULE)?;
    let traffic = Traffic::new()?;
    let reasons = Reasons::now()?;
    let kernel = fs::read(Path::new(BTF_FOLDER).join("vmlinux"))?;
    as_thread("dwt no btf", || {
        mount::privately(c"tmpfs", Path::new(BTF_FOLDER), c"")?;
        fs::write(Path::new(BTF_FOLDER).join("vmlinux"), kernel)?;
        listing::check(&[], &rows(&reasons, |row| row.subsystem != MODULE))?;
        let dropwatch = Launch::new::<&str>(&[]).start()?;
        traffic.send()?;
        let events = finish(dropwatch)?;
        let events = of_switch(&events);
        assert_eq!(events.len(), ALL, "{events:#?}");
        for expected in EXPECTED {
            let number = reasons.number(expected.reason).context("bpftool does not know it")?;
            let unnamed = format!("{MODULE}/{}", number & 0xffff);
            let of_flow = events.iter().filter(|event| event.protocol == expected.protocol);
            let shown: Vec<_> = of_flow.map(|event| event.reason.as_str()).collect();
            assert_eq!(shown, [unnamed.as_str(); COUNT as usize], "{}", expected.reason);
        }
        Ok(())
    })
}

#[test]
fn the_reasons_of_mac80211_are_listed() -> Result<()> {
    need!(Root, Program("bpftool"), Subsystem(UNUSABLE), Module("mac80211"));
    let _turn = exclusive();
    let _module = Module::load("mac80211")?;
    let reasons = Reasons::now()?;
    let unusable = rows(&reasons, |row| row.subsystem == UNUSABLE);
    assert!(unusable.len() > 20, "bpftool does not know the module: {unusable:?}");
    listing::check(&[&format!("{UNUSABLE}/*")], &unusable)?;
    listing::check(&[], &rows(&reasons, |_| true))
}

#[test]
fn what_mac80211_drops_is_named() -> Result<()> {
    const REASON: &str = "RX_DROP_U_RUNT_ACTION";
    let (module, parameter) = wireless::MODULE;
    need!(Root, Program("ip"), Subsystem(UNUSABLE), IdleModule(wireless::MODULE.0));
    let _turn = exclusive();
    let _module = Module::load_with(module, &[parameter])?;
    let radios = Radios::new()?;
    let by_name = Launch::new(&["--reason", REASON]).start()?;
    let all = Launch::new::<&str>(&[]).start()?;
    radios.send_runts("dwt radio", COUNT)?;
    let symbols = Kallsyms::now()?;
    for events in [finish(by_name)?, finish(all)?] {
        let of_module = |event: &&Event| event.location.module.as_deref() == Some("mac80211");
        let events: Vec<_> = events.iter().filter(of_module).collect();
        assert_eq!(events.len(), COUNT as usize, "{events:#?}");
        for event in events {
            assert_eq!((event.reason.as_str(), event.len), (REASON, Some(Radios::RUNT)));
            assert!(event.ran_for(process::id()), "{event:?}");
            assert!(symbols.has(&event.location.function), "{event:?}");
        }
    }
    Ok(())
}

//! What the columns show where there is more than one way to show it.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use dropwatch_tests::{
    Event, Launch, Namespace, Window, Zone, exclusive, need,
    traffic::{CLOSED_PORT, udp},
};

const ARGS: [&str; 2] = ["--reason", "NO_SOCKET"];

fn send_one() -> Result<()> {
    udp::send((Ipv4Addr::LOCALHOST, CLOSED_PORT), 100, 1)
}

/// The line of the only drop that this process caused.
fn own(events: Vec<Event>) -> Result<Event> {
    let mut own = events.into_iter().filter(|event| event.pid == std::process::id());
    let event = own.next().context("the drop is not shown")?;
    assert_eq!(own.next(), None, "more than one drop");
    Ok(event)
}

#[test]
fn times_are_local() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    // The sign in TZ is that of what is to be added to get UTC.
    for (zone, ahead) in [("UTC0", 0), ("XYZ-05:45", 20_700), ("ABC+3:30", -12_600)] {
        let dropwatch = Launch::new(&ARGS).env("TZ", zone).start()?;
        let (window, ()) = Window::around(|| namespace.run("dwt clock", send_one))?;
        let event = own(dropwatch.interrupt()?.events()?)?;
        assert!(window.contains(event.time, Zone::Ahead(ahead)), "{zone}: {event:?}, {window:?}");
    }
    Ok(())
}

#[test]
fn a_comm_cannot_spoil_the_line() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let comms = [
        ("fifteen letters", "fifteen letters"),
        ("more than fifteen letters", "more than fifte"),
        ("tab\tline\nbell\x07", "tab\\tline\\nbell\\u{7}"),
        ("\x1b[31mred", "\\u{1b}[31mred"),
        ("naïve", "naïve"),
        // The kernel keeps 15 bytes, and cuts the last letter in two.
        ("äöüßäöüß", "äöüßäöü\\xc3"),
    ];
    let dropwatch = Launch::new(&ARGS).start()?;
    for (name, _) in comms {
        namespace.run(name, send_one)?;
    }
    let events = dropwatch.interrupt()?.events()?;
    let shown = events.into_iter().filter(|event| event.pid == std::process::id());
    let shown: Vec<_> = shown.map(|event| event.comm).collect();
    assert_eq!(shown, comms.map(|(_, shown)| shown));
    Ok(())
}

#[test]
fn colour_only_where_it_is_wanted() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    for (args, coloured) in
        [(&["--color", "always"][..], true), (&["--color", "never"], false), (&[], false)]
    {
        let dropwatch = Launch::new(&[&ARGS, args].concat()).start()?;
        namespace.run("dwt colour", send_one)?;
        let finished = dropwatch.interrupt()?;
        assert_eq!(finished.stdout().contains('\x1b'), coloured, "{args:?}");
    }
    Ok(())
}

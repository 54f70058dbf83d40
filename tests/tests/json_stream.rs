//! JSON while it streams.

use std::{
    net::Ipv4Addr,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use dropwatch_tests::{
    Launch, Namespace, bpf_ids, dropwatch, exclusive, json,
    mount::WITH_TRACEFS,
    need,
    need::patience,
    traffic::{CLOSED_PORT, udp},
};
use serde_json::json;

fn send(namespace: &Namespace) -> Result<Instant> {
    namespace.run("dwt stream", || udp::send((Ipv4Addr::LOCALHOST, CLOSED_PORT), 10, 1))?;
    Ok(Instant::now())
}

#[test]
fn a_line_comes_with_its_drop() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let dropwatch = Launch::new(&["--json", "--reason", "NO_SOCKET"]).start()?;
    // What it does at the start takes a moment.
    send(&namespace)?;
    dropwatch.lines(1, patience(Duration::from_secs(2)));
    let mut shown = 1;
    for _ in 0..5 {
        let at = send(&namespace)?;
        let lines = dropwatch.lines(shown + 1, patience(Duration::from_secs(2)));
        let line = lines.get(shown).context("the drop is not shown")?;
        let delay = line.at.saturating_duration_since(at);
        assert!(delay < patience(Duration::from_millis(200)), "{delay:?}");
        json::parse([line.text.as_str()])?;
        shown = lines.len();
    }
    dropwatch.interrupt()?.success()?;
    Ok(())
}

#[test]
fn jq_reads_it_line_by_line() -> Result<()> {
    need!(Root, Program("ip"), Program("jq"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let mut source = Command::new(dropwatch())
        .args(["--json", "--reason", "NO_SOCKET", "--count", "3"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let pipe = source.stdout.take().context("a pipe")?;
    let jq = Command::new("jq")
        .args(["-c", ".reason.name"])
        .stdin(pipe)
        .stdout(Stdio::piped())
        .spawn()?;
    let begin = Instant::now();
    while bpf_ids(source.id(), "link").is_ok_and(|ids| ids.is_empty()) {
        assert!(begin.elapsed() < Duration::from_secs(20), "not attached");
        std::thread::sleep(Duration::from_millis(5));
    }
    for _ in 0..3 {
        send(&namespace)?;
    }
    let read = jq.wait_with_output()?;
    source.wait()?;
    assert_eq!(String::from_utf8_lossy(&read.stdout), "\"NO_SOCKET\"\n".repeat(3));
    Ok(())
}

#[test]
fn stacks_are_arrays() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let events =
        json::drops_of(&["--stack", "--reason", "NO_SOCKET"], || send(&namespace).map(drop))?;
    let events = json::within(&events, &namespace)?;
    let [event] = &events[..] else { panic!("{events:#?}") };
    let stack = event["stack"].as_array().context("a stack")?;
    assert_eq!(stack[0], event["location"]);
    assert!(stack.len() > 10 && stack.iter().any(|it| it["symbol"] == "udp_sendmsg"), "{stack:#?}");
    let without = json::drops_of(&["--reason", "NO_SOCKET"], || send(&namespace).map(drop))?;
    let without = json::within(&without, &namespace)?;
    assert_eq!(without[0]["stack"], serde_json::Value::Null);
    Ok(())
}

#[test]
fn without_btf_most_is_null() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let dropwatch = Launch::new(&["--no-btf", "--json"]).through(&WITH_TRACEFS).start()?;
    for _ in 0..3 {
        send(&namespace)?;
    }
    let finished = dropwatch.interrupt()?;
    finished.success()?;
    let events = finished.json()?;
    let own = |event: &&serde_json::Value| event["task"]["comm"] == "dwt stream";
    let own: Vec<_> =
        events.iter().filter(own).filter(|it| it["reason"]["name"] == "NO_SOCKET").collect();
    assert_eq!(own.len(), 3, "{events:#?}");
    for event in own {
        assert_eq!(event["protocol"], json!({"raw": 0x0800, "name": "IPv4"}));
        for nothing in ["len", "device", "netns", "packet", "input", "stack"] {
            assert!(event[nothing].is_null(), "{nothing}, {event:#}");
        }
    }
    Ok(())
}

#[test]
fn without_btf_columns_tell_that_they_do_not_know() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let fields = "len,flow,packet,src,dst,l4,vlan,iface,netns,socket,state,user,cgroup,owner,comm";
    let args = ["--no-btf", "--reason", "NO_SOCKET", "--fields", fields];
    let dropwatch = Launch::new(&args).through(&WITH_TRACEFS).start()?;
    send(&namespace)?;
    let finished = dropwatch.interrupt()?;
    finished.success()?;
    let text = finished.stdout();
    let own: Vec<_> = text.lines().filter_map(|line| line.split_once("dwt stream")).collect();
    assert_eq!(own.len(), 1, "{text}");
    let words: Vec<_> = own[0].0.split_whitespace().collect();
    assert_eq!(words, ["?"; 14], "{text}");
    Ok(())
}

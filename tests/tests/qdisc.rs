//! Packets that a queue discipline drops because its queue is full, compared with what the
//! queue discipline itself has counted.

use std::{net::Ipv4Addr, process, thread};

use anyhow::{Context, Result};
use dropwatch_tests::{
    Event, Finished, Launch, Namespace, Reasons, Veth, exclusive, need,
    traffic::{CLOSED_PORT, frame, udp},
};
use serde_json::Value;

/// How many packets each of two threads sends.
const COUNT: u32 = 100;
const PAYLOAD: u32 = 777;
/// The Ethernet header is on already.
const LEN: u32 = 14 + frame::IPV4_HEADER as u32 + udp::HEADER + PAYLOAD;
/// What the kernel frees these packets for. From 7.1 on that is not all: a tracepoint of queue
/// disciplines has told more before.
const COARSE: &str = "QDISC_DROP";
const FINE: &str = "QDISC_DROP_GENERIC";

/// From 6.1 on, in what the compiler has left of it as functions.
const FUNCTIONS: [&str; 5] = [
    "__dev_queue_xmit",
    "__dev_xmit_skb",
    "kfree_skb_list_reason",
    "tcf_kfree_skb_list",
    "__tcf_kfree_skb_list",
];

/// Room for a few packets, of which hardly any gets out while the test runs.
const TBF: [&str; 6] = ["rate", "8kbit", "burst", "2000", "limit", "4000"];

/// Has two threads overflow the queue of a [`Veth`], and gives how many packets it has dropped.
fn overflow() -> Result<u64> {
    let veth = Veth::new()?;
    let add = ["qdisc", "add", "dev", Veth::DEVICE, "root", "tbf"];
    veth.near.output("tc", &[&add[..], &TBF].concat())?;
    thread::scope(|scope| -> Result<()> {
        let other = scope.spawn(|| send(&veth.near, "dwt two"));
        send(&veth.near, "dwt one")?;
        other.join().map_err(|_| anyhow::anyhow!("the other sender failed"))?
    })?;
    let show = ["-statistics", "-json", "qdisc", "show", "dev", Veth::DEVICE];
    let shown: Value = serde_json::from_str(&veth.near.output("tc", &show)?)?;
    shown[0]["drops"].as_u64().with_context(|| format!("tc shows {shown}"))
}

fn send(namespace: &Namespace, thread: &str) -> Result<()> {
    namespace.run(thread, || udp::send((Veth::FAR, CLOSED_PORT), PAYLOAD, COUNT))
}

/// The drops for this reason that this process caused in the queue.
fn own(finished: &Finished, reason: &str) -> Result<Vec<Event>> {
    let mut events = finished.events()?;
    events.retain(|event| event.ran_for(process::id()) && event.reason == reason);
    Ok(events)
}

#[test]
fn a_queue_that_is_full() -> Result<()> {
    need!(Root, Program("ip"), Program("tc"), Reason("QDISC_DROP"));
    let _turn = exclusive();
    let is_fine = Reasons::of_kernel()?.number(FINE).is_some();
    let (reason, other) = if is_fine { (FINE, COARSE) } else { (COARSE, FINE) };
    let all = Launch::new::<&str>(&[]).start()?;
    let filtered = Launch::new(&["--reason", reason]).start()?;
    let dropped = overflow()?;
    assert!(dropped > u64::from(COUNT), "only {dropped} of {} dropped", 2 * COUNT);

    let (all, filtered) = (all.interrupt()?, filtered.interrupt()?);
    all.success()?;
    let account = filtered.success()?;
    assert_eq!(account.matched, filtered.events()?.len() as u64, "{account:?}");
    assert_eq!(own(&all, other)?, [], "there is a finer reason, or none");
    for finished in [&all, &filtered] {
        let events = own(finished, reason)?;
        assert_eq!(events.len() as u64, dropped, "{reason} of {:?}", finished.account());
        for event in events {
            assert_eq!((event.protocol.as_str(), event.len), ("IPv4", Some(LEN)), "{event:?}");
            assert!(event.comm.starts_with("dwt "), "{event:?}");
            let function = event.location.function.split('.').next().unwrap_or_default();
            assert!(FUNCTIONS.contains(&function), "{event:?}");
        }
    }
    Ok(())
}

/// Excluding the reason leaves all others.
#[test]
fn a_full_queue_can_be_left_out() -> Result<()> {
    need!(Root, Program("ip"), Program("tc"), Reason("QDISC_DROP"));
    let _turn = exclusive();
    let is_fine = Reasons::of_kernel()?.number(FINE).is_some();
    let excluded = if is_fine { "!qdisc/*" } else { "!QDISC_*" };
    let dropwatch = Launch::new(&["--reason", excluded]).start()?;
    let dropped = overflow()?;
    let namespace = Namespace::new()?;
    namespace.run("dwt other", || udp::send((Ipv4Addr::LOCALHOST, CLOSED_PORT), 100, 1))?;
    let finished = dropwatch.interrupt()?;
    let account = finished.success()?;
    assert!(account.seen - account.matched >= dropped, "{account:?}");
    for reason in [COARSE, FINE] {
        assert_eq!(own(&finished, reason)?, [], "{excluded}");
    }
    assert!(!own(&finished, "NO_SOCKET")?.is_empty(), "{excluded} leaves out more");
    Ok(())
}

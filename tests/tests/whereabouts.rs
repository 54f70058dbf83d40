//! At which device, on which way and in what context a packet was dropped.

use std::{
    io::Write,
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    thread::sleep,
    time::Duration,
};

use anyhow::{Result, ensure};
use dropwatch_tests::{
    Event, Launch, Namespace, Veth, exclusive, json, need, output, tc,
    traffic::{CLOSED_PORT, option, packet::interface_index, udp},
};
use serde_json::{Value, json};

const COMM: &str = "dwt sender";

fn ip(line: &str) -> Result<String> {
    output("ip", &line.split(' ').collect::<Vec<_>>())
}

/// The drops in a namespace while its neighbour sends, in JSON and in text.
fn watch(
    reason: &str,
    from: &Namespace,
    at: &Namespace,
    send: impl FnOnce() -> Result<()> + Send,
) -> Result<(Vec<Value>, Vec<Event>)> {
    let text = Launch::new(&["--reason", reason]).start()?;
    let events = json::drops_of(&["--reason", reason], || from.run(COMM, send))?;
    let text = text.interrupt()?;
    text.success()?;
    Ok((json::within(&events, at)?, text.events()?))
}

fn device(namespace: &Namespace, name: &str, kind: (u16, &str)) -> Result<Value> {
    let index = namespace.run("dwt-index", || interface_index(name))?;
    let (raw, kind) = kind;
    Ok(json!({"name": name, "index": index, "type": {"raw": raw, "name": kind}}))
}

const ETHER: (u16, &str) = (1, "ETHER");

#[test]
fn received() -> Result<()> {
    need!(Root, Program("ip"), Program("tc"), Reason("TC_INGRESS"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    tc::drop_all(&veth.far, Veth::DEVICE, "ingress")?;
    let send = || udp::send((Veth::FAR, CLOSED_PORT), 10, 3);
    let (events, text) = watch("TC_INGRESS", &veth.near, &veth.far, send)?;
    assert_eq!(events.len(), 3);
    let device = device(&veth.far, Veth::DEVICE, ETHER)?;
    for event in &events {
        assert_eq!(event["device"], device);
        assert_eq!(event["input"]["index"], device["index"]);
        assert_eq!(event["direction"], "in");
        // Sending goes on in a soft interrupt, which is the sender's own but for the name.
        assert_eq!(
            (&event["context"], &event["task"]["interrupted"]),
            (&json!("softirq"), &json!(true))
        );
    }
    let pid = std::process::id();
    let own: Vec<_> = text.iter().filter(|event| event.ran_for(pid)).collect();
    assert!(own.len() >= 3 && own.iter().all(|event| event.interrupted), "{own:#?}");
    assert!(own.iter().any(|event| event.comm == COMM), "{own:#?}");
    Ok(())
}

#[test]
fn sent() -> Result<()> {
    need!(Root, Program("ip"), Program("nft"), Reason("NETFILTER_DROP"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    veth.near.nft("ip", "output", "udp dport 9 drop")?;
    let (events, text) = watch("NETFILTER_DROP", &veth.near, &veth.near, || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        // A drop at output is an error.
        let _ = socket.send_to(&[0; 10], (Veth::FAR, CLOSED_PORT));
        Ok(())
    })?;
    let [event] = &events[..] else { panic!("{events:#?}") };
    assert_eq!((&event["input"], &event["direction"]), (&Value::Null, &json!("out")));
    assert_eq!((&event["context"], &event["task"]["interrupted"]), (&json!("task"), &json!(false)));
    assert_eq!(event["task"]["comm"], COMM);
    assert_eq!(event["task"]["pid"], std::process::id());
    assert_ne!(event["task"]["tid"], event["task"]["pid"]);
    assert_eq!(event["socket"]["receiver"], false);
    let own: Vec<_> = text.iter().filter(|event| event.comm == COMM).collect();
    assert!(own.len() == 1 && !own[0].interrupted, "{own:#?}");
    Ok(())
}

#[test]
fn sent_out_of_a_device() -> Result<()> {
    need!(Root, Program("ip"), Program("tc"), Reason("TC_EGRESS"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    tc::drop_all(&veth.near, Veth::DEVICE, "egress")?;
    let send = || udp::send((Veth::FAR, CLOSED_PORT), 10, 3);
    let (events, _) = watch("TC_EGRESS", &veth.near, &veth.near, send)?;
    assert_eq!(events.len(), 3);
    let device = device(&veth.near, Veth::DEVICE, ETHER)?;
    for event in &events {
        assert_eq!(event["device"], device);
        assert_eq!((&event["input"], &event["direction"]), (&Value::Null, &json!("out")));
        assert_eq!(event["context"], "task");
    }
    Ok(())
}

#[test]
fn forwarded() -> Result<()> {
    need!(Root, Program("ip"), Program("nft"), Reason("NETFILTER_DROP"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    let (router, beyond) = (&veth.far, Namespace::new()?);
    let (from, to) = (router.name(), beyond.name());
    ip(&format!("-n {from} link add veth1 type veth peer name veth0 netns {to}"))?;
    ip(&format!("-n {to} link set veth0 up"))?;
    ip(&format!("-n {from} link set veth1 up"))?;
    ip(&format!("-n {from} address add 10.0.1.1/24 dev veth1"))?;
    ip(&format!(
        "-n {from} neighbour replace 10.0.1.2 lladdr 02:00:00:00:00:09 dev veth1 nud permanent"
    ))?;
    ip(&format!("-n {} route add 10.0.1.0/24 via 10.0.0.2", veth.near.name()))?;
    router.sysctl("net/ipv4/ip_forward", "1")?;
    router.nft("ip", "postrouting", "drop")?;
    let send = || udp::send((Ipv4Addr::new(10, 0, 1, 2), CLOSED_PORT), 10, 2);
    let (events, _) = watch("NETFILTER_DROP", &veth.near, router, send)?;
    assert_eq!(events.len(), 2, "{events:#?}");
    for event in &events {
        assert_eq!(event["device"], device(router, "veth1", ETHER)?);
        assert_eq!(event["input"]["index"], device(router, Veth::DEVICE, ETHER)?["index"]);
        assert_eq!(event["direction"], "forwarded");
        assert_eq!(event["packet"]["ipv4"]["ttl"], 63);
    }
    Ok(())
}

#[test]
fn at_loopback() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let send = || udp::send((Ipv4Addr::LOCALHOST, CLOSED_PORT), 10, 1);
    let (events, _) = watch("NO_SOCKET", &namespace, &namespace, send)?;
    let [event] = &events[..] else { panic!("{events:#?}") };
    assert_eq!(
        event["device"],
        json!({"name": "lo", "index": 1, "type": {"raw": 772, "name": "LOOPBACK"}})
    );
    assert_eq!((&event["input"]["index"], &event["direction"]), (&json!(1), &json!("in")));
    Ok(())
}

/// What waits in a socket's queue has other things where its device was.
fn has_no_garbage(event: &Value, namespace: &Namespace) -> Result<()> {
    let device = &event["device"];
    let lo = json!({"name": "lo", "index": 1, "type": {"raw": 772, "name": "LOOPBACK"}});
    ensure!(device.is_null() || *device == lo, "{event:#}");
    let netns = &event["netns"];
    ensure!(netns.is_null() || netns["inode"] == namespace.inode()?, "{event:#}");
    ensure!(event["input"]["index"] == 1 && event["direction"] == "in", "{event:#}");
    Ok(())
}

#[test]
fn left_in_the_queue_of_udp() -> Result<()> {
    need!(Root, Program("ip"), Reasons);
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let mut port = 0;
    let events = json::drops_of(&[], || {
        namespace.run(COMM, || {
            let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            port = receiver.local_addr()?.port();
            udp::send(receiver.local_addr()?, 100, 20)?;
            drop(receiver);
            // The socket itself is freed later.
            sleep(need::patience(Duration::from_millis(300)));
            Ok(())
        })
    })?;
    let own: Vec<_> =
        events.iter().filter(|event| event["packet"]["destination_port"] == port).collect();
    // Older kernels say that these were consumed.
    for event in &own {
        has_no_garbage(event, &namespace)?;
        assert_eq!(event["packet"]["udp"]["length"], 108, "{event:#}");
    }
    assert!([0, 20].contains(&own.len()), "{} drops", own.len());
    Ok(())
}

#[test]
fn left_in_the_queue_of_tcp() -> Result<()> {
    need!(Root, Program("ip"), Program("nft"), Reasons);
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    // The first data are lost, so that what follows is out of order.
    namespace.nft("ip", "input", "tcp dport 5000 meta length 552 drop")?;
    let events = json::drops_of(&[], || {
        namespace.run(COMM, || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 5000))?;
            let mut sender = TcpStream::connect(listener.local_addr()?)?;
            sender.set_nodelay(true)?;
            let (receiver, _) = listener.accept()?;
            sender.write_all(&[1; 500])?;
            for _ in 0..5 {
                sender.write_all(&[2; 300])?;
            }
            sleep(Duration::from_millis(50));
            abort(receiver)?;
            sleep(need::patience(Duration::from_millis(300)));
            Ok(())
        })
    })?;
    let own: Vec<_> = events
        .iter()
        .filter(|event| event["packet"]["destination_port"] == 5000)
        .filter(|event| {
            event["packet"]["tcp"]["payload_length"] == 300 && event["direction"] == "in"
        })
        .collect();
    // The kernel makes one packet of several.
    assert!(!own.is_empty(), "{events:#?}");
    for event in &own {
        has_no_garbage(event, &namespace)?;
        assert_eq!(event["socket"]["state"]["name"], "CLOSE", "{event:#}");
    }
    Ok(())
}

/// Ends a connection with a reset, and forgets at once what has come.
fn abort(stream: TcpStream) -> Result<()> {
    option::set(&stream, libc::SO_LINGER, &libc::linger { l_onoff: 1, l_linger: 0 })
}

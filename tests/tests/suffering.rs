//! Who suffers from a drop, and where: another process than the one that was interrupted, and a
//! network namespace that need not have a name.

use std::{
    fs::File,
    net::{Ipv4Addr, UdpSocket},
    os::fd::{AsRawFd, OwnedFd},
    process::{Command, Stdio},
};

use anyhow::{Result, ensure};
use dropwatch_tests::{
    Idle, Launch, Namespace, as_thread, exclusive, json, need,
    need::kernel_tells_receivers,
    traffic::{CLOSED_PORT, option, udp},
};
use serde_json::Value;

const SENDER: &str = "dwt sender";
const COUNT: u32 = 50;

fn reason(event: &Value) -> &str {
    event["reason"]["name"].as_str().unwrap_or_default()
}

#[test]
fn a_receiver_that_does_not_read_is_named() -> Result<()> {
    need!(Root, Program("ip"), Program("sleep"), Reason("SOCKET_RCVBUFF"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let socket = namespace.run("dwt receiver", || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let smallest: libc::c_int = 1;
        option::set(&socket, libc::SO_RCVBUF, &smallest)?;
        Ok(socket)
    })?;
    let port = socket.local_addr()?.port();
    // As its standard input the socket is the other process's alone.
    let receiver = Idle::start(Command::new("sleep").arg("600").stdin(OwnedFd::from(socket)))?;

    let flood = || namespace.run(SENDER, || udp::send((Ipv4Addr::LOCALHOST, port), 1000, COUNT));
    let drops = json::within(&json::drops_of(&["--reason", "SOCKET_RCVBUFF"], flood)?, &namespace)?;
    assert!(drops.len() >= COUNT as usize / 2, "{} drops", drops.len());
    for drop in &drops {
        assert_eq!(drop["packet"]["destination_port"], port, "{drop:#}");
        if !kernel_tells_receivers() {
            continue;
        }
        let socket = &drop["socket"];
        assert_eq!(socket["receiver"], true, "{drop:#}");
        assert_eq!(socket["local"]["port"], port, "{drop:#}");
        assert_eq!(socket["owner"]["pid"], receiver.pid(), "{drop:#}");
        assert_eq!(socket["owner"]["comm"], "sleep", "{drop:#}");
        assert_eq!(socket["owner"]["others"], 0, "{drop:#}");
        // It ran in a soft interrupt, mostly of the sender.
        assert_eq!(drop["context"], "softirq", "{drop:#}");
        assert_eq!(drop["task"]["interrupted"], true, "{drop:#}");
        assert_ne!(drop["task"]["pid"], receiver.pid(), "{drop:#}");
    }

    let shown = Launch::new(&["--reason", "SOCKET_RCVBUFF", "--fields", "comm,owner,socket"]);
    let running = shown.start()?;
    flood()?;
    let text = running.interrupt()?.stdout();
    let owner = format!("sleep[{}]", receiver.pid());
    let lines: Vec<_> = text.lines().filter(|line| line.contains(&format!(":{port}"))).collect();
    assert!(!lines.is_empty() || !kernel_tells_receivers(), "{text}");
    for line in lines {
        assert!(line.contains(&owner), "{line}");
        assert!(line.starts_with('['), "only interrupted: {line}");
    }
    Ok(())
}

#[test]
fn the_same_addresses_are_told_apart_by_namespace() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let namespaces = [Namespace::new()?, Namespace::new()?];
    let drops = json::drops_of(&["--reason", "NO_SOCKET"], || {
        namespaces.iter().try_for_each(|namespace| {
            namespace.run(SENDER, || udp::send((Ipv4Addr::LOCALHOST, CLOSED_PORT), 10, COUNT))
        })
    })?;
    for namespace in &namespaces {
        let own = json::within(&drops, namespace)?;
        assert_eq!(own.len(), COUNT as usize);
        for drop in own {
            assert_eq!(drop["netns"]["name"], namespace.name(), "{drop:#}");
            assert_eq!(drop["netns"]["inode"], namespace.inode()?, "{drop:#}");
            assert_eq!(drop["packet"]["source"], "127.0.0.1");
            assert_eq!(drop["packet"]["destination"], "127.0.0.1");
        }
    }
    Ok(())
}

#[test]
fn a_namespace_without_a_name_is_known_by_a_process_in_it() -> Result<()> {
    need!(Root, Program("ip"), Program("unshare"), Program("sleep"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    let script = "ip link set lo up && exec sleep 600";
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", script]).stdin(Stdio::null());
    let inhabitant = Idle::start(&mut command)?;
    let netns = File::open(format!("/proc/{}/ns/net", inhabitant.pid()))?;
    let drops = json::drops_of(&["--reason", "NO_SOCKET"], || {
        as_thread(SENDER, || {
            // SAFETY: the call takes two integers, the first of which is an open file.
            let entered = unsafe { libc::setns(netns.as_raw_fd(), libc::CLONE_NEWNET) };
            ensure!(entered == 0, "cannot enter the namespace");
            udp::send((Ipv4Addr::LOCALHOST, CLOSED_PORT), 10, COUNT)
        })
    })?;
    let name = format!("sleep[{}]", inhabitant.pid());
    let own: Vec<_> = drops.iter().filter(|drop| drop["netns"]["name"] == *name).collect();
    assert_eq!(own.len(), COUNT as usize, "{drops:?}");
    assert!(own.iter().all(|drop| reason(drop) == "NO_SOCKET"));
    Ok(())
}

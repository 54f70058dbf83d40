//! Whose the packets were that were dropped.

use std::{
    fs::{self, File},
    io::Write,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{AsFd, AsRawFd},
        linux::fs::MetadataExt,
        unix::net::{UnixDatagram, UnixStream},
    },
    thread::sleep,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use dropwatch_tests::{
    Namespace, Veth, exclusive, json, need,
    need::kernel_tells_receivers,
    traffic::{CLOSED_PORT, udp},
};
use serde_json::{Value, json};

const COMM: &str = "dwt sender";

/// What makes a socket one of its own.
struct Identity {
    cookie: u64,
    inode: u64,
}

impl Identity {
    fn of(socket: &impl AsFd) -> Result<Self> {
        let fd = socket.as_fd();
        let (mut cookie, mut len) = (0_u64, size_of::<u64>() as libc::socklen_t);
        // SAFETY: the call writes a number and its length to places that outlive it.
        let got = unsafe {
            libc::getsockopt(
                fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_COOKIE,
                (&raw mut cookie).cast(),
                &raw mut len,
            )
        };
        ensure!(got == 0 && cookie != 0, "the socket has no cookie");
        let inode = File::from(fd.try_clone_to_owned()?).metadata()?.st_ino();
        Ok(Self { cookie, inode })
    }

    /// Makes sure that this is the socket of a drop, and is described well.
    fn check(&self, event: &Value, kind: [(u16, &str); 3], uid: u32) -> Result<()> {
        let socket = &event["socket"];
        assert_eq!(socket["cookie"], self.cookie, "{event:#}");
        assert_eq!(socket["inode"], self.inode, "{event:#}");
        assert_eq!(socket["uid"], uid, "{event:#}");
        for (member, (raw, name)) in ["family", "type", "protocol"].iter().zip(kind) {
            // Names are those of protocols in IP.
            let name = if name.is_empty() { Value::Null } else { name.into() };
            assert_eq!(socket[member], json!({"raw": raw, "name": name}), "{member}, {event:#}");
        }
        if let Some(cgroup) = own_cgroup()? {
            assert_eq!(socket["cgroup"]["id"], cgroup, "{event:#}");
        }
        Ok(())
    }
}

/// The number of the cgroup that this process is in, where that can be told.
fn own_cgroup() -> Result<Option<u64>> {
    let text = fs::read_to_string("/proc/self/cgroup")?;
    let Some(path) = text.lines().find_map(|line| line.strip_prefix("0::")) else {
        return Ok(None);
    };
    // The first namespace of cgroups begins at the first cgroup.
    if path == "/" && fs::read_link("/proc/self/ns/cgroup")?.as_os_str() == "cgroup:[4026531835]" {
        return Ok(Some(1));
    }
    let folder = format!("/sys/fs/cgroup{path}");
    if !fs::exists(format!("{folder}/cgroup.controllers"))? {
        return Ok(None);
    }
    Ok(Some(fs::metadata(folder)?.st_ino()))
}

const UDP: [(u16, &str); 3] = [(2, "INET"), (2, "DGRAM"), (17, "UDP")];
const UDP6: [(u16, &str); 3] = [(10, "INET6"), (2, "DGRAM"), (17, "UDP")];
const TCP: [(u16, &str); 3] = [(2, "INET"), (1, "STREAM"), (6, "TCP")];

fn end(address: SocketAddr) -> Value {
    json!({"address": address.ip().to_string(), "port": address.port()})
}

/// Makes the sockets of this thread those of another user, as the kernel sees it.
fn become_user(uid: u32) {
    // SAFETY: the call takes an integer and changes this thread only.
    unsafe { libc::setfsuid(uid) };
}

fn filtered(local: SocketAddr, kind: [(u16, &str); 3]) -> Result<()> {
    const UID: u32 = 12_345;
    let namespace = Namespace::new()?;
    let receiver = namespace.run("dwt receiver", || {
        become_user(UID);
        udp::deaf_socket(local)
    })?;
    let (identity, to) = (Identity::of(&receiver)?, receiver.local_addr()?);
    let events = json::drops_of(&["--reason", "SOCKET_FILTER"], || {
        namespace.run(COMM, || udp::send(to, 10, 2))
    })?;
    let events = json::within(&events, &namespace)?;
    assert_eq!(events.len(), 2, "{events:#?}");
    for event in &events {
        if !kernel_tells_receivers() {
            assert_eq!(event["socket"], Value::Null, "{event:#}");
            continue;
        }
        identity.check(event, kind, UID)?;
        let socket = &event["socket"];
        assert_eq!(
            (&socket["receiver"], &socket["state"]["name"]),
            (&json!(true), &json!("CLOSE"))
        );
        assert_eq!((&socket["local"], &socket["remote"]), (&end(to), &Value::Null));
        assert_eq!(event["direction"], "in");
    }
    Ok(())
}

#[test]
fn a_filter_refuses_a_datagram() -> Result<()> {
    need!(Root, Program("ip"), Reason("SOCKET_FILTER"));
    let _turn = exclusive();
    filtered((Ipv4Addr::LOCALHOST, 0).into(), UDP)
}

#[test]
fn a_filter_refuses_a_datagram_over_ipv6() -> Result<()> {
    need!(Root, Program("ip"), Reason("SOCKET_FILTER"));
    let _turn = exclusive();
    filtered((Ipv6Addr::LOCALHOST, 0).into(), UDP6)
}

#[test]
fn a_sender_of_datagrams() -> Result<()> {
    need!(Root, Program("ip"), Program("nft"), Reason("NETFILTER_DROP"));
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    namespace.nft("ip", "output", "udp dport 9 drop")?;
    let socket = namespace.run(COMM, || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect((Ipv4Addr::LOCALHOST, CLOSED_PORT))?;
        Ok(socket)
    })?;
    let identity = Identity::of(&socket)?;
    let events = json::drops_of(&["--reason", "NETFILTER_DROP"], || {
        // A drop at output is an error.
        let _ = socket.send(&[0; 10]);
        Ok(())
    })?;
    let events = json::within(&events, &namespace)?;
    let [event] = &events[..] else { panic!("{events:#?}") };
    identity.check(event, UDP, 0)?;
    let socket_json = &event["socket"];
    assert_eq!(socket_json["receiver"], false);
    assert_eq!(socket_json["state"]["name"], "ESTABLISHED", "as the kernel has connected ones");
    assert_eq!(socket_json["local"], end(socket.local_addr()?));
    assert_eq!(socket_json["remote"], end(socket.peer_addr()?));
    assert_eq!(event["direction"], "out");
    Ok(())
}

#[test]
fn a_connection() -> Result<()> {
    need!(Root, Program("ip"), Program("nft"), Reason("NETFILTER_DROP"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    let (mut sender, receiver) = connect(&veth)?;
    // One that waits for an acknowledgement may not send more.
    let (mut second_sender, _second_receiver) = connect(&veth)?;
    let (of_sender, of_receiver) = (Identity::of(&second_sender)?, Identity::of(&receiver)?);
    // Once at the sender, and once at the receiver, which the kernel looks up early.
    veth.near.nft("ip", "output", "tcp dport 5000 meta length 552 drop")?;
    veth.far.nft("ip", "input", "tcp dport 5000 drop")?;
    let events = json::drops_of(&["--reason", "NETFILTER_DROP"], || {
        sender.write_all(&[1; 100])?;
        // Long enough for the segment to be sent again.
        sleep(need::patience(Duration::from_millis(300)));
        Ok(())
    })?;
    let far = json::within(&events, &veth.far)?;
    let event = far.first().with_context(|| format!("nothing was dropped there: {events:?}"))?;
    of_receiver.check(event, TCP, 0)?;
    let socket = &event["socket"];
    assert_eq!(
        (&socket["receiver"], &socket["state"]["name"]),
        (&json!(false), &json!("ESTABLISHED"))
    );
    assert_eq!(
        (&socket["local"], &socket["remote"]),
        (&end(receiver.local_addr()?), &end(receiver.peer_addr()?))
    );
    assert_eq!(event["direction"], "in");
    let events = json::drops_of(&["--reason", "NETFILTER_DROP"], || {
        second_sender.write_all(&[1; 500])?;
        // Long enough for the segment to be sent again.
        sleep(need::patience(Duration::from_millis(300)));
        Ok(())
    })?;
    let near = json::within(&events, &veth.near)?;
    let event = near.first().with_context(|| format!("nothing was dropped here: {events:?}"))?;
    of_sender.check(event, TCP, 0)?;
    assert_eq!((&event["direction"], &event["socket"]["receiver"]), (&json!("out"), &json!(false)));
    assert_eq!(event["socket"]["local"], end(second_sender.local_addr()?));
    Ok(())
}

/// From the near to the far end.
fn connect(veth: &Veth) -> Result<(TcpStream, TcpStream)> {
    let listener = veth.far.run("dwt receiver", || Ok(TcpListener::bind((Veth::FAR, 5000))?))?;
    let sender = veth.near.run(COMM, || Ok(TcpStream::connect((Veth::FAR, 5000))?))?;
    sender.set_nodelay(true)?;
    Ok((sender, listener.accept()?.0))
}

#[test]
fn what_nobody_reads_from_a_unix_socket() -> Result<()> {
    need!(Root, Program("ip"), Reasons);
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let mut identities = Vec::new();
    let events = json::drops_of(&[], || {
        namespace.run(COMM, || {
            let (sender, receiver) = UnixDatagram::pair()?;
            identities.push(Identity::of(&sender)?);
            sender.send(&[0; 123])?;
            drop(receiver);
            let (mut sender, receiver) = UnixStream::pair()?;
            identities.push(Identity::of(&sender)?);
            sender.write_all(&[0; 124])?;
            drop(receiver);
            Ok(())
        })
    })?;
    let kinds = [(2, "DGRAM"), (1, "STREAM")];
    for ((identity, kind), len) in identities.iter().zip(kinds).zip([123, 124]) {
        let is_own = |event: &&Value| event["task"]["comm"] == COMM && event["len"] == len;
        // Kernels differ in what they count as a drop.
        let Some(event) = events.iter().find(is_own) else { continue };
        identity.check(event, [(1, "UNIX"), kind, (0, "")], 0)?;
        assert_eq!(event["protocol"], json!({"raw": 0, "name": null}));
        for nothing in ["packet", "device", "input", "direction"] {
            assert_eq!(event[nothing], Value::Null, "{nothing}, {event:#}");
        }
        for nothing in ["local", "remote"] {
            assert_eq!(event["socket"][nothing], Value::Null, "{nothing}, {event:#}");
        }
    }
    Ok(())
}

#[test]
fn what_nobody_reads_from_the_kernel() -> Result<()> {
    need!(Root, Program("ip"), Reasons);
    let _turn = exclusive();
    let namespace = Namespace::new()?;
    let events = json::drops_of(&[], || {
        namespace.run(COMM, || {
            let socket = netlink()?;
            // RTM_GETLINK for all: 17 bytes behind the header of 16, filled up.
            let request = [36, 0, 0, 0, 18, 0, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0];
            let mut request = request.to_vec();
            request.resize(36, 0);
            File::from(socket).write_all(&request)?;
            Ok(())
        })
    })?;
    let is_own = |event: &&Value| {
        event["socket"]["family"]["name"] == "NETLINK" && event["task"]["comm"] == COMM
    };
    for event in events.iter().filter(is_own) {
        for nothing in ["packet", "device", "input", "direction"] {
            assert_eq!(event[nothing], Value::Null, "{nothing}, {event:#}");
        }
        assert_eq!(event["socket"]["protocol"], json!({"raw": 0, "name": null}), "{event:#}");
    }
    Ok(())
}

fn netlink() -> Result<std::os::fd::OwnedFd> {
    use std::os::fd::{FromRawFd, OwnedFd};
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: the call takes integers.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) };
    ensure!(fd >= 0, "no netlink socket");
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

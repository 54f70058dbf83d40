//! Packets of any bytes: none of them makes dropwatch stumble, or write what cannot be read.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use dropwatch_tests::{
    Launch, Namespace, Random, TempDir, Veth, exclusive, json, need, need::is_emulated, tc,
    traffic::packet::Sender,
};
use serde_json::Value;

/// As many as the buffer holds even if nobody empties it.
const ROUND: usize = 20_000;
const BUFFER: &str = "16M";
const FIELDS: &str = "time,timestamp,cpu,context,pid,tid,comm,reason,iface,ifindex,input,netns,dir,\
                      proto,len,location,flow,packet,src,dst,l4,vlan,socket,state,user,cgroup,owner";
/// EtherTypes that are looked into.
const KNOWN: [u16; 6] = [0x0800, 0x86dd, 0x0806, 0x8100, 0x88a8, 0x8035];
/// Protocols in IP, and extension headers of IPv6, that are looked into.
const PROTOCOLS: [u8; 16] = [0, 1, 2, 4, 6, 17, 41, 43, 44, 47, 50, 51, 58, 60, 132, 135];
/// Where tunnels and others are.
const PORTS: [u16; 4] = [4789, 8472, 6081, 9];

/// Bytes, and here and there what leads the reading of them further.
fn frame(random: &mut Random) -> Vec<u8> {
    let longest = *random.one_of(&[20, 60, 200]);
    let len = 14 + random.below(longest + 1);
    let mut frame = random.bytes(len);
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = frame.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    if random.below(4) == 0 {
        return frame;
    }
    let ether_type = *random.one_of(&KNOWN);
    put(12, &ether_type.to_be_bytes());
    let mut at = 14;
    let mut inner = ether_type;
    while [0x8100, 0x88a8].contains(&inner) {
        inner = *random.one_of(&KNOWN);
        put(at + 2, &inner.to_be_bytes());
        at += 4;
    }
    let protocol = *random.one_of(&PROTOCOLS);
    let behind = match inner {
        0x0800 => {
            put(at, &[*random.one_of(&[0x45, 0x45, 0x46, 0x4f, 0x44])]);
            put(at + 9, &[protocol]);
            at + 20
        }
        0x86dd => {
            put(at, &[0x60]);
            put(at + 6, &[protocol]);
            let mut next = at + 40;
            for _ in 0..random.below(10) {
                put(next, &[*random.one_of(&PROTOCOLS), random.below(2) as u8]);
                next += 8;
            }
            next
        }
        _ => {
            put(at, &[0, 1, 8, 0, 6, 4]);
            return frame;
        }
    };
    put(behind + 2, &random.one_of(&PORTS).to_be_bytes());
    frame
}

fn send(from: &Namespace, random: &mut Random, count: usize) -> Result<()> {
    from.run("dwt random", || {
        let sender = Sender::new(Veth::DEVICE)?;
        (0..count).try_for_each(|_| sender.send(&frame(random)))
    })
}

/// How many of the drops are in the namespace.
fn check_json(path: &Path, namespace: &Namespace) -> Result<usize> {
    let inode = namespace.inode()?;
    let mut own = 0;
    for (number, line) in BufReader::new(File::open(path)?).lines().enumerate() {
        let line = line.context("no UTF-8")?;
        let event: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
        if number.is_multiple_of(101) {
            json::check(&event)?;
        }
        own += usize::from(event["netns"]["inode"] == inode);
    }
    Ok(own)
}

/// How many drops there are.
fn check_text(path: &Path) -> Result<usize> {
    let mut drops = 0;
    for line in BufReader::new(File::open(path)?).lines() {
        let line = line.context("no UTF-8")?;
        ensure!(!line.chars().any(char::is_control), "{line:?}");
        ensure!(line.trim() != "" && line.len() < 2000, "{line:?}");
        drops += usize::from(!line.starts_with(' '));
    }
    // One of them is the heading.
    drops.checked_sub(1).context("no heading")
}

#[test]
fn any_bytes() -> Result<()> {
    need!(Root, Program("ip"), Program("tc"), Reason("TC_INGRESS"));
    let _turn = exclusive();
    let veth = Veth::new()?;
    tc::drop_all(&veth.far, Veth::DEVICE, "ingress")?;
    let (rounds, round) = if is_emulated() { (1, 5_000) } else { (5, ROUND) };
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    for _ in 0..rounds {
        let folder = TempDir::new()?;
        let (json, text) = (folder.join("json"), folder.join("text"));
        let args = ["--buffer-size", BUFFER];
        let as_json = Launch::new(&args).args(&["--json"]).into_file(&json).start()?;
        let details = ["--verbose-packet", "--fields", FIELDS];
        let as_text = Launch::new(&args).args(&details).into_file(&text).start()?;
        send(&veth.near, &mut random, round)?;
        let (of_json, of_text) = (as_json.interrupt()?.success()?, as_text.interrupt()?.success()?);
        for account in [of_json, of_text] {
            assert_eq!((account.lost, account.not_shown, account.missed), (0, 0, 0), "{account:?}");
        }
        assert_eq!(check_json(&json, &veth.far)?, round, "{of_json:?}");
        assert_eq!(check_text(&text)?, of_text.shown as usize);
    }
    Ok(())
}

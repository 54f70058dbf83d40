//! Records of a thousand drops as a busy host has them: TCP and UDP, to sockets and to none, IPv4
//! and IPv6, ARP, ICMP and VXLAN, of several devices and network namespaces.

use dropwatch_common::record::{
    DeviceRecord, DropRecord, FLAG_CGROUP, FLAG_COMM, FLAG_CONTEXT, FLAG_DEVICE, FLAG_FULL_SOCKET,
    FLAG_IIF, FLAG_LEN, FLAG_NETNS, FLAG_PACKET, FLAG_PROTOCOL, FLAG_REASON, FLAG_RECEIVER,
    FLAG_SOCKET, PACKET_LEN, PacketRecord, SocketRecord,
};

use super::world;

const COUNT: u64 = 1024;
const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// A record as it lies in the ring, which is aligned to 8 bytes.
pub struct Record {
    words: Vec<u64>,
}

impl Record {
    fn new(record: &DropRecord, stack: &[u64]) -> Self {
        let record = DropRecord { stack_len: stack.len() as u16, ..*record };
        // SAFETY: the struct has no padding, so all its bytes are initialised.
        let fixed = unsafe { &*(&raw const record).cast::<[u8; size_of::<DropRecord>()]>() };
        let (chunks, _) = fixed.as_chunks();
        let words = chunks.iter().map(|chunk| u64::from_ne_bytes(*chunk));
        Self { words: words.chain(stack.iter().copied()).collect() }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: all the words are initialised, and any bytes are valid.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), 8 * self.words.len()) }
    }
}

/// The records, so many nanoseconds apart.
pub fn records(interval: u64, with_stack: bool) -> Vec<Record> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let record = |number| {
        let record = DropRecord { boot_ns: number * interval, ..any(&mut random) };
        let stack = world::stack(random.below(world::STACKS));
        let location = if with_stack { stack[world::OVERHEAD] } else { record.location };
        Record::new(&DropRecord { location, ..record }, if with_stack { &stack } else { &[] })
    };
    (0..COUNT).map(record).collect()
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }
}

fn any(random: &mut Random) -> DropRecord {
    let v6 = random.below(4) == 0;
    match random.below(20) {
        0 => arp(random),
        1 => icmp(random),
        2 => vxlan(random),
        3..=9 => to_no_socket(random, v6, UDP),
        10..=12 => to_no_socket(random, v6, TCP),
        13..=15 => to_socket(random, v6, UDP),
        _ => to_socket(random, v6, TCP),
    }
}

/// What all have.
fn somewhere(random: &mut Random, protocol: u16, packet: Packet) -> DropRecord {
    let number = random.below(world::PLACES);
    let (comm, pid) = world::task(random.below(world::TASKS));
    let mut name = [0; 16];
    name[..4].copy_from_slice(b"veth");
    name[4] = b'0' + number as u8;
    DropRecord {
        location: world::location(random.below(world::LOCATIONS)),
        reason: world::REASONS[random.below(world::REASONS.len() as u64) as usize].0,
        pid: pid + random.below(4) as u32,
        tgid: pid,
        cpu: random.below(16) as u32,
        len: packet.record.len.into(),
        flags: FLAG_REASON
            | FLAG_PROTOCOL
            | FLAG_LEN
            | FLAG_COMM
            | FLAG_CONTEXT
            | FLAG_DEVICE
            | FLAG_IIF
            | FLAG_NETNS
            | FLAG_PACKET,
        preempt_count: if random.below(4) == 0 { 0 } else { 0x100 },
        protocol,
        comm,
        device: DeviceRecord {
            name,
            index: 2 + number as u32,
            skb_iif: 2 + number as u32,
            netns: world::netns(number),
            kind: 1,
            reserved: 0,
        },
        packet: packet.record,
        ..DropRecord::default()
    }
}

fn to_no_socket(random: &mut Random, v6: bool, protocol: u8) -> DropRecord {
    let transport = if protocol == TCP { syn(random) } else { datagram(random, 9) };
    ip(random, v6, protocol, &transport)
}

fn to_socket(random: &mut Random, v6: bool, protocol: u8) -> DropRecord {
    let transport = if protocol == TCP { segment(random) } else { datagram(random, 53) };
    let record = ip(random, v6, protocol, &transport);
    let number = random.below(world::SOCKETS);
    let (address, inode) = world::socket(number);
    let mut socket = SocketRecord {
        address,
        cookie: number,
        inode,
        cgroup: world::cgroup(number),
        uid: world::uid(number),
        family: if v6 { 10 } else { 2 },
        kind: if protocol == TCP { 1 } else { 2 },
        protocol: protocol.into(),
        local_port: if protocol == TCP { 443 } else { 53 },
        remote_port: if protocol == TCP { 32_768 + number as u16 } else { 0 },
        state: if protocol == TCP { 1 } else { 7 },
        ..SocketRecord::default()
    };
    if protocol == TCP {
        socket.local[..4].copy_from_slice(&[192, 0, 2, 1]);
        socket.remote[..4].copy_from_slice(&[198, 51, 100, number as u8]);
    }
    let flags = FLAG_SOCKET | FLAG_RECEIVER | FLAG_FULL_SOCKET | FLAG_CGROUP;
    DropRecord { flags: record.flags | flags, socket, ..record }
}

/// A TCP segment with data and timestamps.
fn segment(random: &mut Random) -> Vec<u8> {
    let [a, b, c, d] = [random.byte(), random.byte(), random.byte(), random.byte()];
    let mut bytes = vec![0x80, a, 1, 0xbb, b, c, d, a, c, b, a, d, 0x80, 0x18, 0xfa, b, 0, 0, 0, 0];
    bytes.extend([1, 1, 8, 10, a, b, c, d, d, c, b, a]);
    bytes.extend((0..random.below(1400)).map(|_| random.byte()).take(100));
    bytes
}

fn syn(random: &mut Random) -> Vec<u8> {
    let [a, b, c, d] = [random.byte(), random.byte(), random.byte(), random.byte()];
    let mut bytes = vec![a, b, 0x1f, 0x90, b, c, d, a, 0, 0, 0, 0, 0xa0, 2, 0xfa, 0xf0, 0, 0, 0, 0];
    bytes.extend([2, 4, 5, 0xb4, 4, 2, 8, 10, a, b, c, d, 0, 0, 0, 0, 1, 3, 3, 7]);
    bytes
}

fn datagram(random: &mut Random, port: u8) -> Vec<u8> {
    let payload = random.below(100) as u8;
    let mut bytes = vec![0x9c, random.byte(), 0, port, 0, 8 + payload, random.byte(), 0];
    bytes.extend((0..payload).map(|_| random.byte()));
    bytes
}

fn ip(random: &mut Random, v6: bool, protocol: u8, transport: &[u8]) -> DropRecord {
    let packet = Packet::ethernet(random, if v6 { IPV6 } else { IPV4 });
    let packet = packet.with(&header(random, v6, protocol, transport.len())).with(transport);
    somewhere(random, if v6 { IPV6 } else { IPV4 }, packet)
}

fn header(random: &mut Random, v6: bool, protocol: u8, payload: usize) -> Vec<u8> {
    let [a, b, c, d] = [random.byte(), random.byte(), random.byte(), random.byte()];
    if v6 {
        let [high, low] = (payload as u16).to_be_bytes();
        let mut bytes = vec![0x60, 0, b, c, high, low, protocol, 64];
        bytes.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, a, b, c, d, a, c]);
        bytes.extend([0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, d]);
        return bytes;
    }
    let [high, low] = (20 + payload as u16).to_be_bytes();
    let mut bytes = vec![0x45, 0, high, low, a, b, 0x40, 0, 64, protocol, 0, 0];
    bytes.extend([10, a, b, c, 192, 0, 2, d]);
    bytes
}

fn arp(random: &mut Random) -> DropRecord {
    let [a, b] = [random.byte(), random.byte()];
    let request =
        [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, a, b, 192, 0, 2, a, 0, 0, 0, 0, 0, 0, 192, 0, 2, b];
    let packet = Packet::ethernet(random, ARP).with(&request);
    somewhere(random, ARP, packet)
}

/// An error about a datagram.
fn icmp(random: &mut Random) -> DropRecord {
    let datagram = datagram(random, 9);
    let quoted = header(random, false, UDP, datagram.len());
    let error = [&[3, 3, 0, 0, 0, 0, 0, 0], &quoted[..], &datagram[..8]].concat();
    ip(random, false, ICMP, &error)
}

fn vxlan(random: &mut Random) -> DropRecord {
    let segment = segment(random);
    let inner = header(random, false, TCP, segment.len());
    let ethernet = [2, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 4, 8, 0];
    let tunnelled =
        [&[8, 0, 0, 0, 0, 0, random.byte(), 0], &ethernet[..], &inner, &segment].concat();
    let len = 8 + tunnelled.len() as u16;
    let [high, low] = len.to_be_bytes();
    let udp = [&[0xc0, random.byte(), 0x12, 0xb5, high, low, 0, 0], &tunnelled[..]].concat();
    ip(random, false, UDP, &udp)
}

/// A packet that is being put together.
struct Packet {
    record: PacketRecord,
}

impl Packet {
    fn ethernet(random: &mut Random, ether_type: u16) -> Self {
        let [high, low] = ether_type.to_be_bytes();
        let record = PacketRecord { mac: 0, network: 14, ..PacketRecord::default() };
        let addresses = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, random.byte(), random.byte()];
        Self { record }.with(&addresses).with(&[high, low])
    }

    /// With these bytes behind the others, as far as they fit.
    fn with(mut self, bytes: &[u8]) -> Self {
        let record = &mut self.record;
        let begin = usize::from(record.len);
        let count = bytes.len().min(PACKET_LEN - begin);
        record.bytes[begin..begin + count].copy_from_slice(&bytes[..count]);
        record.len += count as u16;
        record.linear_len += bytes.len() as u16;
        self
    }
}

//! From the bytes in the ring to a drop. Never panics, whatever the bytes.

use std::net::SocketAddr;

use dropwatch_common::record::{
    DeviceRecord, DropRecord, FLAG_CGROUP, FLAG_COMM, FLAG_CONTEXT, FLAG_DEVICE, FLAG_FULL_SOCKET,
    FLAG_IIF, FLAG_LEN, FLAG_NETNS, FLAG_OWNED, FLAG_PACKET, FLAG_PROTOCOL, FLAG_REASON,
    FLAG_RECEIVER, FLAG_SOCKET, FLAG_STACK_FAILED, FLAG_VLAN, MAX_STACK_DEPTH, NO_HEADER,
    PACKET_LEN, PacketRecord, SocketRecord,
};

use crate::drop::{
    Context, Device, Drop, FullSocket, Headers, Name, Socket, SocketDetails, Stack, ip,
};

const ADDRESS_SIZE: usize = size_of::<u64>();

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// There are fewer bytes than a record has.
    Truncated,
    /// The stack's length and that of the record do not fit together.
    StackLength,
}

/// Decodes one record.
///
/// # Errors
/// When the bytes are no record.
pub fn decode(bytes: &[u8]) -> Result<Drop, Malformed> {
    let (fixed, addresses) =
        bytes.split_at_checked(size_of::<DropRecord>()).ok_or(Malformed::Truncated)?;
    let start = fixed.as_ptr().cast::<DropRecord>();
    let copy;
    let record = if start.is_aligned() {
        // SAFETY: there are as many bytes as the struct has, aligned as it is, which are borrowed
        // for as long, and any bits make a valid struct of integers.
        unsafe { &*start }
    } else {
        // SAFETY: as above, but read without asking for alignment. In the ring it never is so.
        copy = unsafe { start.read_unaligned() };
        &copy
    };
    let has = |flag| record.flags & flag != 0;
    let packet = &record.packet;
    Ok(Drop {
        boot_ns: record.boot_ns,
        reason: has(FLAG_REASON).then_some(record.reason),
        location: record.location,
        cpu: record.cpu,
        pid: record.pid,
        tgid: record.tgid,
        comm: has(FLAG_COMM).then(|| Name::of_field(record.comm)),
        context: has(FLAG_CONTEXT).then(|| Context::of_preempt_count(record.preempt_count)),
        protocol: has(FLAG_PROTOCOL).then_some(record.protocol),
        len: has(FLAG_LEN).then_some(record.len),
        device: has(FLAG_DEVICE).then(|| device(&record.device)),
        iif: has(FLAG_IIF).then_some(record.device.skb_iif),
        netns: has(FLAG_NETNS).then_some(record.device.netns),
        socket: socket(&record.socket, record.flags),
        owned: has(FLAG_OWNED),
        headers: has(FLAG_PACKET).then(|| headers(packet)),
        vlan: has(FLAG_VLAN).then_some((packet.vlan_proto, packet.vlan_tci)),
        stack: stack(addresses, record.stack_len.into(), has(FLAG_STACK_FAILED))?,
    })
}

fn device(record: &DeviceRecord) -> Device {
    Device { name: Name::of_field(record.name), index: record.index, kind: record.kind }
}

fn socket(record: &SocketRecord, flags: u32) -> Option<Socket> {
    let has = |flag| flags & flag != 0;
    if !has(FLAG_OWNED) && !has(FLAG_RECEIVER) || record.address == 0 {
        return None;
    }
    let end = |address, port| ip(record.family, address).map(|ip| SocketAddr::new(ip, port));
    let full = has(FLAG_FULL_SOCKET).then_some(FullSocket {
        kind: record.kind,
        protocol: record.protocol,
        uid: record.uid,
        inode: Some(record.inode).filter(|&inode| inode != 0),
        cgroup: has(FLAG_CGROUP).then_some(record.cgroup),
    });
    let details = has(FLAG_SOCKET).then(|| SocketDetails {
        family: record.family,
        state: record.state,
        local: end(record.local, record.local_port),
        remote: end(record.remote, record.remote_port),
        cookie: Some(record.cookie).filter(|&cookie| cookie != 0),
        full,
    });
    Some(Socket { address: record.address, receiver: has(FLAG_RECEIVER), details })
}

fn headers(record: &PacketRecord) -> Headers {
    let offset = |offset: u16| (offset != NO_HEADER).then_some(offset.into());
    Headers {
        bytes: record.bytes,
        len: usize::from(record.len).min(PACKET_LEN),
        linear_len: record.linear_len.into(),
        mac: offset(record.mac),
        network: offset(record.network),
        transport: offset(record.transport),
    }
}

fn stack(bytes: &[u8], len: usize, failed: bool) -> Result<Option<Stack>, Malformed> {
    if len > MAX_STACK_DEPTH || bytes.len() != len * ADDRESS_SIZE {
        return Err(Malformed::StackLength);
    }
    if failed {
        return Ok(Some(Stack::Unavailable));
    }
    let (addresses, _) = bytes.as_chunks::<ADDRESS_SIZE>();
    let addresses: Box<[u64]> =
        addresses.iter().map(|address| u64::from_ne_bytes(*address)).collect();
    Ok((len > 0).then_some(Stack::Addresses(addresses)))
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::random;

    fn bytes(record: &DropRecord, stack: &[u64]) -> Vec<u8> {
        // SAFETY: the struct has no padding, so all its bytes are initialised.
        let fixed = unsafe { &*(&raw const *record).cast::<[u8; size_of::<DropRecord>()]>() };
        fixed
            .iter()
            .copied()
            .chain(stack.iter().flat_map(|address| address.to_ne_bytes()))
            .collect()
    }

    fn record() -> DropRecord {
        DropRecord {
            boot_ns: 1_000_000_007,
            location: 0xffff_ffff_8123_4567,
            reason: 0x2_0003,
            pid: 12,
            tgid: 11,
            cpu: 3,
            len: 1500,
            protocol: 0x86dd,
            flags: FLAG_REASON | FLAG_COMM | FLAG_PROTOCOL | FLAG_LEN,
            comm: *b"nc\0rest of old\0\0",
            ..DropRecord::default()
        }
    }

    #[test]
    fn every_field_arrives() {
        let drop = decode(&bytes(&record(), &[])).expect("a whole record");
        assert_eq!(drop.boot_ns, 1_000_000_007);
        assert_eq!(drop.location, 0xffff_ffff_8123_4567);
        assert_eq!((drop.reason, drop.cpu, drop.pid, drop.tgid), (Some(0x2_0003), 3, 12, 11));
        assert_eq!((drop.protocol, drop.len), (Some(0x86dd), Some(1500)));
        assert_eq!(drop.comm.expect("flagged").bytes(), b"nc");
        assert_eq!(drop.stack, None);
    }

    #[test]
    fn what_is_not_flagged_is_unknown() {
        let drop =
            decode(&bytes(&DropRecord { flags: 0, ..record() }, &[])).expect("a whole record");
        assert_eq!((drop.reason, drop.protocol, drop.len, drop.context), (None, None, None, None));
        assert_eq!((drop.device, drop.iif, drop.netns, drop.vlan), (None, None, None, None));
        assert_eq!((drop.socket, drop.headers, drop.owned), (None, None, false));
        assert!(drop.comm.is_none());
    }

    #[test]
    fn a_comm_may_fill_its_field() {
        let drop = decode(&bytes(&DropRecord { comm: *b"sixteen bytes !!", ..record() }, &[]));
        assert_eq!(drop.expect("whole").comm.expect("flagged").bytes(), b"sixteen bytes !!");
    }

    #[test]
    fn the_stack_is_the_records_own() {
        let with = DropRecord { stack_len: 2, ..record() };
        let drop = decode(&bytes(&with, &[7, 9])).expect("a whole record");
        assert_eq!(drop.stack, Some(Stack::Addresses([7, 9].into())));
        let failed = DropRecord { flags: FLAG_STACK_FAILED, ..record() };
        assert_eq!(decode(&bytes(&failed, &[])).expect("whole").stack, Some(Stack::Unavailable));
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let whole = bytes(&DropRecord { stack_len: 2, ..record() }, &[7, 9]);
        for len in 0..size_of::<DropRecord>() {
            assert_eq!(decode(&whole[..len]), Err(Malformed::Truncated));
        }
        for len in size_of::<DropRecord>()..whole.len() {
            assert_eq!(decode(&whole[..len]), Err(Malformed::StackLength));
        }
        let deep = DropRecord { stack_len: MAX_STACK_DEPTH as u16 + 1, ..record() };
        assert_eq!(decode(&bytes(&deep, &[0; MAX_STACK_DEPTH + 1])), Err(Malformed::StackLength));
        let huge = DropRecord { stack_len: u16::MAX, ..record() };
        assert_eq!(decode(&bytes(&huge, &[])), Err(Malformed::StackLength));
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut random = random::numbers();
        for _ in 0..100_000 {
            let len = random() as usize % 1400;
            let mut noise: Vec<u8> = (0..len).map(|_| random() as u8).collect();
            // Half of the time the length is made right, so that the rest is decoded too.
            const FIXED: usize = size_of::<DropRecord>();
            if len >= FIXED && random().is_multiple_of(2) {
                let depth = (len - FIXED) / 8;
                noise.truncate(FIXED + depth * 8);
                let stack_len = offset_of!(DropRecord, stack_len);
                noise[stack_len..stack_len + 2].copy_from_slice(&(depth as u16).to_ne_bytes());
                assert_eq!(decode(&noise).is_ok(), depth <= MAX_STACK_DEPTH);
            } else {
                let _ = decode(&noise);
            }
        }
    }
}

//! The packet's `struct sock`.

use core::hint::black_box;

use dropwatch_common::record::{FLAG_CGROUP, FLAG_FULL_SOCKET, FLAG_SOCKET, SocketRecord};

use crate::{device, globals::offset, kernel::Struct};

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
/// States of sockets that are only the first part of one.
const TCP_TIME_WAIT: u8 = 6;
const TCP_NEW_SYN_RECV: u8 = 12;
/// Kernel addresses are in the upper half.
const KERNEL: u64 = 1 << 63;

/// A socket.
#[derive(Clone, Copy)]
pub struct Socket(Struct);

impl Socket {
    /// A socket, unless something else is in its place.
    #[inline(always)]
    pub fn check(sock: Struct) -> Option<Self> {
        // The compiler must not see that this includes what the verifier insists on, a check for
        // null.
        (black_box(sock.address()) >= KERNEL).then_some(Self(sock))
    }

    #[inline(always)]
    pub fn new(sock: Struct) -> Self {
        Self(sock)
    }

    /// Inode number of its network namespace.
    #[inline(always)]
    pub fn netns(self) -> Option<u32> {
        device::netns(self.0.follow(offset!(sk_net)?)?)
    }

    /// Writes what is known of it, and gives the flags that say what that is.
    #[inline(always)]
    pub fn describe(self, record: &mut SocketRecord) -> u32 {
        empty(record);
        record.address = self.0.address();
        self.read(record).unwrap_or(0)
    }

    /// Pointers are followed before the ways part: at each of them, and on each of the ways, the
    /// verifier searches all of the kernel's types for what it may think of it.
    #[inline(always)]
    fn read(self, record: &mut SocketRecord) -> Option<u32> {
        let state: u8 = self.0.read(offset!(sk_state)?);
        record.state = state;
        let is_full = state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV;
        let full = if is_full { self.full(record).unwrap_or(0) } else { 0 };
        Some(full | self.common(record)?)
    }

    #[inline(always)]
    fn common(self, record: &mut SocketRecord) -> Option<u32> {
        let sock = self.0;
        let family: u16 = sock.read(offset!(sk_family)?);
        record.family = family;
        record.local_port = sock.read(offset!(sk_num)?);
        record.remote_port = u16::from_be(sock.read(offset!(sk_dport)?));
        if let Some(offset) = offset!(sk_cookie) {
            record.cookie = sock.read(offset);
        }
        if family == AF_INET {
            record.local = ipv4(sock, offset!(sk_rcv_saddr)?);
            record.remote = ipv4(sock, offset!(sk_daddr)?);
        } else if family == AF_INET6 {
            record.local = ipv6(sock, offset!(sk_v6_rcv_saddr)?);
            record.remote = ipv6(sock, offset!(sk_v6_daddr)?);
        }
        Some(FLAG_SOCKET)
    }

    #[inline(always)]
    fn full(self, record: &mut SocketRecord) -> Option<u32> {
        let sock = self.0;
        let socket = offset!(sk_socket).and_then(|offset| sock.follow(offset));
        record.inode = socket.and_then(inode).unwrap_or(0);
        let cgroup = offset!(sk_cgroup).and_then(|offset| sock.follow(offset)).and_then(cgroup);
        record.cgroup = cgroup.unwrap_or(0);
        record.kind = sock.read(offset!(sk_type)?);
        record.protocol = sock.read(offset!(sk_protocol)?);
        record.uid = sock.read(offset!(sk_uid)?);
        Some(FLAG_FULL_SOCKET | if cgroup.is_some() { FLAG_CGROUP } else { 0 })
    }
}

/// Writes that nothing is known.
#[inline(always)]
pub fn empty(record: &mut SocketRecord) {
    const WORDS: usize = size_of::<SocketRecord>() / size_of::<u64>();
    let words = (&raw mut *record).cast::<u64>();
    for word in 0..WORDS {
        // SAFETY: the record is of so many words, and zero will do for all its fields. Writes that
        // the compiler may join become a function that writes byte by byte.
        unsafe { words.add(word).write_volatile(0) };
    }
}

#[inline(always)]
fn ipv4(sock: Struct, offset: usize) -> [u8; 16] {
    words(sock.read::<u32>(offset).into(), 0)
}

#[inline(always)]
fn ipv6(sock: Struct, offset: usize) -> [u8; 16] {
    words(sock.read(offset), sock.read(offset + size_of::<u64>()))
}

#[inline(always)]
fn words(first: u64, second: u64) -> [u8; 16] {
    // SAFETY: both are 16 bytes of integers.
    unsafe { core::mem::transmute::<[u64; 2], [u8; 16]>([first, second]) }
}

/// Of a `struct socket`; none where no process has it open.
#[inline(always)]
fn inode(socket: Struct) -> Option<u64> {
    let file = socket.follow(offset!(socket_file)?)?;
    Some(file.follow(offset!(file_inode)?)?.read(offset!(inode_number)?))
}

#[inline(always)]
fn cgroup(cgroup: Struct) -> Option<u64> {
    let node = cgroup.follow(offset!(cgroup_kn)?)?;
    Some(node.read::<u64>(offset!(kn_id)?)).filter(|&id| id != 0)
}

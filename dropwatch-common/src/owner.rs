//! What the BPF iterators write, by which the tool finds out to which process a socket or a
//! network namespace belongs.

use crate::record::COMM_LEN;

/// A socket that a process has open.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketOwner {
    /// Kernel address of the `struct sock`.
    pub address: u64,
    /// Inode number of the socket's file.
    pub inode: u64,
    /// The process that has it open.
    pub process: Process,
}

/// A process.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// `task_struct::tgid`: its process id.
    pub tgid: u32,
    /// Inode number of the network namespace that it is in; 0 where that is not known.
    pub netns: u32,
    /// Name of its first thread, ending in zero bytes.
    pub comm: [u8; COMM_LEN],
}

const _: () = assert!(size_of::<Process>() == 24);
const _: () = assert!(size_of::<SocketOwner>() == 40);

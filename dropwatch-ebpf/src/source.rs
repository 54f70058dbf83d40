//! What filtering and describing a drop ask of the event, whichever way it comes.

use dropwatch_common::record::DropRecord;

use crate::packet::Headers;

/// Where a packet was.
pub struct Whereabouts {
    /// Inode number of the network namespace.
    pub netns: Option<u32>,
    /// Index of the device, or of the one that the packet came in by.
    pub index: Option<u32>,
}

/// A drop, as one of the programs got it. What is not known is none.
pub trait Source {
    /// The raw drop reason.
    fn reason(&self) -> Option<u32>;
    /// Return address of the call that freed the packet.
    fn location(&self) -> u64;
    /// The EtherType in host byte order.
    fn protocol(&self) -> Option<u16>;
    /// The length in bytes.
    fn len(&self) -> Option<u32>;
    /// The inode number of the network namespace.
    fn netns(&self) -> Option<u32>;
    /// The device's index, or that of the one that the packet came in by.
    fn interface_index(&self) -> Option<u32>;
    /// The device's name.
    fn interface_name(&self) -> Option<[u64; 2]>;
    /// Where the packet was, asked at once: the verifier takes time for each pointer that is followed, and on
    /// each of the ways that lead there.
    fn whereabouts(&self) -> Whereabouts;
    /// Addresses, protocol and ports.
    fn headers(&self) -> Headers;
    /// Writes everything that the record of a drop holds but its time and its stack. All of it is
    /// written, also what is not known. The processor's `run_queue` is looked for where it is 0.
    fn describe(&self, record: &mut DropRecord, run_queue: &mut u64);
}

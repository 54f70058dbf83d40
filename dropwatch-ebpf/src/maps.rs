//! The maps that the program shares with the tool.

use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    macros::map,
    maps::{Array, HashMap, LpmTrie, PerCpuArray, RingBuf},
};
use dropwatch_common::{
    count::{CountKey, Counted, FlowKey, PerProcessor, SampleRequest},
    reader,
};

use crate::{qdisc::QdiscDrop, sample::Window, stack::Scratch};

/// Records on their way to the tool, which sets the size.
#[map]
pub static RECORDS: RingBuf = RingBuf::with_byte_size(1 << 12, 0);

#[map]
static PROCESSORS: PerCpuArray<PerProcessor> = PerCpuArray::with_max_entries(1, 0);

/// Drops by key; the tool sets the size.
#[map]
pub static COUNTS: HashMap<CountKey, Counted> = HashMap::with_max_entries(1, 0);

/// Drops by key and flow, likewise.
#[map]
pub static FLOWS: HashMap<FlowKey, Counted> = HashMap::with_max_entries(1, 0);

#[map]
static SAMPLE_REQUEST: Array<SampleRequest> = Array::with_max_entries(1, 0);

/// The reader's state, see [`reader`].
#[map]
static READER: Array<u32> = Array::with_max_entries(1, 0);

/// Where functions are, with what the filter says to them; the tool sets the size.
#[map]
pub static FUNCTIONS: LpmTrie<[u8; 8], u32> = LpmTrie::with_max_entries(1, BPF_F_NO_PREALLOC);

/// Networks, IPv4 mapped into IPv6, with what the filter says to them; the tool sets the size.
#[map]
pub static HOSTS: LpmTrie<[u8; 16], u32> = LpmTrie::with_max_entries(1, BPF_F_NO_PREALLOC);

/// Devices whose name the filter knows, by [`input_key`](dropwatch_common::filter::input_key), with
/// what it says to them; the tool sets the size.
#[map]
pub static INPUTS: HashMap<u64, u32> = HashMap::with_max_entries(1, BPF_F_NO_PREALLOC);

#[map]
static WINDOW: Array<Window> = Array::with_max_entries(1, 0);

#[map]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

#[map]
static QDISC_DROP: PerCpuArray<QdiscDrop> = PerCpuArray::with_max_entries(1, 0);

/// What all processors together have sent in this second.
#[inline(always)]
pub fn window() -> Option<*mut Window> {
    WINDOW.get_ptr_mut(0)
}

/// What a queue discipline dropped last on this processor.
#[inline(always)]
pub fn qdisc_drop() -> Option<&'static mut QdiscDrop> {
    let last = QDISC_DROP.get_ptr_mut(0)?;
    // SAFETY: as in `processor`; the program that writes it and the one that reads it follow each
    // other on the processor.
    Some(unsafe { &mut *last })
}

/// The sample that the tool wants.
#[inline(always)]
pub fn sample_request() -> Option<*mut SampleRequest> {
    SAMPLE_REQUEST.get_ptr_mut(0)
}

/// What this processor keeps for itself. There always is one: an array has all its elements.
#[inline(always)]
pub fn processor() -> Option<&'static mut PerProcessor> {
    let processor = PROCESSORS.get_ptr_mut(0)?;
    // SAFETY: the element is this processor's own, and made of integers. Where an interrupt has the
    // program run on a processor on which it has not ended, which Linux 6.2 and later do not
    // allow, an addition of that moment may be forgotten.
    Some(unsafe { &mut *processor })
}

/// This processor's place to assemble a record with a stack.
#[inline(always)]
pub fn scratch() -> Option<&'static mut Scratch> {
    let scratch = SCRATCH.get_ptr_mut(0)?;
    // SAFETY: as in `processor`.
    Some(unsafe { &mut *scratch })
}

/// Whether the record about to be sent is the one that wakes the reader; `filled` tells how
/// many bytes wait in the ring, and is asked only where that matters.
#[inline(always)]
pub fn take_wake_up(wake_at: u64, filled: impl FnOnce() -> u64) -> bool {
    let Some(state) = READER.get_ptr_mut(0) else { return true };
    // SAFETY: the element lives as long as the map. Processors race here: at worst two of
    // them wake the reader, and once is enough.
    let seen = unsafe { state.read_volatile() };
    let wake = seen == reader::SLEEPING || seen == reader::POLLING && filled() >= wake_at;
    if wake {
        // SAFETY: as above.
        unsafe { state.write_volatile(reader::WOKEN) };
    }
    wake
}

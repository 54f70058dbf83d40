//! Inputs to begin with: kernels and modules in small, a trace event, and records and packets of
//! each kind.

use dropwatch_common::record::{DropRecord, FLAG_STACK_FAILED};

use super::{ELEMENT_LEN, VERSION, kernels, packets};

/// Every flag but the one that says that there is no stack.
const ALL: u32 = !FLAG_STACK_FAILED;
/// As on Linux 6.18, with fewer reasons.
const TRACE_EVENT: &str = "\
name: kfree_skb
ID: 2310
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;

\tfield:void * skbaddr;\toffset:8;\tsize:8;\tsigned:0;
\tfield:void * location;\toffset:16;\tsize:8;\tsigned:0;
\tfield:void * rx_sk;\toffset:24;\tsize:8;\tsigned:0;
\tfield:unsigned short protocol;\toffset:32;\tsize:2;\tsigned:0;
\tfield:enum skb_drop_reason reason;\toffset:36;\tsize:4;\tsigned:0;

print fmt: \"reason: %s\", __print_symbolic(REC->reason, { 2, \"NOT_SPECIFIED\" }, { 3, \"NO_SOCKET\" })
";

/// For [`super::btf`].
pub fn btf() -> Vec<Vec<u8>> {
    let versions = ["5.10", "6.1", "6.12", "7.1"];
    let mut seeds: Vec<_> =
        versions.iter().map(|version| kernels::vmlinux(version).bytes()).collect();
    seeds.push(kernels::vmlinux_signed(VERSION, true).bytes());
    seeds
}

/// For [`super::split_btf`].
pub fn split_btf() -> Vec<Vec<u8>> {
    let kernel = kernels::vmlinux(VERSION);
    ["openvswitch", "mac80211"].map(|name| kernels::module(VERSION, name, &kernel).bytes()).into()
}

/// For [`super::trace_event`].
pub fn trace_event() -> Vec<Vec<u8>> {
    vec![TRACE_EVENT.as_bytes().to_vec()]
}

/// For [`super::record`].
pub fn record() -> Vec<Vec<u8>> {
    let stack = [0xffff_ffff_81c2_3a41_u64, 0xffff_ffff_8100_1234, 0x10];
    let mut seeds = Vec::new();
    for how in [0, 1, 0x82] {
        for (flags, stack) in [(ALL, &stack[..]), (ALL, &[]), (FLAG_STACK_FAILED, &[])] {
            let record = DropRecord {
                location: 0xffff_ffff_8100_1234,
                reason: 3,
                comm: *b"a \x1b\xff\"\\\xc3\xa4\0\0\0\0\0\0\0\0",
                flags,
                stack_len: stack.len() as u16,
                ..DropRecord::default()
            };
            let mut seed = vec![how];
            seed.extend(bytes(&record));
            seed.extend(stack.iter().flat_map(|address| address.to_ne_bytes()));
            seeds.push(seed);
        }
    }
    seeds
}

/// For [`super::packet`].
pub fn packet() -> Vec<Vec<u8>> {
    let seed = |sample: packets::Sample| {
        let [high, low] = sample.protocol.to_be_bytes();
        let mut seed = vec![3, 0, sample.network as u8, high, low];
        // What is behind the headers tells nothing.
        seed.extend(&sample.bytes[..sample.bytes.len().min(128)]);
        seed
    };
    packets::samples().into_iter().map(seed).collect()
}

/// For [`super::count`].
pub fn count() -> Vec<Vec<u8>> {
    // Zero, all bits, and in between: numbers, flags and names alike.
    let elements = [0x00, 0x01, 0x7f, 0x80, 0xff].map(|byte| [byte; ELEMENT_LEN]);
    let all = elements.concat();
    let seed = |groups, sort| [&[groups, sort], &all[..]].concat();
    vec![seed(0x03, 0), seed(0x3f, 0x40), seed(0x08, 0x80), seed(0x3f, 0x83)]
}

fn bytes(record: &DropRecord) -> [u8; size_of::<DropRecord>()] {
    // SAFETY: the struct has no padding, so all its bytes are initialised.
    unsafe { (&raw const *record).cast::<[u8; size_of::<DropRecord>()]>().read() }
}

//! Reading the kernel's memory at an address, without a helper.
//!
//! The kernel function `bpf_rdonly_cast` (Linux 6.2) takes an address for that of a struct. The
//! verifier puts a move between two registers in its place, and what is read behind it are loads,
//! where a call takes as long as a dozen of them.

use core::{arch::asm, ffi::c_void};

use dropwatch_common::config::CAST_MARK;

use crate::{globals::config, kernel::Struct};

/// The bytes at an address.
#[derive(Clone, Copy)]
pub struct Bytes(Struct);

impl Bytes {
    /// The bytes at an address, where this kernel can cast.
    #[inline(always)]
    pub fn at(address: u64) -> Option<Self> {
        let kind = config!(casts.bytes);
        if kind == 0 {
            return None;
        }
        Some(Self(cast(address.wrapping_sub(config!(casts.bytes_offset) as u64), kind)))
    }

    /// Those from an offset on; it and the size together have to be at most
    /// [`PACKET_LEN`](dropwatch_common::record::PACKET_LEN).
    #[inline(always)]
    pub fn read<T: Copy>(self, offset: usize) -> T {
        self.0.read(config!(casts.bytes_offset) as usize + offset)
    }
}

/// A processor's run queue, by its address, where this kernel can cast.
#[inline(always)]
pub fn run_queue(address: u64) -> Option<Struct> {
    let kind = config!(casts.run_queue);
    (kind != 0 && address != 0).then(|| cast(address, kind))
}

/// The same struct, whose type is this one, where this kernel can cast; for following pointers.
///
/// With each pointer that is followed from what the kernel vouches for, the verifier searches all
/// of the kernel's types for whether it vouches for that too. What was cast it does not trust
/// anyway. Fields are better read without: the kernel's own pointers need no checks at each load.
#[inline(always)]
pub fn untrusted(of: Struct, kind: u32) -> Struct {
    if kind == 0 { of } else { cast(of.address(), kind) }
}

/// Takes an address for that of a struct with this BTF id.
#[inline(always)]
fn cast(address: u64, id: u32) -> Struct {
    let pointer: *const c_void;
    // SAFETY: the function takes any address. It is called as all functions of the kernel are,
    // which leave what is in the first six registers to the callee.
    unsafe {
        asm!(
            "call {mark}",
            mark = const CAST_MARK,
            lateout("r0") pointer,
            inlateout("r1") address => _,
            inlateout("r2") u64::from(id) => _,
            lateout("r3") _,
            lateout("r4") _,
            lateout("r5") _,
        );
    }
    Struct::new(pointer)
}

//! Reading the kernel's structs.
//!
//! The verifier knows the type of what a pointer points to and checks each load against the
//! kernel's BTF. Where the pointer is not valid the load gives zero, so that no helper has to be
//! called.

use core::ffi::c_void;

/// A struct of the kernel; possibly not what its type says, where it comes out of a union.
#[derive(Clone, Copy)]
pub struct Struct(*const c_void);

impl Struct {
    /// What an argument or a helper gave.
    #[inline(always)]
    pub fn new(pointer: *const c_void) -> Self {
        Self(pointer)
    }

    /// A field of this type.
    #[inline(always)]
    pub fn read<T: Copy>(self, offset: usize) -> T {
        // SAFETY: this kernel's struct has a field of this type at this offset, and the load copes
        // with any pointer.
        unsafe { self.0.byte_add(offset).cast::<T>().read_volatile() }
    }

    /// What a field points to, unless it is nothing.
    #[inline(always)]
    pub fn follow(self, offset: usize) -> Option<Self> {
        let pointer = self.read::<*const c_void>(offset);
        (!pointer.is_null()).then_some(Self(pointer))
    }

    /// The pointer, for a helper.
    #[inline(always)]
    pub fn pointer<T>(self) -> *mut T {
        self.0.cast_mut().cast()
    }

    /// Its address.
    #[inline(always)]
    pub fn address(self) -> u64 {
        self.0 as u64
    }
}

//! Reading all of a hash map, many elements with one call to the kernel (since Linux 5.6).

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd},
};

const BPF_MAP_LOOKUP_BATCH: libc::c_long = 24;
/// So many elements are read at once; the kernel asks for more where a bucket has more.
const BATCH: usize = 1 << 12;
const MAX_BATCH: usize = 1 << 20;

/// `union bpf_attr`, its part for batches.
#[repr(C)]
struct Attributes {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// Gives each element of a hash map with these keys and values.
///
/// # Safety
/// The map's keys and values have to be of these types, and any bits have to make valid ones.
///
/// # Errors
/// When the kernel does not give them.
pub unsafe fn each<K: Copy, V: Copy>(
    map: BorrowedFd<'_>,
    mut each: impl FnMut(&K, &V),
) -> io::Result<()> {
    let mut len = BATCH;
    let mut keys: Vec<MaybeUninit<K>> = vec![MaybeUninit::uninit(); len];
    let mut values: Vec<MaybeUninit<V>> = vec![MaybeUninit::uninit(); len];
    // Where the next batch begins: the number of a bucket.
    let (mut from, mut next) = (None::<u32>, 0_u32);
    loop {
        let mut attributes = Attributes {
            in_batch: from.as_ref().map_or(0, |from| &raw const *from as u64),
            out_batch: &raw mut next as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: len as u32,
            map_fd: map.as_raw_fd() as u32,
            elem_flags: 0,
            flags: 0,
        };
        // SAFETY: the kernel writes at most `count` keys and values, for which there is room as
        // the caller promises, and a bucket's number.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                BPF_MAP_LOOKUP_BATCH,
                &raw mut attributes,
                size_of::<Attributes>(),
            )
        };
        let error = (result != 0).then(io::Error::last_os_error);
        let is_last = match error.as_ref().map(|error| error.raw_os_error()) {
            None => false,
            Some(Some(libc::ENOENT)) => true,
            // A bucket has more than there is room for.
            Some(Some(libc::ENOSPC)) if len < MAX_BATCH => {
                len *= 4;
                keys.resize(len, MaybeUninit::uninit());
                values.resize(len, MaybeUninit::uninit());
                if attributes.count == 0 {
                    continue;
                }
                false
            }
            Some(Some(libc::EINTR | libc::EAGAIN)) => continue,
            Some(_) => return Err(error.unwrap_or_else(io::Error::last_os_error)),
        };
        let count = (attributes.count as usize).min(len);
        for (key, value) in keys[..count].iter().zip(&values[..count]) {
            // SAFETY: the kernel has written so many.
            each(unsafe { key.assume_init_ref() }, unsafe { value.assume_init_ref() });
        }
        if is_last {
            return Ok(());
        }
        from = Some(next);
    }
}

//! Keeping the process small: what the start needed is given back before the symbols are read,
//! which are the next large thing.

/// One heap for all threads, so that one can use again what another has freed.
pub fn keep_small() {
    // SAFETY: the option and its value are valid, and no other thread runs yet.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// Gives free memory back to the system.
pub fn give_back() {
    // SAFETY: this may be called at any time.
    unsafe { libc::malloc_trim(0) };
}

//! Numbers that look random and are the same in each run.

/// They never end, and none is 0 (xorshift64).
pub fn numbers() -> impl FnMut() -> u64 {
    let mut number = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        number
    }
}

//! How the BPF program learns whether the reader of the ring has to be woken.
//!
//! Waking the reader costs many times more than writing a record, so the program does it only
//! when the reader would not come by itself in time. The state is one `u32` in a map. The
//! reader sets it to [`POLLING`] or [`SLEEPING`]; the program sets it to [`WOKEN`] with the one
//! wake-up that the state asked for.

/// The reader comes by on a short timer: wake it only when the ring fills up.
pub const POLLING: u32 = 0;
/// The reader sleeps: wake it with the next record.
pub const SLEEPING: u32 = 1;
/// The reader has been woken and has not said yet what it does next: leave it alone.
pub const WOKEN: u32 = 2;

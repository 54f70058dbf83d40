//! Which process has a socket open.

use crate::drop::Name;

/// A process that has a socket open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its id.
    pub pid: u32,
    /// Its name.
    pub comm: Name,
    /// How many further processes have the socket open.
    pub others: u32,
}

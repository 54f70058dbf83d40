//! stub
use crate::{
    drop::{Device, Socket},
    owners::Owner,
};
use std::io::Write;
/// Stub.
pub struct World;
impl World {
    /// Stub.
    pub fn nothing() -> Self {
        Self
    }
    /// Stub.
    pub fn owner(&mut self, _: &Socket) -> Option<Owner> {
        None
    }
    /// Stub.
    pub fn interface(
        &mut self,
        _: Option<u32>,
        _: u32,
        _: Option<&Device>,
    ) -> Option<crate::drop::Name> {
        None
    }
    /// Stub.
    pub fn netns(&mut self, _: u32) -> Option<String> {
        None
    }
    /// Stub.
    pub fn user(&mut self, _: u32) -> Option<String> {
        None
    }
    /// Stub.
    pub fn cgroup(&mut self, _: u64) -> Option<String> {
        None
    }
    /// Stub.
    pub fn write_netns(&mut self, inum: u32, out: &mut Vec<u8>) {
        let _ = write!(out, "net:[{inum}]");
    }
    /// Stub.
    pub fn write_interface(
        &mut self,
        _: Option<u32>,
        index: u32,
        _: Option<&Device>,
        out: &mut Vec<u8>,
    ) {
        let _ = write!(out, "if{index}");
    }
    /// Stub.
    pub fn write_user(&mut self, uid: u32, out: &mut Vec<u8>) {
        let _ = write!(out, "{uid}");
    }
    /// Stub.
    pub fn write_cgroup(&mut self, id: u64, out: &mut Vec<u8>) {
        let _ = write!(out, "{id}");
    }
}

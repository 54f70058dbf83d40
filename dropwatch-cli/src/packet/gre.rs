//! Reads GRE headers.

use super::{
    Gre,
    bytes::{Payload, u16_at, u32_at},
};

const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;

impl Gre {
    /// The header, and what is behind it if that can be told.
    pub(super) fn parse(payload: Payload<'_>) -> Option<(Self, Option<Payload<'_>>)> {
        let flags = u16_at(payload.bytes, 0)?;
        let mut gre = Self {
            flags,
            protocol: u16_at(payload.bytes, 2)?,
            key: None,
            sequence: None,
            length: payload.len,
        };
        let mut at = 4;
        if flags & (CHECKSUM | ROUTING) != 0 {
            at += 4;
        }
        if flags & KEY != 0 {
            gre.key = u32_at(payload.bytes, at);
            at += 4;
        }
        if flags & SEQUENCE != 0 {
            gre.sequence = u32_at(payload.bytes, at);
            at += 4;
        }
        // Routing entries have any length, and version 1 carries PPP.
        let inner = (flags & ROUTING == 0 && gre.version() == 0).then(|| payload.skip(at));
        Some((gre, inner))
    }
}

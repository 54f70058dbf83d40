//! Reads TCP headers.

use super::{
    Tcp, TcpOptions, TcpRest,
    bytes::{Payload, array, u16_at},
    l4,
};

const FIXED_LEN: usize = 20;

impl Tcp {
    pub(super) fn parse(payload: Payload<'_>) -> Option<Self> {
        let (source_port, destination_port) = l4::ports(l4::TCP, payload.bytes)?;
        Some(Self { source_port, destination_port, rest: TcpRest::parse(payload) })
    }
}

impl TcpRest {
    fn parse(Payload { bytes, len }: Payload<'_>) -> Option<Self> {
        let fixed: &[u8; FIXED_LEN] = bytes.first_chunk()?;
        let header_length = (fixed[12] >> 4) * 4;
        let end = usize::from(header_length);
        let sane = end >= FIXED_LEN;
        // Captured, or as many of them as were.
        let options = bytes.get(FIXED_LEN..end.min(bytes.len())).unwrap_or_default();
        let word = |at: usize| {
            u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]])
        };
        let half = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        Some(Self {
            sequence: word(4),
            acknowledgment: word(8),
            flags: half(12) & 0x01ff,
            window: half(14),
            urgent: half(18),
            header_length,
            payload: len.and_then(|len| len.checked_sub(u32::from(header_length))).filter(|_| sane),
            options: TcpOptions::parse(options),
        })
    }
}

impl TcpOptions {
    /// Stops at the first option that is not whole.
    fn parse(mut bytes: &[u8]) -> Self {
        let mut options = Self::default();
        // The kinds: 0 ends the list, 1 is padding without a length.
        while let Some((&kind, behind)) = bytes.split_first()
            && kind != 0
        {
            if kind == 1 {
                bytes = behind;
                continue;
            }
            let Some(length) = behind.first().map(|&length| usize::from(length)) else { break };
            let Some((option, next)) = bytes.split_at_checked(length) else { break };
            match (kind, length) {
                (_, 0 | 1) => break,
                (2, 4) => options.mss = u16_at(option, 2),
                (3, 3) => options.window_scale = option.get(2).copied(),
                (4, 2) => options.sack_permitted = true,
                (8, 10) => {
                    options.timestamps = array::<8>(option, 2).map(|[a, b, c, d, e, f, g, h]| {
                        (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
                    });
                }
                _ => {}
            }
            bytes = next;
        }
        options
    }
}

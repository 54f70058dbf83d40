//! IPv6.

use super::{
    Sample,
    build::{TCP_OPTIONS, join, tcp, udp},
    v6,
};

pub fn samples() -> Vec<Sample> {
    let fragment = |next: u8, word: u16, behind: &[u8]| {
        join(&[&[next, 0], &word.to_be_bytes(), &4242_u32.to_be_bytes(), behind])
    };
    vec![
        v6(
            "udp6",
            17,
            &udp(40_000, 9, &[0; 100]),
            "fe80::1.40000 > fe80::2.9: UDP, length 100",
            true,
        ),
        v6(
            "tcp6",
            6,
            &tcp(0x012, &TCP_OPTIONS, &[]),
            "fe80::1.40000 > fe80::2.8090: Flags [S.], seq 123, ack 7, win 64240, length 0",
            false,
        ),
        v6(
            "options",
            60,
            &join(&[&[17, 0, 1, 4, 0, 0, 0, 0], &udp(5, 9, &[0; 10])]),
            "fe80::1.5 > fe80::2.9: DSTOPT UDP, length 10",
            false,
        ),
        v6(
            "first fragment6",
            44,
            &fragment(17, 1, &udp(5, 9, &[0; 1440])),
            "fe80::1.5 > fe80::2.9: frag (0|1448) UDP, length 1440",
            false,
        ),
        v6(
            "last fragment6",
            44,
            &fragment(17, 1448, &[0; 52]),
            "fe80::1 > fe80::2: frag (1448|52)",
            true,
        ),
        v6("nothing", 59, &[], "fe80::1 > fe80::2: no next header", true),
    ]
}

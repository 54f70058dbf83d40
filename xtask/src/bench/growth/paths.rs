//! As many different ways to the same drop as are wanted: a program at the loopback device clones
//! each packet and sends the clone, twice, each time by one of many call instructions, and then
//! drops it. The addresses of the two instructions are in the stack of the drop.

use std::net::{Ipv4Addr, SocketAddrV4};

/// So many instructions there are to call from.
const SITES: u64 = 320;
/// So many ways that gives.
pub const PATHS: u64 = SITES * SITES;
/// The first port, and the lower half of the first address, that choose an instruction.
const FIRST: u16 = 1_000;

/// Offsets in `struct __sk_buff`, and in a packet behind its Ethernet and IPv4 headers.
const MARK: i16 = 8;
const DESTINATION: i32 = 14 + 18;
const DESTINATION_PORT: i32 = 14 + 20 + 2;

const LOOPBACK: i32 = 1;
const CLONE_REDIRECT: i32 = 13;
const PASS: i32 = 0;
const DROP: i32 = 2;
const STOLEN: i32 = 4;

/// Where a datagram has to be sent to go this way.
pub fn destination(path: u64) -> SocketAddrV4 {
    let [first, second] = [path % SITES, path / SITES % SITES].map(|site| FIRST + site as u16);
    let [high, low] = second.to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(127, 0, high, low), first)
}

/// The program. The mark of a packet counts how often it has been cloned.
pub fn program() -> Vec<u64> {
    let (context, clones, more, site) = (6, 7, 8, 9);
    let mut program = vec![
        copy(context, 1),
        load(clones, context, MARK),
        jump_if_less(clones, 2, 2),
        set(0, DROP),
        EXIT,
        copy(more, clones),
        add(more, 1),
        store(context, more, MARK),
        jump_unless(clones, 0, 2),
        load_from_packet(DESTINATION_PORT),
        jump(1),
        load_from_packet(DESTINATION),
        copy(site, 0),
    ];
    for number in 0..SITES as i32 {
        program.extend([
            jump_unless(site, i32::from(FIRST) + number, 6),
            copy(1, context),
            set(2, LOOPBACK),
            set(3, 0),
            call(CLONE_REDIRECT),
            set(0, STOLEN),
            EXIT,
        ]);
    }
    program.extend([set(0, PASS), EXIT]);
    program
}

const EXIT: u64 = 0x95;

const fn instruction(code: u64, to: u64, from: u64, offset: i16, value: i32) -> u64 {
    code | to << 8 | from << 12 | (offset as u16 as u64) << 16 | (value as u32 as u64) << 32
}

fn copy(to: u64, from: u64) -> u64 {
    instruction(0xbf, to, from, 0, 0)
}

fn set(to: u64, value: i32) -> u64 {
    instruction(0xb7, to, 0, 0, value)
}

fn add(to: u64, value: i32) -> u64 {
    instruction(0x07, to, 0, 0, value)
}

fn load(to: u64, from: u64, offset: i16) -> u64 {
    instruction(0x61, to, from, offset, 0)
}

fn store(to: u64, from: u64, offset: i16) -> u64 {
    instruction(0x63, to, from, offset, 0)
}

/// Two bytes, in host byte order, into register 0; the packet's context has to be in register 6.
fn load_from_packet(offset: i32) -> u64 {
    instruction(0x28, 0, 0, 0, offset)
}

fn jump(over: i16) -> u64 {
    instruction(0x05, 0, 0, over, 0)
}

fn jump_if_less(register: u64, value: i32, over: i16) -> u64 {
    instruction(0xa5, register, 0, over, value)
}

fn jump_unless(register: u64, value: i32, over: i16) -> u64 {
    instruction(0x55, register, 0, over, value)
}

fn call(helper: i32) -> u64 {
    instruction(0x85, 0, 0, 0, helper)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_path_has_a_destination() {
        let all: HashSet<_> = (0..PATHS).map(destination).collect();
        assert_eq!(all.len() as u64, PATHS);
        assert!(all.iter().all(|to| to.ip().is_loopback()));
        let last = destination(PATHS - 1);
        assert_eq!((last.ip().octets()[2..].to_vec(), last.port()), (vec![5, 39], 1319));
    }

    #[test]
    fn instructions_are_encoded() {
        assert_eq!(copy(6, 1), 0x16bf);
        assert_eq!(set(0, -1), 0xffff_ffff_0000_00b7);
        assert_eq!(jump_unless(9, 1000, 6), 0x3e8_0006_0955);
    }
}

//! Names for what drops are counted by.

use super::{
    place::write_place,
    sources::Sources,
    text::{NONE, UNKNOWN},
};
use crate::{
    counts::key::{By, Flow, Interface, Key},
    packet::Packet,
    protocol,
    write::escape,
};

/// Appends a part of a key: `?` where it is not known, `-` where the packet has none.
pub fn write_part(by: By, key: &Key, sources: &mut Sources, out: &mut Vec<u8>) {
    let known = match by {
        By::Reason => {
            key.reason.map(|raw| out.extend_from_slice(sources.reasons.name(raw).as_bytes()))
        }
        By::Location => {
            key.location.map(|address| write_place(&sources.symbols.frame(address), out))
        }
        By::Protocol => {
            key.protocol.map(|number| out.extend_from_slice(protocol::name(number).as_bytes()))
        }
        By::Interface => key.interface.map(|interface| match interface {
            Interface { name: Some(name), .. } => escape(name.bytes(), out),
            Interface { index: 0, .. } => out.extend_from_slice(NONE.as_bytes()),
            Interface { index, .. } => {
                sources.world.write_interface(key.netns, index, None, out);
            }
        }),
        By::Netns => key.netns.map(|inum| sources.world.write_netns(inum, out)),
        By::Flow => key.flow.map(|flow| write_flow(&flow, out)),
    };
    if known.is_none() {
        out.extend_from_slice(UNKNOWN.as_bytes());
    }
}

/// As the stream writes it: `192.0.2.1.4242 > 192.0.2.2.53 UDP`.
fn write_flow(flow: &Flow, out: &mut Vec<u8>) {
    let (from, to) = flow.ports.unzip();
    Packet::write_end(flow.source, from, out);
    out.extend_from_slice(b" > ");
    Packet::write_end(flow.destination, to, out);
    if let Some(l4) = flow.l4 {
        out.push(b' ');
        Packet::write_protocol(l4, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Clock,
        drop::Name,
        kernel::reasons::Reasons,
        symbols::{Frame, Symbol, Symbols},
        world::World,
    };

    fn text(by: By, key: Key) -> String {
        let symbol = Symbol {
            name: "tcp_v4_rcv".to_owned(),
            offset: 0x91,
            module: None,
            source: None,
            inlined: Vec::new(),
        };
        let mut sources = Sources {
            reasons: Reasons::of_trace_event(&[(3, "NO_SOCKET".to_owned())]),
            symbols: Symbols::of_frames([Frame { address: 7, symbol: Some(symbol) }]),
            clock: Clock::fixed(0),
            world: World::nothing(),
        };
        let mut out = Vec::new();
        write_part(by, &key, &mut sources, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn parts_read_as_in_the_stream() {
        let interface = |index, name: Option<[u8; 16]>| {
            let interface = Interface { index, name: name.map(Name::of_field) };
            Key { interface: Some(interface), ..Key::default() }
        };
        let flow = Flow {
            source: [192, 0, 2, 1].into(),
            destination: [192, 0, 2, 2].into(),
            ports: Some((4242, 53)),
            l4: Some(17),
        };
        let key = Key {
            reason: Some(3),
            location: Some(7),
            protocol: Some(0x0800),
            netns: Some(42),
            flow: Some(flow),
            ..interface(2, Some(*b"a\x1bb\0\0\0\0\0\0\0\0\0\0\0\0\0"))
        };
        for (by, expected) in [
            (By::Reason, "NO_SOCKET"),
            (By::Location, "tcp_v4_rcv+0x91"),
            (By::Protocol, "IPv4"),
            (By::Interface, "a\\u{1b}b"),
            (By::Netns, "net:[42]"),
            (By::Flow, "192.0.2.1.4242 > 192.0.2.2.53 UDP"),
        ] {
            assert_eq!(text(by, key), expected);
            assert_eq!(text(by, Key::default()), "?");
        }
        assert_eq!(text(By::Interface, interface(2, None)), "if2");
        assert_eq!(text(By::Interface, interface(0, None)), "-");
        assert_eq!(text(By::Protocol, Key { protocol: Some(0), ..key }), "-");
        let plain = Flow { ports: None, l4: None, ..flow };
        let key = Key { flow: Some(plain), ..key };
        assert_eq!(text(By::Flow, key), "192.0.2.1 > 192.0.2.2");
    }
}

//! The packets that the filters are tried on, and where they are dropped.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4};

use anyhow::Result;
use dropwatch_tests::{
    Event, Namespace, Veth,
    traffic::{CLOSED_PORT, frame, packet, raw, udp},
};

/// So many packets of each flow.
pub const COUNT: u32 = 3;

/// Addresses on the loopback device of a namespace.
const ONE: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 3);
const NEXT: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 4);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 1);

/// What a test sends, told apart by the length that is shown.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    pub len: u32,
    pub l4: Option<&'static str>,
    pub addresses: Option<[&'static str; 2]>,
    pub ports: Option<[u16; 2]>,
    pub over_veth: bool,
}

pub const UDP_ONE: Flow = Flow {
    len: 309,
    l4: Some("udp"),
    addresses: Some(["10.1.2.3", "10.1.2.4"]),
    ports: Some([1000, 2000]),
    over_veth: false,
};
pub const UDP_NEXT: Flow = Flow {
    len: 310,
    l4: Some("udp"),
    addresses: Some(["10.1.2.4", "10.2.0.1"]),
    ports: Some([1001, 2001]),
    over_veth: false,
};
pub const TCP: Flow = Flow {
    len: 323,
    l4: Some("tcp"),
    addresses: Some(["10.2.0.1", "10.1.2.3"]),
    ports: Some([2000, 443]),
    over_veth: false,
};
/// The kernel chooses the source port.
pub const IPV6: Flow = Flow {
    len: 334,
    l4: Some("udp"),
    addresses: Some(["::1", "::1"]),
    ports: Some([0, CLOSED_PORT]),
    over_veth: false,
};
pub const EXPERIMENTAL: Flow =
    Flow { len: 345, l4: None, addresses: None, ports: None, over_veth: true };
pub const CABLE: Flow = Flow {
    len: 356,
    l4: Some("udp"),
    addresses: Some(["10.0.0.1", "10.0.0.2"]),
    ports: Some([1000, 2000]),
    over_veth: true,
};
/// By another process.
pub const BASH: Flow = Flow {
    len: 367,
    l4: Some("udp"),
    addresses: Some(["127.0.0.1", "127.0.0.1"]),
    ports: Some([0, CLOSED_PORT]),
    over_veth: false,
};
pub const FLOWS: [Flow; 7] = [UDP_ONE, UDP_NEXT, TCP, IPV6, EXPERIMENTAL, CABLE, BASH];

impl Flow {
    pub fn of(event: &Event) -> Option<Self> {
        FLOWS.into_iter().find(|flow| event.len == Some(flow.len))
    }

    pub fn address(&self, side: usize, begin: &str) -> bool {
        self.addresses.is_some_and(|both| both[side].starts_with(begin))
    }

    pub fn port(&self, side: usize, first: u16, last: u16) -> bool {
        self.ports.is_some_and(|both| (first..=last).contains(&both[side]))
    }
}

/// Where the packets are dropped.
pub struct Machine {
    pub loopback: Namespace,
    pub veth: Veth,
}

impl Machine {
    pub fn new() -> Result<Self> {
        let machine = Self { loopback: Namespace::new()?, veth: Veth::new()? };
        for address in [ONE, NEXT, OTHER] {
            let address = format!("{address}/32");
            machine.loopback.output("ip", &["address", "add", &address, "dev", "lo"])?;
        }
        Ok(machine)
    }

    /// Packets that nobody answers, as far as that can be: their checksums are wrong.
    pub fn send(&self) -> Result<()> {
        let at = SocketAddrV4::new;
        let datagram = |from, to, flow: Flow| {
            let mut packet = frame::udp(from, to, &vec![0; (flow.len - udp::HEADER) as usize]);
            frame::spoil_udp(&mut packet);
            packet
        };
        let one = datagram(at(ONE, 1000), at(NEXT, 2000), UDP_ONE);
        let next = datagram(at(NEXT, 1001), at(OTHER, 2001), UDP_NEXT);
        let payload = vec![0; TCP.len as usize - frame::TCP_HEADER];
        let mut segment = frame::tcp_syn(at(OTHER, 2000), at(ONE, 443), &payload);
        frame::spoil_tcp(&mut segment);
        self.loopback.run("dwt kind a", || {
            raw::send(NEXT, &one, COUNT)?;
            raw::send(OTHER, &next, COUNT)
        })?;
        self.loopback.run("dwt kind b", || {
            raw::send(ONE, &segment, COUNT)?;
            udp::send((Ipv6Addr::LOCALHOST, CLOSED_PORT), IPV6.len - udp::HEADER, COUNT)
        })?;

        let ethernet = |ether_type, payload: &[u8]| {
            frame::ethernet(Veth::FAR_MAC, Veth::NEAR_MAC, ether_type, payload)
        };
        let unknown = ethernet(frame::EXPERIMENTAL, &vec![0; EXPERIMENTAL.len as usize]);
        let cable = datagram(at(Veth::NEAR, 1000), at(Veth::FAR, 2000), CABLE);
        let cable = ethernet(frame::IPV4, &cable);
        self.veth.near.run("dwt kind c", || {
            packet::send(Veth::DEVICE, &unknown, COUNT)?;
            packet::send(Veth::DEVICE, &cable, COUNT)
        })?;

        let write = format!("printf %0{}d 0 >/dev/udp/127.0.0.1/9", BASH.len - udp::HEADER);
        for _ in 0..COUNT {
            self.loopback.output("bash", &["-c", &write])?;
        }
        Ok(())
    }
}

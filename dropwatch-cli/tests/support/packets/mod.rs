//! Packets of each protocol.

pub mod build;
mod icmp;
mod icmp6;
mod ipv4;
mod ipv6;
mod links;
mod tunnels;

use build::{ethernet, ipv4, ipv6};

/// A packet and how it lies in the skb.
pub struct Sample {
    pub name: &'static str,
    /// From the Ethernet header on.
    pub bytes: Vec<u8>,
    /// Behind the Ethernet header and its tags.
    pub network: usize,
    /// The EtherType that ends at `network`.
    pub protocol: u16,
    /// What the one line says.
    pub summary: &'static str,
    /// Whether tcpdump says the same.
    pub same: bool,
}

/// One of each.
pub fn samples() -> Vec<Sample> {
    let mut samples = ipv4::samples();
    samples.extend(icmp::samples());
    samples.extend(ipv6::samples());
    samples.extend(icmp6::samples());
    samples.extend(tunnels::samples());
    samples.extend(links::samples());
    samples
}

fn v4(
    name: &'static str,
    protocol: u8,
    payload: &[u8],
    summary: &'static str,
    same: bool,
) -> Sample {
    let bytes = ethernet(0x0800, &ipv4(protocol, payload));
    Sample { name, bytes, network: 14, protocol: 0x0800, summary, same }
}

fn v6(name: &'static str, next: u8, payload: &[u8], summary: &'static str, same: bool) -> Sample {
    let bytes = ethernet(0x86dd, &ipv6(next, payload));
    Sample { name, bytes, network: 14, protocol: 0x86dd, summary, same }
}

fn frame(name: &'static str, protocol: u16, payload: &[u8], summary: &'static str) -> Sample {
    let bytes = ethernet(protocol, payload);
    Sample { name, bytes, network: 14, protocol, summary, same: protocol != 0x88b5 }
}

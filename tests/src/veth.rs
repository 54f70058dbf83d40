//! Two namespaces with a cable between them.

use std::net::Ipv4Addr;

use anyhow::Result;

use crate::{Namespace, command::output};

/// The address of an Ethernet device.
pub type Mac = [u8; 6];

/// A veth pair. Each end is the device [`Veth::DEVICE`] of its own namespace. Nothing but what
/// a test sends goes over it: neighbours are fixed, and IPv6, which would announce itself, is
/// off.
#[derive(Debug)]
pub struct Veth {
    /// The end that tests send from.
    pub near: Namespace,
    /// The end that they send to.
    pub far: Namespace,
}

impl Veth {
    /// The name of both devices.
    pub const DEVICE: &str = "veth0";
    /// Address of the near end.
    pub const NEAR: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    /// Address of the far end.
    pub const FAR: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
    /// Ethernet address of the near end.
    pub const NEAR_MAC: Mac = [2, 0, 0, 0, 0, 1];
    /// Ethernet address of the far end.
    pub const FAR_MAC: Mac = [2, 0, 0, 0, 0, 2];

    /// A new pair, both ends up.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> Result<Self> {
        let veth = Self { near: Namespace::new()?, far: Namespace::new()? };
        let (near, far) = (veth.near.name(), veth.far.name());
        for end in [&veth.near, &veth.far] {
            for scope in ["all", "default"] {
                end.sysctl(&format!("net/ipv6/conf/{scope}/disable_ipv6"), "1")?;
            }
        }
        let device = Self::DEVICE;
        let line = format!("-n {near} link add {device} type veth peer name {device} netns {far}");
        ip(&line)?;
        let ends = [
            (near, Self::NEAR, Self::NEAR_MAC, Self::FAR),
            (far, Self::FAR, Self::FAR_MAC, Self::NEAR),
        ];
        for (namespace, address, mac, _) in ends {
            ip(&format!("-n {namespace} link set {device} address {} up", text(mac)))?;
            ip(&format!("-n {namespace} address add {address}/24 dev {device}"))?;
        }
        for ((namespace, _, _, peer), mac) in ends.into_iter().zip([Self::FAR_MAC, Self::NEAR_MAC])
        {
            let neighbour = format!("{peer} lladdr {} dev {device} nud permanent", text(mac));
            ip(&format!("-n {namespace} neighbour replace {neighbour}"))?;
        }
        Ok(veth)
    }
}

fn ip(line: &str) -> Result<String> {
    output("ip", &line.split(' ').collect::<Vec<_>>())
}

fn text(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

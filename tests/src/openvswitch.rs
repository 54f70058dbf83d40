//! A switch of Open vSwitch in the kernel, told what to do by netlink: no daemon takes part.

use anyhow::{Context, Result};

use crate::{
    Namespace,
    netlink::{Socket, attribute, name, nested},
    traffic::frame::IPV4,
};

const DEVICE: &str = "dwt-ovs";

/// The families, and the versions of their messages.
const DATAPATH: (&str, u8) = ("ovs_datapath", 2);
const VPORT: (&str, u8) = ("ovs_vport", 1);
const FLOW: (&str, u8) = ("ovs_flow", 1);

/// The same in all families.
const NEW: u8 = 1;
const DELETE: u8 = 2;
const GET: u8 = 3;

const DATAPATH_NAME: u16 = 1;
const DATAPATH_UPCALL: u16 = 2;

const VPORT_TYPE: u16 = 2;
const VPORT_NAME: u16 = 3;
const VPORT_UPCALL: u16 = 5;
/// `OVS_VPORT_TYPE_NETDEV`: a device that is there already.
const NETDEV: u32 = 1;

const FLOW_KEY: u16 = 1;
const FLOW_ACTIONS: u16 = 2;
const FLOW_MASK: u16 = 7;
const KEY_ETHERNET: u16 = 4;
const KEY_ETHER_TYPE: u16 = 6;
const KEY_IPV4: u16 = 7;
/// `OVS_ACTION_ATTR_DROP`
const ACTION_DROP: u16 = 24;

/// Nobody: packets without a flow are for no process.
const NO_UPCALL: [u8; 4] = [0; 4];

/// What a flow does with its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Drops them, because of this error or, with 0, on purpose.
    Drop(u32),
    /// Nothing, and so they have nowhere to go.
    Nothing,
}

/// A switch with one port. It goes away with this.
#[derive(Debug)]
pub struct Switch {
    socket: Socket,
    /// The interface index of the device that stands for the switch.
    index: u32,
}

impl Switch {
    /// A switch to which this device of the namespace is attached.
    ///
    /// # Errors
    /// When the kernel has no Open vSwitch, or refuses.
    pub fn new(namespace: &Namespace, device: &str) -> Result<Self> {
        let socket = namespace.run("dwt-ovs", Socket::new)?;
        let body = [name(DATAPATH_NAME, DEVICE), attribute(DATAPATH_UPCALL, &NO_UPCALL)].concat();
        request(&socket, DATAPATH, NEW, 0, &body).context("no switch")?;
        let described = request(&socket, DATAPATH, GET, 0, &body)?;
        let index = described.get(4..).and_then(<[u8]>::first_chunk).context("no index")?;
        let switch = Self { socket, index: u32::from_ne_bytes(*index) };
        let port = [
            attribute(VPORT_TYPE, &NETDEV.to_ne_bytes()),
            name(VPORT_NAME, device),
            attribute(VPORT_UPCALL, &NO_UPCALL),
        ];
        switch.request(VPORT, NEW, &port.concat()).context("no port")?;
        Ok(switch)
    }

    /// Adds a flow for all packets of this EtherType.
    ///
    /// # Errors
    /// When the kernel does not know the action.
    pub fn flow(&self, ether_type: u16, action: Action) -> Result<()> {
        // Any addresses: the mask hides them. Without them it were no Ethernet.
        let addresses = attribute(KEY_ETHERNET, &[0; 12]);
        let ether_types =
            [ether_type, u16::MAX].map(|number| attribute(KEY_ETHER_TYPE, &number.to_be_bytes()));
        let [mut key, mask] = ether_types.map(|number| vec![addresses.clone(), number]);
        // The kernel insists on it, although it is not in the mask.
        if ether_type == IPV4 {
            key.push(attribute(KEY_IPV4, &[0; 12]));
        }
        let actions = match action {
            Action::Drop(error) => vec![attribute(ACTION_DROP, &error.to_ne_bytes())],
            Action::Nothing => Vec::new(),
        };
        let flow = [(FLOW_KEY, key), (FLOW_ACTIONS, actions), (FLOW_MASK, mask)];
        let flow = flow.map(|(kind, attributes)| nested(kind, &attributes)).concat();
        self.request(FLOW, NEW, &flow).with_context(|| format!("no flow for {action:?}"))
    }

    fn request(&self, family: (&str, u8), command: u8, attributes: &[u8]) -> Result<()> {
        request(&self.socket, family, command, self.index, attributes).map(drop)
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        if let Err(error) = self.request(DATAPATH, DELETE, &[]) {
            eprintln!("cannot remove the switch: {error:#}");
        }
    }
}

/// A request about the switch with this index, which is what all of them begin with.
fn request(
    socket: &Socket,
    (family, version): (&str, u8),
    command: u8,
    switch: u32,
    attributes: &[u8],
) -> Result<Vec<u8>> {
    let body = [&switch.to_ne_bytes()[..], attributes].concat();
    socket.ask(socket.family(family)?, command, version, &body)
}

//! The packet's `struct sk_buff`.

use crate::{
    cast,
    device::Device,
    globals::{config, offset},
    kernel::Struct,
    socket::Socket,
};

/// A dropped packet.
#[derive(Clone, Copy)]
pub struct Skb(Struct);

/// A tag that the hardware took off, or is to put on.
pub struct VlanTag {
    /// Tag protocol in host byte order.
    pub proto: u16,
    /// Priority, drop-eligible bit and VLAN id.
    pub tci: u16,
}

/// Where the packet's linear part and its headers are. Offsets count from `head` on.
pub struct Buffer {
    /// Address of the first byte.
    pub head: u64,
    /// Offset of the end.
    pub tail: u32,
    /// Offset of the link-layer header, where it is set.
    pub mac: Option<u32>,
    /// Offset of the network header, where it is set.
    pub network: Option<u32>,
    /// Offset of the transport header, where it is set.
    pub transport: Option<u32>,
}

impl Skb {
    #[inline(always)]
    pub fn new(skb: Struct) -> Self {
        Self(skb)
    }

    /// The EtherType in host byte order.
    #[inline(always)]
    pub fn protocol(self) -> Option<u16> {
        Some(u16::from_be(self.0.read(offset!(skb_protocol)?)))
    }

    /// The length in bytes.
    #[inline(always)]
    pub fn len(self) -> Option<u32> {
        Some(self.0.read(offset!(skb_len)?))
    }

    /// Index of the device that the packet came in by; 0 where it did not come in.
    #[inline(always)]
    pub fn iif(self) -> Option<u32> {
        Some(self.0.read(offset!(skb_iif)?))
    }

    /// The device that the packet is at. Not where it waits in a socket's queue: other things are
    /// in the same place there.
    #[inline(always)]
    pub fn device(self) -> Option<Device> {
        Device::check(self.untrusted().follow(offset!(skb_dev)?)?)
    }

    /// The socket that the packet belongs to.
    #[inline(always)]
    pub fn socket(self) -> Option<Socket> {
        Socket::check(self.untrusted().follow(offset!(skb_sk)?)?)
    }

    #[inline(always)]
    fn untrusted(self) -> Struct {
        cast::untrusted(self.0, config!(casts.skb))
    }

    /// The tag beside the bytes.
    #[inline(always)]
    pub fn vlan(self) -> Option<VlanTag> {
        let proto = u16::from_be(self.0.read(offset!(skb_vlan_proto)?));
        let tci = self.0.read(offset!(skb_vlan_tci)?);
        let present = match offset!(skb_vlan_present) {
            Some(offset) => self.0.read::<u8>(offset) & config!(vlan_present_mask) as u8 != 0,
            None => proto != 0,
        };
        present.then_some(VlanTag { proto, tci })
    }

    #[inline(always)]
    pub fn buffer(self) -> Option<Buffer> {
        const UNSET: u16 = u16::MAX;
        let header = |offset: usize| Some(self.0.read::<u16>(offset)).filter(|&it| it != UNSET);
        Some(Buffer {
            head: self.0.read(offset!(skb_head)?),
            tail: self.0.read(offset!(skb_tail)?),
            mac: header(offset!(skb_mac_header)?).map(u32::from),
            // A new skb has all headers unset but this one, which is 0.
            network: header(offset!(skb_network_header)?).filter(|&it| it != 0).map(u32::from),
            transport: header(offset!(skb_transport_header)?).map(u32::from),
        })
    }
}

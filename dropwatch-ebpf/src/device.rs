//! The packet's `struct net_device`, and network namespaces.

use crate::{globals::offset, kernel::Struct};

/// A device.
#[derive(Clone, Copy)]
pub struct Device(Struct);

impl Device {
    /// A device, if that is what the pointer points to: what each device points to in turn has to
    /// point back.
    #[inline(always)]
    pub fn check(device: Struct) -> Option<Self> {
        let queue = device.follow(offset!(dev_tx)?)?;
        let back = queue.read::<u64>(offset!(queue_dev)?);
        (back == device.address()).then_some(Self(device))
    }

    #[inline(always)]
    pub fn index(self) -> Option<u32> {
        Some(self.0.read(offset!(dev_ifindex)?))
    }

    /// The name, as two words of 8 bytes each in the order of memory.
    #[inline(always)]
    pub fn name(self) -> Option<[u64; 2]> {
        let offset = offset!(dev_name)?;
        Some([self.0.read(offset), self.0.read(offset + size_of::<u64>())])
    }

    /// An `ARPHRD_*`.
    #[inline(always)]
    pub fn kind(self) -> Option<u16> {
        Some(self.0.read(offset!(dev_type)?))
    }

    /// Inode number of the network namespace that it is in.
    #[inline(always)]
    pub fn netns(self) -> Option<u32> {
        netns(self.0.follow(offset!(dev_net)?)?)
    }
}

/// Inode number of a `struct net`.
#[inline(always)]
pub fn netns(net: Struct) -> Option<u32> {
    Some(net.read::<u32>(offset!(net_inum)?)).filter(|&inum| inum != 0)
}

//! The filters applied to drops of a recording, which the kernel can compare no more.

use std::net::IpAddr;

use anyhow::{Result, bail};

use super::{Patterns, interface::Interface, netns::Netns, range::Range};
use crate::{
    config::UsageError, drop::Drop, kernel::reasons::Reason, packet::Packet,
    render::sources::Sources,
};

impl Patterns {
    /// Makes sure that no filter asks for what a recording cannot tell.
    ///
    /// # Errors
    /// A [`UsageError`] that names the one that does.
    pub fn check_recorded(&self) -> Result<()> {
        if self.sample.is_some() || self.rate_limit.is_some() {
            bail!(UsageError(
                "--sample and --rate-limit leave drops out while they happen; a recording has all \
                 that were kept, so leave them out"
                    .to_owned()
            ));
        }
        let mut namespaces = self.netns.wanted.iter().chain(&self.netns.excluded);
        if namespaces.any(|netns| matches!(netns, Netns::Process(_))) {
            bail!(UsageError(
                "--netns pid:… asks the running machine; for a recording write the name or the \
                 inode number that it shows"
                    .to_owned()
            ));
        }
        Ok(())
    }

    /// Whether a drop passes, by what its recording has taught the sources. As in the kernel, what
    /// is not known is none of what is wanted, and not excluded either.
    pub fn pass_recorded(&self, drop: &Drop, packet: &Packet, sources: &mut Sources) -> bool {
        let number = |number: Option<u64>| {
            move |range: &Range| number.is_some_and(|it| (range[0]..=range[1]).contains(&it))
        };
        let address = |address: Option<IpAddr>| {
            move |network: &super::address::Network| address.is_some_and(|it| network.has(it))
        };
        let (source, destination) = (packet.source(), packet.destination());
        let (sport, dport) = packet.ports().map(|(one, other)| (one.into(), other.into())).unzip();
        self.passes_reason(drop, sources)
            && self.protocol.admit(number(drop.protocol.map(u64::from)))
            && self.len.admit(number(drop.len.map(u64::from)))
            && self.pid.admit(number(Some(drop.tgid.into())))
            && self.comm.admit(|name| drop.comm.is_some_and(|it| name.matches(it.bytes())))
            && self.passes_function(drop, sources)
            && self.passes_netns(drop, sources)
            && self.passes_interface(drop, sources)
            && self.l4.admit(number(packet.l4().map(u64::from)))
            && self.source_port.admit(number(sport))
            && self.destination_port.admit(number(dport))
            && self.port.admit(|range| number(sport)(range) || number(dport)(range))
            && self.source.admit(address(source))
            && self.destination.admit(address(destination))
            && self.host.admit(|network| address(source)(network) || address(destination)(network))
    }

    fn passes_reason(&self, drop: &Drop, sources: &mut Sources) -> bool {
        let Some(raw) = drop.reason.filter(|_| !self.reasons.is_empty()) else { return true };
        let reasons = &mut sources.reasons;
        let reason = match reasons.get(raw) {
            Some(reason) => reason.clone(),
            // It can be meant by its number, or with all of its subsystem.
            None => {
                let name = reasons.name(raw).to_owned();
                Reason { raw, full_name: name.clone(), name }
            }
        };
        super::reason::pass(&self.reasons, &reason, reasons)
    }

    fn passes_function(&self, drop: &Drop, sources: &mut Sources) -> bool {
        if self.function.is_empty() {
            return true;
        }
        let frame = sources.symbols.frame(drop.location);
        self.function.admit(|pattern| {
            frame.symbol.as_ref().is_some_and(|symbol| pattern.matches(&symbol.name))
        })
    }

    fn passes_netns(&self, drop: &Drop, sources: &mut Sources) -> bool {
        if self.netns.is_empty() {
            return true;
        }
        let name = drop.netns.and_then(|inum| sources.world.netns(inum));
        self.netns.admit(|netns| match netns {
            Netns::Inode(inode) => drop.netns.is_some_and(|it| u64::from(it) == *inode),
            Netns::Name(wanted) => name.as_ref() == Some(wanted),
            Netns::Process(_) => false,
        })
    }

    fn passes_interface(&self, drop: &Drop, sources: &mut Sources) -> bool {
        if self.interface.is_empty() {
            return true;
        }
        let input = drop.iif.filter(|&index| index != 0);
        let index = drop.device.map(|device| device.index).or(input);
        let name = match (&drop.device, index) {
            (Some(device), _) => Some(device.name),
            (None, Some(index)) => sources.world.interface(drop.netns, index, None),
            (None, None) => None,
        };
        self.interface.admit(|interface| match interface {
            Interface::Name(pattern) => name.is_some_and(|it| pattern.matches(it.bytes())),
            Interface::Index(wanted) => index.is_some_and(|it| u64::from(it) == *wanted),
        })
    }
}

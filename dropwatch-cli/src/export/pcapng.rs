//! Dropped packets as pcapng, which Wireshark and tshark read: `--write FILE`.
//!
//! A packet begins with its Ethernet header where it has one. Else it has a header of Linux
//! "cooked" captures (SLL) in front, which tells its EtherType. What dropwatch knows of the drop
//! is the packet's comment.

use std::{
    borrow::Cow,
    collections::HashMap,
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anstyle::Style;
use anyhow::{Context, Result};
use pcap_file::{
    DataLink, Endianness,
    pcapng::{
        PcapNgWriter,
        blocks::{
            enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption},
            interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption},
            section_header::{SectionHeaderBlock, SectionHeaderOption},
        },
    },
};

use crate::{
    drop::{Direction, Drop, Stack},
    packet::{Network, Packet},
    render::{
        details, place::write_place, sources::Sources, stack_text::write_frame,
        text::is_interrupted,
    },
    stacks,
    write::{escape, push},
};

/// Timestamps count nanoseconds: ten to the power of minus this.
const NANOSECONDS: u8 = 9;
/// An option's length is 16 bits; a longer comment is cut.
const MAX_COMMENT: usize = 60_000;
/// Most interfaces that a capture names; what is beyond shares one without a name.
const MAX_INTERFACES: usize = 10_000;

const ETHERNET_ADDRESSES: usize = 12;
const SLL_LEN: usize = 16;
/// `sll_pkttype`: to this machine, and from it.
const SLL_HOST: u16 = 0;
const SLL_OUTGOING: u16 = 4;
/// `epb_flags`: the direction.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// A capture that is being written.
pub struct Pcapng<W: Write> {
    writer: PcapNgWriter<W>,
    path: PathBuf,
    interfaces: HashMap<Interface, u32>,
    /// A comment that is being put together.
    comment: Vec<u8>,
}

/// What a capture calls an interface: a device has several where packets of it begin at
/// different layers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Interface {
    netns: Option<u32>,
    index: Option<u32>,
    is_ethernet: bool,
}

impl Pcapng<BufWriter<File>> {
    /// Begins a capture in a new file, or in place of what it held.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path)
            .with_context(|| format!("cannot write the capture {}", path.display()))?;
        Self::new(BufWriter::new(file), path)
    }
}

impl<W: Write> Pcapng<W> {
    /// Begins a capture; errors name the path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(writer: W, path: &Path) -> Result<Self> {
        let application = concat!("dropwatch ", env!("CARGO_PKG_VERSION")).into();
        let section = SectionHeaderBlock {
            endianness: Endianness::native(),
            options: vec![SectionHeaderOption::UserApplication(application)],
            ..SectionHeaderBlock::default()
        };
        let writer = PcapNgWriter::with_section_header(writer, section)
            .with_context(|| format!("cannot write the capture {}", path.display()))?;
        let (interfaces, comment) = (HashMap::new(), Vec::new());
        Ok(Self { writer, path: path.to_owned(), interfaces, comment })
    }

    /// The number of the interface that the packet was at, which is told to the reader once.
    fn interface(&mut self, drop: &Drop, link: DataLink, sources: &mut Sources) -> Result<u32> {
        let input = drop.iif.filter(|&index| index != 0);
        let index = drop.device.map(|device| device.index).or(input);
        let is_ethernet = link == DataLink::ETHERNET;
        let mut interface = Interface { netns: drop.netns, index, is_ethernet };
        if let Some(&number) = self.interfaces.get(&interface) {
            return Ok(number);
        }
        if self.interfaces.len() >= MAX_INTERFACES {
            interface = Interface { netns: None, index: None, is_ethernet };
            if let Some(&number) = self.interfaces.get(&interface) {
                return Ok(number);
            }
        }
        let mut name = Vec::new();
        match interface.index {
            Some(index) => {
                sources.world.write_interface(drop.netns, index, drop.device.as_ref(), &mut name);
            }
            None => name.extend(b"unknown"),
        }
        let mut options = vec![
            InterfaceDescriptionOption::IfName(text(name)),
            InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
        ];
        if let Some(inum) = interface.netns {
            let mut description = b"network namespace ".to_vec();
            sources.world.write_netns(inum, &mut description);
            push(&mut description, format_args!(" ({inum})"));
            options.push(InterfaceDescriptionOption::IfDescription(text(description)));
        }
        // 0 for a length without limit: each packet tells how long it was.
        let block = InterfaceDescriptionBlock { linktype: link, snaplen: 0, options };
        self.writer.write_pcapng_block(block)?;
        let number = self.interfaces.len() as u32;
        self.interfaces.insert(interface, number);
        Ok(number)
    }

    /// Takes a drop.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, drop: &Drop, sources: &mut Sources) -> Result<()> {
        self.write(drop, sources)
            .with_context(|| format!("cannot write the capture {}", self.path.display()))
    }

    /// Has all that was taken written.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.writer
            .get_mut()
            .flush()
            .with_context(|| format!("cannot write the capture {}", self.path.display()))
    }

    fn write(&mut self, drop: &Drop, sources: &mut Sources) -> Result<()> {
        let packet = drop.packet();
        let frame = Frame::of(drop, &packet);
        let interface_id = self.interface(drop, frame.link, sources)?;
        self.comment.clear();
        write_comment(drop, sources, &mut self.comment);
        let comment = String::from_utf8_lossy(&self.comment);
        let comment = &comment[..comment.floor_char_boundary(MAX_COMMENT)];
        let direction = match drop.direction() {
            Some(Direction::In | Direction::Forward) => Some(INBOUND),
            Some(Direction::Out) => Some(OUTBOUND),
            None => None,
        };
        let mut options = vec![EnhancedPacketOption::Comment(comment.into())];
        options.extend(direction.map(EnhancedPacketOption::Flags));
        let block = EnhancedPacketBlock {
            interface_id,
            timestamp: Duration::from_nanos(sources.clock.unix_ns(drop.boot_ns)),
            original_len: frame.original_len,
            data: frame.bytes.into(),
            options,
        };
        self.writer.write_pcapng_block(block)?;
        Ok(())
    }
}

/// A packet as a capture holds it.
struct Frame {
    link: DataLink,
    bytes: Vec<u8>,
    /// How long it was when it was whole.
    original_len: u32,
}

impl Frame {
    fn of(drop: &Drop, packet: &Packet) -> Self {
        let bytes = drop.headers.as_ref().map_or(&[][..], |headers| headers.bytes());
        let from = |offset: Option<usize>| offset.and_then(|offset| bytes.get(offset..));
        let (link, network) = match &drop.headers {
            Some(headers) => (from(headers.mac), from(headers.network)),
            None => (None, None),
        };
        let tag = drop.vlan.map(|(tpid, tci)| [tpid.to_be_bytes(), tci.to_be_bytes()].concat());
        let tag = tag.as_deref().unwrap_or_default();
        let (link, header, rest) = match (packet.link, link) {
            (Some(_), Some(frame)) if frame.len() > ETHERNET_ADDRESSES => {
                let (addresses, rest) = frame.split_at(ETHERNET_ADDRESSES);
                (DataLink::ETHERNET, [addresses, tag].concat(), rest)
            }
            _ => {
                let payload = network.or(link).unwrap_or(bytes);
                (DataLink::LINUX_SLL, sll(drop, tag), payload)
            }
        };
        let whole = whole_len(drop, packet, rest, link);
        let bytes = [&header, rest].concat();
        let original_len = whole.saturating_add(header.len()).max(bytes.len());
        Self { link, bytes, original_len: original_len.try_into().unwrap_or(u32::MAX) }
    }
}

/// A header of a cooked capture, with the VLAN tag as part of it where there is one.
fn sll(drop: &Drop, tag: &[u8]) -> Vec<u8> {
    let kind = match drop.direction() {
        Some(Direction::Out) => SLL_OUTGOING,
        _ => SLL_HOST,
    };
    let device = drop.device.map_or(0, |device| device.kind);
    let mut header = vec![0; SLL_LEN - 2];
    header[..2].copy_from_slice(&kind.to_be_bytes());
    header[2..4].copy_from_slice(&device.to_be_bytes());
    header.extend(tag);
    header.extend(drop.protocol.unwrap_or(0).to_be_bytes());
    header
}

/// How long the part behind our header was when it was whole: as the IP header says, or else as
/// the kernel does.
fn whole_len(drop: &Drop, packet: &Packet, rest: &[u8], link: DataLink) -> usize {
    const IPV6_HEADER: usize = 40;
    let said = match &packet.network {
        Some(Network::Ipv4(header)) if header.total_length > 0 => Some(header.total_length.into()),
        Some(Network::Ipv6(header)) if header.payload_length > 0 => {
            Some(IPV6_HEADER + usize::from(header.payload_length))
        }
        _ => None,
    };
    let before = match &drop.headers {
        Some(headers) if link == DataLink::ETHERNET => headers
            .network
            .zip(headers.mac)
            .map_or(0, |(network, mac)| network.saturating_sub(mac + ETHERNET_ADDRESSES)),
        _ => 0,
    };
    let linear = drop.headers.as_ref().map_or(0, |it| it.linear_len.saturating_sub(it.len));
    let least = rest.len() + linear;
    said.map_or(drop.len.unwrap_or(0) as usize, |said: usize| said + before).max(least)
}

/// What is known of the drop: reason and place in the first line.
fn write_comment(drop: &Drop, sources: &mut Sources, out: &mut Vec<u8>) {
    match drop.reason {
        Some(raw) => out.extend(sources.reasons.name(raw).bytes()),
        None => out.extend(b"dropped"),
    }
    out.extend(b" at ");
    write_place(&sources.symbols.frame(drop.location), out);
    // Who was only interrupted is not to blame; the context below has it.
    if let Some(comm) = drop.comm.as_ref().filter(|_| !is_interrupted(drop)) {
        out.extend(b", in ");
        escape(comm.bytes(), out);
        push(out, format_args!("[{}]", drop.tgid));
    }
    out.push(b'\n');
    let begin = out.len();
    details::write_surroundings(drop, sources, out);
    let below = String::from_utf8_lossy(&out[begin..]).into_owned();
    out.truncate(begin);
    // There they stand under a drop, here in lines of their own.
    for line in below.lines() {
        push(out, format_args!("{}\n", line.strip_prefix(details::INDENT).unwrap_or(line)));
    }
    if let Some(Stack::Addresses(addresses)) = &drop.stack {
        out.extend(b"stack:\n");
        let symbols = &mut sources.symbols;
        for &address in stacks::of_drop(addresses, drop.location, symbols) {
            write_frame(&symbols.frame(address), Style::new(), out);
        }
    }
    out.pop_if(|byte| *byte == b'\n');
}

fn text(bytes: Vec<u8>) -> Cow<'static, str> {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

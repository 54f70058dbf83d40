//! The filters: from what the user gave to what the kernel compares before anything is copied.
//!
//! Of each kind something that is wanted has to be there, if anything is wanted, and nothing that
//! is excluded; all kinds have to agree.

mod address;
mod function;
mod input;
mod interface;
mod l4;
mod list;
mod name;
pub(crate) mod nearest;
mod netns;
mod port;
mod prefix;
mod range;
pub mod reason;
mod recorded;
mod sample;

use anyhow::{Result, bail};
use dropwatch_common::filter::{
    Choice, EXCLUDED_DESTINATION, EXCLUDED_HOST, EXCLUDED_SOURCE, Filters, Ranges, ReasonFilter,
    WANTED_DESTINATION, WANTED_FUNCTION, WANTED_HOST, WANTED_SOURCE,
};

use crate::{
    cli::FilterArgs,
    config::UsageError,
    kernel::{Kernel, Tracepoint},
    protocol,
};
use address::Network;
use function::FunctionPattern;
use interface::Interface;
use list::Wishes;
use name::NamePattern;
use netns::Netns;
use range::{Range, single};
use reason::ReasonPattern;

/// What the user gave, checked as far as that does not need the kernel.
#[derive(Clone, Debug)]
pub struct Patterns {
    /// Which reasons to show; empty for all.
    pub reasons: Vec<ReasonPattern>,
    protocol: Wishes<Range>,
    interface: Wishes<Interface>,
    netns: Wishes<Netns>,
    pid: Wishes<Range>,
    comm: Wishes<NamePattern>,
    function: Wishes<FunctionPattern>,
    source: Wishes<Network>,
    destination: Wishes<Network>,
    host: Wishes<Network>,
    source_port: Wishes<Range>,
    destination_port: Wishes<Range>,
    port: Wishes<Range>,
    l4: Wishes<Range>,
    len: Wishes<Range>,
    sample: Option<u32>,
    rate_limit: Option<u32>,
}

/// What the BPF program is given.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The reasons that pass; none for all.
    pub reasons: Option<ReasonFilter>,
    /// The other filters.
    pub filters: Filters,
    /// What the map `FUNCTIONS` is to hold; nothing where that filter is off.
    pub functions: Vec<prefix::Entry>,
    /// What the map `HOSTS` is to hold, likewise.
    pub hosts: Vec<address::Entry>,
    /// What the map `INPUTS` is to hold, likewise.
    pub inputs: Vec<input::Entry>,
    /// One of so many matched drops is sent; 0 for all.
    pub sample: u32,
    /// So many drops are sent in a second at most; 0 for all.
    pub rate_limit: u32,
}

impl Chosen {
    /// Whether there are filters besides that by reason.
    pub fn asks_more_than_reasons(&self) -> bool {
        let maps_are_empty =
            self.functions.is_empty() && self.hosts.is_empty() && self.inputs.is_empty();
        self.filters != Filters::ALL || !maps_are_empty
    }
}

impl Patterns {
    /// Gives the arguments their meaning, or says which one has none.
    ///
    /// # Errors
    /// A [`UsageError`] that names the argument.
    pub fn parse(args: &FilterArgs) -> Result<Self> {
        let usage = |message| UsageError(message);
        let reasons = args.reason.iter().flat_map(|list| list.split(','));
        Ok(Self {
            reasons: reasons.map(ReasonPattern::parse).collect::<Result<_>>()?,
            protocol: Wishes::parse("--protocol", &args.protocol, ether_type)?,
            interface: Wishes::parse("--interface", &args.interface, Interface::parse)?,
            netns: Wishes::parse("--netns", &args.netns, Netns::parse)?,
            pid: Wishes::parse("--pid", &args.pid, process)?,
            comm: Wishes::parse("--comm", &args.comm, NamePattern::parse)?,
            function: Wishes::parse("--function", &args.function, FunctionPattern::parse)?,
            source: Wishes::parse("--src", &args.src, Network::parse)?,
            destination: Wishes::parse("--dst", &args.dst, Network::parse)?,
            host: Wishes::parse("--host", &args.host, Network::parse)?,
            source_port: Wishes::parse("--sport", &args.sport, port::parse)?,
            destination_port: Wishes::parse("--dport", &args.dport, port::parse)?,
            port: Wishes::parse("--port", &args.port, port::parse)?,
            l4: Wishes::parse("--l4", &args.l4, l4::parse)?,
            len: len(args.min_len, args.max_len)?,
            sample: args.sample.as_deref().map(sample::sample).transpose().map_err(usage)?,
            rate_limit: args
                .rate_limit
                .as_deref()
                .map(sample::rate_limit)
                .transpose()
                .map_err(usage)?,
        })
    }

    /// What is to be said before drops are shown, where not all that match will be.
    pub fn notice(&self) -> Option<String> {
        sample::notice(self.sample, self.rate_limit)
    }

    /// What the kernel is to compare with.
    ///
    /// # Errors
    /// A [`UsageError`] for what does not exist, or cannot be told of this kernel; another where
    /// the kernel does not answer.
    pub fn resolve(&self, kernel: &mut Kernel) -> Result<Chosen> {
        if let Tracepoint::Event { .. } = kernel.tracepoint {
            self.check_without_btf()?;
        }
        let functions = function::resolve(&self.function)?;
        let hosts = self.hosts();
        let wanted_hosts = hosts.iter().fold(0, |all, (_, bits)| all | bits)
            & (WANTED_SOURCE | WANTED_DESTINATION | WANTED_HOST);
        let filters = Filters {
            protocol: range::choice("--protocol", &self.protocol)?,
            len: range::choice("--min-len", &self.len)?,
            pid: range::choice("--pid", &self.pid)?,
            netns: range::choice("--netns", &self.netns.try_map(Netns::inode)?)?,
            l4: range::choice("--l4", &self.l4)?,
            source_port: range::choice("--sport", &self.source_port)?,
            destination_port: range::choice("--dport", &self.destination_port)?,
            port: range::choice("--port", &self.port)?,
            interface_index: self.interface_indexes()?,
            comm: name::choice("--comm", &self.comm)?,
            interface: name::choice("--interface", &self.interface.filter_map(Interface::name))?,
            wanted_functions: functions.iter().any(|(.., bits)| bits & WANTED_FUNCTION != 0).into(),
            wanted_hosts,
        };
        Ok(Chosen {
            reasons: reason::resolve(&self.reasons, &mut kernel.reasons)?,
            filters,
            functions,
            hosts: address::entries(&hosts),
            inputs: input::entries(&self.interface.filter_map(Interface::name)),
            sample: self.sample.unwrap_or(0),
            rate_limit: self.rate_limit.unwrap_or(0),
        })
    }

    /// Makes sure that no filter asks for what the trace event does not have.
    ///
    /// # Errors
    /// A [`UsageError`] that names the one that does.
    pub fn check_without_btf(&self) -> Result<()> {
        let Some(flag) = self.needs_btf() else { return Ok(()) };
        let message = format!(
            "{flag} needs the kernel's BTF (/sys/kernel/btf/vmlinux): leave out --no-btf, or boot a \
             kernel that has it; --reason, --protocol, --function, --pid and --comm do without"
        );
        Err(UsageError(message).into())
    }

    fn needs_btf(&self) -> Option<&'static str> {
        [
            ("--interface", self.interface.is_empty()),
            ("--netns", self.netns.is_empty()),
            ("--src", self.source.is_empty()),
            ("--dst", self.destination.is_empty()),
            ("--host", self.host.is_empty()),
            ("--sport", self.source_port.is_empty()),
            ("--dport", self.destination_port.is_empty()),
            ("--port", self.port.is_empty()),
            ("--l4", self.l4.is_empty()),
            ("--min-len or --max-len", self.len.is_empty()),
        ]
        .into_iter()
        .find_map(|(flag, off)| (!off).then_some(flag))
    }

    fn interface_indexes(&self) -> Result<Choice<Ranges>> {
        range::choice("--interface", &self.interface.filter_map(Interface::index))
    }

    /// All networks with what is said to them.
    fn hosts(&self) -> Vec<(Network, u32)> {
        [
            (&self.source, WANTED_SOURCE, EXCLUDED_SOURCE),
            (&self.destination, WANTED_DESTINATION, EXCLUDED_DESTINATION),
            (&self.host, WANTED_HOST, EXCLUDED_HOST),
        ]
        .into_iter()
        .flat_map(|(wishes, wanted, excluded)| {
            let wanted = wishes.wanted.iter().map(move |network| (*network, wanted));
            wanted.chain(wishes.excluded.iter().map(move |network| (*network, excluded)))
        })
        .collect()
    }
}

fn ether_type(text: &str) -> Result<Range, String> {
    let named = protocol::number(text).map(|number| [number.into(); 2]);
    named.or_else(|| single(text, u16::MAX.into())).ok_or_else(|| {
        "is no EtherType; write a name like IPv4, ip6, arp or vlan, or a number like 0x88cc (tcp, udp \
         and the like are for --l4)"
            .to_owned()
    })
}

fn process(text: &str) -> Result<Range, String> {
    single(text, i32::MAX as u64).ok_or_else(|| "is no process id; write a number".to_owned())
}

fn len(min: Option<u32>, max: Option<u32>) -> Result<Wishes<Range>> {
    if min.is_none() && max.is_none() {
        return Ok(Wishes::default());
    }
    let (min, max) = (min.unwrap_or(0), max.unwrap_or(u32::MAX));
    if min > max {
        let message =
            format!("no length is at least {min} (--min-len) and at most {max} (--max-len)");
        bail!(UsageError(message));
    }
    Ok(Wishes { wanted: vec![[min.into(), max.into()]], excluded: Vec::new() })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn parse(args: &[&str]) -> Result<Patterns> {
        let cli = Cli::try_parse_from([&["dropwatch"], args].concat())?;
        Patterns::parse(&cli.trace.filters)
    }

    fn without_btf() -> Kernel {
        let event = dropwatch_common::config::Config::EMPTY.event;
        let tracepoint = Tracepoint::Event { event };
        Kernel { tracepoint, has_reason: true, reasons: Default::default() }
    }

    #[test]
    fn kinds_do_not_get_in_each_others_way() -> Result<()> {
        let patterns = parse(&[
            "--protocol=ipv4,!arp",
            "--pid=1,2,3,9",
            "--comm=a*,!b",
            "--sample=1/4",
            "--rate-limit=9/s",
        ])?;
        let chosen = patterns.resolve(&mut without_btf())?;
        let Filters { protocol, pid, comm, .. } = chosen.filters;
        assert_eq!((protocol.wanted.len, protocol.excluded.len), (1, 1));
        assert_eq!(protocol.excluded.bounds[0], [0x0806, 0x0806]);
        assert_eq!((pid.wanted.len, pid.excluded.len), (2, 0));
        assert_eq!(pid.wanted.bounds[..2], [[1, 3], [9, 9]]);
        assert_eq!((comm.wanted.len, comm.excluded.len), (1, 1));
        assert_eq!((chosen.sample, chosen.rate_limit), (4, 9));
        let rest = Filters {
            protocol: Choice::RANGES,
            pid: Choice::RANGES,
            comm: Choice::NAMES,
            ..chosen.filters
        };
        assert_eq!(rest, Filters::ALL);
        assert!(chosen.functions.is_empty() && chosen.hosts.is_empty() && chosen.reasons.is_none());
        Ok(())
    }

    #[test]
    fn nothing_given_is_nothing_filtered() -> Result<()> {
        let patterns = parse(&[])?;
        assert_eq!(patterns.notice(), None);
        assert_eq!(patterns.resolve(&mut without_btf())?.filters, Filters::ALL);
        Ok(())
    }

    #[test]
    fn hosts_have_the_bits_of_their_flags() -> Result<()> {
        let patterns = parse(&["--src=10.0.0.0/8,!10.1.0.0/16", "--host=!10.1.2.3"])?;
        let all = patterns.hosts().iter().fold(0, |all, (_, bits)| all | bits);
        assert_eq!(all, WANTED_SOURCE | EXCLUDED_SOURCE | EXCLUDED_HOST);
        let entries = address::entries(&patterns.hosts());
        let last = entries.last().map(|(len, _, bits)| (*len, *bits));
        assert_eq!(last, Some((128, all)));
        Ok(())
    }

    #[test]
    fn what_needs_btf_is_named() {
        for (flag, value) in [
            ("--interface", "lo"),
            ("--netns", "!1"),
            ("--src", "10.0.0.0/8"),
            ("--dst", "::1"),
            ("--host", "!::1"),
            ("--sport", "1"),
            ("--dport", "1"),
            ("--port", "1"),
            ("--l4", "tcp"),
            ("--min-len", "1"),
            ("--max-len", "1"),
        ] {
            let patterns = parse(&[flag, value]).expect(flag);
            let error = patterns.resolve(&mut without_btf()).expect_err(flag);
            assert!(error.is::<UsageError>(), "{error}");
            assert!(error.to_string().contains(flag), "{error}");
            assert!(error.to_string().contains("BTF"), "{error}");
        }
    }

    #[test]
    fn mistakes_name_the_flag() {
        for (flag, value) in [
            ("--protocol", "tcp"),
            ("--protocol", "0x10000"),
            ("--interface", "*0"),
            ("--interface", "a-name-of-16-byt"),
            ("--netns", "pid:x"),
            ("--pid", "nginx"),
            ("--comm", "*x"),
            ("--function", "a+0x1"),
            ("--src", "example.org"),
            ("--dst", "10.0.0.0/33"),
            ("--host", ""),
            ("--port", "70000"),
            ("--sport", "2-1"),
            ("--dport", "no-such-service"),
            ("--l4", "ipv4"),
            ("--sample", "10"),
            ("--rate-limit", "0"),
        ] {
            let error = parse(&[flag, value]).expect_err(flag);
            assert!(error.is::<UsageError>(), "{error}");
            assert!(error.to_string().starts_with(flag), "{error}");
        }
        let error = parse(&["--min-len=2", "--max-len=1"]).expect_err("no length");
        assert!(error.is::<UsageError>() && error.to_string().contains("--max-len"), "{error}");
    }
}

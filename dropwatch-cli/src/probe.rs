//! Loading the BPF program, attaching it, and what it shares with us.

use std::{
    cell::{RefCell, RefMut},
    fs,
    os::fd::{AsFd, AsRawFd},
    rc::Rc,
};

use anyhow::{Context, Error, Result, bail};
use aya::{
    Ebpf, EbpfLoader, Pod,
    maps::{Array, HashMap, LpmTrie, Map, MapData, PerCpuArray, RingBuf, lpm_trie::Key},
    programs::{
        BtfTracePoint, TracePoint, tp_btf::BtfTracePointLinkId, trace_point::TracePointLinkId,
    },
};
use dropwatch_common::{
    config::{CONFIG_GLOBAL, Config as Globals},
    count::{BY_FLOW, BY_KEY, BY_NOTHING, PerProcessor, SampleRequest},
    counters::Counters,
    filter::{FILTERS_GLOBAL, Filters, REASON_FILTER_GLOBAL, ReasonFilter},
};
use log::debug;

use crate::{
    casts,
    config::Config,
    counts::kernel::Counts,
    filter::Chosen,
    iterators::Iterators,
    kernel::{Kernel, Tracepoint},
    refusal,
    stand_in_btf::{self, Kind},
};

/// The compiled program; `cargo xtask ebpf build` makes it.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("DROPWATCH_BPF_OBJECT"));
/// The tracepoint's name.
const TRACEPOINT: &str = "kfree_skb";
/// The tracepoint of queue disciplines, and the program for it.
const QDISC_TRACEPOINT: &str = "qdisc_drop";
/// The tries that filters look up.
const FUNCTIONS: &str = "FUNCTIONS";
const INPUTS: &str = "INPUTS";
const HOSTS: &str = "HOSTS";
/// The maps of counts.
const COUNTS: &str = "COUNTS";
const FLOWS: &str = "FLOWS";
/// The reader is woken without delay when this part of the ring is full.
const WAKE_AT_FRACTION: u32 = 4;

/// A plain struct that both sides share, to tell aya that it is one.
#[derive(Clone, Copy, Debug, Default)]
#[repr(transparent)]
pub(crate) struct Shared<T>(pub T);
// SAFETY: these are repr(C) without padding, made of integers, and valid for any bits.
unsafe impl Pod for Shared<Globals> {}
// SAFETY: as above.
unsafe impl Pod for Shared<ReasonFilter> {}
// SAFETY: as above.
unsafe impl Pod for Shared<Filters> {}
// SAFETY: as above.
unsafe impl Pod for Shared<PerProcessor> {}
// SAFETY: as above.
unsafe impl Pod for Shared<SampleRequest> {}

/// The program in the kernel.
pub struct Probe {
    /// Shared with the iterators, which outlive a borrow of the probe.
    ebpf: Rc<RefCell<Ebpf>>,
    tracepoint: Tracepoint,
    /// The one that is attached to the tracepoint.
    program: &'static str,
    link: Option<Link>,
    by_flow: bool,
    processors: PerCpuArray<MapData, Shared<PerProcessor>>,
}

enum Link {
    Btf(BtfTracePointLinkId),
    Event(TracePointLinkId),
}

/// A loader that has not read the kernel's BTF.
///
/// aya's reads all of it as soon as there is one, which takes as long as the rest of the start and
/// is of no use here. It does without where it cannot open the file. To be called before there are
/// other threads, which could not open files meanwhile.
pub fn loader() -> EbpfLoader<'static> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is a valid struct that outlives the call.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0;
    let set = |limit: libc::rlimit| {
        // SAFETY: as above.
        known && unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0
    };
    let closed = set(libc::rlimit { rlim_cur: 0, ..limit });
    let loader = EbpfLoader::new();
    if closed {
        set(limit);
    }
    loader
}

impl Probe {
    /// Loads the program for this kernel, with what the user wants built in.
    ///
    /// # Errors
    /// When the kernel refuses, with the cause where it can be told.
    pub fn load(
        loader: EbpfLoader<'_>,
        kernel: &Kernel,
        config: &Config,
        chosen: &Chosen,
    ) -> Result<Self> {
        let count_by = match (config.counts, config.table.counts_flows()) {
            (false, _) => BY_NOTHING,
            (true, false) => BY_KEY,
            (true, true) => BY_FLOW,
        };
        // No map can have room for nothing.
        let room_for = |by| if by == count_by { config.table.max_keys } else { 1 };
        let globals = Shared(globals(kernel, config, chosen, count_by));
        let cast = match kernel.tracepoint {
            Tracepoint::Btf { layout, .. } => layout.cast,
            Tracepoint::Event { .. } => None,
        };
        let casting = cast.map(|cast| Shared(Globals { casts: cast.to, ..globals.0 }));
        let reasons = Shared(chosen.reasons.unwrap_or(ReasonFilter::new(true)));
        let filters = Shared(chosen.filters);
        let log_level = if config.verbose { aya_log::Level::Debug as u8 } else { 0 };
        let mut loader: EbpfLoader<'_> = loader;
        loader
            .override_global(REASON_FILTER_GLOBAL, &reasons, true)
            .override_global(FILTERS_GLOBAL, &filters, true)
            .override_global(aya_log::LEVEL, &log_level, true)
            .map_max_entries("RECORDS", config.buffer_size)
            .map_max_entries(COUNTS, room_for(BY_KEY))
            .map_max_entries(FLOWS, room_for(BY_FLOW))
            .map_max_entries(FUNCTIONS, entries(&chosen.functions))
            .map_max_entries(HOSTS, entries(&chosen.hosts))
            .map_max_entries(INPUTS, entries(&chosen.inputs));
        let program = program(kernel.tracepoint, config);
        let mut load = |globals, function| {
            let object = casts::link(OBJECT, function);
            let loaded = loader.override_global(CONFIG_GLOBAL, globals, true).load(&object);
            let mut ebpf = loaded.map_err(refusal::explain)?;
            fill_filters(&mut ebpf, chosen)?;
            load_programs(&mut ebpf, program, kernel.tracepoint)?;
            Ok::<_, Error>(ebpf)
        };
        let casting = cast.zip(casting.as_ref()).and_then(|(cast, globals)| {
            let loaded = load(globals, Some(cast.function));
            loaded.inspect_err(|error| debug!("trying without casts: {error:#}")).ok()
        });
        let mut ebpf = match casting {
            Some(ebpf) => ebpf,
            None => load(&globals, None)?,
        };
        let processors = PerCpuArray::try_from(
            ebpf.take_map("PROCESSORS").context("the program has no counters")?,
        )?;
        let ebpf = Rc::new(RefCell::new(ebpf));
        Ok(Self {
            ebpf,
            tracepoint: kernel.tracepoint,
            program,
            link: None,
            by_flow: count_by == BY_FLOW,
            processors,
        })
    }

    /// The ring of records, and the reader's state; both can be taken once.
    ///
    /// # Errors
    /// When they have been taken.
    pub fn take_ring(&mut self) -> Result<(RingBuf<MapData>, Array<MapData, u32>)> {
        let mut ebpf = self.ebpf.borrow_mut();
        let mut take =
            |name| ebpf.take_map(name).with_context(|| format!("the program has no map {name}"));
        Ok((RingBuf::try_from(take("RECORDS")?)?, Array::try_from(take("READER")?)?))
    }

    /// The counts, which can be taken once.
    ///
    /// # Errors
    /// When they have been taken.
    pub fn take_counts(&mut self) -> Result<Counts> {
        let mut ebpf = self.ebpf.borrow_mut();
        let mut take =
            |name| ebpf.take_map(name).with_context(|| format!("the program has no map {name}"));
        let map = take(if self.by_flow { FLOWS } else { COUNTS })?;
        let Map::HashMap(map) = map else { bail!("the map of counts is no hash map") };
        Ok(Counts::new(map, self.by_flow, Array::try_from(take("SAMPLE_REQUEST")?)?))
    }

    /// Access for the reader of the program's own messages.
    pub fn ebpf_mut(&mut self) -> RefMut<'_, Ebpf> {
        self.ebpf.borrow_mut()
    }

    /// Loads the iterators over the kernel's processes, where the kernel has what they need. Best
    /// done when the probe is attached, and while there are the capabilities to load programs.
    pub fn iterators(&mut self) -> Option<Iterators> {
        let Tracepoint::Btf { layout, .. } = self.tracepoint else { return None };
        Iterators::load(Rc::clone(&self.ebpf), layout.iterators?)
    }

    /// From now on, drops are seen.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn attach(&mut self) -> Result<()> {
        let ebpf = &mut self.ebpf.borrow_mut();
        let link = match self.tracepoint {
            Tracepoint::Btf { qdisc_drop, .. } => {
                if qdisc_drop.is_some() {
                    // It only takes notes; its link may last as long as the program.
                    btf_program(ebpf, QDISC_TRACEPOINT)?.attach().map_err(refusal::explain)?;
                }
                btf_program(ebpf, self.program)?.attach().map(Link::Btf)
            }
            Tracepoint::Event { .. } => {
                event_program(ebpf, self.program)?.attach("skb", TRACEPOINT).map(Link::Event)
            }
        };
        self.link = Some(link.map_err(refusal::explain)?);
        Ok(())
    }

    /// From now on, no more drops are seen; the counters and the ring stay.
    ///
    /// # Errors
    /// When the link cannot be taken down.
    pub fn detach(&mut self) -> Result<()> {
        let ebpf = &mut self.ebpf.borrow_mut();
        match self.link.take() {
            Some(Link::Btf(link)) => btf_program(ebpf, self.program)?.detach(link)?,
            Some(Link::Event(link)) => event_program(ebpf, self.program)?.detach(link)?,
            None => {}
        }
        Ok(())
    }

    /// The counters of all processors together.
    ///
    /// # Errors
    /// When the kernel does not give them.
    pub fn counters(&self) -> Result<Counters> {
        Ok(self.processors()?.iter().fold(Counters::default(), |sum, one| sum + one.counters))
    }

    /// What each processor keeps for itself.
    ///
    /// # Errors
    /// When the kernel does not give it.
    pub fn processors(&self) -> Result<Vec<PerProcessor>> {
        let each = self.processors.get(&0, 0).context("cannot read the counters")?;
        Ok(each.iter().map(|Shared(one)| *one).collect())
    }

    /// How often the kernel did not run the program because the processor was in it already.
    /// 0 where the kernel does not tell (before 5.12, commit 9ed9e9ba2337).
    pub fn missed(&mut self) -> u64 {
        let ebpf = &mut self.ebpf.borrow_mut();
        let fd = match self.tracepoint {
            Tracepoint::Btf { .. } => {
                btf_program(ebpf, self.program).and_then(|program| Ok(program.fd()?))
            }
            Tracepoint::Event { .. } => {
                event_program(ebpf, self.program).and_then(|program| Ok(program.fd()?))
            }
        };
        let missed = fd.and_then(|fd| {
            let fd = fd.as_fd().as_raw_fd();
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}"))?;
            let count = info.lines().find_map(|line| line.strip_prefix("recursion_misses:"));
            Ok(count.map(|count| count.trim().parse()).transpose()?.unwrap_or(0))
        });
        missed.unwrap_or_else(|error: Error| {
            debug!("cannot read how many drops were missed: {error:#}");
            0
        })
    }
}

/// What the program is to know.
fn globals(kernel: &Kernel, config: &Config, chosen: &Chosen, count_by: u32) -> Globals {
    let mut globals = Globals {
        has_reason: kernel.has_reason.into(),
        filter_reasons: chosen.reasons.is_some().into(),
        filter_others: chosen.asks_more_than_reasons().into(),
        filter_functions: (!chosen.functions.is_empty()).into(),
        filter_hosts: (!chosen.hosts.is_empty()).into(),
        sample: chosen.sample,
        rate_limit: chosen.rate_limit,
        count_by,
        samples: config.samples.into(),
        wake_at: config.buffer_size / WAKE_AT_FRACTION,
        ..Globals::EMPTY
    };
    match kernel.tracepoint {
        Tracepoint::Btf { prototype, layout, qdisc_drop } => {
            globals.structs = layout.structs;
            globals.vlan_present_mask = layout.vlan_present_mask.into();
            globals.preempt_count = layout.preempt_count;
            globals.has_rx_sk = prototype.rx_sk.into();
            let coarse = kernel.reasons.coarse_qdisc_reason().filter(|_| qdisc_drop.is_some());
            globals.coarse_qdisc_reason = coarse.map_or(0, |reason| reason.raw);
        }
        Tracepoint::Event { event } => globals.event = event,
    }
    globals
}

/// Puts what the filters look up into its maps.
fn fill_filters(ebpf: &mut Ebpf, chosen: &Chosen) -> Result<()> {
    let functions = chosen.functions.iter();
    let functions = functions.map(|(len, first, bits)| (*len, first.to_be_bytes(), *bits));
    fill(ebpf, FUNCTIONS, functions)?;
    fill(ebpf, HOSTS, chosen.hosts.iter().copied())?;
    fill_inputs(ebpf, &chosen.inputs)
}

/// Has the kernel verify the programs.
fn load_programs(ebpf: &mut Ebpf, program: &str, tracepoint: Tracepoint) -> Result<()> {
    match tracepoint {
        Tracepoint::Btf { prototype, qdisc_drop, .. } => {
            load_btf_program(ebpf, program, TRACEPOINT, prototype.typedef_id)?;
            match qdisc_drop {
                Some(id) => load_btf_program(ebpf, QDISC_TRACEPOINT, QDISC_TRACEPOINT, id),
                None => Ok(()),
            }
        }
        Tracepoint::Event { .. } => event_program(ebpf, program)?.load().map_err(refusal::explain),
    }
}

/// How many entries a map is to have room for: no map can have none.
fn entries<T>(list: &[T]) -> u32 {
    list.len().max(1) as u32
}

/// Puts devices with their bits into the map of those that packets came in by.
fn fill_inputs(ebpf: &mut Ebpf, entries: &[(u64, u32)]) -> Result<()> {
    let map = ebpf.map_mut(INPUTS).with_context(|| format!("the program has no map {INPUTS}"))?;
    let mut inputs = HashMap::<_, u64, u32>::try_from(map)?;
    for (key, bits) in entries {
        let inserted = inputs.insert(key, bits, 0);
        inserted.with_context(|| format!("the kernel refused an entry of the map {INPUTS}"))?;
    }
    Ok(())
}

/// Puts prefixes with their bits into a trie.
fn fill<K: Pod>(
    ebpf: &mut Ebpf,
    name: &str,
    entries: impl Iterator<Item = (u32, K, u32)>,
) -> Result<()> {
    let map = ebpf.map_mut(name).with_context(|| format!("the program has no map {name}"))?;
    let mut trie = LpmTrie::<_, K, u32>::try_from(map)?;
    for (len, data, bits) in entries {
        let inserted = trie.insert(&Key::new(len, data), bits, 0);
        inserted.with_context(|| format!("the kernel refused an entry of the map {name}"))?;
    }
    Ok(())
}

fn btf_program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut BtfTracePoint> {
    let program =
        ebpf.program_mut(name).with_context(|| format!("the BPF object has no program {name}"))?;
    Ok(program.try_into()?)
}

/// The program for what the user wants, on a kernel that has this.
fn program(tracepoint: Tracepoint, config: &Config) -> &'static str {
    match (tracepoint, config.counts, config.wants_stacks()) {
        (Tracepoint::Btf { .. }, true, _) => "kfree_skb_count",
        (Tracepoint::Btf { .. }, false, true) => "kfree_skb_stack",
        (Tracepoint::Btf { .. }, false, false) => "kfree_skb",
        (Tracepoint::Event { .. }, true, _) => "kfree_skb_event_count",
        (Tracepoint::Event { .. }, false, true) => "kfree_skb_event_stack",
        (Tracepoint::Event { .. }, false, false) => "kfree_skb_event",
    }
}

fn load_btf_program(
    ebpf: &mut Ebpf,
    program: &str,
    tracepoint: &str,
    typedef_id: u32,
) -> Result<()> {
    let btf = stand_in_btf::with(Kind::Typedef, &format!("btf_trace_{tracepoint}"), typedef_id)?;
    btf_program(ebpf, program)?.load(tracepoint, &btf).map_err(refusal::explain)
}

fn event_program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut TracePoint> {
    let program =
        ebpf.program_mut(name).with_context(|| format!("the BPF object has no program {name}"))?;
    Ok(program.try_into()?)
}

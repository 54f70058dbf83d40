//! Loading the BPF program, attaching it, and what it shares with us.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd},
};

use anyhow::{Context, Error, Result, anyhow};
use aya::{
    Ebpf, EbpfLoader, Pod,
    maps::{Array, MapData, MapError, PerCpuArray, RingBuf},
    programs::{BtfTracePoint, ProgramError, tp_btf::BtfTracePointLinkId},
};
use dropwatch_common::{
    config::{CONFIG_GLOBAL, Config as Globals, REASON_FILTER_GLOBAL, ReasonFilter},
    counters::Counters,
};
use log::debug;

use crate::{config::Config, kernel::Kernel, stand_in_btf};

/// The compiled program; `cargo xtask ebpf build` makes it.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("DROPWATCH_BPF_OBJECT"));
const PROGRAM: &str = "kfree_skb";
/// The reader is woken without delay when this part of the ring is full.
const WAKE_AT_FRACTION: u32 = 4;

/// A plain struct that both sides share, to tell aya that it is one.
#[derive(Clone, Copy, Debug, Default)]
#[repr(transparent)]
struct Shared<T>(T);
// SAFETY: these are repr(C) without padding, made of integers, and valid for any bits.
unsafe impl Pod for Shared<Globals> {}
// SAFETY: as above.
unsafe impl Pod for Shared<ReasonFilter> {}
// SAFETY: as above.
unsafe impl Pod for Shared<Counters> {}

/// The program in the kernel.
pub struct Probe {
    ebpf: Ebpf,
    link: Option<BtfTracePointLinkId>,
    counters: PerCpuArray<MapData, Shared<Counters>>,
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
        filter: Option<&ReasonFilter>,
    ) -> Result<Self> {
        let globals = Shared(Globals {
            skb_protocol: kernel.layout.skb_protocol,
            skb_len: kernel.layout.skb_len,
            task_comm: kernel.layout.task_comm,
            has_rx_sk: kernel.prototype.rx_sk.into(),
            filter_reasons: filter.is_some().into(),
            stacks: config.stack.is_some().into(),
            wake_at: config.buffer_size / WAKE_AT_FRACTION,
            reserved: 0,
        });
        let filter = Shared(filter.copied().unwrap_or(ReasonFilter::new(true)));
        let log_level = if config.verbose { aya_log::Level::Debug as u8 } else { 0 };
        let mut loader: EbpfLoader<'_> = loader;
        let mut ebpf = loader
            .override_global(CONFIG_GLOBAL, &globals, true)
            .override_global(REASON_FILTER_GLOBAL, &filter, true)
            .override_global(aya_log::LEVEL, &log_level, true)
            .map_max_entries("RECORDS", config.buffer_size)
            .load(OBJECT)
            .map_err(refused)?;
        let btf = stand_in_btf::with_typedef("btf_trace_kfree_skb", kernel.prototype.typedef_id)?;
        program(&mut ebpf)?.load(PROGRAM, &btf).map_err(refused)?;
        let counters = PerCpuArray::try_from(
            ebpf.take_map("COUNTERS").context("the program has no counters")?,
        )?;
        Ok(Self { ebpf, link: None, counters })
    }

    /// The ring of records, and the reader's state; both can be taken once.
    ///
    /// # Errors
    /// When they have been taken.
    pub fn take_ring(&mut self) -> Result<(RingBuf<MapData>, Array<MapData, u32>)> {
        let mut take = |name| {
            self.ebpf.take_map(name).with_context(|| format!("the program has no map {name}"))
        };
        Ok((RingBuf::try_from(take("RECORDS")?)?, Array::try_from(take("READER")?)?))
    }

    /// Access for the reader of the program's own messages.
    pub fn ebpf_mut(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }

    /// From now on, drops are seen.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn attach(&mut self) -> Result<()> {
        self.link = Some(program(&mut self.ebpf)?.attach().map_err(refused)?);
        Ok(())
    }

    /// From now on, no more drops are seen; the counters and the ring stay.
    ///
    /// # Errors
    /// When the link cannot be taken down.
    pub fn detach(&mut self) -> Result<()> {
        if let Some(link) = self.link.take() {
            program(&mut self.ebpf)?.detach(link)?;
        }
        Ok(())
    }

    /// The counters of all processors together.
    ///
    /// # Errors
    /// When the kernel does not give them.
    pub fn counters(&self) -> Result<Counters> {
        let each = self.counters.get(&0, 0).context("cannot read the counters")?;
        Ok(each.iter().fold(Counters::default(), |sum, Shared(one)| Counters {
            seen: sum.seen + one.seen,
            matched: sum.matched + one.matched,
            lost: sum.lost + one.lost,
            stack_failed: sum.stack_failed + one.stack_failed,
        }))
    }

    /// How often the kernel did not run the program because the processor was in it already.
    /// 0 where the kernel does not tell (before 5.12, commit 9ed9e9ba2337).
    pub fn missed(&mut self) -> u64 {
        let missed = program(&mut self.ebpf).and_then(|program| {
            let fd = program.fd()?.as_fd().as_raw_fd();
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

fn program(ebpf: &mut Ebpf) -> Result<&mut BtfTracePoint> {
    let program = ebpf.program_mut(PROGRAM).context("the BPF object has no program kfree_skb")?;
    Ok(program.try_into()?)
}

/// What the kernel's refusal means, where that can be told.
fn refused(error: impl Into<Error>) -> Error {
    let error = error.into();
    for cause in error.chain() {
        if let Some(MapError::CreateError { name, io_error }) = cause.downcast_ref() {
            return map_refused(name, io_error);
        }
        if let Some(ProgramError::LoadError { io_error, verifier_log }) = cause.downcast_ref() {
            debug!("the verifier's log:\n{verifier_log}");
            return anyhow!(
                "the kernel refused the BPF program ({io_error}); --verbose shows its reasons"
            );
        }
    }
    error.context("the kernel refused the BPF program")
}

fn map_refused(name: &str, error: &io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EPERM) => anyhow!(
            "the kernel refused memory for the map {name} ({error}): this kernel counts it as locked memory; \
             raise the limit with `ulimit -l unlimited`, or run dropwatch through sudo or as root"
        ),
        Some(libc::ENOMEM | libc::E2BIG) => anyhow!(
            "the kernel has no room for the map {name} ({error}); choose a smaller --buffer-size"
        ),
        _ => anyhow!("the kernel refused the map {name} ({error})"),
    }
}

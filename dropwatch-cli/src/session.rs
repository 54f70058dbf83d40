//! What all tracing begins with: find out about the kernel, load the program, attach it, and only
//! then get ready for what it has to say.

use std::time::Instant;

use anyhow::Result;
use log::debug;

use crate::{
    clock::Clock,
    command::Running,
    config::Config,
    diagnostics,
    kernel::{Kernel, Tracepoint},
    memory, notice, preflight, privileges,
    probe::{self, Probe},
    reconcile::Reconciliation,
    render::sources::Sources,
    ring::Reader,
    stop::Stop,
    symbols::Symbols,
    world::World,
};

/// Tracing that has begun.
pub struct Session {
    /// The program, attached.
    pub probe: Probe,
    /// What the program sends.
    pub reader: Reader,
    /// What ends tracing.
    pub stop: Stop,
    /// When the program was attached.
    pub begin: Instant,
    /// What things are called.
    pub sources: Sources,
    /// The kernel's own counters.
    pub reconciliation: Reconciliation,
}

impl Session {
    /// Begins. Has to be called in the runtime that reads the ring.
    ///
    /// # Errors
    /// When drops cannot be traced, with the cause and the remedy.
    pub fn begin(config: &Config) -> Result<Self> {
        let start = Instant::now();
        let loader = probe::loader();
        let mut kernel = Kernel::resolve(config.without)?;
        debug!("{:?}, read after {:?}", kernel.tracepoint, start.elapsed());
        if let Tracepoint::Event { .. } = kernel.tracepoint {
            config.check_without_btf()?;
            notice!(
                "tracing without BTF: packet, length, device and socket are unknown, and of the reasons \
                 only the kernel's core ones have names"
            );
        }
        let filters = config.filters.resolve(&mut kernel)?;
        for fail_on in &config.fail_on {
            fail_on.check(&mut kernel.reasons, filters.reasons.as_ref())?;
        }
        preflight::check()?;

        let mut probe = Probe::load(loader, &kernel, config, &filters)?;
        if config.verbose {
            diagnostics::follow(&mut probe)?;
        }
        let (ring, reader_state) = probe.take_ring()?;
        let reader = Reader::new(ring, reader_state)?;
        let mut stop = Stop::new()?;

        let reconciliation = Reconciliation::begin(config.reconcile, &filters);
        probe.attach()?;
        let begin = Instant::now();
        debug!("attached after {:?}", begin - start);
        stop.after(config.duration);

        // Later they could not be loaded, and sooner they would delay the attaching.
        let iterators = if config.names_processes() { probe.iterators() } else { None };
        let world = World::of_running_kernel(iterators);
        memory::give_back();
        // Threads keep the capabilities that they begin with, so these are dropped before.
        privileges::drop_all_but_reading()?;
        if let Some(notice) = config.filters.notice() {
            notice!("{notice}");
        }
        let symbols = if preflight::addresses_visible() {
            Symbols::of_running_kernel(config.wants_stacks())
        } else {
            notice!(
                "the kernel hides its addresses (kernel.kptr_restrict), so functions are shown as numbers; \
                 run dropwatch with CAP_SYSLOG and kernel.kptr_restrict at most 1"
            );
            Symbols::none()
        };
        if !config.command.is_empty() {
            stop.with(Running::start(&config.command)?);
        }
        let sources = Sources { reasons: kernel.reasons, symbols, clock: Clock::system(), world };
        Ok(Self { probe, reader, stop, begin, sources, reconciliation })
    }
}

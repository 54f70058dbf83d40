//! `dropwatch`: tells why the Linux kernel is dropping packets.

use std::{process::ExitCode, time::Instant};

use anyhow::Result;
use clap::Parser;
use dropwatch::{
    accounting::Account,
    cli::{Cli, Command},
    clock::Clock,
    config::{Config, UsageError},
    diagnostics,
    kernel::{Kernel, Tracepoint},
    list_reasons, memory,
    output::{Ending, Output},
    preflight, privileges,
    probe::{self, Probe},
    render::{self, sources::Sources},
    ring::Reader,
    stop::Stop,
    stream::{Ended, Stream},
    symbols::Symbols,
    world::World,
};
use log::debug;

const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dropwatch: {error:#}");
            if error.is::<UsageError>() { ExitCode::from(USAGE_ERROR) } else { ExitCode::FAILURE }
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Some(Command::ListReasons(args)) => list_reasons::run(&args),
        None => trace(&Config::new(&cli.trace)?),
    }
}

/// Streams drops: the way of a drop from top to bottom.
#[tokio::main(flavor = "current_thread")]
async fn trace(config: &Config) -> Result<()> {
    memory::keep_small();
    if config.verbose {
        diagnostics::enable();
    }
    let start = Instant::now();
    let loader = probe::loader();
    let mut kernel = Kernel::resolve(config.without)?;
    debug!("{:?}, read after {:?}", kernel.tracepoint, start.elapsed());
    if let Tracepoint::Event { .. } = kernel.tracepoint {
        eprintln!(
            "dropwatch: tracing without BTF: packet, length, device and socket are unknown, and of the reasons \
             only the kernel's core ones have names"
        );
    }
    let filters = config.filters.resolve(&mut kernel)?;
    preflight::check()?;

    let mut probe = Probe::load(loader, &kernel, config, &filters)?;
    if config.verbose {
        diagnostics::follow(&mut probe)?;
    }
    let (ring, reader_state) = probe.take_ring()?;
    let reader = Reader::new(ring, reader_state)?;
    let mut stop = Stop::new()?;

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
        eprintln!("dropwatch: {notice}");
    }
    let output = Output::start()?;
    let symbols = if preflight::addresses_visible() {
        Symbols::of_running_kernel(config.stack.is_some())
    } else {
        eprintln!(
            "dropwatch: the kernel hides its addresses (kernel.kptr_restrict), so functions are shown as numbers; \
             run dropwatch with CAP_SYSLOG and kernel.kptr_restrict at most 1"
        );
        Symbols::none()
    };
    let sources = Sources { reasons: kernel.reasons, symbols, clock: Clock::system(), world };
    let mut render = render::of(config, sources);
    let mut stream = Stream::new(reader, render.as_mut(), &output, config.count);
    let ended = stream.run(&mut stop, &probe).await;
    let elapsed = begin.elapsed();
    probe.detach()?;
    let drained =
        matches!(ended, Ok(Ended::OutputClosed)) || stream.drain(&mut stop, &probe).await?;
    let malformed = stream.malformed();

    let shown = output.shown();
    let written = if drained { output.finish(&mut stop).await } else { Ok(Ending::Abandoned) };
    let reader_gone = match (&ended, &written) {
        (_, Ok(Ending::ReaderGone)) | (Ok(Ended::OutputClosed), Ok(_)) => true,
        (_, Ok(Ending::Complete | Ending::Abandoned) | Err(_)) => false,
    };
    if !reader_gone {
        let (counters, missed) = (probe.counters()?, probe.missed());
        eprintln!(
            "dropwatch: {}",
            Account { counters, shown: shown.get(), malformed, missed, elapsed }
        );
    }
    ended.and(written).map(drop)
}

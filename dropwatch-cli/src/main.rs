//! `dropwatch`: tells why the Linux kernel is dropping packets.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use dropwatch::{
    accounting::Account,
    cli::{Cli, Command},
    config::{Config, UsageError},
    diagnostics,
    export::Exports,
    list_reasons, memory,
    output::{Ending, Output, print},
    render::{self, plain_table},
    report,
    session::Session,
    stream::{Ended, Stream},
    summary, top,
};

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
        Some(Command::Report(args)) => report::run(&args),
        Some(Command::Top(args)) => trace(&Config::of_top(&args)?),
        None => trace(&Config::new(&cli.trace)?),
    }
}

/// Traces drops: counts them in the kernel, or streams them.
#[tokio::main(flavor = "current_thread")]
async fn trace(config: &Config) -> Result<()> {
    memory::keep_small();
    if config.verbose {
        diagnostics::enable();
    }
    match &config.top {
        Some(top) => top::run(config, top).await,
        None if config.counts => summary::run(config).await,
        None => stream(config).await,
    }
}

/// Streams drops: the way of a drop from top to bottom.
async fn stream(config: &Config) -> Result<()> {
    let exports =
        Exports::new(config.capture.as_deref(), config.flamegraph.as_deref(), config.folded)?;
    let Session { mut probe, reader, mut stop, begin, sources } = Session::begin(config)?;
    let output = Output::start()?;
    let mut render = render::of(config, sources);
    let counts = config.table.local_counts();
    let mut stream = Stream::new(reader, render.as_mut(), counts, exports, &output, config.count);
    let ended = stream.run(&mut stop, &probe).await;
    let elapsed = begin.elapsed();
    probe.detach()?;
    let drained = match ended {
        Ok(Ended::Requested | Ended::LimitReached) => stream.drain(&mut stop, &probe).await?,
        Ok(Ended::OutputClosed) | Err(_) => true,
    };
    let malformed = stream.malformed();
    let (counts, mut exports) = stream.into_parts();
    let exported = exports.finish();

    let shown = output.shown();
    let written = if drained { output.finish(&mut stop).await } else { Ok(Ending::Abandoned) };
    let reader_gone = match (&ended, &written) {
        (_, Ok(Ending::ReaderGone)) | (Ok(Ended::OutputClosed), Ok(_)) => true,
        (_, Ok(Ending::Complete | Ending::Abandoned) | Err(_)) => false,
    };
    if config.folded {
        print(&exports.folded())?;
    }
    if !reader_gone {
        let (counters, missed) = (probe.counters()?, probe.missed());
        if shown.get() > 0 {
            let mut text = Vec::new();
            plain_table::write_counts(counts, &config.table, render.sources(), &mut text);
            eprint!("{}", String::from_utf8_lossy(&text));
        }
        eprintln!(
            "dropwatch: {}",
            Account { counters, shown: shown.get(), malformed, missed, elapsed }
        );
    }
    ended.and(written).and(exported)
}

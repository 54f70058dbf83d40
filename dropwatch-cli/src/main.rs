//! `dropwatch`: tells why the Linux kernel is dropping packets.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use dropwatch::{
    accounting::Account,
    cli::{Cli, Command},
    config::{Config, UsageError},
    counts::local::LocalCounts,
    diagnostics, list_reasons, memory,
    output::{Ending, Output},
    counts::table::Table,
    render::{self, plain_table::{self, Rates}},
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
    let Session { mut probe, reader, mut stop, begin, sources } = Session::begin(config)?;
    let output = Output::start()?;
    let mut render = render::of(config, sources);
    let counts = LocalCounts::new(config.table.max_keys as usize, config.table.counts_flows());
    let mut stream = Stream::new(reader, render.as_mut(), counts, &output, config.count);
    let ended = stream.run(&mut stop, &probe).await;
    let elapsed = begin.elapsed();
    probe.detach()?;
    let drained =
        matches!(ended, Ok(Ended::OutputClosed)) || stream.drain(&mut stop, &probe).await?;
    let malformed = stream.malformed();
    let counted = stream.counted();

    let shown = output.shown();
    let written = if drained { output.finish(&mut stop).await } else { Ok(Ending::Abandoned) };
    let reader_gone = match (&ended, &written) {
        (_, Ok(Ending::ReaderGone)) | (Ok(Ended::OutputClosed), Ok(_)) => true,
        (_, Ok(Ending::Complete | Ending::Abandoned) | Err(_)) => false,
    };
    if !reader_gone {
        let (counters, missed) = (probe.counters()?, probe.missed());
        if shown.get() > 0 {
            let mut table = Table::new(config.table.by.clone(), 0);
            table.feed(&counted);
            let (mut text, rates) = (Vec::new(), Rates::Mean(elapsed.as_secs_f64()));
            plain_table::write(&table, &config.table, rates, render.sources(), &mut text);
            eprint!("{}", String::from_utf8_lossy(&text));
        }
        eprintln!(
            "dropwatch: {}",
            Account { counters, shown: shown.get(), malformed, missed, elapsed }
        );
    }
    ended.and(written).map(drop)
}

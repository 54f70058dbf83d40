//! `dropwatch`: tells why the Linux kernel is dropping packets.

use std::process::ExitCode;

use anyhow::Result;
use dropwatch::{
    accounting::Account,
    baseline::Baseline,
    cli::{self, Cli, Command},
    command::CannotStart,
    config::{Config, UsageError},
    diagnostics, doctor,
    explain::{self, hints::Hints},
    export::Exports,
    list_reasons, memory, notice,
    output::{Chunk, Ending, Output, Target},
    render::{self, plain_table},
    report,
    session::Session,
    stream::{Ended, Stream},
    summary, top,
    verdict::Verdict,
};

const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    run(cli::parse()).unwrap_or_else(|error| {
        notice!("{error:#}");
        if error.is::<UsageError>() {
            ExitCode::from(USAGE_ERROR)
        } else if let Some(error) = error.downcast_ref::<CannotStart>() {
            ExitCode::from(error.status())
        } else {
            ExitCode::FAILURE
        }
    })
}

fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Some(Command::ListReasons(args)) => list_reasons::run(&args)?,
        Some(Command::Explain(args)) => explain::run(&args)?,
        Some(Command::Doctor(args)) => return doctor::run(&args),
        Some(Command::Report(args)) => report::run(&args)?,
        Some(Command::Top(args)) => return Ok(trace(&Config::of_top(&args)?)?.status()),
        None if cli.trace.explain_tags => explain::tags(cli.trace.json)?,
        None => return Ok(trace(&Config::new(&cli.trace)?)?.status()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Traces drops: counts them in the kernel, or streams them.
#[tokio::main(flavor = "current_thread")]
async fn trace(config: &Config) -> Result<Verdict> {
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
async fn stream(config: &Config) -> Result<Verdict> {
    // Files are opened while there are the rights to do so.
    let baseline = config.baseline.as_deref().map(Baseline::read).transpose()?;
    let target = config.output.as_deref().map(Target::create).transpose()?;
    // Where drops are shown, that says what their reasons mean.
    let hints = if config.silent { Hints::wanted(config.hints)? } else { None };
    let exports =
        Exports::new(config.capture.as_deref(), config.flamegraph.as_deref(), config.folded)?;
    let Session { mut probe, reader, mut stop, begin, sources, reconciliation } =
        Session::begin(config)?;
    let output = Output::start(target)?;
    let mut render = render::of(config, sources)?;
    let counts = config.table.local_counts();
    let mut stream = Stream::new(reader, render.as_mut(), counts, exports, &output, config.count);
    let ended = stream.run(&mut stop, &probe).await;
    let elapsed = begin.elapsed();
    probe.detach()?;
    let moved = reconciliation.end();
    let drained = match ended {
        Ok(Ended::Requested | Ended::LimitReached) => stream.drain(&mut stop, &probe).await?,
        Ok(Ended::OutputClosed) | Err(_) => true,
    };
    let (hidden, malformed) = (stream.hidden(), stream.malformed());
    let (counts, mut exports) = stream.into_parts();
    let exported = exports.finish();

    if config.folded
        && drained
        && let Some(room) = output.room().await
    {
        room.send(Chunk { text: exports.folded(), ..Chunk::default() });
    }
    let shown = output.shown();
    let written = if drained { output.finish(&mut stop).await } else { Ok(Ending::Abandoned) };
    let reader_gone = match (&ended, &written) {
        (_, Ok(Ending::ReaderGone)) | (Ok(Ended::OutputClosed), Ok(_)) => true,
        (_, Ok(Ending::Complete | Ending::Abandoned) | Err(_)) => false,
    };
    let (mut snapshot, seconds) = (counts.snapshot(), counts.seconds());
    let sources = render.sources();
    let reconciled = moved.text(&snapshot, sources);
    let verdict = Verdict::of(config, baseline.as_ref(), &mut snapshot, sources, &stop);
    if !reader_gone {
        let (counters, missed, shown) = (probe.counters()?, probe.missed(), shown.get());
        if shown > 0 {
            let mut text = Vec::new();
            plain_table::write_snapshot(
                &snapshot,
                seconds,
                &config.table,
                hints.as_ref(),
                sources,
                &mut text,
            );
            eprint!("{}", String::from_utf8_lossy(&text));
        }
        eprint!("{reconciled}");
        let usual = verdict.usual;
        let account = Account { counters, shown, hidden, malformed, missed, usual, elapsed };
        eprintln!("dropwatch: {account}");
    }
    ended.and(written).and(exported).map(|()| verdict)
}

//! `dropwatch report`: what a recording has to say, on any machine and without rights.

mod shown;

use std::{
    fs,
    io::{self, ErrorKind, Write, stdout},
    path::Path,
};

use anyhow::{Context, Result};

use crate::{
    cli::ReportArgs,
    clock::Clock,
    export::{Export, flamegraph, folded::Folded, pcapng::Pcapng},
    filter::Patterns,
    kernel::reasons::Reasons,
    recording::{self, Item, Recording},
    render::sources::Sources,
    symbols::Symbols,
    world::World,
};
use shown::Shown;

/// As much output as is collected before it is written.
const CHUNK_SIZE: usize = 64 << 10;
/// Most damaged lines that are told one by one.
const MAX_TOLD: u64 = 5;

/// Reports.
///
/// # Errors
/// When the arguments have no meaning, a recording cannot be read, or something not be written.
pub fn run(args: &ReportArgs) -> Result<()> {
    let patterns = Patterns::parse(&args.filters)?;
    patterns.check_recorded()?;
    let mut report = Report {
        patterns,
        shown: Shown::new(args, nothing_known())?,
        capture: match &args.write {
            Some(path) => {
                refuse_overwriting(path, args)?;
                Some(Pcapng::create(path)?)
            }
            None => None,
        },
        stacks: args.flamegraph.as_ref().map(|_| Folded::default()),
        out: Vec::new(),
        counts: Counts::default(),
    };
    let read = report.read(args);
    // What was read is shown, also where more could not be.
    match read.and(report.finish(args)) {
        Err(error) if is_reader_gone(&error) => Ok(()),
        result => result,
    }
}

/// Everything that is made of a recording.
struct Report {
    patterns: Patterns,
    shown: Shown,
    capture: Option<Pcapng<io::BufWriter<fs::File>>>,
    stacks: Option<Folded>,
    /// What is to be printed.
    out: Vec<u8>,
    counts: Counts,
}

/// What became of what was read.
#[derive(Default)]
struct Counts {
    read: u64,
    matched: u64,
    damaged: u64,
}

impl Report {
    fn read(&mut self, args: &ReportArgs) -> Result<()> {
        self.shown.heading(&mut self.out);
        for path in &args.files {
            self.read_file(path)?;
        }
        Ok(())
    }

    fn read_file(&mut self, path: &Path) -> Result<()> {
        let mut recording = Recording::open(path)?;
        let of_path = || format!("{}", path.display());
        while let Some(item) = recording.next().with_context(of_path)? {
            match item {
                Item::Drop(recorded) => self.take(*recorded)?,
                Item::Damaged { line, why } => {
                    self.counts.damaged += 1;
                    if self.counts.damaged <= MAX_TOLD {
                        eprintln!("dropwatch: {}: line {line} is no drop: {why}", path.display());
                    }
                }
                Item::CutOff { lines, why } => eprintln!(
                    "dropwatch: {} is cut off after line {lines} ({why}); this is what was before",
                    path.display()
                ),
            }
        }
        Ok(())
    }

    fn take(&mut self, recorded: recording::line::Recorded) -> Result<()> {
        let recording::line::Recorded { drop, names } = recorded;
        let sources = self.shown.sources();
        recording::learn(sources, &drop, names);
        self.counts.read += 1;
        if !self.patterns.pass_recorded(&drop, &drop.packet(), sources) {
            return Ok(());
        }
        self.counts.matched += 1;
        if let Some(capture) = &mut self.capture {
            capture.drop(&drop, sources)?;
        }
        if let Some(stacks) = &mut self.stacks {
            stacks.add(&drop, sources);
        }
        self.shown.drop(&drop, &mut self.out);
        if self.out.len() >= CHUNK_SIZE {
            self.print()?;
        }
        Ok(())
    }

    fn print(&mut self) -> Result<()> {
        stdout().lock().write_all(&self.out).context("cannot write to standard output")?;
        self.out.clear();
        Ok(())
    }

    fn finish(&mut self, args: &ReportArgs) -> Result<()> {
        if let Some(capture) = &mut self.capture {
            capture.finish()?;
        }
        if let (Some(stacks), Some(path)) = (&self.stacks, &args.flamegraph) {
            flamegraph::draw(stacks, path)?;
        }
        self.shown.finish(&mut self.out);
        self.print()?;
        let Counts { read, matched, damaged } = self.counts;
        eprint!("dropwatch: read {read}, matched {matched}");
        if damaged > 0 {
            eprint!("; {damaged} lines are no drops");
        }
        eprintln!();
        Ok(())
    }
}

/// Sources that know only what a recording teaches them.
fn nothing_known() -> Sources {
    Sources {
        reasons: Reasons::default(),
        symbols: Symbols::none(),
        clock: Clock::of_unix_time(),
        world: World::nothing(),
    }
}

/// Fails where the capture would be written into the recording that it is made of.
fn refuse_overwriting(path: &Path, args: &ReportArgs) -> Result<()> {
    let same = |file: &&std::path::PathBuf| {
        fs::canonicalize(file).is_ok_and(|file| fs::canonicalize(path).is_ok_and(|it| it == file))
    };
    match args.files.iter().find(same) {
        Some(file) => {
            let message = format!("--write {} is the recording itself", file.display());
            Err(crate::config::UsageError(message).into())
        }
        None => Ok(()),
    }
}

/// Whether an error only says that nobody reads the output any more, as in `| head`.
fn is_reader_gone(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(ErrorKind::BrokenPipe)
}

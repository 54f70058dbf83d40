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
    explain::Entries,
    export::Exports,
    filter::{
        Patterns,
        nearest::nearest,
        reason::{raw_number, short_name},
    },
    harmless::Tagger,
    recording::{self, Item, Recording},
    render::sources::Sources,
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
    for path in [&args.write, &args.flamegraph].into_iter().flatten() {
        refuse_overwriting(path, args)?;
    }
    let mut report = Report {
        patterns,
        shown: Shown::new(args, Sources::of_recording())?,
        exports: Exports::new(args.write.as_deref(), args.flamegraph.as_deref(), args.folded)?,
        tagger: args.no_noise.then(Tagger::default),
        out: Vec::new(),
        counts: Counts::default(),
    };
    let read = report.read(args);
    if read.is_err() && report.counts.read == 0 {
        return read;
    }
    // What was read is shown, also where more could not be.
    let finished = report.finish();
    match read.and(finished) {
        Err(error) if is_reader_gone(&error) => Ok(()),
        result => result,
    }
}

/// Everything that is made of a recording.
struct Report {
    patterns: Patterns,
    shown: Shown,
    exports: Exports,
    /// Where drops that are likely harmless are to be left out.
    tagger: Option<Tagger>,
    /// What is to be printed.
    out: Vec<u8>,
    counts: Counts,
}

/// What became of what was read.
#[derive(Default)]
struct Counts {
    read: u64,
    matched: u64,
    hidden: u64,
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
        while let Some(item) = recording.read().with_context(of_path)? {
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
        if let Some(tagger) = &mut self.tagger
            && tagger.tag(&drop, sources).is_some()
        {
            self.counts.hidden += 1;
            return Ok(());
        }
        self.exports.add(&drop, sources)?;
        self.shown.drop(&drop, &mut self.out);
        if self.out.len() >= CHUNK_SIZE {
            print(&mut self.out)?;
        }
        Ok(())
    }

    /// Tells of names that mean nothing: neither a reason in the recording, nor one of any kernel,
    /// which would pass for one that did not happen.
    fn tell_unknown_reasons(&mut self) -> Result<()> {
        if self.patterns.reasons.is_empty() {
            return Ok(());
        }
        let (entries, reasons) = (Entries::load()?, &self.shown.sources().reasons);
        for pattern in &self.patterns.reasons {
            let text = pattern.text();
            let is_known = raw_number(text).is_some()
                || reasons.iter().any(|reason| pattern.matches(reason, reasons))
                || entries.iter().any(|(subsystem, name, _)| pattern.matches_name(subsystem, name));
            if !is_known {
                let similar = nearest(&short_name(text), entries.iter().map(|(_, name, _)| name));
                let mean = match similar.is_empty() {
                    true => String::new(),
                    false => format!("; did you mean {}?", similar.join(", ")),
                };
                eprintln!("dropwatch: '{text}' is no drop reason that is known{mean}");
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.tell_unknown_reasons()?;
        self.exports.finish()?;
        self.shown.finish(&self.exports, &mut self.out);
        print(&mut self.out)?;
        let Counts { read, matched, hidden, damaged } = self.counts;
        eprint!("dropwatch: read {read}, matched {matched}");
        if hidden > 0 {
            eprint!("; {hidden} hidden by --no-noise");
        }
        if damaged > 0 {
            eprint!("; {damaged} lines are no drops");
        }
        eprintln!();
        Ok(())
    }
}

fn print(out: &mut Vec<u8>) -> Result<()> {
    stdout().lock().write_all(out).context("cannot write to standard output")?;
    out.clear();
    Ok(())
}

/// Fails where something would be written into the recording that it is made of.
fn refuse_overwriting(path: &Path, args: &ReportArgs) -> Result<()> {
    let same = |file: &&std::path::PathBuf| {
        fs::canonicalize(file).is_ok_and(|file| fs::canonicalize(path).is_ok_and(|it| it == file))
    };
    match args.files.iter().find(same) {
        Some(file) => {
            let message =
                format!("{} is the recording itself; write to another file", file.display());
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

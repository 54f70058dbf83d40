//! Arguments that have been checked: what they mean, independent of the kernel.

use std::{
    env,
    ffi::OsString,
    fmt,
    io::{IsTerminal, stdout},
    path::PathBuf,
    time::Duration,
};

use anyhow::Result;
use jiff::SignedDuration;

use crate::{
    cli::{ColorMode, StackMode, TableArgs, TopArgs, TraceArgs},
    counts::{key::By, local::LocalCounts, table::Sort},
    fail_on::FailOn,
    filter::Patterns,
    kernel::Without,
    render::{fields::Field, openmetrics::Format},
    top::facts,
};

const MIN_BUFFER_SIZE: u32 = 64 << 10;
const MAX_BUFFER_SIZE: u32 = 1 << 30;
/// Room for samples of a table's rows: some hundred at once.
const SAMPLES_BUFFER_SIZE: u32 = 256 << 10;

/// What to stream, and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which drops to show.
    pub filters: Patterns,
    /// Whether and how to show stacks.
    pub stack: Option<StackMode>,
    /// Stop after so many drops have been shown.
    pub count: Option<u64>,
    /// Stop after this time.
    pub duration: Option<Duration>,
    /// Size of the ring in bytes: a power of two.
    pub buffer_size: u32,
    /// Whether to colour the output.
    pub color: bool,
    /// What to do without.
    pub without: Without,
    /// The columns.
    pub columns: Vec<Field>,
    /// Whether lines about packet, device and socket follow each drop.
    pub details: bool,
    /// Whether to print JSON instead of text.
    pub json: bool,
    /// Whether to print stacks by reason at the end, in place of drops.
    pub folded: bool,
    /// Where to draw the stacks.
    pub flamegraph: Option<PathBuf>,
    /// Where to write the packets.
    pub capture: Option<PathBuf>,
    /// Whether to show no drops, since others make use of them.
    pub silent: bool,
    /// Where to write the drops; to standard output where there is none.
    pub output: Option<PathBuf>,
    /// What must not happen.
    pub fail_on: Vec<FailOn>,
    /// The recording of what is usual.
    pub baseline: Option<PathBuf>,
    /// Whether to show the kernel's counters at the end.
    pub reconcile: bool,
    /// The program to run meanwhile, and its arguments.
    pub command: Vec<OsString>,
    /// Whether to say what reasons mean.
    pub hints: bool,
    /// Whether to leave out what is likely harmless.
    pub no_noise: bool,
    /// Whether to show diagnostics.
    pub verbose: bool,
    /// Whether drops are counted in the kernel and not streamed.
    pub counts: bool,
    /// Whether the kernel sends a drop of each key beside counting.
    pub samples: bool,
    /// How the table counts.
    pub table: TableConfig,
    /// How the table is kept up to date, where that is wanted.
    pub top: Option<TopConfig>,
}

/// How a table counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableConfig {
    /// The columns.
    pub by: Vec<By>,
    /// What rows are sorted by.
    pub sort: Sort,
    /// So many rows at most.
    pub rows: Option<usize>,
    /// Room for so many keys.
    pub max_keys: u32,
}

impl TableConfig {
    /// Gives the arguments their meaning.
    ///
    /// # Errors
    /// A [`UsageError`] that names the one that has none.
    pub fn new(args: &TableArgs) -> Result<Self> {
        let by = by(&args.by)?;
        Ok(Self {
            sort: sort(&args.sort, &by)?,
            by,
            rows: args.rows.map(|rows| rows as usize),
            max_keys: args.max_keys,
        })
    }

    /// Counts of drops that are shown one by one.
    pub fn local_counts(&self) -> LocalCounts {
        LocalCounts::new(self.max_keys as usize, self.counts_flows())
    }

    /// Whether flows are counted, which costs more.
    pub fn counts_flows(&self) -> bool {
        self.by.contains(&By::Flow)
    }
}

/// How a table is kept up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopConfig {
    /// How often.
    pub interval: Duration,
    /// Whether tables are printed one after the other.
    pub batch: bool,
    /// In which format, and into which file, metrics are written in place of tables.
    pub metrics: Option<(Format, Option<PathBuf>)>,
    /// Stop after so many.
    pub iterations: Option<u64>,
    /// The filters as they were given.
    pub filters: String,
}

impl Config {
    /// Gives the arguments their meaning, or says which one has none.
    ///
    /// # Errors
    /// A [`UsageError`] that names the argument.
    pub fn new(args: &TraceArgs) -> Result<Self> {
        let has_command = !args.command.is_empty();
        let exports = args.write.is_some() || args.flamegraph.is_some();
        if has_command && args.output.is_none() {
            check_output_of_command(args)?;
        }
        // The kernel counts by reason and place, and what is harmless takes more to tell.
        let streams = args.output.is_some() || exports || args.no_noise;
        let counts = args.summary || has_command && !streams;
        let config = Self {
            filters: Patterns::parse(&args.filters)?,
            stack: args.stack,
            count: args.count,
            duration: args.duration.as_deref().map(duration_of_run).transpose()?,
            buffer_size: if counts { MIN_BUFFER_SIZE } else { buffer_size(&args.buffer_size)? },
            color: color(args.color),
            without: Without { btf: args.no_btf, reasons: args.without_reasons },
            columns: match &args.fields {
                Some(text) => fields(text)?,
                None => Field::DEFAULT.to_vec(),
            },
            details: args.verbose || args.verbose_packet,
            json: args.json,
            folded: args.folded,
            flamegraph: args.flamegraph.clone(),
            capture: args.write.clone(),
            silent: has_command && args.output.is_none(),
            output: args.output.clone(),
            fail_on: args.fail_on.iter().map(|text| FailOn::parse(text)).collect::<Result<_>>()?,
            baseline: args.baseline.clone(),
            reconcile: args.reconcile,
            command: args.command.clone(),
            hints: args.hints,
            no_noise: args.no_noise,
            verbose: args.verbose,
            counts,
            samples: false,
            table: TableConfig::new(&args.table)?,
            top: None,
        };
        if args.no_btf {
            config.check_without_btf()?;
        }
        Ok(config)
    }

    /// The same for `top`.
    ///
    /// # Errors
    /// As above.
    pub fn of_top(args: &TopArgs) -> Result<Self> {
        let formats =
            [(Format::OpenMetrics, &args.openmetrics), (Format::Prometheus, &args.prometheus)];
        let metrics = formats.into_iter().find_map(|(format, file)| Some((format, file.clone()?)));
        let top = TopConfig {
            interval: duration("--interval", &args.interval)?,
            batch: args.batch || metrics.is_some() || !can_draw(),
            metrics,
            iterations: args.iterations,
            filters: facts::filters(&args.filters),
        };
        if args.reconcile && !top.batch {
            let message =
                "--reconcile prints a table at the end, and the live view leaves none: add --batch";
            return Err(UsageError(message.to_owned()).into());
        }
        let config = Self {
            filters: Patterns::parse(&args.filters)?,
            stack: None,
            count: None,
            duration: args.duration.as_deref().map(duration_of_run).transpose()?,
            buffer_size: if top.batch { MIN_BUFFER_SIZE } else { SAMPLES_BUFFER_SIZE },
            color: color(args.color),
            without: Without { btf: args.no_btf, reasons: args.without_reasons },
            columns: Vec::new(),
            details: false,
            json: false,
            folded: false,
            flamegraph: None,
            capture: None,
            silent: false,
            output: None,
            fail_on: Vec::new(),
            baseline: None,
            reconcile: args.reconcile,
            command: Vec::new(),
            hints: args.hints,
            no_noise: false,
            verbose: args.verbose,
            counts: true,
            samples: !top.batch,
            table: TableConfig::new(&args.table)?,
            top: Some(top),
        };
        if args.hints && !config.table.by.contains(&By::Reason) {
            let message = "--hints tells what reasons mean, and --by has none: add reason to --by";
            return Err(UsageError(message.to_owned()).into());
        }
        if args.no_btf {
            config.check_without_btf()?;
        }
        Ok(config)
    }
}

impl Config {
    /// Whether the kernel is to send stacks.
    pub fn wants_stacks(&self) -> bool {
        self.stack.is_some() || self.folded || self.flamegraph.is_some()
    }

    /// Makes sure that nothing is asked for that needs the kernel's BTF.
    ///
    /// # Errors
    /// A [`UsageError`] that names what does.
    pub fn check_without_btf(&self) -> Result<()> {
        let needs = |by: &&By| matches!(by, By::Interface | By::Netns | By::Flow);
        if let Some(by) = self.table.by.iter().find(needs) {
            let message = format!(
                "--by {} needs the kernel's BTF (/sys/kernel/btf/vmlinux): leave out --no-btf, or boot a \
                 kernel that has it; reason, location and protocol do without",
                by.name()
            );
            return Err(UsageError(message).into());
        }
        self.filters.check_without_btf()
    }

    /// Whether processes are shown besides the one that was running: owners of sockets, and who
    /// lives in a network namespace or knows its interfaces.
    pub fn names_processes(&self) -> bool {
        let of_processes = |field: &Field| {
            matches!(field, Field::Owner | Field::Netns | Field::Iface | Field::Input)
        };
        let of_table = |by: &By| matches!(by, By::Interface | By::Netns);
        self.json
            || self.reconcile
            || self.capture.is_some()
            || self.details
            || self.samples
            || self.columns.iter().any(of_processes)
            || self.table.by.iter().any(of_table)
    }
}

/// Makes sure that nothing is asked for that would be printed among what a program prints.
fn check_output_of_command(args: &TraceArgs) -> Result<()> {
    let asked = [
        ("--json", args.json),
        ("--fields", args.fields.is_some()),
        ("--verbose-packet", args.verbose_packet),
        ("--folded", args.folded),
        ("--stack", args.stack.is_some() && args.write.is_none()),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        None => Ok(()),
        Some((flag, _)) => Err(UsageError(format!(
            "{flag} would print drops among what the COMMAND prints: name a file for them with --output"
        ))
        .into()),
    }
}

/// A mistake in the arguments, which ends the program with status 2.
#[derive(Debug)]
pub struct UsageError(pub String);

impl fmt::Display for UsageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// The columns that the user wants.
///
/// # Errors
/// A [`UsageError`] for one that there is not.
pub fn fields(text: &str) -> Result<Vec<Field>> {
    let field = |name: &str| {
        let name = name.trim();
        Field::named(name).ok_or_else(|| {
            let names: Vec<_> = Field::ALL.iter().map(|field| field.name()).collect();
            let message = format!("--fields '{name}' is no field; there are {}", names.join(", "));
            UsageError(message).into()
        })
    };
    text.split(',').map(field).collect()
}

fn by(text: &str) -> Result<Vec<By>> {
    let mut all: Vec<By> = Vec::new();
    for name in text.split(',').map(str::trim) {
        let by = By::named(name).ok_or_else(|| {
            let names: Vec<_> = By::ALL.iter().map(|by| by.name()).collect();
            UsageError(format!("--by '{name}' is no column; there are {}", names.join(", ")))
        })?;
        if !all.contains(&by) {
            all.push(by);
        }
    }
    Ok(all)
}

fn sort(text: &str, by: &[By]) -> Result<Sort> {
    let name = text.trim();
    match name.to_ascii_lowercase().as_str() {
        "total" => return Ok(Sort::Total),
        "rate" => return Ok(Sort::Rate),
        _ => {}
    }
    by.iter().find(|by| by.name().eq_ignore_ascii_case(name)).map(|by| Sort::Key(*by)).ok_or_else(
        || {
            let names: Vec<_> = by.iter().map(|by| by.name()).collect();
            let message = format!(
                "--sort '{name}' is no column of the table; there are total, rate, {}",
                names.join(", ")
            );
            UsageError(message).into()
        },
    )
}

fn duration_of_run(text: &str) -> Result<Duration> {
    duration("--duration", text)
}

fn duration(flag: &str, text: &str) -> Result<Duration> {
    let seconds = text.parse::<f64>().ok().and_then(|n| SignedDuration::try_from_secs_f64(n).ok());
    seconds
        .or_else(|| text.parse().ok())
        .filter(|duration| duration.is_positive())
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| {
            let message = format!(
                "{flag} '{text}' is not a time; write 10s, 5m, 1h30m or a number of seconds"
            );
            UsageError(message).into()
        })
}

fn buffer_size(text: &str) -> Result<u32> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => Some(0),
        "K" | "KB" | "KIB" => Some(10),
        "M" | "MB" | "MIB" => Some(20),
        "G" | "GB" | "GIB" => Some(30),
        _ => None,
    };
    let bytes = shift
        .zip(digits.parse::<u32>().ok())
        .and_then(|(shift, number)| number.checked_mul(1 << shift))
        .ok_or_else(|| {
            UsageError(format!("--buffer-size '{text}' is not a size; write 512K, 8M or 1G"))
        })?;
    // The kernel takes only powers of two that are whole pages.
    match bytes.checked_next_power_of_two() {
        Some(size) if size == bytes && (MIN_BUFFER_SIZE..=MAX_BUFFER_SIZE).contains(&size) => {
            Ok(size)
        }
        Some(size) if (MIN_BUFFER_SIZE..=MAX_BUFFER_SIZE).contains(&size) => {
            let message =
                format!("--buffer-size '{text}' is not a power of two; the next is {size}");
            Err(UsageError(message).into())
        }
        _ => Err(UsageError(format!("--buffer-size '{text}' is not between 64K and 1G")).into()),
    }
}

/// Whether to colour what goes to standard output.
pub fn color(mode: ColorMode) -> bool {
    match mode {
        ColorMode::Always => true,
        ColorMode::Never => false,
        ColorMode::Auto => {
            let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
            stdout().is_terminal() && !refused && !dumb
        }
    }
}

/// Whether standard output is a terminal on which more than lines can be written.
fn can_draw() -> bool {
    let able = env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    stdout().is_terminal() && able
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [
            ("10s", 10_000),
            ("500ms", 500),
            ("1h30m", 5_400_000),
            ("2", 2_000),
            ("0.25", 250),
            ("5m", 300_000),
        ] {
            assert_eq!(duration_of_run(text).expect(text), Duration::from_millis(millis), "{text}");
        }
        for text in ["", "0", "-1", "-5s", "ten", "10 parsecs", "nan", "inf", "1e300"] {
            let error = duration_of_run(text).expect_err(text);
            assert!(error.is::<UsageError>() && error.to_string().contains("--duration"), "{text}");
        }
    }

    #[test]
    fn buffer_sizes_are_powers_of_two() {
        for (text, bytes) in
            [("8M", 8 << 20), ("65536", 1 << 16), ("64k", 1 << 16), ("1GiB", 1 << 30)]
        {
            assert_eq!(buffer_size(text).expect(text), bytes);
        }
        for text in
            ["", "M", "0", "1K", "32K", "2G", "4096M", "8X", "-8M", "99999999999", "8.5M", "M8"]
        {
            assert!(buffer_size(text).expect_err(text).is::<UsageError>(), "{text}");
        }
        let error = buffer_size("10M").expect_err("not a power of two");
        assert!(error.to_string().contains("16777216"), "{error}");
    }
}

//! The command line: clap types, and how they are read. `config.rs` gives the arguments their meaning.

use std::{env, ffi::OsString, path::PathBuf};

use clap::{
    ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum,
    builder::{PathBufValueParser, TypedValueParser},
    error::ErrorKind,
};

use crate::{filter::nearest::nearest, render::fields::Field};

const FILTERS: &str = "\
Filters (commas and repeats are alternatives, '!' in front excludes, and all filters have to hold)";

const EXAMPLES: &str = "\
Examples:
  sudo dropwatch                                  every drop, until Ctrl-C
  sudo dropwatch --reason 'TCP_*,!TCP_OLD_DATA'   some reasons only
  sudo dropwatch --reason NO_SOCKET --stack       with the kernel stack of each drop
  sudo dropwatch --l4 tcp --port 443,8000-8100    some packets only
  sudo dropwatch top                              what is dropped most, in a live table
  sudo dropwatch --fail-on NO_SOCKET -- make test what is dropped while a program runs
  dropwatch list-reasons                          the drop reasons of this kernel
  dropwatch explain NO_SOCKET                     what a reason means, and what to do
  dropwatch doctor                                what is missing, where it does not run

Exit status: 0 when all went well, 1 when something failed, 2 for a usage error, 3 when --fail-on
happened; with a COMMAND its own status, unless that is 0: 128 and the number for a signal, 126 or
127 where it cannot be started";

/// Tells why the Linux kernel is dropping packets: who, why, what and where, as it happens
#[derive(Debug, Parser)]
#[command(name = "dropwatch", version, after_help = EXAMPLES, after_long_help = after_long_help(), args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// Without a subcommand, drops are streamed.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// What to stream, and how.
    #[command(flatten)]
    pub trace: TraceArgs,
}

/// Reads the command line, and ends the program where it has no meaning or asks for help.
pub fn parse() -> Cli {
    let parsed = Cli::try_parse().and_then(refuse_empty_command);
    parsed.unwrap_or_else(|error| {
        // Since words may follow `--`, clap takes any word for one that should have done so.
        let word = env::args().nth(1).filter(|word| !word.starts_with('-'));
        match word.filter(|_| error.kind() == ErrorKind::UnknownArgument) {
            Some(word) if Cli::command().find_subcommand(&word).is_none() => unknown(&word).exit(),
            _ => error.exit(),
        }
    })
}

/// A script whose variable is empty says `dropwatch -- $COMMAND`, and must not wait for ever.
fn refuse_empty_command(cli: Cli) -> Result<Cli, clap::Error> {
    let ends_in_dashes = env::args_os().next_back().is_some_and(|last| last == "--");
    if ends_in_dashes && cli.command.is_none() && cli.trace.command.is_empty() {
        let message = "there is no COMMAND behind --; leave it out to trace until Ctrl-C";
        return Err(Cli::command().error(ErrorKind::MissingRequiredArgument, message));
    }
    Ok(cli)
}

/// The error for a word that is no subcommand, with those that are meant perhaps.
fn unknown(word: &str) -> clap::Error {
    let mut command = Cli::command();
    let names: Vec<_> = command.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    let similar = nearest(word, names.iter().map(String::as_str));
    let tip = match similar.is_empty() {
        true => String::new(),
        false => format!("; did you mean '{}'?", similar.join("', '")),
    };
    let message = format!("unrecognized subcommand '{word}'{tip}");
    command.error(ErrorKind::InvalidSubcommand, message)
}

/// Reads the name of a file to write. `-` would be one, and is never meant to be.
fn file_to_write() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path.as_os_str() == "-" {
        true => Err("standard output is /dev/stdout, and a file of that name ./-"),
        false => Ok(path),
    })
}

/// What follows the options in the long help.
fn after_long_help() -> String {
    format!("{}\n{EXAMPLES}", Field::table())
}

/// What dropwatch does besides streaming drops.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is only one of it")]
pub enum Command {
    /// Count drops in the kernel, and show a table that is kept up to date
    Top(Box<TopArgs>),
    /// List the drop reasons of this kernel, from its own BTF
    ListReasons(ListReasonsArgs),
    /// Report on recordings, the output of --json, on any machine
    Report(ReportArgs),

    /// Tell what a drop reason means, and what to do about it
    Explain(ExplainArgs),

    /// Check whether this machine has all that dropwatch needs
    Doctor(DoctorArgs),
}

/// Arguments of streaming.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// Show the kernel stack of each drop; a stack seen before is referred to by its number,
    /// or printed each time with --stack=full
    #[arg(
        short,
        long,
        value_name = "MODE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "once",
        hide_possible_values = true
    )]
    pub stack: Option<StackMode>,

    /// Stop after N drops have been shown
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// Stop after this time: 10s, 5m, 1h30m, or a number of seconds
    #[arg(short, long, value_name = "TIME")]
    pub duration: Option<String>,

    /// Room for records on their way from the kernel: a power of two of bytes, at least 64K
    #[arg(long, value_name = "SIZE", default_value = "4M")]
    pub buffer_size: String,

    /// When to use colour; NO_COLOR in the environment turns it off too
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorMode,

    /// Do without the kernel's BTF: use the trace event, which has no packet length and names
    /// core reasons only; done by itself where the kernel has no BTF
    #[arg(long)]
    pub no_btf: bool,

    /// Do without drop reasons, as kernels before 5.17 have to
    #[arg(long, conflicts_with = "reason")]
    pub without_reasons: bool,

    /// The columns, separated by commas; --help explains each
    #[arg(long, value_name = "FIELDS", conflicts_with = "json")]
    pub fields: Option<String>,

    /// Show lines about packet, device, socket and context under each drop
    #[arg(long)]
    pub verbose_packet: bool,

    /// Print each drop as a JSON object on a line of its own; schema/drop.schema.json describes it
    #[arg(long)]
    pub json: bool,

    /// Print stacks by reason at the end, a line each with a count, as flame graphs are made of
    #[arg(long, conflicts_with_all = ["stack", "fields", "verbose_packet", "json", "summary"])]
    pub folded: bool,

    /// Draw the stacks by reason as a flame graph, at the end
    #[arg(long, value_name = "FILE.svg", value_parser = file_to_write(), conflicts_with = "summary")]
    pub flamegraph: Option<PathBuf>,

    /// Write the packets to a capture too, which Wireshark and tshark read; with --stack their
    /// comments have the stacks
    #[arg(long, value_name = "FILE.pcapng", value_parser = file_to_write(), conflicts_with = "summary")]
    pub write: Option<PathBuf>,

    /// Write the drops to a file in place of standard output
    #[arg(short, long, value_name = "FILE", value_parser = file_to_write(), conflicts_with = "summary")]
    pub output: Option<PathBuf>,

    /// End with status 3 if this happens, or more than N times; the reason is as for --reason
    #[arg(long, value_name = "REASON[:N]", action = ArgAction::Append, conflicts_with = "without_reasons")]
    pub fail_on: Vec<String>,

    /// Leave out of the table, and of --fail-on, what this recording has as well: so many drops
    /// for the same reason in the same function
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,

    /// At the end, show how far the kernel's own counters of losses have moved, beside the drops
    /// seen for the same
    #[arg(long)]
    pub reconcile: bool,

    /// Say what a reason means, under the first drop for it or below the table
    #[arg(long, conflicts_with = "json")]
    pub hints: bool,

    /// Leave out drops that are likely harmless, those with a tag, and count them
    #[arg(long)]
    pub no_noise: bool,

    /// Tell what each tag means and why drops with it are likely harmless, and exit
    #[arg(long)]
    pub explain_tags: bool,

    /// Show no drops but count them in the kernel, which costs the least, and print a table at the
    /// end
    #[arg(long, conflicts_with_all = ["stack", "count", "fields", "verbose_packet", "json", "no_noise"])]
    pub summary: bool,

    /// How the table at the end counts.
    #[command(flatten)]
    pub table: TableArgs,

    /// As --verbose-packet, and show on standard error what dropwatch does and what the BPF
    /// program has to say
    #[arg(short, long)]
    pub verbose: bool,

    /// Which drops to stream. Last, since what comes after is listed under the same heading.
    #[command(flatten)]
    pub filters: FilterArgs,

    /// Run this program, and trace until it ends; its status is passed on
    #[arg(last = true, value_name = "COMMAND", conflicts_with_all = ["duration", "count"])]
    pub command: Vec<OsString>,
}

/// How a table counts.
#[derive(Debug, Args)]
pub struct TableArgs {
    /// What the table counts by: some of reason, location, protocol, interface, netns, flow
    #[arg(long, value_name = "COLUMNS", default_value = "reason,location")]
    pub by: String,

    /// The column that the table is sorted by: total, rate, or one of --by
    #[arg(long, value_name = "COLUMN", default_value = "total")]
    pub sort: String,

    /// At most so many rows of the table; what is beyond is one row more, and the live table
    /// scrolls
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rows: Option<u32>,

    /// Room for so many keys; drops of others are counted together, as (other)
    #[arg(long, value_name = "N", default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub max_keys: u32,
}

/// Arguments of `top`.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// How the table counts.
    #[command(flatten)]
    pub table: TableArgs,

    /// How often the table is brought up to date: 1s, 500ms, 1m, or a number of seconds
    #[arg(short, long, value_name = "TIME", default_value = "1s")]
    pub interval: String,

    /// Print plain tables one after the other, for logs; done by itself where standard output is
    /// no terminal
    #[arg(long)]
    pub batch: bool,

    /// Print metrics as OpenMetrics text in place of tables, or with a FILE replace it with them
    /// at each interval
    #[arg(long, value_name = "FILE", require_equals = true, conflicts_with = "hints")]
    pub openmetrics: Option<Option<PathBuf>>,

    /// The same in Prometheus' older text format, which node_exporter's textfile collector reads
    #[arg(long, value_name = "FILE", require_equals = true, conflicts_with_all = ["openmetrics", "hints"])]
    pub prometheus: Option<Option<PathBuf>>,

    /// Say below what the reasons in the table mean; in the live table, the reason of the row that
    /// is chosen
    #[arg(long, conflicts_with = "without_reasons")]
    pub hints: bool,

    /// Stop after N tables
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub iterations: Option<u64>,

    /// Stop after this time: 10s, 5m, 1h30m, or a number of seconds
    #[arg(short, long, value_name = "TIME")]
    pub duration: Option<String>,

    /// At the end, show how far the kernel's own counters of losses have moved, beside the drops
    /// seen for the same; for --batch
    #[arg(long)]
    pub reconcile: bool,

    /// When to use colour; NO_COLOR in the environment turns it off too
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorMode,

    /// Do without the kernel's BTF: use the trace event, which has neither device nor packet
    #[arg(long)]
    pub no_btf: bool,

    /// Do without drop reasons, as kernels before 5.17 have to
    #[arg(long, conflicts_with = "reason")]
    pub without_reasons: bool,

    /// Show on standard error what dropwatch does and what the BPF program has to say
    #[arg(short, long)]
    pub verbose: bool,

    /// Which drops to count. Last, since what comes after is listed under the same heading.
    #[command(flatten)]
    pub filters: FilterArgs,
}

/// Filters, all of which the kernel applies.
#[derive(Debug, Args)]
#[command(next_help_heading = FILTERS)]
pub struct FilterArgs {
    /// Only drops for this reason
    ///
    /// A name as list-reasons shows it, in any case and with or without its prefix; a glob
    /// ('TCP_*'); a subsystem's reasons ('openvswitch/*'); a raw number.
    #[arg(short, long, value_name = "REASON", action = ArgAction::Append, allow_hyphen_values = true)]
    pub reason: Vec<String>,

    /// EtherType: ip, ip6, arp, vlan or another name, or a number like 0x88cc
    #[arg(long, value_name = "TYPE", action = ArgAction::Append)]
    pub protocol: Vec<String>,

    /// Device: a name, the begin of one ('veth*'), or an index
    #[arg(long, value_name = "NAME", action = ArgAction::Append)]
    pub interface: Vec<String>,

    /// Network namespace: a name of `ip netns`, an inode number, or pid:N for that of a process
    #[arg(long, value_name = "NETNS", action = ArgAction::Append)]
    pub netns: Vec<String>,

    /// Process that was running, possibly just interrupted
    #[arg(long, value_name = "PID", action = ArgAction::Append)]
    pub pid: Vec<String>,

    /// Name of the task that was running: up to 15 bytes, or the begin of one ('nginx*')
    #[arg(long, value_name = "NAME", action = ArgAction::Append)]
    pub comm: Vec<String>,

    /// Kernel function that dropped the packet: a name or a glob ('tcp_v4_*')
    #[arg(long, value_name = "GLOB", action = ArgAction::Append)]
    pub function: Vec<String>,

    /// Source address or prefix, IPv4 or IPv6
    #[arg(long, value_name = "ADDRESS", action = ArgAction::Append)]
    pub src: Vec<String>,

    /// Destination address or prefix
    #[arg(long, value_name = "ADDRESS", action = ArgAction::Append)]
    pub dst: Vec<String>,

    /// Either address
    #[arg(long, value_name = "ADDRESS", action = ArgAction::Append)]
    pub host: Vec<String>,

    /// Source port: a number, a range (8000-8100), or a name from /etc/services
    #[arg(long, value_name = "PORT", action = ArgAction::Append)]
    pub sport: Vec<String>,

    /// Destination port
    #[arg(long, value_name = "PORT", action = ArgAction::Append)]
    pub dport: Vec<String>,

    /// Either port
    #[arg(long, value_name = "PORT", action = ArgAction::Append)]
    pub port: Vec<String>,

    /// Protocol in the IP header: tcp, udp, icmp, icmp6, sctp, gre or another name, or a number
    #[arg(long, value_name = "PROTOCOL", action = ArgAction::Append)]
    pub l4: Vec<String>,

    /// Packets of at least so many bytes, as LEN shows them
    #[arg(long, value_name = "N")]
    pub min_len: Option<u32>,

    /// Packets of at most so many bytes
    #[arg(long, value_name = "N")]
    pub max_len: Option<u32>,

    /// Of the drops that match, a random part: 1/10 for one of ten
    #[arg(long, value_name = "1/N")]
    pub sample: Option<String>,

    /// Of the drops that match, at most so many in a second
    #[arg(long, value_name = "N")]
    pub rate_limit: Option<String>,
}

/// How stacks are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StackMode {
    /// Each distinct stack once, then by its number.
    Once,
    /// Under each drop.
    Full,
}

/// When colour is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorMode {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Recordings, plain or compressed by gzip or zstd; '-' for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Print the drops, as they were shown when they happened; without this and the next ones, a
    /// table of them is printed
    #[arg(long)]
    pub text: bool,

    /// Print the drops as JSON again
    #[arg(long, conflicts_with_all = ["text", "folded", "fields", "verbose_packet", "stack"])]
    pub json: bool,

    /// Print stacks by reason, a line each with a count, as flame graphs are made of
    #[arg(long, conflicts_with_all = ["text", "fields", "verbose_packet", "stack"])]
    pub folded: bool,

    /// Leave out drops that are likely harmless, those with a tag, and count them
    #[arg(long)]
    pub no_noise: bool,

    /// Write the packets to a capture, which Wireshark and tshark read
    #[arg(long, value_name = "FILE.pcapng", value_parser = file_to_write())]
    pub write: Option<PathBuf>,

    /// Draw the stacks by reason as a flame graph
    #[arg(long, value_name = "FILE.svg", value_parser = file_to_write())]
    pub flamegraph: Option<PathBuf>,

    /// How the table counts.
    #[command(flatten)]
    pub table: TableArgs,

    /// Print the drops, with these columns, separated by commas; `dropwatch --help` explains each
    #[arg(long, value_name = "FIELDS")]
    pub fields: Option<String>,

    /// Print the drops, with lines about packet, device, socket and context under each drop
    #[arg(long)]
    pub verbose_packet: bool,

    /// Print the drops, with the stacks that were recorded
    #[arg(
        short,
        long,
        value_name = "MODE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "once",
        hide_possible_values = true
    )]
    pub stack: Option<StackMode>,

    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorMode,

    /// Which drops to report on.
    #[command(flatten)]
    pub filters: FilterArgs,
}

/// Arguments of `list-reasons`.
#[derive(Debug, Args)]
pub struct ListReasonsArgs {
    /// Only reasons that match: part of a name, a glob ('TCP_*'), 'openvswitch/*', or a number
    pub pattern: Option<String>,

    /// Print a JSON array
    #[arg(long)]
    pub json: bool,

    /// Read this kernel's BTF instead: a file like /sys/kernel/btf/vmlinux; repeat the option
    /// for the BTF of its modules
    #[arg(long, value_name = "FILE")]
    pub btf: Vec<PathBuf>,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Reasons: names as list-reasons shows them, in any case and with or without their prefix;
    /// globs ('TCP_*'); 'openvswitch/*'; numbers of this kernel
    #[arg(value_name = "REASON")]
    pub reasons: Vec<String>,

    /// Tell what each tag means and why drops with it are likely harmless
    #[arg(long, conflicts_with_all = ["reasons", "btf"])]
    pub tags: bool,

    /// Print a JSON array
    #[arg(long)]
    pub json: bool,

    /// Tell the numbers of this kernel's BTF instead: a file like /sys/kernel/btf/vmlinux; repeat
    /// the option for the BTF of its modules
    #[arg(long, value_name = "FILE")]
    pub btf: Vec<PathBuf>,

    /// When to use colour; NO_COLOR in the environment turns it off too
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorMode,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print a JSON object
    #[arg(long)]
    pub json: bool,

    /// When to use colour; NO_COLOR in the environment turns it off too
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorMode,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dash_is_no_file_to_write() {
        for args in [&["--write", "-"][..], &["--flamegraph=-"], &["-o", "-"]] {
            for before in [&["dropwatch"][..], &["dropwatch", "report", "FILE"]] {
                let parsed = Cli::try_parse_from([before, args].concat());
                assert!(parsed.is_err_and(|error| error.exit_code() == 2), "{before:?} {args:?}");
            }
        }
        let parsed = Cli::try_parse_from(["dropwatch", "--write", "./-"]);
        assert!(parsed.is_ok_and(|cli| cli.trace.write == Some("./-".into())));
    }
}

//! `dropwatch explain REASON`: what a drop reason means, and what to do about it.

mod entry;
pub mod hints;
mod json;
mod lookup;
mod text;

use anyhow::{Error, Result};

use crate::{
    cli::ExplainArgs,
    config::{self, UsageError},
    harmless,
    kernel::{choice, reasons::Reasons},
    output::print,
    wrap,
};

pub use entry::{Entries, Entry, Likelihood};
use lookup::Kernel;

/// Explains the reasons that are asked for.
///
/// # Errors
/// A [`UsageError`] for what is no reason of any kernel; and where BTF that was asked for cannot
/// be read.
pub fn run(args: &ExplainArgs) -> Result<()> {
    let style = text::Style::of_terminal(config::color(args.color));
    if args.tags {
        return tags(args.json);
    }
    if args.reasons.is_empty() {
        let message = "explain needs a reason: `dropwatch explain NO_SOCKET`, several, a number, or a glob like \
                       'TCP_*'; `dropwatch list-reasons` lists this kernel's";
        return Err(UsageError(message.to_owned()).into());
    }
    let entries = Entries::load()?;
    let kernel = kernel(args)?;
    let explained = lookup::lookup(&args.reasons, &entries, &kernel)?;
    let text = if args.json {
        json::json(&explained, &kernel)?
    } else {
        text::text(&explained, &kernel, &style)
    };
    print(text.as_bytes()).map(drop)
}

/// Tells what tags mean, to people or as JSON.
///
/// # Errors
/// When that cannot be written.
pub fn tags(as_json: bool) -> Result<()> {
    let rules = if as_json { harmless::json()? } else { harmless::text(wrap::terminal_width()) };
    print(rules.as_bytes()).map(drop)
}

/// The kernel whose numbers are told. One that was asked for has to be readable; the meaning of
/// reasons can be told without the running one.
fn kernel(args: &ExplainArgs) -> Result<Kernel> {
    let read = choice::reasons(&args.btf);
    if !args.btf.is_empty() {
        let of_files = |reasons| Kernel { name: "the kernel of that BTF".to_owned(), reasons };
        return Ok(of_files(Ok(read?)));
    }
    let name = format!("this kernel ({})", crate::kernel::release());
    Ok(Kernel { name, reasons: read.map_err(|error: Error| format!("{error:#}")) })
}

/// The summary of a reason, where there is one.
pub fn summary<'a>(entries: &'a Entries, reasons: &Reasons, raw: u32) -> Option<&'a str> {
    let reason = reasons.get(raw)?;
    Some(&entries.get(&reasons.subsystem_name(raw), &reason.name)?.summary)
}

//! `dropwatch list-reasons`: the drop reasons of this kernel, or of another's BTF.

use std::io::{self, ErrorKind, Write};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::{
    cli::ListReasonsArgs,
    filter::reason::{self, ReasonPattern},
    kernel::{
        btf::Btf,
        reasons::{Reason, Reasons, split},
        release,
        trace_event::TraceEvent,
    },
};

#[derive(Serialize)]
struct Row<'a> {
    number: u32,
    name: &'a str,
    full_name: &'a str,
    subsystem: String,
}

/// Prints the reasons that match.
///
/// # Errors
/// When BTF cannot be read, or nothing matches.
pub fn run(args: &ListReasonsArgs) -> Result<()> {
    let reasons = read(args)?;
    let pattern =
        args.pattern.as_deref().map(ReasonPattern::parse).transpose()?.map(ReasonPattern::anywhere);
    let matches =
        |reason: &&Reason| pattern.as_ref().is_none_or(|pattern| pattern.matches(reason, &reasons));
    let rows: Vec<_> = reasons.iter().filter(matches).map(|reason| row(reason, &reasons)).collect();
    if rows.is_empty() {
        match &args.pattern {
            Some(text) => bail!("{}", reason::unknown(text, &reasons)),
            None => bail!("this kernel has no drop reasons: they came with Linux 5.17"),
        }
    }
    let text = if args.json { json(&rows)? } else { table(&rows) };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

fn read(args: &ListReasonsArgs) -> Result<Reasons> {
    let Some((kernel, modules)) = args.btf.split_first() else {
        if !Btf::is_there() {
            eprintln!("dropwatch: this kernel has no BTF: only the core reasons are listed");
            return Ok(Reasons::of_trace_event(&TraceEvent::of_running_kernel()?.reasons));
        }
        let btf = Btf::of_running_kernel()?;
        let mut reasons = Reasons::of_running_kernel(&btf).with_context(|| {
            format!("kernel {} tells no drop reasons; list another's with --btf FILE", release())
        })?;
        if let Err(error) = reasons.search_modules() {
            eprintln!("dropwatch: the reasons of a module are left out: {error:#}");
        }
        return Ok(reasons);
    };
    let base = Btf::open(kernel)?;
    let mut reasons = Reasons::of_btf(&base)
        .with_context(|| format!("no drop reasons in {}", kernel.display()))?;
    for module in modules {
        reasons.add_module(&Btf::open_split(module, &base)?);
    }
    Ok(reasons)
}

fn row<'a>(reason: &'a Reason, reasons: &Reasons) -> Row<'a> {
    Row {
        number: reason.raw,
        name: &reason.name,
        full_name: &reason.full_name,
        subsystem: reasons.subsystem_name(reason.raw),
    }
}

fn json(rows: &[Row<'_>]) -> Result<String> {
    Ok(serde_json::to_string_pretty(rows)? + "\n")
}

/// A block for each subsystem. Numbers of a subsystem other than the core are in hex, since
/// their high 16 bits are the subsystem's number.
fn table(rows: &[Row<'_>]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for block in rows.chunk_by(|left, right| left.subsystem == right.subsystem) {
        let (number, _) = split(block[0].number);
        if !text.is_empty() {
            text.push('\n');
        }
        text += &format!("subsystem {} ({number}), {} reasons\n", block[0].subsystem, block.len());
        text += &format!("{:>10}  {:<width$}  FULL NAME\n", "NUMBER", "NAME");
        for row in block {
            let number =
                if number == 0 { row.number.to_string() } else { format!("{:#x}", row.number) };
            text += &format!("{number:>10}  {:<width$}  {}\n", row.name, row.full_name);
        }
    }
    text
}

//! What tools say of the drops they showed and lost.

use std::io::{self, BufRead};

/// How many drops a tool accounts for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Those that it noticed.
    pub seen: u64,
    /// Those that it showed.
    pub shown: u64,
    /// Those that it lost.
    pub lost: u64,
}

/// Reads dropwatch's account on standard error.
pub fn dropwatch(stderr: &str) -> Option<Said> {
    let account = stderr.lines().rfind(|line| line.starts_with("dropwatch: seen "))?;
    let number = |label| number_after(account, label);
    let seen = number("seen ")?;
    // Where drops are counted, none is shown or lost. Others are those beyond the table's size.
    if let Some(counted) = number(" counted ") {
        let other = number_before(account, " counted as other").unwrap_or(0);
        return Some(Said { seen, shown: counted + other, lost: 0 });
    }
    Some(Said { seen, shown: number(" shown ")?, lost: number(" lost ")? })
}

/// Reads one line a drop, as bpftrace's `printf` writes them.
pub fn bpftrace_lines(stdout: impl BufRead, stderr: &str) -> io::Result<Said> {
    let mut said = Said { lost: lost(stderr.lines()), ..Said::default() };
    for line in stdout.lines() {
        let line = line?;
        if let Some(lost) = lost_events(&line) {
            said.lost += lost;
        } else if !line.is_empty() && !is_notice(&line) {
            said.shown += 1;
        }
    }
    Ok(Said { seen: said.shown + said.lost, ..said })
}

/// Reads stacks: indented lines, with empty lines between one stack and the next.
pub fn bpftrace_stacks(stdout: impl BufRead, stderr: &str) -> io::Result<Said> {
    let mut said = Said { lost: lost(stderr.lines()), ..Said::default() };
    let mut in_stack = false;
    for line in stdout.lines() {
        let line = line?;
        said.lost += lost_events(&line).unwrap_or(0);
        let is_frame = line.starts_with(' ');
        said.shown += u64::from(is_frame && !in_stack);
        in_stack = is_frame;
    }
    Ok(Said { seen: said.shown + said.lost, ..said })
}

/// Reads a map of counts, and adds them up.
pub fn bpftrace_counts(stdout: impl BufRead, stderr: &str) -> io::Result<Said> {
    let mut said = Said { lost: lost(stderr.lines()), ..Said::default() };
    for line in stdout.lines() {
        let line = line?;
        said.lost += lost_events(&line).unwrap_or(0);
        let count = line.strip_prefix("@[").and_then(|line| line.rsplit_once("]: "));
        said.shown += count.and_then(|(_, count)| count.parse().ok()).unwrap_or(0);
    }
    Ok(Said { seen: said.shown + said.lost, ..said })
}

/// Reads how many samples perf wrote. What it lost it does not say, so those of the packets sent
/// for which it has no sample are taken for lost.
pub fn perf(stderr: &str, sent: u64) -> Option<Said> {
    let line = stderr.lines().rfind(|line| line.contains("Captured and wrote "))?;
    let samples = line.split_once('(')?.1.split_once(" samples)")?.0;
    let shown = samples.trim_start_matches('~').parse().ok()?;
    let lost = sent.saturating_sub(shown);
    Some(Said { seen: shown + lost, shown, lost })
}

fn is_notice(line: &str) -> bool {
    line.starts_with("Attaching ") || line.starts_with("Attached ")
}

fn lost<'a>(lines: impl Iterator<Item = &'a str>) -> u64 {
    lines.filter_map(lost_events).sum()
}

/// `Lost N events`.
fn lost_events(line: &str) -> Option<u64> {
    line.strip_prefix("Lost ")?.strip_suffix(" events")?.parse().ok()
}

fn number_after(text: &str, label: &str) -> Option<u64> {
    let (_, rest) = text.split_once(label)?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..digits].parse().ok()
}

fn number_before(text: &str, label: &str) -> Option<u64> {
    let (before, _) = text.split_once(label)?;
    before.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_of_dropwatch() {
        let stderr = "dropwatch: 7 drops lost, the buffer was full: narrow down\n\
            dropwatch: seen 9, matched 8, shown 4, lost 1, in 2.958 s; 3 not shown (in the buffer)\n";
        assert_eq!(dropwatch(stderr), Some(Said { seen: 9, shown: 4, lost: 1 }));
        let stderr = "dropwatch: seen 9, matched 8, counted 5, in 2.958 s; 3 counted as other (the table is full)\n";
        assert_eq!(dropwatch(stderr), Some(Said { seen: 9, shown: 8, lost: 0 }));
        let stderr =
            "dropwatch: seen 9, matched 8, counted 8, in 2.958 s; 1 missed (while counting)\n";
        assert_eq!(dropwatch(stderr), Some(Said { seen: 9, shown: 8, lost: 0 }));
        assert_eq!(dropwatch("dropwatch: 7 drops lost\n"), None);
        assert_eq!(dropwatch("dropwatch: seen many, shown 4, lost 1\n"), None);
    }

    #[test]
    fn bpftrace_prints_a_line_a_drop() -> io::Result<()> {
        let stdout =
            "Attaching 1 probe...\npython3            3\nLost 12 events\nswapper/0  5\n\n\n";
        let said = bpftrace_lines(stdout.as_bytes(), "Lost 3 events\nERROR: no limit\n")?;
        assert_eq!(said, Said { seen: 17, shown: 2, lost: 15 });
        Ok(())
    }

    #[test]
    fn bpftrace_prints_stacks() -> io::Result<()> {
        let stack = "\n        sk_skb_reason_drop+144\n        __udp4_lib_rcv+1212\n\n";
        let stdout = format!("Attaching 1 probe...\n{stack}{stack}Lost 9 events\n{stack}\n\n");
        let said = bpftrace_stacks(stdout.as_bytes(), "")?;
        assert_eq!(said, Said { seen: 12, shown: 3, lost: 9 });
        Ok(())
    }

    #[test]
    fn bpftrace_prints_counts() -> io::Result<()> {
        let stdout = "Attaching 1 probe...\n\n\n@[2, 0xffffffff821941d4]: 1\n\
            @[3, 0xffffffff820490cc]: 3000\n";
        let said = bpftrace_counts(stdout.as_bytes(), "")?;
        assert_eq!(said, Said { seen: 3001, shown: 3001, lost: 0 });
        Ok(())
    }

    #[test]
    fn perf_counts_samples() {
        let stderr = "[ perf record: Woken up 2 times to write data ]\n\
            [ perf record: Captured and wrote 0.544 MB perf.data (3000 samples) ]\n";
        assert_eq!(perf(stderr, 2990), Some(Said { seen: 3000, shown: 3000, lost: 0 }));
        assert_eq!(perf(stderr, 3500), Some(Said { seen: 3500, shown: 3000, lost: 500 }));
        assert_eq!(perf("[ perf record: Captured and wrote 0.544 MB perf.data ]", 1), None);
        assert_eq!(perf("", 1), None);
    }
}

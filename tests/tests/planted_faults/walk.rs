//! The way from a drop in the stream to its cause and its fix, by what dropwatch says alone.

use std::{net::UdpSocket, time::Duration};

use anyhow::{Context, Result, ensure};
use dropwatch_tests::{Launch, Namespace, json, need::patience};
use serde_json::Value;

/// How many packets are sent each time.
pub const COUNT: u32 = 8;
/// The words in capitals that commands have for what differs.
const BLANKS: &[&str] =
    &["ADDR", "CHAIN", "DEV", "FAMILY", "HANDLE", "OUTDEV", "PID", "PORT", "SRC", "TABLE"];

/// What is wrong, and where.
pub struct Fault<'a> {
    /// The reason that the kernel has for it.
    pub reason: &'static str,
    /// The network namespace in which it drops packets.
    pub at: &'a Namespace,
    /// Sends [`COUNT`] packets that it drops.
    pub send: &'a dyn Fn() -> Result<()>,
}

impl<'a> Fault<'a> {
    /// Watches the packets being dropped, and follows the hint.
    pub fn find(&'a self, counter: Option<&str>) -> Result<Found<'a>> {
        let before = counter.map(|name| self.counted(name)).transpose()?;
        let stream = Launch::new(&["--hints", "--netns", self.at.name()]).start()?;
        let drops = self.drops()?;
        let text = stream.interrupt()?.stdout();
        assert!(!drops.is_empty(), "no drop for {}: {text}", self.reason);
        if let (Some(name), Some(before)) = (counter, before) {
            assert_eq!(self.counted(name)? - before, drops.len() as u64, "{name}: {text}");
        }
        let place = format!("; in netns {})", self.at.name());
        let hints = text.lines().filter(|line| line.starts_with("    hint: "));
        let mut named =
            hints.filter_map(|line| line.strip_suffix(&place)?.split_once("(dropwatch explain "));
        let found = named.find(|(_, reason)| *reason == self.reason);
        let (hint, reason) = found.with_context(|| format!("no hint: {text}"))?;
        let entry = explain(reason)?;
        let summary = entry["summary"].as_str().context("a summary")?;
        assert!(hint.contains(summary), "{hint}");
        Ok(Found { fault: self, entry, drop: drops[0].clone(), words: Vec::new() })
    }

    /// Sends, and gives the drops for the reason.
    fn drops(&self) -> Result<Vec<Value>> {
        let args = ["--reason", self.reason, "--netns", self.at.name()];
        json::within(&json::drops_of(&args, self.send)?, self.at)
    }

    /// What the counter says, which the entry of the reason names with its command.
    pub fn counted(&self, name: &str) -> Result<u64> {
        let command = command_of_counter(&explain(self.reason)?, name)?;
        let printed = self.at.output("sh", &["-c", &command])?;
        let mut rows = printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let row = rows.find(|row| row.first() == Some(&name));
        let row = row.with_context(|| format!("no {name}: {printed}"))?;
        Ok(row.get(1).context("a number")?.parse()?)
    }
}

/// A fault that was found.
pub struct Found<'a> {
    pub fault: &'a Fault<'a>,
    /// What `explain` says of its reason.
    pub entry: Value,
    /// One of its drops.
    pub drop: Value,
    /// What the commands before have told.
    pub words: Vec<(&'static str, String)>,
}

impl Found<'_> {
    /// The command with its blanks filled in.
    fn filled(&self, command: &str) -> Result<String> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let packet = &self.drop["packet"];
        let mut words = vec![
            ("DEV", text(&self.drop["device"]["name"])),
            ("SRC", text(&packet["source"])),
            ("ADDR", text(&packet["destination"])),
            ("PORT", text(&packet["destination_port"])),
            ("PID", text(&self.drop["socket"]["owner"]["pid"])),
        ];
        words.extend(self.words.clone());
        let mut filled = String::new();
        let mut rest = command;
        while let Some(at) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
            let (before, from) = rest.split_at(at);
            let end = from.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(from.len());
            let (word, after) = from.split_at(end);
            let known = words.iter().find(|(name, _)| *name == word);
            ensure!(known.is_some() || !BLANKS.contains(&word), "{word} is open in {command:?}");
            filled += before;
            filled += known.map_or(word, |(_, value)| value);
            rest = after;
        }
        Ok(filled + rest)
    }

    /// What the entry's command prints that begins like this.
    pub fn check(&self, begin: &str) -> Result<String> {
        let command = self.command(begin)?;
        self.fault.at.output("sh", &["-c", &command])
    }

    /// The entry's command that begins like this, filled in.
    pub fn command(&self, begin: &str) -> Result<String> {
        let mut commands = self.entry["check"].as_array().context("commands")?.iter();
        let command = commands.find_map(|it| it.as_str().filter(|it| it.starts_with(begin)));
        self.filled(command.with_context(|| format!("no {begin}: {:#}", self.entry))?)
    }

    /// Runs a command that stands in the entry's fix.
    pub fn fix(&self, command: &str) -> Result<()> {
        self.says_fix(command)?;
        self.fault.at.output("sh", &["-c", &self.filled(command)?]).map(drop)
    }

    /// Makes sure that these words stand in the entry's fix.
    pub fn says_fix(&self, words: &str) -> Result<()> {
        let fix = self.entry["fix"].as_str().context("a fix")?;
        ensure!(fix.contains(words), "no {words:?} in {fix:?}");
        Ok(())
    }

    /// Sends again: nothing is dropped for the reason, and all packets arrive.
    pub fn is_over(&self, receiver: &UdpSocket) -> Result<()> {
        let drops = self.fault.drops()?;
        assert!(drops.is_empty(), "still dropped: {drops:#?}");
        receiver.set_read_timeout(Some(patience(Duration::from_secs(2))))?;
        for number in 0..COUNT {
            receiver.recv(&mut [0; 2000]).with_context(|| format!("only {number} came"))?;
        }
        Ok(())
    }
}

fn explain(reason: &str) -> Result<Value> {
    let finished = Launch::new(&["explain", "--json", reason]).run()?;
    ensure!(finished.status.success(), "{}", finished.stderr());
    let all: Value = serde_json::from_str(&finished.stdout())?;
    Ok(all[0].clone())
}

/// The command in brackets behind the name of a counter: `UdpNoPorts (nstat -az UdpNoPorts)`.
fn command_of_counter(entry: &Value, name: &str) -> Result<String> {
    let mut counters = entry["counters"].as_array().context("counters")?.iter();
    let counter = counters.find_map(|it| it.as_str().filter(|it| it.contains(name)));
    let counter = counter.with_context(|| format!("no {name}: {entry:#}"))?;
    let (_, command) = counter.split_once('(').context("a command")?;
    Ok(command.trim_end_matches(')').to_owned())
}

use std::collections::{BTreeMap, HashMap};

use super::*;

const KNOWN_REASONS: &str = include_str!("../kernel/known_reasons.txt");

/// The tools that people are sent to: those that distributions have, and dropwatch itself.
const TOOLS: &str = "\
    arping ausearch awk bpftool bridge candump cat conntrack dmesg dropwatch ethtool grep \
    hostapd_cli ip iptables-save iw journalctl lnstat ls lsmod modinfo mpstat mtr netlabelctl \
    nft nstat ovs-appctl ovs-dpctl ovs-ofctl ovs-vsctl perf ping rdisc6 ss strace sysctl systemctl tc \
    tcpdump top tracepath traceroute wpa_cli ynl";

fn entries() -> Entries {
    Entries::load().expect("the data can be read")
}

/// The names that tested kernels have; only the core's can do without a subsystem.
fn known_names() -> impl Iterator<Item = &'static str> {
    let lines = KNOWN_REASONS.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(' '))
        .map(|(name, _)| name)
        .filter(|it| *it != "kernels:")
}

#[test]
fn every_reason_of_every_tested_kernel_has_an_entry() {
    let entries = entries();
    let missing: Vec<_> =
        known_names().filter(|name| !entries.iter().any(|(_, other, _)| other == *name)).collect();
    assert!(missing.is_empty(), "{} have no entry: {missing:?}", missing.len());
}

#[test]
fn no_two_reasons_mean_the_same() {
    let entries = entries();
    let mut seen: HashMap<String, &str> = HashMap::new();
    for (_, name, entry) in entries.iter() {
        // The same reason of two subsystems, of which one took it over, and a new name of an old
        // reason mean the same indeed.
        for text in [&entry.summary, &entry.meaning] {
            let words: Vec<_> =
                text.split(|c: char| !c.is_alphanumeric()).filter(|it| !it.is_empty()).collect();
            let text = words.join(" ").to_lowercase();
            if let Some(other) = seen.insert(text, name) {
                let successor = |of: &str| {
                    entries.iter().any(|(_, name, entry)| {
                        name == of
                            && entry.renamed.as_deref()
                                == Some(if of == name { other } else { name })
                    })
                };
                assert!(
                    successor(name) || successor(other),
                    "{name} and {other} have the same words"
                );
            }
        }
    }
}

#[test]
fn no_entry_is_filler() {
    const NOTHING: &[&str] = &[
        "check your network",
        "check the network",
        "todo",
        "tbd",
        "n/a",
        "various reasons",
        "contact your",
        "unclear",
        "the packet was invalid",
        "something went wrong",
        "see the documentation",
        "for more information",
    ];
    for (subsystem, name, entry) in entries().iter() {
        let texts = [&entry.summary, &entry.meaning, &entry.harmless_when, &entry.fix];
        for text in texts {
            let lower = text.to_lowercase();
            for nothing in NOTHING {
                assert!(!lower.contains(nothing), "{subsystem}.{name}: {nothing:?} in {text:?}");
            }
        }
        assert!(
            !entry.summary.to_uppercase().contains(&name.replace('_', " "))
                || entry.meaning.len() > 80,
            "{name}"
        );
    }
}

#[test]
fn lengths_are_sane() {
    for (subsystem, name, entry) in entries().iter() {
        let at = format!("{subsystem}.{name}");
        let within = |text: &str, least: usize, most: usize, what: &str| {
            let len = text.trim().chars().count();
            assert!((least..=most).contains(&len), "{at}: {what} has {len} characters: {text:?}");
        };
        within(&entry.summary, 15, 90, "summary");
        assert!(
            !entry.summary.ends_with('.') && !entry.summary.contains('\n'),
            "{at}: {:?}",
            entry.summary
        );
        within(&entry.meaning, 40, 900, "meaning");
        within(&entry.harmless_when, 10, 500, "harmless_when");
        within(&entry.fix, 8, 600, "fix");
        assert!((1..=16).contains(&entry.r#where.len()), "{at}: where");
        assert!(entry.counters.len() <= 6, "{at}: counters");
        assert!((1..=5).contains(&entry.check.len()), "{at}: check");
        for place in &entry.r#where {
            within(place, 5, 160, "where");
        }
        for counter in &entry.counters {
            within(counter, 5, 200, "counter");
        }
        for command in &entry.check {
            within(command, 2, 160, "command");
        }
    }
}

#[test]
fn commands_begin_with_known_tools() {
    for (subsystem, name, entry) in entries().iter() {
        for command in &entry.check {
            // Variables may stand before, as may sudo.
            let mut words = command
                .split_whitespace()
                .filter(|word| !word.contains('=') || word.starts_with('-'));
            let mut tool = words.next().unwrap_or_default();
            if tool == "sudo" {
                tool = words.next().unwrap_or_default();
            }
            assert!(
                TOOLS.split(' ').any(|known| known == tool),
                "{subsystem}.{name}: {tool:?} in {command:?}"
            );
        }
    }
}

#[test]
fn releases_are_numbers_in_order() {
    let release = |text: &str| {
        let (major, minor) = text.split_once('.').expect("a release");
        (major.parse::<u32>().expect(text), minor.parse::<u32>().expect(text))
    };
    let entries = entries();
    for (subsystem, name, entry) in entries.iter() {
        let since = release(&entry.since);
        assert!(since >= (5, 17), "{name}: drop reasons came with 5.17");
        let until = entry.until.as_deref().map(release);
        assert!(until.is_none_or(|until| until >= since), "{name}");
        if let Some(renamed) = &entry.renamed {
            assert!(until.is_some(), "{subsystem}.{name} was renamed, but when?");
            assert!(entries.iter().any(|(_, other, _)| other == renamed), "{name}: no {renamed}");
        }
    }
}

/// What the tested kernels have, the data must not deny.
#[test]
fn releases_agree_with_the_tested_kernels() {
    let mut lines = KNOWN_REASONS.lines().filter(|line| !line.starts_with('#'));
    let kernels =
        lines.next().and_then(|line| line.strip_prefix("kernels: ")).expect("the kernels");
    let mainline = |text: &str| {
        let mut numbers = text.split('.').map(|number| number.parse::<u32>().expect(text));
        (numbers.next().expect(text), numbers.next().expect(text))
    };
    let kernels: Vec<_> = kernels.split(' ').map(mainline).collect();
    let entries = entries();
    let mut ranges: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (_, name, entry) in entries.iter() {
        let until = entry.until.as_deref().map_or((u32::MAX, 0), mainline);
        ranges.entry(name).or_default().push((mainline(&entry.since), until));
    }
    for (name, flags) in lines.filter_map(|line| line.split_once(' ')) {
        let Some(ranges) = ranges.get(name) else { continue };
        for (kernel, flag) in kernels.iter().zip(flags.chars()) {
            let said = ranges.iter().any(|(since, until)| since <= kernel && kernel <= until);
            // Stable series and distributions take over newer reasons, never the other way.
            if flag == '0' {
                continue;
            }
            let after = ranges.iter().all(|(_, until)| until < kernel);
            assert!(flag == '?' || said || !after, "{name} is in {kernel:?}, but ends before");
        }
    }
}

#[test]
fn damaged_data_is_an_error() {
    for text in ["[core.X]\nsummary = \"only\"", "[core.X]\nunknown = 1", "[[[", "core = 1"] {
        assert!(Entries::parse(text).is_err(), "{text}");
    }
    assert_eq!(Entries::parse("").expect("nothing"), Entries::default());
}

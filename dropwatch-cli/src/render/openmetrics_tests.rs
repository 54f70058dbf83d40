use std::time::{Duration, Instant};

use super::*;
use crate::{
    clock::Clock,
    counts::{Snapshot, key::Interface},
    drop::Name,
    kernel::reasons::Reasons,
    symbols::{Frame, Symbol, Symbols},
    world::World,
};

fn symbol(address: u64, name: &str, offset: usize, module: Option<&str>) -> Frame {
    let symbol = Symbol {
        name: name.to_owned(),
        offset,
        module: module.map(str::to_owned),
        source: None,
        inlined: Vec::new(),
    };
    Frame { address, symbol: Some(symbol) }
}

fn sources() -> Sources {
    Sources {
        reasons: Reasons::of_trace_event(&[(3, "NO_SOCKET".to_owned())]),
        symbols: Symbols::of_frames([
            symbol(1, "tcp_v4_rcv", 0x91, None),
            symbol(2, "drop", 0x10, Some("wire")),
            // Two functions of the same name.
            symbol(3, "drop", 0x10, Some("wire")),
            Frame { address: 4, symbol: None },
        ]),
        clock: Clock::fixed(0),
        world: World::nothing(),
    }
}

fn config(by: &[By], rows: Option<usize>) -> TableConfig {
    TableConfig { by: by.to_vec(), sort: Sort::Total, rows, max_keys: 9 }
}

/// What is written of each of these counts in turn.
fn texts(config: &TableConfig, counts: &[(&[(Key, u64)], u64)]) -> Vec<String> {
    let mut table = Table::new(config.by.clone(), 0);
    let mut exposition = Exposition::new(Format::OpenMetrics);
    let mut sources = sources();
    let text = |(rows, other): &(&[(Key, u64)], u64)| {
        let counters = Counters::default();
        table.feed(&Snapshot { at: Instant::now(), rows: rows.to_vec(), other: *other, counters });
        let mut out = Vec::new();
        exposition.write(&table, config, &Totals::default(), &mut sources, &mut out);
        String::from_utf8(out).expect("text")
    };
    counts.iter().map(text).collect()
}

fn drops(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("dropwatch_drops_total")).collect()
}

fn location(address: u64) -> Key {
    Key { location: Some(address), ..Key::default() }
}

fn device(name: &[u8]) -> Key {
    let mut field = [0; 16];
    field[..name.len()].copy_from_slice(name);
    let interface = Interface { index: 1, name: Some(Name::of_field(field)) };
    Key { interface: Some(interface), ..Key::default() }
}

#[test]
fn each_part_is_a_label() {
    let key = Key { reason: Some(3), protocol: Some(0x0800), ..location(1) };
    let by = [By::Reason, By::Location, By::Protocol];
    let text = texts(&config(&by, None), &[(&[(key, 7)], 0)]).remove(0);
    let expected = "{reason=\"NO_SOCKET\",subsystem=\"core\",location=\"tcp_v4_rcv+0x91\",\
                    function=\"tcp_v4_rcv\",protocol=\"IPv4\"} 7";
    assert_eq!(drops(&text), [expected]);
    let nothing = texts(&config(&by, None), &[(&[(Key::default(), 7)], 0)]).remove(0);
    assert_eq!(nothing.matches("=\"?\"").count(), 5, "{nothing}");
    let bare = texts(&config(&[By::Location], None), &[(&[(location(4), 7)], 0)]).remove(0);
    assert_eq!(drops(&bare), ["{location=\"0x4\",function=\"?\"} 7"]);
}

#[test]
fn what_reads_the_same_is_one_series() {
    let counts = [(location(2), 7), (location(3), 5)];
    let text = texts(&config(&[By::Location], None), &[(&counts, 0)]).remove(0);
    assert_eq!(drops(&text), ["{location=\"drop+0x10 [wire]\",function=\"drop\"} 12"]);
}

#[test]
fn no_name_ends_its_label() {
    for (name, expected) in [
        (&b"a\"} 9"[..], r#"{interface="a\"} 9"} 1"#),
        (b"a\\", r#"{interface="a\\\\"} 1"#),
        (b"a\nb 9", r#"{interface="a\\nb 9"} 1"#),
        (b"a\r\x1b\xff", r#"{interface="a\\r\\u{1b}\\xff"} 1"#),
        ("gr\u{fc}n".as_bytes(), "{interface=\"gr\u{fc}n\"} 1"),
    ] {
        let text = texts(&config(&[By::Interface], None), &[(&[(device(name), 1)], 0)]).remove(0);
        assert_eq!(drops(&text), [expected]);
    }
    // Names are escaped before; here are some that are not.
    let mut out = Vec::new();
    write_label("a", b"x\n\"\\\xff", &mut out);
    write_label("b", b"", &mut out);
    assert_eq!(out, "a=\"x\\n\\\"\\\\\u{fffd}\",b=\"\"".as_bytes());
}

#[test]
fn no_counter_ever_decreases() {
    let of = |counts: [u64; 3]| [1, 2, 4].map(location).into_iter().zip(counts).collect::<Vec<_>>();
    let (first, second) = (of([9, 5, 1]), of([9, 6, 100]));
    let config = config(&[By::Location], Some(2));
    let texts = texts(&config, &[(&first, 10), (&second, 11)]);
    let place = |location, function, drops| {
        format!("{{location=\"{location}\",function=\"{function}\"}} {drops}")
    };
    let expected = |counts: [u64; 3]| {
        [
            place("(other)", "(other)", counts[0]),
            place("drop+0x10 [wire]", "drop", counts[1]),
            place("tcp_v4_rcv+0x91", "tcp_v4_rcv", counts[2]),
        ]
    };
    assert_eq!(drops(&texts[0]), expected([11, 5, 9]));
    // The greatest by now, but it was one of the others.
    assert_eq!(drops(&texts[1]), expected([111, 6, 9]));
    assert!(texts[1].contains("\ndropwatch_other_total 11\n"), "{}", texts[1]);
}

#[test]
fn formats_describe_counters_by_their_own_rules() {
    let written = |format| {
        let mut out = Vec::new();
        let table = Table::new(vec![By::Reason], 0);
        let totals =
            Totals { start: Duration::from_millis(1_700_000_000_050), ..Totals::default() };
        let config = config(&[By::Reason], None);
        Exposition::new(format).write(&table, &config, &totals, &mut sources(), &mut out);
        String::from_utf8(out).expect("text")
    };
    let open = written(Format::OpenMetrics);
    assert!(open.ends_with("\ndropwatch_start_time_seconds 1700000000.050\n# EOF\n"), "{open}");
    assert!(open.contains("\n# TYPE dropwatch_drops counter\n"), "{open}");
    assert!(open.contains("\n# UNIT dropwatch_start_time_seconds seconds\n"), "{open}");
    let older = written(Format::Prometheus);
    assert!(older.contains("\n# TYPE dropwatch_drops_total counter\n"), "{older}");
    assert!(!older.contains("UNIT") && !older.contains("EOF"), "{older}");
}

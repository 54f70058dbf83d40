//! The live view on screens of all sizes, word for word.

#[path = "support/golden.rs"]
mod golden;
#[path = "support/packets/mod.rs"]
#[expect(dead_code, reason = "what is written of them is tested elsewhere")]
mod packets;
#[path = "support/random.rs"]
mod random;

use std::time::{Duration, Instant};

use dropwatch::{
    clock::Clock,
    counts::{
        Snapshot,
        key::{By, Flow, Interface, Key},
        table::Sort,
    },
    decode::decode,
    drop::{Drop, Name},
    explain::{Entries, hints::Hints},
    kernel::reasons::Reasons,
    render::sources::Sources,
    symbols::{Frame, Symbol, Symbols},
    top::{
        keys::{Action, Step},
        look::Look,
        model::{Facts, Model},
        names::Named,
        view,
    },
    world::{Facts as WorldFacts, World, netns::NetnsName},
};
use dropwatch_common::{
    counters::Counters,
    record::{
        DeviceRecord, DropRecord, FLAG_COMM, FLAG_CONTEXT, FLAG_DEVICE, FLAG_IIF, FLAG_LEN,
        FLAG_NETNS, FLAG_PACKET, FLAG_PROTOCOL, FLAG_REASON, PACKET_LEN, PacketRecord,
    },
};
use golden::golden;
use ratatui_core::{
    backend::TestBackend,
    buffer::Buffer,
    style::{Color, Modifier},
    terminal::Terminal,
};

/// 2026-11-23T15:04:05Z
const BOOT: i64 = 1_795_446_245_000_000_000;
const UDP: u64 = 0xffff_ffff_81c2_3a41;
const TCP: u64 = 0xffff_ffff_81bf_0e7f;
const OVS: u64 = 0xffff_ffff_c0a1_4e10;
const NOWHERE: u64 = 0xffff_ffff_8100_1234;
const NETNS: u32 = 4_026_531_840;
const SECOND: Duration = Duration::from_secs(1);

const UNICODE: Look = Look { color: false, unicode: true };
const ASCII: Look = Look { color: false, unicode: false };

fn name<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut name = [0; N];
    name[..text.len()].copy_from_slice(text);
    name
}

fn names(look: Look) -> Named {
    let symbol = |name: &str, offset, module: Option<&str>| Symbol {
        name: name.to_owned(),
        offset,
        module: module.map(str::to_owned),
        source: None,
        inlined: Vec::new(),
    };
    let mut frames = vec![
        (UDP, Some(symbol("udp_queue_rcv_one_skb", 0x437, None))),
        (TCP, Some(symbol("tcp_v4_rcv", 0x7f, None))),
        (OVS, Some(symbol("ovs_dp_process_packet", 0x1d0, Some("openvswitch")))),
        (NOWHERE, None),
    ];
    let depth = ["ip_local_deliver_finish", "__netif_receive_skb_one_core", "process_backlog"];
    frames.extend((1..).zip(depth).map(|(at, name)| (at, Some(symbol(name, 0x75, None)))));
    let reasons = [(2, "NOT_SPECIFIED"), (3, "NO_SOCKET"), (6, "SOCKET_RCVBUFF")];
    let reasons = reasons.map(|(raw, name)| (raw, name.to_owned()));
    let world = World::fixed(WorldFacts {
        namespaces: vec![(NETNS, NetnsName::Host), (7, NetnsName::Named(b"blue".to_vec()))],
        ..WorldFacts::default()
    });
    let sources = Sources {
        reasons: Reasons::of_trace_event(&reasons),
        symbols: Symbols::of_frames(
            frames.into_iter().map(|(address, symbol)| Frame { address, symbol }),
        ),
        clock: Clock::fixed(BOOT),
        world,
    };
    Named::new(sources, look)
}

fn key(reason: u32, location: u64, netns: u32) -> Key {
    let flow = Flow {
        source: [10, 0, 0, 1].into(),
        destination: [10, 0, 0, 2].into(),
        ports: Some((40_000, 53)),
        l4: Some(17),
    };
    Key {
        reason: Some(reason),
        location: Some(location),
        protocol: Some(0x0800),
        interface: Some(Interface { index: 2, name: Some(Name::of_field(name(b"eth0"))) }),
        netns: Some(netns),
        flow: Some(flow),
    }
}

/// A drop of the first row.
fn sample() -> Drop {
    let sample = packets::samples().into_iter().find(|sample| sample.name == "udp");
    let sample = sample.expect("a packet of UDP");
    let len = sample.bytes.len().min(PACKET_LEN);
    let mut bytes = [0; PACKET_LEN];
    bytes[..len].copy_from_slice(&sample.bytes[..len]);
    let stack = [UDP, 1, 2, 3, NOWHERE];
    let record = DropRecord {
        boot_ns: 123_456_789,
        location: UDP,
        reason: 6,
        pid: 4243,
        tgid: 4242,
        cpu: 1,
        len: sample.bytes.len() as u32,
        protocol: sample.protocol,
        flags: FLAG_COMM
            | FLAG_REASON
            | FLAG_PROTOCOL
            | FLAG_LEN
            | FLAG_CONTEXT
            | FLAG_DEVICE
            | FLAG_IIF
            | FLAG_NETNS
            | FLAG_PACKET,
        preempt_count: 0x100,
        stack_len: stack.len() as u16,
        comm: name(b"nginx"),
        device: DeviceRecord {
            name: name(b"eth0"),
            index: 2,
            skb_iif: 2,
            netns: NETNS,
            kind: 1,
            reserved: 0,
        },
        packet: PacketRecord {
            mac: 0,
            network: sample.network as u16,
            len: len as u16,
            linear_len: len as u16,
            bytes,
            ..PacketRecord::default()
        },
        ..DropRecord::default()
    };
    // SAFETY: the struct has no padding, so all its bytes are initialised.
    let fixed = unsafe { &*(&raw const record).cast::<[u8; size_of::<DropRecord>()]>() };
    let frames = stack.iter().flat_map(|frame: &u64| frame.to_ne_bytes());
    let bytes: Vec<u8> = fixed.iter().copied().chain(frames).collect();
    decode(&bytes).expect("a whole record")
}

/// A view of made-up drops, and a screen of some size.
struct View {
    model: Model,
    names: Named,
    look: Look,
    start: Instant,
}

impl View {
    /// With thirty seconds of drops behind it.
    fn new(look: Look) -> Self {
        let facts = Facts {
            host: "web1".to_owned(),
            kernel: "6.12.57".to_owned(),
            filters: "--l4 udp --netns blue,host".to_owned(),
            interval: SECOND,
            flows: true,
            hints: false,
        };
        let start = Instant::now();
        let by = vec![By::Reason, By::Location];
        let mut view =
            Self { model: Model::new(facts, by, Sort::Total), names: names(look), look, start };
        for second in 0..=30_u32 {
            let n = u64::from(second);
            let mut rows = vec![
                (Key::of_drop(&sample(), true), n * n * 140),
                (key(3, TCP, NETNS), n.min(20) * 1000),
                (key(3, TCP, 7), n * 7 + n % 3),
                (key(0x7_0003, OVS, 7), n / 10),
            ];
            rows.extend((0..40).map(|row| (key(2, NOWHERE + row, 7), n / 30 * (40 - row))));
            let other = n / 30 * 12;
            let matched = rows.iter().map(|(_, drops)| drops).sum::<u64>() + other;
            let counters = Counters { seen: matched + 17, matched, ..Counters::default() };
            let at = start + second * SECOND;
            view.model.feed(&Snapshot { at, rows, other, counters }, second * SECOND);
        }
        view.model.refresh(&mut view.names);
        view
    }

    /// The same, and what reasons mean.
    fn with_hints(self) -> Self {
        let Self { mut model, names, look, start } = self;
        model.facts.hints = true;
        let names = names.with_hints(Hints::new(Entries::load().expect("the data")));
        Self { model, names, look, start }
    }

    fn press(&mut self, actions: &[Action]) {
        for action in actions {
            self.model.apply(*action, self.start);
            self.model.refresh(&mut self.names);
        }
    }

    fn type_filter(&mut self, text: &str) {
        self.press(&[Action::Filter]);
        text.chars().for_each(|character| self.press(&[Action::Type(character)]));
    }

    fn draw(&mut self, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a screen");
        let Self { model, names, look, start } = self;
        let drawn = terminal.draw(|frame| view::draw(frame, model, names, *look, *start));
        drawn.expect("a screen").buffer.clone()
    }

    /// What stands on the screen, in a frame.
    fn screen(&mut self, what: &str, width: u16, height: u16) -> String {
        let buffer = self.draw(width, height);
        let frame = format!("+{:-<1$}+\n", format!(" {what} "), usize::from(width));
        let mut text = frame;
        for y in 0..height {
            let line: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
            text += &format!("|{line}|\n");
        }
        text + &format!("+{:-<1$}+\n", "", usize::from(width))
    }
}

#[test]
fn a_terminal_of_80_by_24() {
    let mut view = View::new(UNICODE);
    let mut text = view.screen("table", 80, 24);
    view.press(&[Action::Choose(Step::PageDown), Action::SortBy(Sort::Key(By::Reason))]);
    text += &view.screen("the row that was chosen, sorted by reason", 80, 24);
    view.press(&[Action::SortBy(Sort::Total), Action::Toggle(By::Netns)]);
    text += &view.screen("by netns too", 80, 24);
    view.press(&[Action::Toggle(By::Protocol), Action::Toggle(By::Interface)]);
    view.press(&[Action::Toggle(By::Flow)]);
    text += &view.screen("by all", 80, 24);
    view.press(&[Action::Choose(Step::Last)]);
    text += &view.screen("the last row", 80, 24);
    view.press(&[Action::Choose(Step::First), Action::Open]);
    text += &view.screen("details without a sample", 80, 24);
    view.model.add_sample(sample());
    text += &view.screen("details", 80, 24);
    view.press(&[Action::Scroll(Step::PageDown)]);
    text += &view.screen("details, scrolled", 80, 24);
    view.press(&[Action::Help]);
    text += &view.screen("help", 80, 24);
    view.press(&[Action::Close, Action::Close, Action::Pause]);
    view.type_filter("socket");
    text += &view.screen("paused, a filter is typed", 80, 24);
    view.press(&[Action::Accept]);
    text += &view.screen("the filter", 80, 24);
    view.type_filter("nothing");
    view.press(&[Action::Accept]);
    text += &view.screen("nothing is left", 80, 24);
    view.press(&[Action::Close]);
    view.model.notify("the kernel hides its addresses".to_owned(), view.start);
    text += &view.screen("a notice", 80, 24);
    golden("top-80x24.txt", text.as_bytes());
}

#[test]
fn a_terminal_of_200_by_60() {
    let mut view = View::new(UNICODE);
    view.model.add_sample(sample());
    let mut text = view.screen("table", 200, 60);
    view.press(&[Action::Toggle(By::Protocol), Action::Toggle(By::Interface)]);
    view.press(&[Action::Toggle(By::Netns), Action::Toggle(By::Flow), Action::Open]);
    text += &view.screen("by all, with details", 200, 60);
    golden("top-200x60.txt", text.as_bytes());
}

#[test]
fn hints_are_those_of_the_row_that_is_chosen() {
    let mut view = View::new(UNICODE).with_hints();
    view.model.add_sample(sample());
    let mut text = view.screen("table", 80, 24);
    view.press(&[Action::Choose(Step::Down)]);
    text += &view.screen("the next row", 140, 14);
    view.press(&[Action::Choose(Step::First), Action::Open]);
    text += &view.screen("details", 80, 24);
    view.press(&[Action::Close, Action::Choose(Step::Last)]);
    text += &view.screen("other", 80, 14);
    view.press(&[Action::Choose(Step::First)]);
    text += &view.screen("narrow", 30, 14);
    text += &view.screen("low", 80, 9);
    golden("top-hints.txt", text.as_bytes());
}

#[test]
fn small_terminals_and_ascii() {
    let mut view = View::new(ASCII);
    view.model.add_sample(sample());
    let mut text = view.screen("table", 80, 24);
    view.press(&[Action::Open]);
    for (width, height) in [(60, 16), (40, 12), (20, 5), (10, 3), (3, 2), (1, 1)] {
        text += &view.screen(&format!("{width} by {height}"), width, height);
    }
    assert!(text.is_ascii());
    golden("top-small.txt", text.as_bytes());
}

#[test]
fn before_the_first_drop() {
    let facts = Facts { interval: SECOND, ..Facts::default() };
    let model = Model::new(facts, vec![By::Reason], Sort::Rate);
    let mut view = View { model, names: names(UNICODE), look: UNICODE, start: Instant::now() };
    view.press(&[Action::Open, Action::Another, Action::Choose(Step::Last)]);
    let screen = view.screen("", 60, 12);
    assert!(screen.contains("nothing has been dropped yet"), "{screen}");
    assert!(screen.contains("all drops") && screen.contains("no rows"), "{screen}");
    assert!(!screen.contains("sample:"), "{screen}");
}

/// Whether a cell of this text's has something.
fn any(buffer: &Buffer, text: &str, has: impl Fn(&ratatui_core::buffer::Cell) -> bool) -> bool {
    let width = usize::from(buffer.area.width);
    buffer.content.chunks(width).any(|line| {
        let symbols: String = line.iter().map(|cell| cell.symbol()).collect();
        // The fixtures are ASCII, so bytes are cells.
        symbols.find(text).is_some_and(|at| has(&line[at]))
    })
}

#[test]
fn colours_are_used_only_where_they_are_wanted() {
    let mut view = View::new(ASCII);
    let plain = view.draw(80, 24);
    assert!(plain.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    let reversed = |cell: &ratatui_core::buffer::Cell| cell.modifier.contains(Modifier::REVERSED);
    assert!(any(&plain, "SOCKET_RCVBUFF", reversed), "the chosen row");
    assert!(any(&plain, "TOTALv", reversed), "the column that is sorted by");
    assert!(!any(&plain, "RATE", reversed) && !any(&plain, "NO_SOCKET", reversed));

    let mut view = View::new(Look { color: true, unicode: false });
    let coloured = view.draw(80, 24);
    assert!(any(&coloured, "NO_SOCKET", |cell| cell.fg == Color::Yellow));
    assert!(any(&coloured, "tcp_v4_rcv", |cell| cell.fg == Color::Cyan));
    let text =
        |buffer: &Buffer| -> String { buffer.content.iter().map(|it| it.symbol()).collect() };
    assert_eq!(text(&plain), text(&coloured));
}

#[test]
fn no_size_and_no_keys_make_it_panic() {
    let mut number = random::numbers();
    let mut random = |below: u64| number() % below;
    let steps = [Step::Up, Step::Down, Step::PageUp, Step::PageDown, Step::First, Step::Last];
    let mut actions = vec![
        Action::Close,
        Action::SortBefore,
        Action::SortAfter,
        Action::SortBy(Sort::Rate),
        Action::Reverse,
        Action::Pause,
        Action::Open,
        Action::Another,
        Action::Help,
        Action::Filter,
        Action::Type('o'),
        Action::Type('网'),
        Action::Erase,
        Action::EraseAll,
        Action::Accept,
    ];
    actions.extend(steps.iter().flat_map(|step| [Action::Choose(*step), Action::Scroll(*step)]));
    actions.extend(By::ALL.map(Action::Toggle));
    let mut view = View::new(UNICODE).with_hints();
    view.model.add_sample(sample());
    for _ in 0..600 {
        view.press(&[actions[random(actions.len() as u64) as usize]]);
        let (width, height) = (random(250) as u16 + 1, random(70) as u16 + 1);
        view.draw(width, height);
    }
}

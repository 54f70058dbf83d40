//! `dropwatch top` in a real terminal: keys are pressed, screens are looked at, and whatever ends
//! it leaves the terminal as it was.

mod goes_wrong;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddrV4},
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use dropwatch_tests::{
    Namespace, dropwatch, need,
    tmux::{State, Tmux, signal},
    traffic::{CLOSED_PORT, tcp, udp},
};

/// On the shell's screen before anything is started.
const BEFORE: &str = "what was there before";

fn at(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

/// The view in a terminal, over the drops of a namespace.
struct View {
    tmux: Tmux,
    namespace: Namespace,
    settings: String,
}

impl View {
    fn start(width: u16, height: u16, args: &str) -> Result<Self> {
        Self::start_with(width, height, args, &[])
    }

    fn start_with(width: u16, height: u16, args: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let namespace = Namespace::new()?;
        let tmux = Tmux::start(width, height, variables)?;
        tmux.run(&format!("echo {BEFORE}"))?;
        tmux.wait_for_shell()?;
        let settings = tmux.settings()?;
        let view = Self { tmux, namespace, settings };
        view.run(args)?;
        Ok(view)
    }

    /// Starts dropwatch, and waits until it counts.
    fn run(&self, args: &str) -> Result<()> {
        let (binary, netns) = (dropwatch(), self.namespace.name());
        let line = format!("{} top --netns {netns} {args}; echo status=$?", binary.display());
        self.tmux.run(&line)?;
        self.tmux.wait_for("view", |screen| screen.contains("nothing has been dropped yet"))?;
        Ok(())
    }

    /// Has UDP datagrams dropped at a closed port, and connections refused.
    fn drop_packets(&self, datagrams: u32, connections: u32) -> Result<()> {
        self.namespace.run("dwt top", || {
            udp::send(at(CLOSED_PORT), 100, datagrams)?;
            tcp::connect_in_vain(at(CLOSED_PORT), connections)
        })
    }

    fn keys(&self, keys: &[&str]) -> Result<()> {
        self.tmux.keys(keys)
    }

    fn wait_for(&self, what: &str, is: impl Fn(&str) -> bool) -> Result<String> {
        self.tmux.wait_for(what, is)
    }

    /// Waits for a row in which this text stands with this total.
    fn wait_for_total(&self, text: &str, total: u32) -> Result<String> {
        self.wait_for(&format!("{total} drops of {text}"), |screen| {
            row(screen, text)
                .is_some_and(|row| row.split_whitespace().any(|word| word == total.to_string()))
        })
    }

    /// Waits for the end, and makes sure that the terminal is as before.
    fn ended(&self, status: u64) -> Result<String> {
        ended(&self.tmux, &self.settings, status)
    }
}

/// Waits until the shell has its terminal back, and makes sure that it is as before.
fn ended(tmux: &Tmux, settings: &str, status: u64) -> Result<String> {
    // The last one: the shell's line has `status=$?`.
    let found = |screen: &str| screen.rsplit_once("status=").and_then(|(_, rest)| leading(rest));
    let screen = tmux.wait_for("status", |screen| found(screen).is_some())?;
    ensure!(found(&screen) == Some(status), "{screen}");
    ensure!(tmux.state()? == State::USUAL, "{:?}", tmux.state()?);
    let history = tmux.history()?;
    ensure!(history.contains(BEFORE), "what was on the screen is gone:\n{history}");
    tmux.wait_for_shell()?;
    let now = tmux.settings()?;
    ensure!(now == settings, "the terminal was\n{settings}\nand is\n{now}");
    Ok(screen)
}

/// The row in which this text stands.
fn row<'a>(screen: &'a str, text: &str) -> Option<&'a str> {
    // Further up are what is filtered and the headings.
    screen.lines().skip(4).take_while(|line| !line.contains("sample:")).find(|it| it.contains(text))
}

/// What stands behind this label.
fn number(screen: &str, label: &str) -> Option<u64> {
    leading(screen.split_once(label)?.1)
}

/// The number with which a text begins.
fn leading(text: &str) -> Option<u64> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

const UDP: &str = "udp";
const TCP: &str = "tcp_v4_rcv";

#[test]
fn totals_are_what_was_sent() -> Result<()> {
    need!(Root, Program("ip"), Program("tmux"), Reason("NO_SOCKET"));
    let view = View::start(80, 24, "")?;
    view.drop_packets(1234, 7)?;
    view.wait_for_total(UDP, 1234)?;
    let screen = view.wait_for_total(TCP, 7)?;
    ensure!(screen.contains("NO_SOCKET") && screen.contains("99.4%"), "{screen}");
    ensure!(screen.contains(&format!("--netns {}", view.namespace.name())), "{screen}");
    ensure!(number(&screen, "matched ") == Some(1241), "{screen}");
    ensure!(number(&screen, "other ") == Some(0), "{screen}");
    view.drop_packets(766, 0)?;
    let screen = view.wait_for_total(UDP, 2000)?;
    ensure!(number(&screen, "matched ") == Some(2007), "{screen}");
    view.keys(&["q"])?;
    let screen = view.ended(0)?;
    ensure!(number(&screen, "counted ") == Some(2007), "{screen}");
    ensure!(screen.contains("dropwatch: seen "), "{screen}");
    Ok(())
}

#[test]
fn rows_are_sorted_grouped_filtered_and_paused() -> Result<()> {
    need!(Root, Program("ip"), Program("tmux"), Reason("NO_SOCKET"));
    let view = View::start(80, 24, "")?;
    view.drop_packets(100, 5)?;
    view.wait_for_total(TCP, 5)?;
    let is_first = |screen: &str, text: &str| {
        screen.lines().nth(4).is_some_and(|line| line.starts_with('>') && line.contains(text))
    };
    view.wait_for("sorted rows", |it| is_first(it, UDP) && it.contains("TOTAL▼"))?;
    view.keys(&["r"])?;
    view.wait_for("reversed rows", |it| is_first(it, TCP) && it.contains("TOTAL▲"))?;
    view.keys(&[">", ">"])?;
    view.wait_for("rows by location", |it| is_first(it, UDP) || it.contains("LOCATION▲"))?;
    view.keys(&["t"])?;
    view.wait_for("rows by total", |it| is_first(it, UDP) && it.contains("TOTAL▼"))?;

    view.keys(&["2"])?;
    view.wait_for_total("NO_SOCKET", 105)?;
    view.keys(&["3", "4", "5", "2"])?;
    let screen = view.wait_for_total(UDP, 100)?;
    let heading = screen.lines().nth(3).context("a heading")?;
    for column in ["REASON", "LOCATION", "PROTO", "IFACE", "NETNS"] {
        ensure!(heading.contains(column), "{column}: {heading}");
    }
    ensure!(row(&screen, "IPv4").is_some_and(|row| row.contains(" lo ")), "{screen}");
    ensure!(row(&screen, view.namespace.name()).is_some(), "{screen}");
    view.keys(&["6"])?;
    view.wait_for("refusal", |screen| screen.contains("--by reason,location,flow"))?;

    view.keys(&["/"])?;
    view.tmux.type_text("tcp")?;
    view.wait_for("filter", |screen| {
        screen.contains("/tcp") && row(screen, TCP).is_some() && row(screen, UDP).is_none()
    })?;
    ensure!(view.tmux.state()?.cursor, "there is a cursor where the filter is typed");
    view.keys(&["Enter"])?;
    view.wait_for("removal", |screen| screen.contains("Esc removes it"))?;
    view.keys(&["Escape"])?;
    view.wait_for_total(UDP, 100)?;

    view.keys(&["Space"])?;
    view.wait_for("pause", |screen| screen.contains("PAUSED"))?;
    view.drop_packets(50, 0)?;
    sleep(Duration::from_millis(2500));
    view.wait_for_total(UDP, 100)?;
    view.keys(&["Space"])?;
    let screen = view.wait_for_total(UDP, 150)?;
    ensure!(!screen.contains("PAUSED"), "{screen}");
    view.keys(&["Escape"])?;
    view.ended(0)?;
    Ok(())
}

#[test]
fn flows_are_counted_where_they_are_asked_for() -> Result<()> {
    need!(Root, Program("ip"), Program("tmux"), Reason("NO_SOCKET"));
    let view = View::start(200, 60, "--by reason,flow --l4 udp")?;
    view.drop_packets(12, 3)?;
    let screen = view.wait_for_total("127.0.0.1.9 UDP", 12)?;
    ensure!(row(&screen, "TCP").is_none(), "{screen}");
    view.keys(&["6"])?;
    view.wait_for("rows without flows", |screen| row(screen, "127.0.0.1").is_none())?;
    view.wait_for_total("NO_SOCKET", 12)?;
    view.keys(&["q"])?;
    view.ended(0)?;
    Ok(())
}

#[test]
fn details_show_a_packet_and_its_stack() -> Result<()> {
    need!(Root, Program("ip"), Program("tmux"), Reason("NO_SOCKET"));
    let view = View::start(80, 24, "")?;
    view.drop_packets(20, 3)?;
    view.wait_for_total(TCP, 3)?;
    view.keys(&["Enter"])?;
    let screen = view.wait_for("packet", |screen| screen.contains("packet:"))?;
    ensure!(screen.contains("> 127.0.0.1.9: UDP, length 100"), "{screen}");
    ensure!(screen.contains("stack:"), "{screen}");
    // Further down are the functions that sent it.
    view.keys(&["NPage"])?;
    view.wait_for("stack", |screen| screen.contains("udp_sendmsg+0x"))?;
    view.keys(&["Down"])?;
    let screen = view.wait_for("another row's packet", |screen| screen.contains("Flags ["))?;
    ensure!(screen.contains("> 127.0.0.1.9") || screen.contains("127.0.0.1.9 >"), "{screen}");
    view.keys(&["Escape", "Home", "n"])?;
    view.wait_for("the first row's packet", |screen| screen.contains("UDP, length 100"))?;
    // Another one, as soon as there is one.
    view.namespace.run("dwt other", || udp::send(at(CLOSED_PORT), 77, 1))?;
    view.wait_for("the next packet", |screen| screen.contains("UDP, length 77"))?;
    view.keys(&["?"])?;
    view.wait_for("help", |screen| screen.contains("sort by another column"))?;
    view.keys(&["Escape"])?;
    view.wait_for("the table", |screen| row(screen, UDP).is_some())?;
    view.keys(&["q"])?;
    view.ended(0)?;
    Ok(())
}

#[test]
fn it_fits_into_any_size() -> Result<()> {
    need!(Root, Program("ip"), Program("tmux"), Reason("NO_SOCKET"));
    let view = View::start(200, 60, "")?;
    view.drop_packets(30, 2)?;
    let screen = view.wait_for_total(UDP, 30)?;
    ensure!(screen.lines().next().is_some_and(|line| line.trim_end().ends_with("every 1s")));
    for (width, height) in [(60, 15), (20, 5), (3, 2), (120, 40), (80, 24)] {
        view.tmux.resize(width, height)?;
        view.keys(&["Enter"])?;
        let fits = |screen: &str| {
            let lines: Vec<_> = screen.lines().collect();
            // With each size the details are opened or closed, of which the last line tells.
            let last = lines.last().copied().unwrap_or_default();
            let begin = |text: &str| {
                let shown = text.len().min(width.into());
                last.starts_with(&text[..shown])
            };
            lines.len() == usize::from(height) && (begin("Esc close") || begin("q quit"))
        };
        view.wait_for(&format!("{width}×{height}"), fits)?;
    }
    view.wait_for_total(UDP, 30)?;
    view.keys(&["C-c"])?;
    view.ended(0)?;
    Ok(())
}

#[test]
fn signals_give_the_terminal_back() -> Result<()> {
    need!(Root, Program("ip"), Program("tmux"));
    let view = View::start(80, 24, "")?;
    for name in ["TERM", "HUP", "INT"] {
        let state = view.tmux.state()?;
        ensure!(state == State { alternate_screen: true, cursor: false }, "{name}: {state:?}");
        signal(view.tmux.child()?, name)?;
        view.ended(0).with_context(|| name.to_owned())?;
        view.tmux.run(&format!("clear; echo {BEFORE}"))?;
        view.wait_for("a fresh screen", |screen| !screen.contains("status="))?;
        view.run("")?;
    }
    view.keys(&["C-c"])?;
    view.ended(0)?;
    Ok(())
}

#[test]
fn it_ends_with_its_terminal() -> Result<()> {
    need!(Root, Program("ip"), Program("tmux"));
    let View { tmux, .. } = View::start(80, 24, "")?;
    let pid = tmux.child()?;
    drop(tmux);
    let begin = Instant::now();
    while Path::new(&format!("/proc/{pid}")).exists() {
        ensure!(begin.elapsed() < Duration::from_secs(10), "process {pid} still runs");
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

#[test]
fn keys_come_from_the_terminal_wherever_the_input_is() -> Result<()> {
    need!(Root, Program("ip"), Program("tmux"));
    let view = View::start(80, 24, "< /dev/null")?;
    view.keys(&["?"])?;
    view.wait_for("help", |screen| screen.contains("sort by another column"))?;
    view.keys(&["C-c"])?;
    view.ended(0)?;
    // A session of its own has no terminal.
    view.tmux.run(&format!("setsid --wait {} top; echo status=$?", dropwatch().display()))?;
    let screen = view.wait_for("error", |screen| screen.contains("status=1"))?;
    ensure!(screen.contains("belongs to no terminal") && screen.contains("--batch"), "{screen}");
    Ok(())
}

#[test]
fn ctrl_z_gives_the_terminal_back_until_it_goes_on() -> Result<()> {
    need!(Root, Program("ip"), Program("tmux"), Reason("NO_SOCKET"));
    let view = View::start(80, 24, "")?;
    view.drop_packets(40, 0)?;
    view.wait_for_total(UDP, 40)?;
    for suspend in [true, false] {
        if suspend {
            view.keys(&["C-z"])?;
        } else {
            signal(view.tmux.child()?, "TSTP")?;
        }
        let screen = view.wait_for("shell", |screen| screen.contains("Stopped"))?;
        ensure!(screen.contains(BEFORE), "{screen}");
        ensure!(view.tmux.state()? == State::USUAL, "{:?}", view.tmux.state()?);
        view.tmux.wait_for_shell()?;
        ensure!(view.tmux.settings()? == view.settings);
        // It has gone on counting, and is as it was.
        view.drop_packets(1, 0)?;
        view.tmux.run("clear")?;
        view.wait_for("an empty screen", |screen| !screen.contains("Stopped"))?;
        view.tmux.run(&format!("echo {BEFORE}; fg"))?;
        view.wait_for_total(UDP, if suspend { 41 } else { 42 })?;
    }
    // In the background it leaves the terminal alone.
    view.keys(&["C-z"])?;
    view.wait_for("shell", |screen| screen.contains("Stopped"))?;
    view.tmux.run("bg")?;
    sleep(Duration::from_millis(1500));
    ensure!(view.tmux.state()? == State::USUAL, "{:?}", view.tmux.state()?);
    view.tmux.run("fg")?;
    view.wait_for_total(UDP, 42)?;
    view.keys(&["q"])?;
    view.wait_for("the account", |screen| screen.contains("counted 42"))?;
    ensure!(view.tmux.state()? == State::USUAL, "{:?}", view.tmux.state()?);
    view.tmux.wait_for_shell()?;
    ensure!(view.tmux.settings()? == view.settings);
    Ok(())
}

#[test]
fn the_environment_says_what_the_terminal_can() -> Result<()> {
    need!(Root, Program("ip"), Program("tmux"), Reason("NO_SOCKET"));
    let view = View::start_with(80, 24, "", &[("LC_ALL", "C"), ("NO_COLOR", "1")])?;
    view.drop_packets(30, 0)?;
    let screen = view.wait_for_total(UDP, 30)?;
    ensure!(screen.is_ascii() && screen.contains("TOTALv"), "{screen}");
    let colored = |screen: &str| (30..=37).any(|color| screen.contains(&format!("[{color}m")));
    let text = view.tmux.colored_screen()?;
    ensure!(!colored(&text), "{text:?}");
    view.keys(&["q"])?;
    view.ended(0)?;
    let view = View::start(80, 24, "")?;
    view.drop_packets(30, 0)?;
    view.wait_for_total(UDP, 30)?;
    let text = view.tmux.colored_screen()?;
    ensure!(colored(&text) && text.contains('█'), "{text:?}");
    view.keys(&["q"])?;
    view.ended(0)?;

    // Where nothing can be drawn there are plain tables.
    let tmux = Tmux::start(80, 24, &[("TERM", "dumb")])?;
    let command = format!("{} top --iterations 1 --interval 100ms", dropwatch().display());
    tmux.run(&command)?;
    let screen = tmux.wait_for("a table", |screen| screen.contains("dropwatch: seen"))?;
    ensure!(screen.contains("per second"), "{screen}");
    Ok(())
}

#[test]
fn what_is_said_meanwhile_does_not_disturb_the_view() -> Result<()> {
    need!(Root, Program("ip"), Program("tmux"));
    let view = View::start(100, 24, "--verbose")?;
    // The last of what was said is at the bottom, for a while.
    let last = |screen: &str| screen.lines().last().unwrap_or_default().to_owned();
    let screen = view.wait_for("notice", |screen| last(screen).starts_with("dropwatch::"))?;
    ensure!(screen.lines().filter(|line| line.contains("dropwatch::")).count() == 1, "{screen}");
    ensure!(screen.starts_with("dropwatch top"), "{screen}");
    view.wait_for("hints", |screen| last(screen).starts_with("q quit"))?;
    view.keys(&["q"])?;
    let screen = view.ended(0)?;
    let (attached, account) = (screen.find("attached after"), screen.find("dropwatch: seen"));
    ensure!(attached.is_some() && attached < account, "{screen}");
    Ok(())
}

#[test]
fn at_rest_it_costs_nothing() -> Result<()> {
    need!(Root, Program("ip"), Program("tmux"), Speed);
    let view = View::start(80, 24, "")?;
    let pid = view.tmux.child()?;
    // Symbols are read meanwhile.
    sleep(Duration::from_secs(2));
    let before = processor_time(pid)?;
    let begin = Instant::now();
    sleep(Duration::from_secs(5));
    let (spent, elapsed) = (processor_time(pid)? - before, begin.elapsed());
    ensure!(spent < elapsed / 50, "{spent:?} of processor time in {elapsed:?}");
    view.keys(&["q"])?;
    view.ended(0)?;
    Ok(())
}

/// What a process has taken of the processors.
fn processor_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    // This is the first thread's; the others have nothing to do at rest but count as well.
    let mut nanoseconds: u64 = stat.split_whitespace().next().context("no time")?.parse()?;
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = entry?.path();
        if path.file_name().is_some_and(|tid| tid.to_string_lossy() != pid.to_string()) {
            let stat = fs::read_to_string(path.join("schedstat"))?;
            nanoseconds += stat.split_whitespace().next().context("no time")?.parse::<u64>()?;
        }
    }
    Ok(Duration::from_nanos(nanoseconds))
}

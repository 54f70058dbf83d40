//! The live view's loop: what happens when.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use ratatui_core::terminal;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval, sleep_until},
};

use super::{
    input::{Input, Press},
    keys::action,
    look::Look,
    model::{Effect, Facts, Model},
    names::Named,
    screen::Screen,
    terminal::{Terminal, Whom, is_taken},
    view,
};
use crate::{
    counts::{
        Snapshot,
        key::{By, Key},
        table::Sort,
    },
    drop::Drop,
    notice,
    stop::Stop,
    write::escape,
};

/// Time between two drawings, so that a key held down costs little.
const DRAW_INTERVAL: Duration = Duration::from_millis(100);
/// How often the time that has passed is shown.
const CLOCK_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is looked whether what is waited for has come: a sample, or names.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Where counts and samples come from.
pub trait Feed {
    /// What was counted by now.
    ///
    /// # Errors
    /// When the counts cannot be read.
    fn snapshot(&mut self) -> Result<Snapshot>;

    /// Asks for a drop that is counted under this key: the next one.
    ///
    /// # Errors
    /// When that cannot be asked for.
    fn want_sample(&mut self, key: &Key) -> Result<()>;

    /// The drops that have come since the last call, asked for or not. This does not wait.
    fn samples(&mut self) -> Vec<Drop>;
}

/// How the view is to be.
#[derive(Clone, Debug)]
pub struct LiveConfig {
    /// What to group by at the begin; where that has flows, flows are counted.
    pub by: Vec<By>,
    /// What to sort by at the begin.
    pub sort: Sort,
    /// Time between two snapshots.
    pub interval: Duration,
    /// End after so many intervals.
    pub iterations: Option<u64>,
    /// The filters as they were given.
    pub filters: String,
    /// What it looks like.
    pub look: Look,
    /// When counting began.
    pub begin: Instant,
}

/// Runs the view until somebody ends it. The terminal is given back in any case.
///
/// # Errors
/// When there is no terminal, or it is gone, or counts cannot be read.
pub async fn run(
    feed: &mut impl Feed,
    names: &mut Named,
    config: &LiveConfig,
    stop: &mut Stop,
) -> Result<()> {
    let terminal = Terminal::open()?;
    let input = Input::new(terminal.keys()?)?;
    let facts = Facts {
        host: of_kernel("hostname"),
        kernel: of_kernel("osrelease"),
        filters: config.filters.clone(),
        interval: config.interval,
        flows: config.by.contains(&By::Flow),
        hints: names.has_hints(),
    };
    let model = Model::new(facts, config.by.clone(), config.sort);
    Live {
        screen: terminal::Terminal::new(Screen::default()).context("cannot draw")?,
        terminal,
        input,
        model,
        feed,
        names,
        config,
        due: Instant::now(),
        drawn: true,
        names_were_ready: false,
    }
    .run(stop)
    .await
}

fn of_kernel(name: &str) -> String {
    let text = fs::read(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
    let mut out = Vec::new();
    escape(text.trim_ascii(), &mut out);
    String::from_utf8(out).unwrap_or_default()
}

struct Live<'a, F> {
    terminal: Terminal,
    screen: terminal::Terminal<Screen>,
    input: Input,
    model: Model,
    feed: &'a mut F,
    names: &'a mut Named,
    config: &'a LiveConfig,
    /// When may be drawn again.
    due: Instant,
    /// Whether what is on the screen is what there is to be seen.
    drawn: bool,
    names_were_ready: bool,
}

impl<F: Feed> Live<'_, F> {
    async fn run(mut self, stop: &mut Stop) -> Result<()> {
        let mut resized = signal(SignalKind::window_change()).context("cannot catch signals")?;
        let mut suspended =
            signal(SignalKind::from_raw(libc::SIGTSTP)).context("cannot catch signals")?;
        let mut resumed =
            signal(SignalKind::from_raw(libc::SIGCONT)).context("cannot catch signals")?;
        let mut counting = interval(self.config.interval);
        let mut clock = interval(CLOCK_INTERVAL);
        for timer in [&mut counting, &mut clock] {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        // The first snapshot is taken at once, and shows nothing of the time before.
        let mut left = self.config.iterations.map(|iterations| iterations.saturating_add(1));
        while left != Some(0) {
            self.draw_if_due()?;
            let looks_again = self.is_waiting().then(|| Instant::now() + LOOK_INTERVAL);
            let draws_again = (!self.drawn && is_taken()).then_some(self.due);
            let wake = [looks_again, draws_again].into_iter().flatten().min();
            tokio::select! {
                biased;
                () = stop.requested() => return Ok(()),
                press = self.input.next(), if is_taken() => {
                    if self.press(press?)? == Effect::Quit {
                        return Ok(());
                    }
                }
                _ = suspended.recv() => self.suspend(Whom::Process)?,
                _ = resumed.recv() => self.take()?,
                _ = resized.recv() => self.drawn = false,
                _ = counting.tick() => {
                    self.count()?;
                    left = left.map(|left| left - 1);
                }
                _ = clock.tick() => self.tick()?,
                () = sleep_until(wake.unwrap_or_else(Instant::now).into()), if wake.is_some() => {
                    self.look();
                }
            }
        }
        Ok(())
    }

    /// Takes a snapshot.
    fn count(&mut self) -> Result<()> {
        let snapshot = self.feed.snapshot()?;
        self.model.feed(&snapshot, self.config.begin.elapsed());
        self.look();
        self.change();
        Ok(())
    }

    /// Once a second.
    fn tick(&mut self) -> Result<()> {
        self.names.tick();
        self.model.tick(self.config.begin.elapsed());
        for text in notice::take_new() {
            self.model.notify(text, Instant::now());
        }
        self.look();
        // What has come may have been of another flow.
        if self.lacks_sample() {
            self.want_sample()?;
        }
        self.drawn = false;
        // It may be in the foreground by now.
        self.take()
    }

    /// Whether something will come that nobody tells of.
    fn is_waiting(&self) -> bool {
        self.lacks_sample() || !self.names_were_ready
    }

    fn lacks_sample(&self) -> bool {
        self.model.shows_details() && self.model.sample().is_none()
    }

    fn want_sample(&mut self) -> Result<()> {
        match self.model.wanted() {
            Some(key) => self.feed.want_sample(&key),
            None => Ok(()),
        }
    }

    /// Sees whether samples or names have come.
    fn look(&mut self) {
        for drop in self.feed.samples() {
            self.model.add_sample(drop);
            self.drawn = false;
        }
        if self.names.is_ready() != self.names_were_ready {
            self.names_were_ready = self.names.is_ready();
            self.change();
        }
    }

    /// What is to be seen has changed.
    fn change(&mut self) {
        self.model.refresh(self.names);
        self.drawn = false;
    }

    fn press(&mut self, press: Press) -> Result<Effect> {
        let Some(action) = action(press, self.model.mode()) else { return Ok(Effect::Draw) };
        let effect = self.model.apply(action, Instant::now());
        match effect {
            Effect::Quit => {}
            Effect::Draw => self.change(),
            Effect::Sample => {
                self.want_sample()?;
                self.change();
            }
            Effect::Redraw => self.redraw()?,
            Effect::Suspend => self.suspend(Whom::Group)?,
        }
        Ok(effect)
    }

    fn suspend(&mut self, whom: Whom) -> Result<()> {
        self.terminal.suspend(whom);
        self.take()
    }

    /// Takes the terminal where that is possible.
    fn take(&mut self) -> Result<()> {
        if self.terminal.take()? { self.redraw() } else { Ok(()) }
    }

    fn redraw(&mut self) -> Result<()> {
        self.screen.clear().context("cannot write to the terminal")?;
        self.drawn = false;
        Ok(())
    }

    fn draw_if_due(&mut self) -> Result<()> {
        let now = Instant::now();
        if self.drawn || now < self.due || !is_taken() {
            return Ok(());
        }
        let Self { screen, model, names, config, .. } = self;
        screen
            .draw(|frame| view::draw(frame, model, *names, config.look, now))
            .context("cannot write to the terminal")?;
        self.due = now + DRAW_INTERVAL;
        self.drawn = true;
        Ok(())
    }
}

//! A view in which something goes wrong gives the terminal back, too.

use std::{
    env, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use dropwatch::{
    clock::Clock,
    counts::{
        Snapshot,
        key::{By, Key},
        table::Sort,
    },
    drop::Drop,
    kernel::reasons::Reasons,
    notice,
    render::sources::Sources,
    stop::Stop,
    symbols::Symbols,
    top::{
        live::{Feed, LiveConfig, run},
        look::Look,
        names::Named,
    },
    world::World,
};
use dropwatch_tests::{need, tmux::Tmux};

use crate::{BEFORE, ended};

/// What is to go wrong in the view that this test program itself runs, when it starts itself once
/// more in a terminal.
const GOES_WRONG: &str = "DROPWATCH_TEST_GOES_WRONG";

/// Counts that are made up, until something goes wrong.
struct MadeUp {
    what: String,
    snapshots: u32,
}

impl Feed for MadeUp {
    fn snapshot(&mut self) -> Result<Snapshot> {
        self.snapshots += 1;
        match self.what.as_str() {
            "panic" if self.snapshots == 4 => panic!("this went wrong on purpose"),
            "error" if self.snapshots == 4 => bail!("the counts are gone"),
            "thread" if self.snapshots == 2 => {
                let thread = thread::spawn(|| panic!("a thread went wrong on purpose"));
                ensure!(thread.join().is_err(), "it panics");
            }
            _ => {}
        }
        let key = Key { reason: Some(77), ..Key::default() };
        let rows = vec![(key, self.snapshots.into())];
        Ok(Snapshot { at: Instant::now(), rows, other: 0, counters: Default::default() })
    }

    fn want_sample(&mut self, _: &Key) -> Result<()> {
        Ok(())
    }

    fn samples(&mut self) -> Vec<Drop> {
        Vec::new()
    }
}

/// Runs a view in which something goes wrong.
fn go_wrong(what: String) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let _held = notice::hold();
        let look = Look { color: true, unicode: true };
        let sources = Sources {
            reasons: Reasons::of_trace_event(&[]),
            symbols: Symbols::none(),
            clock: Clock::system(),
            world: World::nothing(),
        };
        let config = LiveConfig {
            by: vec![By::Reason],
            sort: Sort::Total,
            interval: Duration::from_millis(500),
            iterations: None,
            filters: String::new(),
            look,
            begin: Instant::now(),
        };
        let mut feed = MadeUp { what, snapshots: 0 };
        run(&mut feed, &mut Named::new(sources, look), &config, &mut Stop::new()?).await
    })
}

#[test]
fn whatever_goes_wrong_the_terminal_is_given_back() -> Result<()> {
    if let Ok(what) = env::var(GOES_WRONG) {
        return go_wrong(what);
    }
    need!(Program("tmux"));
    let program = env::current_exe()?;
    let test = "goes_wrong::whatever_goes_wrong_the_terminal_is_given_back";
    for (what, says, status) in [
        ("panic", "this went wrong on purpose", 101),
        ("error", "the counts are gone", 101),
        ("thread", "a thread went wrong on purpose", 0),
    ] {
        let tmux = Tmux::start(100, 30, &[(GOES_WRONG, what), ("RUST_BACKTRACE", "0")])?;
        tmux.run(&format!("echo {BEFORE}"))?;
        tmux.wait_for_shell()?;
        let settings = tmux.settings()?;
        let line = format!("{} --exact {test} --nocapture", program.display());
        tmux.run(&format!("{line}; echo status=$?"))?;
        tmux.wait_for("view", |screen| screen.contains("core/77"))?;
        if what == "thread" {
            // The view tells, and goes on.
            tmux.wait_for("notice", |screen| screen.contains("panicked"))?;
            tmux.keys(&["q"])?;
        }
        let screen = ended(&tmux, &settings, status).with_context(|| what.to_owned())?;
        ensure!(screen.contains(says), "{what}:\n{screen}");
    }
    Ok(())
}

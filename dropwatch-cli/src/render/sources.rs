//! Where the names of what is shown come from: everything besides the drop itself.

use crate::{clock::Clock, kernel::reasons::Reasons, symbols::Symbols, world::World};

/// Names of reasons, functions, and everything outside of the kernel, and the time.
pub struct Sources {
    /// Names of drop reasons.
    pub reasons: Reasons,
    /// Names of functions.
    pub symbols: Symbols,
    /// The wall clock.
    pub clock: Clock,
    /// Processes, network namespaces, devices, users and cgroups.
    pub world: World,
}

impl Sources {
    /// Those of a recording, which know only what it teaches them.
    pub fn of_recording() -> Self {
        Self {
            reasons: Reasons::default(),
            symbols: Symbols::none(),
            clock: Clock::of_unix_time(),
            world: World::nothing(),
        }
    }

    /// To be called about once a second: looks whether the world has changed.
    pub fn tick(&mut self) {
        self.clock.adjust();
        self.symbols.tick();
    }
}

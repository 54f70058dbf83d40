//! The first process of the emulated machine in which `cargo xtask vm` tests dropwatch: it
//! sets the machine up, runs the tests and tells how they ended.

mod console;
mod kernel_modules;
mod loopback;
mod mounts;
mod power;
mod programs;
mod results;

use xtask::vm::report::Report;

fn main() {
    // Started by hand on a real machine it would do harm.
    if std::process::id() != 1 {
        eprintln!("error: vm-init is the first process of a virtual machine; see `cargo xtask vm`");
        std::process::exit(1);
    }
    let mut report = Report::default();
    let mut note = |outcome: anyhow::Result<()>| {
        report.errors.extend(outcome.err().map(|error| format!("{error:#}")));
    };
    note(mounts::mount_all());
    note(console::take());
    note(kernel_modules::load_all());
    note(loopback::bring_up());
    if let Err(error) = programs::run_all(&mut report) {
        report.errors.push(format!("{error:#}"));
    }
    console::write_undisturbed(&report);
    power::off();
}

//! Tests that watch the whole machine run one at a time.

use std::{
    env,
    fs::{File, OpenOptions},
    sync::{Mutex, MutexGuard, PoisonError},
};

static WITHIN_THIS_PROGRAM: Mutex<()> = Mutex::new(());

/// While this lives no other test of this kind runs, in this or another test program.
#[derive(Debug)]
pub struct Exclusive {
    // In this order: another thread of this program shall find the file unlocked.
    _file: File,
    _guard: MutexGuard<'static, ()>,
}

/// Waits for its turn.
///
/// # Panics
/// When the file that test programs lock cannot be opened.
pub fn exclusive() -> Exclusive {
    // A test that failed has cleaned up behind it.
    let guard = WITHIN_THIS_PROGRAM.lock().unwrap_or_else(PoisonError::into_inner);
    let path = env::temp_dir().join("dropwatch-tests.lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.unwrap_or_else(|error| panic!("cannot open {}: {error}", path.display()));
    file.lock().unwrap_or_else(|error| panic!("cannot lock {}: {error}", path.display()));
    Exclusive { _file: file, _guard: guard }
}

//! Files that hold what is expected, word for word. With `UPDATE_GOLDEN=1` in the environment what
//! is printed now becomes what is expected.

use std::{env, fs, path::Path};

pub fn golden(name: &str, actual: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    // Escape characters are shown, so that the file can be read on a terminal.
    let actual = String::from_utf8(actual.to_vec()).expect("text").replace('\x1b', "␛");
    if env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::write(&path, &actual).expect("the golden file");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        actual == expected,
        "{name} has changed; see whether UPDATE_GOLDEN=1 makes a good difference\n\
         expected:\n{expected}\nprinted:\n{actual}"
    );
}

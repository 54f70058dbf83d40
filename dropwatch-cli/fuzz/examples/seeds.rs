//! Writes inputs to begin with into `corpus/`.

use std::{fs, path::Path};

use anyhow::Result;
use dropwatch_fuzz::seeds;

fn main() -> Result<()> {
    for (target, seeds) in [
        ("btf", seeds::btf()),
        ("split_btf", seeds::split_btf()),
        ("trace_event", seeds::trace_event()),
        ("record", seeds::record()),
        ("packet", seeds::packet()),
        ("count", seeds::count()),
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}

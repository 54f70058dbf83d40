//! Addresses in the kernel's code.

use serde::Serialize;

use crate::symbols::{Frame, Inlined, SourceLine};

#[derive(Serialize)]
pub struct FrameJson {
    address: String,
    symbol: Option<String>,
    offset: Option<usize>,
    module: Option<String>,
    file: Option<String>,
    line: Option<u32>,
    inlined: Vec<InlinedJson>,
}

#[derive(Serialize)]
struct InlinedJson {
    symbol: String,
    file: Option<String>,
    line: Option<u32>,
}

impl FrameJson {
    pub fn new(frame: &Frame) -> Self {
        let symbol = frame.symbol.as_ref();
        let source = symbol.and_then(|symbol| symbol.source.as_ref());
        Self {
            address: format!("{:#x}", frame.address),
            symbol: symbol.map(|symbol| symbol.name.clone()),
            offset: symbol.map(|symbol| symbol.offset),
            module: symbol.and_then(|symbol| symbol.module.clone()),
            file: source.map(|source| source.file.clone()),
            line: source.and_then(|source| source.line),
            inlined: symbol.map(|it| it.inlined.iter().map(inlined).collect()).unwrap_or_default(),
        }
    }
}

fn inlined(inlined: &Inlined) -> InlinedJson {
    let Inlined { name, source } = inlined;
    let file = |SourceLine { file, .. }: &SourceLine| file.clone();
    InlinedJson {
        symbol: name.clone(),
        file: source.as_ref().map(file),
        line: source.as_ref().and_then(|source| source.line),
    }
}

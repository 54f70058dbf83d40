//! Addresses in the kernel's code.

use std::rc::Rc;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::symbols::{Frame, Inlined};

/// A frame, shared with all that show it.
pub struct FrameJson(pub Rc<Frame>);

impl Serialize for FrameJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Frame { address, symbol } = &*self.0;
        let symbol = symbol.as_ref();
        let source = symbol.and_then(|symbol| symbol.source.as_ref());
        let mut frame = serializer.serialize_struct("FrameJson", 7)?;
        frame.serialize_field("address", &format_args!("{address:#x}"))?;
        frame.serialize_field("symbol", &symbol.map(|symbol| &symbol.name))?;
        frame.serialize_field("offset", &symbol.map(|symbol| symbol.offset))?;
        frame.serialize_field("module", &symbol.and_then(|symbol| symbol.module.as_ref()))?;
        frame.serialize_field("file", &source.map(|source| &source.file))?;
        frame.serialize_field("line", &source.and_then(|source| source.line))?;
        let inlined: Vec<_> =
            symbol.iter().flat_map(|symbol| &symbol.inlined).map(inlined).collect();
        frame.serialize_field("inlined", &inlined)?;
        frame.end()
    }
}

#[derive(Serialize)]
struct InlinedJson<'a> {
    symbol: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
}

fn inlined(Inlined { name, source }: &Inlined) -> InlinedJson<'_> {
    InlinedJson {
        symbol: name,
        file: source.as_ref().map(|source| source.file.as_str()),
        line: source.as_ref().and_then(|source| source.line),
    }
}

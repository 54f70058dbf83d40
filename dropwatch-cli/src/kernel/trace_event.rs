//! What tracefs says of the trace event `skb:kfree_skb`: for kernels without BTF, the only
//! source of the fields' offsets and of the core reasons' names.
//!
//! The file lists the fields, then how to print them:
//!
//! ```text
//!         field:void * location;  offset:16;      size:8; signed:0;
//! print fmt: "… reason: %s", …, __print_symbolic(REC->reason, { 2, "NOT_SPECIFIED" }, …)
//! ```

use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
};

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use dropwatch_common::config::{EventOffsets, NO_FIELD};

use super::release;

/// Where tracefs is mounted: by itself since Linux 4.1, within debugfs before and still.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
const FORMAT: &str = "events/skb/kfree_skb/format";
/// The file is one page long; much more is something else.
const MAX_SIZE: usize = 1 << 20;

/// The trace event's layout, and the names in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceEvent {
    /// Where the fields are.
    pub offsets: EventOffsets,
    /// Numbers and short names of the core reasons; empty before 5.17.
    pub reasons: Vec<(u32, String)>,
}

impl TraceEvent {
    /// Reads the running kernel's.
    ///
    /// # Errors
    /// When tracefs is not mounted or may not be read, or has no such event.
    pub fn of_running_kernel() -> Result<Self> {
        let mounted = TRACEFS.iter().map(Path::new).find(|mount| mount.join("events").exists());
        let Some(mount) = mounted else {
            if let Err(error) = fs::read_dir(TRACEFS[0])
                && error.kind() == ErrorKind::PermissionDenied
            {
                bail!("{}", not_permitted(TRACEFS[0].as_ref(), &error));
            }
            bail!("tracefs is not mounted; mount it: mount -t tracefs tracefs {}", TRACEFS[0]);
        };
        let path = mount.join(FORMAT);
        let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
            // Some kernels let everybody into the folders, but not read the file.
            ErrorKind::PermissionDenied => anyhow!("{}", not_permitted(&path, &error)),
            _ => Error::from(error).context(format!(
                "kernel {} has no tracepoint skb:kfree_skb at {}",
                release(),
                path.display()
            )),
        })?;
        Self::parse(&text).with_context(|| format!("cannot make sense of {}", path.display()))
    }

    /// Reads the text of a `format` file.
    ///
    /// # Errors
    /// When it does not describe the event's location.
    pub fn parse(text: &str) -> Result<Self> {
        ensure!(text.len() <= MAX_SIZE, "it is larger than {} KB", MAX_SIZE >> 10);
        let field = |name, size| find_field(text, name, size).unwrap_or(NO_FIELD);
        let offsets = EventOffsets {
            location: field("location", 8),
            protocol: field("protocol", 2),
            reason: field("reason", 4),
            rx_sk: field("rx_sk", 8),
        };
        ensure!(offsets.location != NO_FIELD, "it has no field location of 8 bytes");
        Ok(Self { offsets, reasons: symbols(text, "REC->reason") })
    }
}

fn not_permitted(path: &Path, error: &io::Error) -> String {
    format!("{} may not be read ({error}); run dropwatch through sudo or as root", path.display())
}

/// Offset of the field of this name and size in bytes.
fn find_field(text: &str, name: &str, size: u32) -> Option<u32> {
    text.lines().find_map(|line| {
        let declaration = line.trim_start().strip_prefix("field:")?;
        let mut parts = declaration.split(';').map(str::trim);
        let declared = parts.next()?.rsplit([' ', '*']).next()?;
        let mut number = |label| parts.next()?.strip_prefix(label)?.parse::<u32>().ok();
        let (offset, found) = (number("offset:")?, number("size:")?);
        // No event is larger than a page.
        (declared == name && found == size && offset < 4096).then_some(offset)
    })
}

/// The pairs in `__print_symbolic(expression, { 2, "NAME" }, …)`.
fn symbols(text: &str, expression: &str) -> Vec<(u32, String)> {
    let begin = format!("__print_symbolic({expression},");
    let Some((_, list)) = text.split_once(&begin) else { return Vec::new() };
    let pairs = list.split('{').skip(1).map_while(|pair| {
        let (number, rest) = pair.split_once(',')?;
        let (name, _) = rest.trim().strip_prefix('"')?.split_once('"')?;
        Some((number.trim().parse().ok()?, name.to_owned()))
    });
    pairs.filter(|(_, name)| is_identifier(name)).collect()
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As on Linux 6.18, with fewer reasons.
    const NEW: &str = "\
name: kfree_skb
ID: 2310
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:void * skbaddr;\toffset:8;\tsize:8;\tsigned:0;
\tfield:void * location;\toffset:16;\tsize:8;\tsigned:0;
\tfield:void * rx_sk;\toffset:24;\tsize:8;\tsigned:0;
\tfield:unsigned short protocol;\toffset:32;\tsize:2;\tsigned:0;
\tfield:enum skb_drop_reason reason;\toffset:36;\tsize:4;\tsigned:0;

print fmt: \"skbaddr=%p reason: %s\", REC->skbaddr, __print_symbolic(REC->reason, { 2, \"NOT_SPECIFIED\" }, { 3, \"NO_SOCKET\" }, { 0, \"MAX\" })
";

    /// As on Linux 5.10.
    const OLD: &str = "\
\tfield:void * skbaddr;\toffset:8;\tsize:8;\tsigned:0;
\tfield:void * location;\toffset:16;\tsize:8;\tsigned:0;
\tfield:unsigned short protocol;\toffset:24;\tsize:2;\tsigned:0;

print fmt: \"skbaddr=%p protocol=%u location=%p\", REC->skbaddr, REC->protocol, REC->location
";

    #[test]
    fn fields_and_names_are_found() {
        let event = TraceEvent::parse(NEW).expect("a whole format");
        assert_eq!(
            event.offsets,
            EventOffsets { location: 16, protocol: 32, reason: 36, rx_sk: 24 }
        );
        let names: Vec<_> =
            event.reasons.iter().map(|(number, name)| (*number, name.as_str())).collect();
        assert_eq!(names, [(2, "NOT_SPECIFIED"), (3, "NO_SOCKET"), (0, "MAX")]);
    }

    #[test]
    fn what_an_old_kernel_lacks_is_no_field() {
        let event = TraceEvent::parse(OLD).expect("a whole format");
        let offsets =
            EventOffsets { location: 16, protocol: 24, reason: NO_FIELD, rx_sk: NO_FIELD };
        assert_eq!(event.offsets, offsets);
        assert!(event.reasons.is_empty());
    }

    #[test]
    fn a_field_of_another_size_is_another_field() {
        let wide = NEW.replace("offset:32;\tsize:2", "offset:32;\tsize:4");
        assert_eq!(TraceEvent::parse(&wide).expect("location is there").offsets.protocol, NO_FIELD);
        for text in [
            "",
            "field:",
            "\0",
            &NEW.replace("location;", "elsewhere;"),
            &NEW.replace("offset:16", "offset:99999"),
        ] {
            assert!(TraceEvent::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn damaged_text_never_panics() {
        let mut seed = 1_u64;
        let mut random = |below: usize| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for _ in 0..20_000 {
            let mut bytes = NEW.as_bytes().to_vec();
            for _ in 0..random(8) {
                let position = random(bytes.len());
                bytes[position] = random(256) as u8;
            }
            bytes.truncate(random(bytes.len() + 1));
            let _ = TraceEvent::parse(&String::from_utf8_lossy(&bytes));
        }
    }
}

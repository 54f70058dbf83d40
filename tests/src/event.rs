//! Reading the lines that dropwatch prints, strictly: a line that is not laid out as the
//! heading says is an error.

use anyhow::{Context, Result, bail, ensure};

/// The columns that the tests ask for where they do not choose others.
pub const FIELDS: &str = "time,pid,comm,reason,proto,len,location";

/// The first line, with these columns. It stands there as soon as dropwatch is attached.
pub const HEADING: &str =
    "TIME                PID COMM            REASON               PROTO    LEN LOCATION";

const STACK_INDENT: &str = "    ";
const FRAME_INDENT: &str = "        ";
const INLINED: &str = " (inlined)";

/// One drop, as it was printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Microseconds since midnight, local time.
    pub time: u64,
    /// Process id of the task that was running.
    pub pid: u32,
    /// Name of that task, escaped as printed.
    pub comm: String,
    /// Whether the task was interrupted, which brackets around its name tell.
    pub interrupted: bool,
    /// Name of the drop reason.
    pub reason: String,
    /// Name of the EtherType.
    pub protocol: String,
    /// Length of the packet; none where it is unknown.
    pub len: Option<u32>,
    /// Where it was dropped.
    pub location: Place,
    /// The stack, where one was printed.
    pub stack: Option<Stack>,
}

impl Event {
    /// Whether it happened in this process or in the thread to which the kernel hands over what
    /// a process has caused, when there is much of it.
    pub fn ran_for(&self, pid: u32) -> bool {
        self.pid == pid || self.comm.starts_with("ksoftirqd/")
    }
}

/// A place in the kernel's code.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The function, or empty where only an address is known.
    pub function: String,
    /// Offset from the begin of the function, or the address.
    pub offset: u64,
    /// The module that the function belongs to.
    pub module: Option<String>,
}

/// What stands under a drop's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stack {
    /// A number and frames.
    Frames(u64, Vec<Frame>),
    /// The number of one that was printed before.
    AsAbove(u64),
    /// There is none.
    Unavailable,
}

/// One frame of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Frame {
    /// A function that was called.
    Called(Place),
    /// A function that the compiler put into the one of the next frame.
    Inlined(String),
}

impl Stack {
    /// The functions that were called.
    pub fn called(&self) -> Vec<Place> {
        let Self::Frames(_, frames) = self else { return Vec::new() };
        let called = |frame: &Frame| match frame {
            Frame::Called(place) => Some(place.clone()),
            Frame::Inlined(_) => None,
        };
        frames.iter().filter_map(called).collect()
    }
}

/// Reads all lines, heading included.
///
/// # Errors
/// When a line is not as it should be.
pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Vec<Event>> {
    let mut lines = lines.into_iter();
    let heading = lines.next().context("not even the heading was printed")?;
    ensure!(heading == HEADING, "the heading is {heading:?}");
    let mut events = Vec::new();
    for line in lines {
        add(line, &mut events).with_context(|| format!("cannot read the line {line:?}"))?;
    }
    Ok(events)
}

fn add(line: &str, events: &mut Vec<Event>) -> Result<()> {
    if !line.starts_with(' ') {
        events.push(Event::parse(line)?);
        return Ok(());
    }
    let stack = &mut events.last_mut().context("a stack before the first drop")?.stack;
    match (line.strip_prefix(FRAME_INDENT), stack) {
        (Some(frame), Some(Stack::Frames(_, frames))) => frames.push(Frame::parse(frame)?),
        (None, stack @ None) => {
            let text = line.strip_prefix(STACK_INDENT).context("no indent")?;
            *stack = Some(Stack::parse(text)?);
        }
        _ => bail!("a frame without a stack, or two stacks"),
    }
    Ok(())
}

impl Event {
    fn parse(line: &str) -> Result<Self> {
        let (time, rest) = line.split_once(' ').context("no time")?;
        let (pid, rest) = rest.trim_start().split_once(' ').context("no pid")?;
        // A comm may hold blanks, so what stands behind it is read from the end.
        let (rest, module) = match rest.strip_suffix(']').and_then(|rest| rest.rsplit_once(" [")) {
            Some((rest, module)) => (rest, Some(module.to_owned())),
            None => (rest, None),
        };
        let mut last = rest;
        let mut word = || -> Result<&str> {
            let (before, word) = last.trim_end().rsplit_once(' ').context("too few columns")?;
            last = before;
            Ok(word)
        };
        let (place, len, protocol, reason) = (word()?, word()?, word()?, word()?);
        let shown = last.trim_end();
        let bare = shown.strip_prefix('[').and_then(|comm| comm.strip_suffix(']'));
        let event = Self {
            time: time_of_day(time).context("the time does not read as HH:MM:SS.micros")?,
            pid: pid.parse().context("the pid is no number")?,
            comm: bare.unwrap_or(shown).to_owned(),
            interrupted: bare.is_some(),
            reason: reason.to_owned(),
            protocol: protocol.to_owned(),
            len: if len == "?" { None } else { Some(len.parse().context("the length")?) },
            location: Place { module, ..Place::parse(place)? },
            stack: None,
        };
        let columns = format!("{time} {pid:>7} {shown:<15} {reason:<20} {protocol:<6} {len:>5} ");
        ensure!(line.starts_with(&columns), "the columns are not aligned");
        Ok(event)
    }
}

impl Place {
    /// Reads `function+0x1a`, or an address, and ` [module]` behind it.
    fn parse(text: &str) -> Result<Self> {
        if let Some((place, module)) = text.strip_suffix(']').and_then(|text| text.split_once(" ["))
        {
            return Ok(Self { module: Some(module.to_owned()), ..Self::parse(place)? });
        }
        let (function, offset) = text.rsplit_once('+').unwrap_or(("", text));
        let digits = offset.strip_prefix("0x").context("no hexadecimal offset")?;
        let offset = u64::from_str_radix(digits, 16).context("no hexadecimal offset")?;
        ensure!(!function.contains(' '), "a blank in the name of a function");
        Ok(Self { function: function.to_owned(), offset, module: None })
    }
}

impl Stack {
    fn parse(text: &str) -> Result<Self> {
        if text == "stack unavailable" {
            return Ok(Self::Unavailable);
        }
        let text = text.strip_prefix("stack #").context("no number of a stack")?;
        match text.split_once(", ") {
            Some((number, "as above")) => Ok(Self::AsAbove(number.parse()?)),
            None => {
                let number = text.strip_suffix(':').context("no colon")?;
                Ok(Self::Frames(number.parse()?, Vec::new()))
            }
            Some(_) => bail!("a stack that is neither printed nor above"),
        }
    }
}

impl Frame {
    /// A source line may stand behind two blanks.
    fn parse(text: &str) -> Result<Self> {
        let text = text.split_once("  ").map_or(text, |(text, _)| text);
        match text.strip_suffix(INLINED) {
            Some(function) => Ok(Self::Inlined(function.to_owned())),
            None => Place::parse(text).map(Self::Called),
        }
    }
}

fn time_of_day(text: &str) -> Option<u64> {
    let (time, micros) = text.split_once('.')?;
    let mut numbers =
        time.split(':').map(|number| (number.len() == 2).then(|| number.parse().ok())?);
    let (hours, minutes, seconds): (u64, u64, u64) =
        (numbers.next()??, numbers.next()??, numbers.next()??);
    let valid =
        numbers.next().is_none() && micros.len() == 6 && hours < 24 && minutes < 60 && seconds < 61;
    valid.then_some(
        ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros.parse::<u64>().ok()?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "15:38:59.944570    7761 two words       NO_SOCKET            IPv4     108 __udp4_lib_rcv+0x4bc";

    #[test]
    fn every_column_is_read() -> Result<()> {
        let event = Event::parse(&format!("{LINE} [udp]"))?;
        assert_eq!(event.time, ((15 * 60 + 38) * 60 + 59) * 1_000_000 + 944_570);
        assert_eq!((event.pid, event.len), (7761, Some(108)));
        assert_eq!((event.comm.as_str(), event.interrupted), ("two words", false));
        assert_eq!((event.reason.as_str(), event.protocol.as_str()), ("NO_SOCKET", "IPv4"));
        assert_eq!(event.location.function, "__udp4_lib_rcv");
        assert_eq!(event.location.offset, 0x4bc);
        assert_eq!(event.location.module.as_deref(), Some("udp"));
        Ok(())
    }

    #[test]
    fn stacks_belong_to_the_drop_above_them() -> Result<()> {
        let stacks = [
            HEADING,
            LINE,
            "    stack #1:",
            "        inner (inlined)  net/ipv4/udp.c:2",
            "        __udp4_lib_rcv+0x4bc  net/ipv4/udp.c:12",
            "        a+0x1 [b]",
            LINE,
            "    stack #1, as above",
            LINE,
            "    stack unavailable",
            LINE,
        ];
        let events = parse(stacks)?;
        let first = events[0].stack.as_ref().context("the first has a stack")?;
        let called = first.called();
        assert_eq!((called[0].function.as_str(), called[0].offset), ("__udp4_lib_rcv", 0x4bc));
        assert_eq!(called[1].module.as_deref(), Some("b"));
        assert_eq!(called.len(), 2);
        assert_eq!(events[1].stack, Some(Stack::AsAbove(1)));
        assert_eq!(events[2].stack, Some(Stack::Unavailable));
        assert_eq!(events[3].stack, None);
        Ok(())
    }

    #[test]
    fn what_is_out_of_line_is_an_error() {
        for line in [
            "",
            "15:38:59.944570",
            "15:38:59.94457    7761 nc              NO_SOCKET            IPv4     108 f+0x1",
            "15:38:59.944570    7761 nc             NO_SOCKET            IPv4     108 f+0x1",
            "15:38:59.944570    7761 nc              NO_SOCKET            IPv4      x8 f+0x1",
            "15:38:59.944570    7761 nc              NO_SOCKET            IPv4     108 f",
            "25:38:59.944570    7761 nc              NO_SOCKET            IPv4     108 f+0x1",
        ] {
            assert!(Event::parse(line).is_err(), "{line}");
        }
        assert!(parse(["something else"]).is_err());
        assert!(parse([HEADING, "    stack #1:"]).is_err());
        assert!(parse([HEADING, LINE, "        f+0x1"]).is_err());
        assert!(parse([HEADING, LINE, "    stack #1, as above", "        f+0x1"]).is_err());
    }
}

//! The fields of a drop that can be columns: `--fields a,b,c`.

use std::fmt::Write;

/// On which side of its column a field stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

macro_rules! fields {
    ($($field:ident $name:literal $heading:literal $width:literal $side:ident $help:literal)+) => {
        /// A field of a drop.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Field {
            $(#[doc = $help] $field,)+
        }

        impl Field {
            /// All of them, in the order in which the help names them.
            pub const ALL: &[Self] = &[$(Self::$field),+];

            /// What people call it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$field => $name),+ }
            }

            /// What stands over its column.
            pub fn heading(self) -> &'static str {
                match self { $(Self::$field => $heading),+ }
            }

            /// How wide its column is; wide enough for what usually stands there.
            pub fn width(self) -> usize {
                match self { $(Self::$field => $width),+ }
            }

            /// On which side it stands.
            pub fn side(self) -> Side {
                match self { $(Self::$field => Side::$side),+ }
            }

            /// What it means, in a line.
            pub fn help(self) -> &'static str {
                match self { $(Self::$field => $help),+ }
            }
        }
    };
}

fields! {
    Time "time" "TIME" 15 Left "local time of day of the drop"
    Timestamp "timestamp" "TIMESTAMP" 30 Left "date and time in UTC, with nanoseconds"
    Cpu "cpu" "CPU" 3 Right "processor on which it happened"
    Context "context" "CONTEXT" 7 Left "task, or the interrupt in which it happened: softirq, hardirq, nmi"
    Pid "pid" "PID" 7 Right "process that was running"
    Tid "tid" "TID" 7 Right "thread that was running"
    Comm "comm" "COMM" 15 Left "name of that thread; [in brackets] when it was only interrupted"
    Reason "reason" "REASON" 20 Left "the kernel's drop reason"
    Iface "iface" "IFACE" 8 Left "device that the packet was at, or else came in by"
    Ifindex "ifindex" "IFINDEX" 7 Right "index of that device"
    Input "input" "INPUT" 8 Left "device that the packet came in by"
    Netns "netns" "NETNS" 16 Left "network namespace, by name or by a process in it"
    Direction "dir" "DIR" 3 Left "in, out, or fwd where the packet came in and was to leave"
    Proto "proto" "PROTO" 6 Left "EtherType of the packet"
    Len "len" "LEN" 5 Right "length in bytes from the layer on at which it was dropped"
    Location "location" "LOCATION" 28 Left "where the packet was dropped: function and offset"
    Flow "flow" "FLOW" 38 Left "addresses, ports and protocol of the packet"
    Packet "packet" "PACKET" 60 Left "the packet as tcpdump would write it"
    Source "src" "SRC" 22 Left "source address and port"
    Destination "dst" "DST" 22 Left "destination address and port"
    L4 "l4" "L4" 6 Left "protocol in the IP header"
    Vlan "vlan" "VLAN" 4 Right "VLAN ids, outermost first"
    Socket "socket" "SOCKET" 44 Left "socket that was to receive the packet, or else that it belongs to"
    State "state" "STATE" 11 Left "state of that socket"
    User "user" "USER" 8 Left "user that the socket belongs to"
    Cgroup "cgroup" "CGROUP" 30 Left "cgroup that the socket was made in"
    Owner "owner" "OWNER" 22 Left "process that has the socket open: who suffers from the drop"
    Tag "tag" "TAG" 22 Left "why the drop is likely harmless: see --explain-tags"
}

impl Field {
    /// What is shown when nothing else is asked for.
    pub const DEFAULT: &[Self] = &[
        Self::Time,
        Self::Pid,
        Self::Comm,
        Self::Reason,
        Self::Iface,
        Self::Proto,
        Self::Len,
        Self::Location,
        Self::Flow,
        Self::Owner,
    ];

    /// The field of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.name().eq_ignore_ascii_case(name))
    }

    /// The table of fields for the help.
    pub fn table() -> String {
        let mut table = String::from("Fields for --fields:\n");
        for field in Self::ALL {
            // Writing to memory does not fail.
            let _ = writeln!(table, "  {:<10} {}", field.name(), field.help());
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_names() {
        for &field in Field::ALL {
            assert_eq!(Field::named(field.name()), Some(field));
            assert!(field.width() >= field.heading().len(), "{field:?}");
            assert!(Field::table().contains(field.help()));
        }
        assert_eq!(Field::named("REASON"), Some(Field::Reason));
        assert_eq!(Field::named("nothing"), None);
    }
}

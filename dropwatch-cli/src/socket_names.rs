//! Names of what sockets are, as the kernel writes them.

use crate::packet;

/// The name of an `AF_*` (`linux/socket.h`), without its prefix.
pub fn family(number: u16) -> Option<&'static str> {
    Some(match number {
        1 => "UNIX",
        2 => "INET",
        3 => "AX25",
        10 => "INET6",
        15 => "KEY",
        16 => "NETLINK",
        17 => "PACKET",
        21 => "RDS",
        24 => "PPPOX",
        26 => "LLC",
        27 => "IB",
        28 => "MPLS",
        29 => "CAN",
        30 => "TIPC",
        31 => "BLUETOOTH",
        38 => "ALG",
        40 => "VSOCK",
        41 => "KCM",
        42 => "QIPCRTR",
        43 => "SMC",
        44 => "XDP",
        45 => "MCTP",
        _ => return None,
    })
}

/// The name of a `SOCK_*` (`linux/net.h`), without its prefix.
pub fn kind(number: u16) -> Option<&'static str> {
    Some(match number {
        1 => "STREAM",
        2 => "DGRAM",
        3 => "RAW",
        4 => "RDM",
        5 => "SEQPACKET",
        6 => "DCCP",
        10 => "PACKET",
        _ => return None,
    })
}

/// The name of a `TCP_*` state (`net/tcp_states.h`), without its prefix. Other protocols use
/// some of them too.
pub fn state(number: u8) -> Option<&'static str> {
    Some(match number {
        1 => "ESTABLISHED",
        2 => "SYN_SENT",
        3 => "SYN_RECV",
        4 => "FIN_WAIT1",
        5 => "FIN_WAIT2",
        6 => "TIME_WAIT",
        7 => "CLOSE",
        8 => "CLOSE_WAIT",
        9 => "LAST_ACK",
        10 => "LISTEN",
        11 => "CLOSING",
        12 => "NEW_SYN_RECV",
        13 => "BOUND_INACTIVE",
        _ => return None,
    })
}

/// The name of an `ARPHRD_*` (`linux/if_arp.h`), the type of a device, without its prefix.
pub fn device(number: u16) -> Option<&'static str> {
    Some(match number {
        1 => "ETHER",
        32 => "INFINIBAND",
        280 => "CAN",
        512 => "PPP",
        519 => "RAWIP",
        768 => "TUNNEL",
        769 => "TUNNEL6",
        772 => "LOOPBACK",
        776 => "SIT",
        778 => "IPGRE",
        801 => "IEEE80211",
        803 => "IEEE80211_RADIOTAP",
        804 => "IEEE802154",
        823 => "IP6GRE",
        824 => "NETLINK",
        825 => "6LOWPAN",
        826 => "VSOCKMON",
        0xfffe => "NONE",
        0xffff => "VOID",
        _ => return None,
    })
}

/// The name of an `IPPROTO_*` as people write it. Sockets have one more than packets.
pub fn protocol(number: u16) -> Option<&'static str> {
    const MPTCP: u16 = 262;
    match number {
        0 => Some("IP"),
        MPTCP => Some("MPTCP"),
        _ => packet::protocol_name(number.try_into().ok()?),
    }
}

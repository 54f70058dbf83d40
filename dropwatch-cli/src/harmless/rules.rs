//! The rules, most specific first: the first that holds gives the tag. Each was seen on a machine
//! on which nothing was wrong.

use super::rule::{Rule, When};

/// Frees of what a socket still held when it went.
const CLOSING: &[&str] = &[
    "skb_queue_purge_reason",
    "skb_queue_purge",
    "__skb_queue_purge_reason",
    "inet_sock_destruct",
    "sk_stream_kill_queues",
    "tcp_disconnect",
    "tcp_close",
    "__tcp_close",
    "tcp_v4_destroy_sock",
    "inet_csk_destroy_sock",
    "packet_sock_destruct",
    "netlink_release",
    "netlink_sock_destruct",
    "virtio_transport_release",
];

/// All rules.
pub static RULES: &[Rule] = &[
    Rule {
        name: "unix-socket",
        matches: "messages between processes over a UNIX socket, in the queue of a socket that was closed",
        why: "They never were on a network. The process that closed the socket did not want them any more, which \
              happens whenever a desktop, a container or a logging client goes away. A daemon that misses requests \
              from clients that are still there would be worth a look: see the PID and COMM of who closed it.",
        reasons: &[
            "NOT_SPECIFIED",
            "SOCKET_CLOSE",
            "QUEUE_PURGE",
            "UNIX_DISCONNECT",
            "UNIX_SKIP_OOB",
        ],
        functions: &[],
        when: &[When::NoNetwork, When::Family(libc::AF_UNIX)],
    },
    Rule {
        name: "netlink-closed",
        matches: "answers and notifications of the kernel (netlink) that were unread when their socket was closed",
        why: "Tools like `ip` close their netlink socket as soon as they have read what they asked for. What does not \
              fit into the buffer of a socket that is open is lost elsewhere, and not tagged.",
        reasons: &["NOT_SPECIFIED", "SOCKET_CLOSE", "QUEUE_PURGE"],
        functions: CLOSING,
        when: &[When::NoNetwork, When::Family(libc::AF_NETLINK)],
    },
    Rule {
        name: "vsock-closed",
        matches: "packets between a virtual machine and its host (vsock) for a connection that is gone",
        why: "Both ends say goodbye, and whose goodbye comes last finds nobody. Nothing of a network is lost.",
        reasons: &["NOT_SPECIFIED", "SOCKET_CLOSE", "QUEUE_PURGE"],
        functions: &["virtio_transport_recv_pkt", "virtio_transport_release"],
        when: &[When::NoNetwork, When::Family(libc::AF_VSOCK)],
    },
    Rule {
        name: "unread-at-close",
        matches: "packets that lay unread in the queue of a socket when that was closed, the last FIN of a TCP \
                  connection among them",
        why: "They had arrived; the process did not want to read them. Captures (tcpdump) and short-lived clients end \
              like that all the time. Look at it if an application closes connections before it has read a whole \
              answer. Packets that waited for a neighbour's address are not among these.",
        reasons: &["NOT_SPECIFIED", "SOCKET_CLOSE", "QUEUE_PURGE"],
        functions: CLOSING,
        when: &[When::Socket],
    },
    Rule {
        name: "unread-datagram",
        matches: "datagrams that lay unread in the queue of a UDP socket when that was closed",
        why: "They had arrived; the process did not want to read them. A DNS client that has its answer closes the \
              socket before the answer of the next server comes. Look at it if a server is restarted under load.",
        reasons: &["NOT_SPECIFIED", "SOCKET_CLOSE", "QUEUE_PURGE"],
        functions: &["udp_destruct_common", "udp_destruct_sock", "udpv6_destruct_sock"],
        when: &[],
    },
    Rule {
        name: "echo-reply-copy",
        matches: "echo replies for which there is no ping socket",
        why: "Many `ping` programs use a raw socket, which gets a copy of each reply. The kernel then looks for a ping \
              socket too, finds none, and drops the original: the ping was answered nevertheless.",
        reasons: &["NO_SOCKET", "NOT_SPECIFIED"],
        functions: &["ping_rcv", "icmp_rcv", "icmpv6_rcv"],
        when: &[When::EchoReply],
    },
    Rule {
        name: "raw-socket-filter",
        matches: "copies of packets that the filter of a raw socket does not want",
        why: "A raw socket gets a copy of every packet of its protocol, and programs like routing daemons and `ping` \
              install a filter to be spared what is not theirs. The packet itself goes its way.",
        reasons: &["SOCKET_FILTER"],
        functions: &[
            "rawv6_rcv",
            "rawv6_rcv_skb",
            "raw_rcv",
            "raw_rcv_skb",
            "raw_local_deliver",
            "raw_v4_input",
        ],
        when: &[When::Raw],
    },
    Rule {
        name: "multicast-not-joined",
        matches: "multicast packets of groups that nobody here has joined",
        why: "Switches flood multicast: router solicitations, MLD and IGMP reports, mDNS, SSDP, OSPF and VRRP of \
              others reach machines that have no use for them. Look at it if an application here should get them: \
              `ip maddress` shows what has been joined.",
        reasons: &["NOT_SPECIFIED"],
        functions: &[
            "ip6_mc_input",
            "ip_rcv_finish_core",
            "ip_rcv_finish",
            "ip_list_rcv_finish",
            "ip_sublist_rcv",
        ],
        when: &[When::Group],
    },
    Rule {
        name: "group-without-listener",
        matches: "broadcast and multicast datagrams to a UDP port that nobody here listens on",
        why: "Who sends to all cannot know who cares: NetBIOS, DHCP, mDNS and discovery protocols reach every machine \
              of a network. Look at it if a service here should have got them: `ss -lun`.",
        reasons: &["NO_SOCKET", "NOT_SPECIFIED"],
        functions: &[
            "udp_rcv",
            "udpv6_rcv",
            "__udp4_lib_rcv",
            "__udp6_lib_rcv",
            "__udp4_lib_mcast_deliver",
            "__udp6_lib_mcast_deliver",
        ],
        when: &[When::Group],
    },
    Rule {
        name: "neighbor-news",
        matches: "ICMPv6 messages to a group that concern nobody here, like the advertisement of an unknown neighbour",
        why: "Machines announce themselves to all when they come up or get an address. Who has no entry for that \
              neighbour has nothing to update.",
        reasons: &["NOT_SPECIFIED"],
        functions: &["icmpv6_rcv", "ndisc_rcv", "ndisc_recv_na"],
        when: &[When::Group],
    },
    Rule {
        name: "ipv6-device-starting",
        matches: "the machine's own IPv6 multicast (MLD reports) on a device without a route yet",
        why: "A device that comes up announces its groups before its link-local address and routes are ready. They are \
              sent again a moment later.",
        reasons: &["IP_INNOROUTES", "IP_OUTNOROUTES"],
        functions: &["ip6_pkt_discard", "ip6_pkt_drop"],
        when: &[When::Group],
    },
    Rule {
        name: "other-host",
        matches: "packets to a single Ethernet address that is not the device's",
        why: "A device that is promiscuous, as the ports of a bridge and those with a capture are, and one at a switch \
              that floods, gets packets for others. Look at it if this machine should have got them: the sender's \
              neighbour table then has a wrong address (`ip neighbour`).",
        reasons: &["OTHERHOST"],
        functions: &[],
        when: &[When::Unicast],
    },
    Rule {
        name: "link-protocol",
        matches: "frames to a group by which switches talk: LLDP, spanning tree, CDP and the like",
        why: "The kernel has no handler for them unless a daemon or a bridge asks for one.",
        reasons: &["UNHANDLED_PROTO", "NOT_SPECIFIED"],
        functions: &["__netif_receive_skb_core", "llc_rcv", "stp_pdu_rcv", "snap_rcv"],
        when: &[When::Protocol(&[
            0x0004, // 802.2
            0x8809, // slow protocols: LACP
            0x88a7, 0x88cc, // LLDP
            0x88e1, 0x8912, 0x893a, // home networks over power lines
            0x9003, 0x9000, // loop detection
        ])],
    },
    Rule {
        name: "late-reset",
        matches: "TCP resets for a connection that is not there (any more)",
        why: "Where both ends give a connection up, the reset of one finds nothing left to reset at the other. Nothing \
              answers a reset, and nobody waits for it.",
        reasons: &["NO_SOCKET"],
        functions: &["tcp_v4_rcv", "tcp_v6_rcv"],
        when: &[When::TcpReset],
    },
    Rule {
        name: "last-fin",
        matches: "the end (FIN) of a TCP connection that this side had closed first",
        why: "It is acknowledged, and noted in what is left of the connection, in state TIME-WAIT; nothing of the \
              packet is needed any longer. Each connection that is closed here first ends like that.",
        reasons: &["NOT_SPECIFIED"],
        functions: &["tcp_v4_rcv", "tcp_v6_rcv"],
        when: &[When::TcpLastFin],
    },
    Rule {
        name: "tcp-again",
        matches: "TCP segments with nothing new: sent again although they had arrived, overtaken acknowledgements, and \
                  keepalive probes",
        why: "A sender that misses an acknowledgement sends again, and a keepalive probe is a segment from before the \
              window on purpose; the kernel acknowledges and drops. Look at it if they are many: acknowledgements \
              are then lost or late on their way back (`nstat -az TcpExtTCPDSACKOldSent TcpRetransSegs`).",
        reasons: &["TCP_OLD_DATA", "TCP_OLD_SEQUENCE", "TCP_OLD_ACK", "TCP_RFC7323_PAWS_ACK"],
        functions: &[],
        when: &[],
    },
];

//! Where things are in the guest: the host puts them there, the guest's init takes them.

/// The modules that are loaded at boot: what the tests use to make the kernel drop packets.
pub const BOOT_MODULES: &[&str] = &[
    "af_packet",
    "ipv6",
    "veth",
    "dummy",
    "bridge",
    "8021q",
    "vxlan",
    "nf_tables",
    "nft_counter",
    "nft_ct",
    "nft_reject_inet",
    "sch_ingress",
    "sch_tbf",
    "sch_netem",
    "cls_bpf",
];
/// The dropwatch to test.
pub const DROPWATCH: &str = "/payload/dropwatch";
/// The test programs.
pub const TEST_DIR: &str = "/payload/tests";
/// The file to which tests that are skipped append.
pub const SKIPS: &str = "/tmp/skipped-tests.txt";
/// The port of the device by which the guest ends QEMU.
pub const EXIT_PORT: u16 = 0xf4;
/// What the guest writes there.
pub const EXIT_VALUE: u8 = 42;

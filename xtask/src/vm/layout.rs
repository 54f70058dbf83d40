//! Where things are in the guest: the host puts them there, the guest's init takes them.

/// The modules.
pub const MODULE_DIR: &str = "/modules";
/// The files of the modules, a line each, in load order.
pub const MODULE_LIST: &str = "/modules/list";
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

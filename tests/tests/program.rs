//! What the program in the kernel is made of.

use anyhow::{Context, Result};
use dropwatch_tests::{Launch, bpf_ids, exclusive, need, need::kernel_can_cast, output};

/// Each call of a helper that reads memory takes as long as a dozen loads. From Linux 6.2 on none
/// is needed, and the program does without where the kernel can; where that program is refused,
/// another would silently take its place.
#[test]
fn drops_are_read_without_a_call_where_the_kernel_can() -> Result<()> {
    need!(Root, Program("bpftool"), Reason("NO_SOCKET"));
    let _turn = exclusive();
    for arguments in [&[][..], &["--stack"]] {
        let dropwatch = Launch::new(arguments).start()?;
        let programs = bpf_ids(dropwatch.pid(), "prog")?;
        let dumps = programs
            .iter()
            .map(|id| output("bpftool", &["prog", "dump", "xlated", "id", &id.to_string()]));
        let dumps = dumps.collect::<Result<Vec<_>>>()?;
        dropwatch.interrupt()?.success()?;
        let program = dumps.iter().find(|dump| dump.contains("i32 kfree_skb"));
        let program = program.context("its program is not there")?;
        assert!(program.contains("bpf_ktime_get_boot_ns"), "calls have no names: {program}");
        let reads = program.contains("call bpf_probe_read_kernel");
        assert_eq!(reads, !kernel_can_cast(), "{arguments:?}: {program}");
    }
    Ok(())
}

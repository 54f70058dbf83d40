//! `dropwatch explain`: every reason that the running kernel has is explained, to anyone and
//! under any conditions.

// Only the way of making BTF is shared with the tests of the library.
#[path = "../../dropwatch-cli/tests/support/mod.rs"]
mod support;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use dropwatch_tests::{
    Finished, Launch, Reasons,
    confined::{as_nobody, behind, copy_for_anyone},
    need,
};
use serde_json::Value;

use support::{
    builder::{Builder, kind},
    file, kernels,
};

const KERNEL: &str = "/sys/kernel/btf/vmlinux";

fn success(launch: Launch) -> Result<Finished> {
    let finished = launch.run()?;
    ensure!(finished.status.success(), "{}", finished.stderr());
    Ok(finished)
}

/// Standard output without the places where its lines were broken.
fn on_one_line(finished: &Finished) -> String {
    finished.stdout().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What `explain --json` with these arguments prints.
fn explain(args: &[&str]) -> Result<Vec<Value>> {
    let finished = success(Launch::new(&["explain", "--json"]).args(args))?;
    ensure!(finished.stderr.is_empty(), "{}", finished.stderr());
    Ok(serde_json::from_str(&finished.stdout())?)
}

#[test]
fn every_reason_of_this_kernel_has_an_entry() -> Result<()> {
    need!(Program("bpftool"), Path(KERNEL), Reasons);
    let explained = explain(&["*"])?;
    let mut missing = Vec::new();
    for row in Reasons::of_kernel()?.rows() {
        let found = explained.iter().find(|it| it["number"] == row.number);
        let found = found.with_context(|| format!("{row:?} is not explained"))?;
        assert_eq!(found["name"], row.name.as_str());
        assert_eq!(found["full_name"], row.full_name.as_str());
        assert_eq!(found["subsystem"], row.subsystem.as_str());
        assert_eq!(found["present"], true);
        let text = |key: &str| found[key].as_str().is_some_and(|text| text.len() > 10);
        let list = |key: &str| found[key].as_array().is_some_and(|list| !list.is_empty());
        if !(text("summary") && text("meaning") && text("fix") && list("where") && list("check")) {
            missing.push(format!("{}/{}", row.subsystem, row.name));
        }
    }
    assert!(missing.is_empty(), "without an entry: {missing:?}");
    assert_eq!(explained.len(), Reasons::of_kernel()?.rows().count());
    Ok(())
}

#[test]
fn a_reason_is_found_by_name_and_by_number() -> Result<()> {
    need!(Reason("NO_SOCKET"));
    let number = Reasons::of_kernel()?.number("NO_SOCKET").context("it has a number")?;
    let expected = explain(&["NO_SOCKET"])?;
    assert_eq!(expected.len(), 1);
    for same in ["skb_drop_reason_no_socket", "core/no_socket", &number.to_string(), "NO_SOCKET,3"]
    {
        if same != "NO_SOCKET,3" || number == 3 {
            assert_eq!(explain(&[same])?, expected, "{same}");
        }
    }
    let text = on_one_line(&success(Launch::new(&["explain", "no_socket"]))?);
    let says = format!("has it as number {number}, SKB_DROP_REASON_NO_SOCKET");
    assert!(text.contains(&says), "{text}");
    assert!(text.contains("ss -lunp") && !text.contains('\x1b'), "{text}");
    Ok(())
}

#[test]
fn nobody_needs_rights_for_it() -> Result<()> {
    need!(Root, Program("setpriv"), Reasons);
    let (_folder, binary) = copy_for_anyone()?;
    let expected = success(Launch::new(&["explain", "NO_SOCKET"]))?.stdout();
    let finished = success(as_nobody(&binary, "", &["explain", "NO_SOCKET"]))?;
    assert_eq!((finished.stdout(), finished.stderr()), (expected, String::new()));
    success(as_nobody(&binary, "", &["--explain-tags"]))?;
    Ok(())
}

/// What a reason means does not depend on the kernel, only its number does.
#[test]
fn without_the_kernels_reasons_it_tells_their_meaning() -> Result<()> {
    need!(Root, Program("unshare"), Path(KERNEL));
    let old = file(&kernels::vmlinux("5.10").bytes());
    let hidden = "mount -t tmpfs none /sys/kernel/btf && \
                  { mount -t tmpfs none /sys/kernel/tracing 2>/dev/null; true; } && \
                  { mount -t tmpfs none /sys/kernel/debug 2>/dev/null; true; }";
    let bound = format!("mount --bind \"$1\" {KERNEL}");
    for (mount, arguments, why) in
        [(hidden, &[][..], "tracefs"), (bound.as_str(), &[&*old][..], "5.17")]
    {
        let by_name = on_one_line(&success(behind(mount, arguments, &["explain", "NO_SOCKET"]))?);
        for words in ["ss -lunp", "is not known", "could not be read", why] {
            assert!(by_name.contains(words), "{by_name}");
        }
        let by_number = behind(mount, arguments, &["explain", "3"]).run()?;
        assert_eq!(by_number.status.code(), Some(2));
        assert!(by_number.stderr().contains("--btf FILE"), "{}", by_number.stderr());
    }
    Ok(())
}

/// Which reasons a module has is known only while it is loaded.
#[test]
fn a_modules_reasons_need_the_module() -> Result<()> {
    let kernel = kernels::vmlinux("6.12");
    let (btf, module) =
        (file(&kernel.bytes()), file(&kernels::module("6.12", "openvswitch", &kernel).bytes()));
    let (btf, module) = (btf.to_str().context("a path")?, module.to_str().context("a path")?);
    let alone = explain(&["--btf", btf, "OVS_DROP_METER"])?;
    assert_eq!((&alone[0]["present"], &alone[0]["number"]), (&Value::Null, &Value::Null));
    let text = on_one_line(&success(Launch::new(&["explain", "--btf", btf, "OVS_DROP_METER"]))?);
    assert!(text.contains("openvswitch is loaded"), "{text}");
    let loaded = explain(&["--btf", btf, "--btf", module, "OVS_DROP_METER"])?;
    assert_eq!((&loaded[0]["present"], &loaded[0]["number"]), (&true.into(), &0x3_0005.into()));
    // That kernel has no such subsystem.
    let other = explain(&["--btf", btf, "QDISC_DROP_OVERLIMIT"])?;
    assert_eq!(other[0]["present"], false);
    Ok(())
}

/// A kernel that is newer than the data.
fn with_a_new_reason() -> Builder {
    let mut btf = Builder::new();
    let members = [("SKB_DROP_REASON_NO_SOCKET", 9), ("SKB_DROP_REASON_OF_TOMORROW", 77)];
    btf.enumeration("skb_drop_reason", false, &members);
    btf.aggregate(kind::STRUCT, "sk_buff", &[]);
    btf
}

#[test]
fn another_kernels_btf_tells_its_numbers() -> Result<()> {
    let btf = file(&with_a_new_reason().bytes());
    let path = btf.to_str().context("a path")?;
    let known = explain(&["--btf", path, "9"])?;
    assert_eq!((&known[0]["name"], &known[0]["number"]), (&"NO_SOCKET".into(), &9.into()));
    let new = explain(&["--btf", path, "OF_TOMORROW"])?;
    assert_eq!((&new[0]["summary"], &new[0]["number"]), (&Value::Null, &77.into()));
    let text = on_one_line(&success(Launch::new(&["explain", "--btf", path, "of_tomorrow"]))?);
    assert!(text.contains("does not know what OF_TOMORROW means"), "{text}");
    let missing = Launch::new(&["explain", "--btf", "/nowhere", "NO_SOCKET"]).run()?;
    assert_eq!(missing.status.code(), Some(1), "{}", missing.stderr());
    assert!(missing.stderr().contains("/nowhere") && Path::new(path).exists());
    Ok(())
}

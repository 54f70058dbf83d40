//! `--sample` and `--rate-limit`: what is left out is counted, and the effect is told.

use std::{fs, net::Ipv4Addr, thread::sleep, time::Duration};

use anyhow::Result;
use dropwatch_tests::{
    Finished, Launch, Namespace, exclusive, need,
    traffic::{CLOSED_PORT, udp},
};

/// An address on the loopback device of a namespace.
const ONE: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 3);

fn closed(namespace: &Namespace, count: u32) -> Result<()> {
    namespace.run("dwt sample", || udp::send((ONE, CLOSED_PORT), 100, count))
}

fn loopback() -> Result<Namespace> {
    let namespace = Namespace::new()?;
    namespace.output("ip", &["address", "add", &format!("{ONE}/32"), "dev", "lo"])?;
    Ok(namespace)
}

fn assert_notice(finished: &Finished, text: &str) {
    let first = finished.stderr.first().map(|line| line.text.as_str()).unwrap_or_default();
    assert!(first.contains(text) && first.contains("the account counts the rest"), "{first}");
    assert_eq!(finished.notices(), 2, "notice and account: {}", finished.stderr());
}

const NARROW: [&str; 4] = ["--dst", "10.1.2.3", "--dport", "9"];

#[test]
fn a_sample_is_a_random_part_and_the_rest_is_counted() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    const DROPS: u32 = 4_000;
    // One of four, and five standard deviations to each side.
    const LIKELY: std::ops::RangeInclusive<u64> = 863..=1_137;
    let _turn = exclusive();
    let namespace = loopback()?;
    let dropwatch = Launch::new(&NARROW).args(&["--sample", "1/4"]).start()?;
    closed(&namespace, DROPS)?;
    let finished = dropwatch.interrupt()?;
    let account = finished.success()?;
    assert_eq!((account.matched, account.lost), (u64::from(DROPS), 0), "{account:?}");
    assert_eq!(account.sampled_out + account.shown, account.matched, "{account:?}");
    assert!(LIKELY.contains(&account.shown), "{account:?}");
    assert_eq!(account.shown, finished.events()?.len() as u64, "{account:?}");
    assert_notice(&finished, "a random 1 in 4");
    Ok(())
}

#[test]
fn a_rate_limit_holds_in_each_second_and_the_rest_is_counted() -> Result<()> {
    need!(Root, Program("ip"), Reason("NO_SOCKET"));
    const LIMIT: u64 = 50;
    let _turn = exclusive();
    let namespace = loopback()?;
    let dropwatch = Launch::new(&NARROW).args(&["--rate-limit", "50/s"]).start()?;
    // Over more than two seconds, so that at least two of the kernel's are whole.
    for _ in 0..22 {
        closed(&namespace, 100)?;
        sleep(Duration::from_millis(100));
    }
    let finished = dropwatch.interrupt()?;
    let account = finished.success()?;
    assert_eq!((account.matched, account.lost), (2_200, 0), "{account:?}");
    assert_eq!(account.rate_limited + account.shown, account.matched, "{account:?}");
    // Each processor may have one more on its way when the limit is reached.
    let stat = fs::read_to_string("/proc/stat")?;
    let processors = stat.lines().filter(|line| line.starts_with("cpu")).count() as u64;
    let seconds = account.seconds.ceil() as u64 + 1;
    assert!(account.shown >= 2 * LIMIT, "{account:?}");
    assert!(account.shown <= seconds * (LIMIT + processors), "{account:?}");
    assert_notice(&finished, "at most 50");
    Ok(())
}

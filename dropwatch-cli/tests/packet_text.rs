//! What is written of packets is what tcpdump writes of them.

#[path = "support/packets/mod.rs"]
mod packets;

use std::process::Command;

use dropwatch::packet::{Packet, Snapshot};
use packets::Sample;

fn pcap(samples: &[Sample]) -> Vec<u8> {
    // Version 2.4, local time, whole packets, Ethernet.
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 2 | 4 << 16, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    for Sample { bytes, .. } in samples {
        let len = bytes.len() as u32;
        for word in [0, 0, len, len] {
            file.extend(word.to_le_bytes());
        }
        file.extend(bytes);
    }
    file
}

fn summary(sample: &Sample) -> String {
    let packet = Packet::parse(&Snapshot {
        bytes: &sample.bytes,
        mac: Some(0),
        network: Some(sample.network),
        transport: None,
        protocol: sample.protocol,
        vlan: None,
        cut: false,
    });
    let mut out = Vec::new();
    packet.write_summary(&mut out);
    String::from_utf8(out).expect("text")
}

#[test]
fn tcpdump_says_the_same() {
    let mut samples = packets::samples();
    samples.retain(|sample| sample.same);
    let path = std::env::temp_dir().join(format!("dropwatch-{}.pcap", std::process::id()));
    std::fs::write(&path, pcap(&samples)).expect("a file to write to");
    let output = Command::new("tcpdump").args(["-nn", "-t", "-r"]).arg(&path).output();
    std::fs::remove_file(&path).expect("the file is there");
    let output = match output {
        Ok(output) => output,
        Err(error) => return eprintln!("skipped, as tcpdump cannot be started: {error}"),
    };
    let theirs = String::from_utf8(output.stdout).expect("text");
    let theirs: Vec<_> = theirs
        .lines()
        .map(|line| line.strip_prefix("IP ").or(line.strip_prefix("IP6 ")).unwrap_or(line))
        .map(str::trim_end)
        .collect();
    assert_eq!(theirs.len(), samples.len(), "{}", String::from_utf8_lossy(&output.stderr));
    for (sample, theirs) in samples.iter().zip(theirs) {
        assert_eq!(summary(sample), theirs, "{}", sample.name);
        assert_eq!(sample.summary, theirs, "{}", sample.name);
    }
}

//! The raw rounds, as JSON.

use super::measure::{FloodMeasured, Measurement, ProcessMeasured};
use crate::bench::machine::Machine;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Writes what was measured in each round.
pub fn write(path: &Path, machine: &Machine, rounds: &[Vec<Measurement>]) -> Result<()> {
    let text = format!("{:#}\n", value(machine, rounds));
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn value(machine: &Machine, rounds: &[Vec<Measurement>]) -> Value {
    let Machine { processor, processors, kernel, load, versions, method } = machine;
    let rounds: Vec<Value> =
        rounds.iter().map(|round| round.iter().map(measurement).collect()).collect();
    json!({
        "processor": processor,
        "processors": processors,
        "kernel": kernel,
        "load": load,
        "versions": versions,
        "method": method,
        "rounds": rounds,
    })
}

fn measurement(measurement: &Measurement) -> Value {
    json!({
        "tool": measurement.tool,
        "floods": measurement.floods.iter().map(flood).collect::<Vec<_>>(),
        "sending": {
            "packets": measurement.speed.packets,
            "seconds_before": measurement.speed.before.as_secs_f64(),
            "seconds": measurement.speed.traced.as_secs_f64(),
            "seconds_after": measurement.speed.after.as_secs_f64(),
        },
        "process": measurement.process.as_ref().map(process),
    })
}

fn flood(flood: &FloodMeasured) -> Value {
    json!({
        "name": flood.name,
        "packets": flood.packets,
        "bpf": flood.work.map(|work| json!({
            "run_time_ns": work.run_ns,
            "run_cnt": work.runs,
            "missed": work.missed,
        })),
    })
}

fn process(process: &ProcessMeasured) -> Value {
    json!({
        "attached_after_seconds": process.attached_after.as_secs_f64(),
        "start_cpu_seconds": process.start_cpu,
        "flood_cpu_seconds": process.flood_cpu,
        "peak_kib": process.peak_kib,
        "seen": process.said.seen,
        "shown": process.said.shown,
        "lost": process.said.lost,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{compare::measure::Speed, programs::Work};
    use std::time::Duration;

    #[test]
    fn what_there_is_not_is_null() {
        let machine = Machine {
            processor: "AMD EPYC".to_owned(),
            processors: 2,
            kernel: "6.18".to_owned(),
            load: "0.05".to_owned(),
            versions: vec!["dropwatch 0.1.0".to_owned()],
            method: "3 rounds".to_owned(),
        };
        let flood = |work| FloodMeasured { name: "tc", packets: 10, work };
        let [before, traced, after] = [400, 500, 600].map(Duration::from_millis);
        let speed = Speed { packets: 10, before, traced, after };
        let measured =
            |work| Measurement { tool: "a", floods: vec![flood(work)], speed, process: None };
        let work = Work { run_ns: 900, runs: 11, missed: 0 };
        let value = value(&machine, &[vec![measured(None)], vec![measured(Some(work))]]);
        let rounds = &value["rounds"];
        assert_eq!(rounds.as_array().map(Vec::len), Some(2));
        assert_eq!(rounds[0][0]["process"], Value::Null);
        assert_eq!(rounds[0][0]["floods"][0]["bpf"], Value::Null);
        assert_eq!(rounds[1][0]["sending"]["seconds"], 0.5);
        assert_eq!(rounds[1][0]["floods"][0]["bpf"]["run_cnt"], 11);
    }
}

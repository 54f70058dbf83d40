//! Which kernels have had a drop reason of a name: for the error message about a name that
//! this kernel lacks, and for nothing else.

/// Names and kernels; the file's head tells its format.
const TABLE: &str = include_str!("known_reasons.txt");

/// The kernels that have a reason of this short name, for a message: `6.1 and 6.16 to 7.3`.
/// None where no kernel has.
pub fn kernels_with(name: &str) -> Option<String> {
    let mut lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let kernels: Vec<_> = lines.next()?.strip_prefix("kernels: ")?.split(' ').collect();
    let flags = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    let mut runs: Vec<(&str, &str)> = Vec::new();
    let mut running = false;
    for (kernel, flag) in kernels.into_iter().zip(flags.chars()) {
        match (flag, runs.last_mut()) {
            ('1', Some(run)) if running => run.1 = kernel,
            ('1', _) => runs.push((kernel, kernel)),
            _ => {}
        }
        // A kernel that could not be read ('?') neither begins a run nor ends it.
        running = flag == '1' || flag == '?' && running;
    }
    let runs: Vec<_> = runs
        .into_iter()
        .map(
            |(first, last)| {
                if first == last { first.to_owned() } else { format!("{first} to {last}") }
            },
        )
        .collect();
    let (last, others) = runs.split_last()?;
    Some(if others.is_empty() { last.clone() } else { format!("{} and {last}", others.join(", ")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_given_as_ranges() {
        assert_eq!(kernels_with("NO_SOCKET").as_deref(), Some("6.1 to 7.3"));
        assert_eq!(kernels_with("PSP_INPUT").as_deref(), Some("6.18 to 7.3"));
        // Read on both sides of kernels whose module could not be read.
        assert_eq!(kernels_with("OVS_DROP_LAST_ACTION").as_deref(), Some("6.12.43 to 7.3"));
        assert_eq!(kernels_with("NO_SOKET"), None);
        assert_eq!(kernels_with("NO"), None);
        assert_eq!(kernels_with(""), None);
    }

    #[test]
    fn every_line_of_the_table_is_whole() {
        let lines: Vec<_> = TABLE.lines().filter(|line| !line.starts_with('#')).collect();
        let kernels = lines[0].split(' ').count() - 1;
        for line in &lines[1..] {
            let (name, flags) = line.split_once(' ').expect(line);
            assert!(
                flags.len() == kernels && flags.chars().all(|flag| "01?".contains(flag)),
                "{line}"
            );
            assert!(kernels_with(name).is_some(), "{line}");
        }
    }
}

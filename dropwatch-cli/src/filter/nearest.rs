//! Names to suggest for one that does not exist.

/// How similar a name must be to be suggested, from 0 to 1, and how many are suggested.
const SIMILAR: f64 = 0.6;
const SUGGESTIONS: usize = 3;
/// How short a part of a name may be for that name to be suggested.
const MIN_PART: usize = 3;

/// Those of the names that are most like this one, or of which it is a part.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let is_part = |other: &str| name.len() >= MIN_PART && other.contains(name);
    let mut scored: Vec<_> = names
        .into_iter()
        .map(|other| (strsim::normalized_damerau_levenshtein(name, other), other))
        .filter(|(similarity, other)| *similarity >= SIMILAR || is_part(other))
        .collect();
    scored.sort_by(|left, right| right.0.total_cmp(&left.0));
    scored.dedup_by_key(|(_, name)| *name);
    scored.into_iter().take(SUGGESTIONS).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_and_parts_are_understood() {
        const NAMES: [&str; 5] =
            ["NO_SOCKET", "SOCKET_RCVBUFF", "TCP_CSUM", "UDP_CSUM", "IP_RPFILTER"];
        for (name, suggested) in [
            ("NO_SOKET", &["NO_SOCKET"][..]),
            ("RCVBUF", &["SOCKET_RCVBUFF"]),
            ("RPFILTER", &["IP_RPFILTER"]),
            ("CSUM", &["TCP_CSUM", "UDP_CSUM"]),
            ("TCP_CSUN", &["TCP_CSUM", "UDP_CSUM"]),
            ("IP", &[]),
            ("CHECKSUM", &[]),
        ] {
            assert_eq!(nearest(name, NAMES), suggested, "{name}");
        }
    }
}

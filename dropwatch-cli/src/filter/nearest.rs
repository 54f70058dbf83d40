//! Names to suggest for one that does not exist.

/// How similar a name must be to be suggested, from 0 to 1, and how many are suggested.
const SIMILAR: f64 = 0.6;
const SUGGESTIONS: usize = 3;

/// Those of the names that are most like this one.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut scored: Vec<_> = names
        .into_iter()
        .map(|other| (strsim::normalized_damerau_levenshtein(name, other), other))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .collect();
    scored.sort_by(|left, right| right.0.total_cmp(&left.0));
    scored.dedup_by_key(|(_, name)| *name);
    scored.into_iter().take(SUGGESTIONS).map(|(_, name)| name).collect()
}

//! Metrics in the text formats of Prometheus, as `top` prints them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

/// The values of all series, by the metric's name and its labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics(BTreeMap<(String, BTreeMap<String, String>), f64>);

impl Metrics {
    /// All that was printed: the metrics of one moment after those of another.
    ///
    /// # Errors
    /// When a line is not as it should be.
    pub fn all(text: &str) -> Result<Vec<Self>> {
        ensure!(text.ends_with("# EOF\n"), "no end: {text}");
        text.split_inclusive("# EOF\n").map(Self::parse).collect()
    }

    /// The metrics of one moment.
    ///
    /// # Errors
    /// As above.
    pub fn parse(text: &str) -> Result<Self> {
        let mut metrics = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').context("a value")?;
            let value = value.parse().with_context(|| format!("no number: {line}"))?;
            let (name, labels) = match series.split_once('{') {
                Some((name, labels)) => (name, self::labels(labels).context(line.to_owned())?),
                None => (series, BTreeMap::new()),
            };
            let before = metrics.0.insert((name.to_owned(), labels), value);
            ensure!(before.is_none(), "a series twice: {line}");
        }
        Ok(metrics)
    }

    /// The value of a metric without labels.
    ///
    /// # Errors
    /// When there is none.
    pub fn value(&self, name: &str) -> Result<f64> {
        let series = (name.to_owned(), BTreeMap::new());
        self.0.get(&series).copied().with_context(|| format!("no {name}"))
    }

    /// The series of the drops.
    pub fn drops(&self) -> impl Iterator<Item = (&BTreeMap<String, String>, f64)> {
        let drops = self.0.iter().filter(|((name, _), _)| name == "dropwatch_drops_total");
        drops.map(|((_, labels), value)| (labels, *value))
    }

    /// The drops by some labels.
    ///
    /// # Errors
    /// When a series lacks one.
    pub fn drops_by<const N: usize>(&self, names: [&str; N]) -> Result<BTreeMap<[String; N], u64>> {
        let mut sums = BTreeMap::new();
        for (labels, value) in self.drops() {
            let mut key = [const { String::new() }; N];
            for (part, name) in key.iter_mut().zip(names) {
                *part = labels.get(name).with_context(|| format!("no {name}"))?.clone();
            }
            *sums.entry(key).or_default() += value as u64;
        }
        Ok(sums)
    }

    /// Whether each counter is at least what it was before.
    pub fn follows(&self, before: &Self) -> bool {
        before.0.iter().all(|(series, value)| self.0.get(series).is_some_and(|now| now >= value))
    }
}

/// What stands behind the brace: `a="b",c="d"}`.
fn labels(text: &str) -> Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    loop {
        let (name, value) = rest.split_once("=\"").context("no value")?;
        let mut unescaped = String::new();
        let mut characters = value.chars();
        loop {
            match characters.next().context("no end of a value")? {
                '"' => break,
                '\\' => unescaped.push(match characters.next() {
                    Some('n') => '\n',
                    Some(escaped @ ('\\' | '"')) => escaped,
                    other => anyhow::bail!("an escape that there is not: {other:?}"),
                }),
                character => unescaped.push(character),
            }
        }
        ensure!(labels.insert(name.to_owned(), unescaped).is_none(), "{name} twice");
        rest = characters.as_str();
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    ensure!(rest == "}", "behind the labels: {rest}");
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read() -> Result<()> {
        let text = "# TYPE a counter\na_total 7\n\
                    dropwatch_drops_total{reason=\"A\",flow=\"b \\\"\\\\ c\"} 3\n# EOF\n";
        let metrics = Metrics::parse(text)?;
        assert_eq!(metrics.value("a_total")?, 7.0);
        let key = ["b \"\\ c", "A"].map(str::to_owned);
        assert_eq!(metrics.drops_by(["flow", "reason"])?, BTreeMap::from([(key, 3)]));
        let all = Metrics::all(&format!("{text}{}", text.replace(" 7", " 6")))?;
        assert!(all[0].follows(&all[1]) && !all[1].follows(&all[0]));
        for bad in ["a", "a b", "a{b=\"c} 1", "a{b=\"\\x\"} 1", "a 1\na 1", "a{b=\"c\" 1"] {
            assert!(Metrics::parse(bad).is_err(), "{bad}");
        }
        assert!(Metrics::all("a 1\n").is_err());
        Ok(())
    }
}

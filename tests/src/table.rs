//! The tables that `top` and `--summary` print.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

/// What stands in place of keys for which there was no room.
const OTHER: &str = "(other)";

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The rows, each by the headings of its columns.
    pub rows: Vec<BTreeMap<String, String>>,
    /// Drops of keys for which there was no room.
    pub other: u64,
}

impl Table {
    /// All tables in what was printed.
    ///
    /// # Errors
    /// When one is not as it should be.
    pub fn all(text: &str) -> Result<Vec<Self>> {
        let mut tables: Vec<Self> = Vec::new();
        let mut headings = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let cells: Vec<_> =
                line.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect();
            if cells.first() == Some(&"TOTAL") {
                headings = cells.iter().map(|cell| (*cell).to_owned()).collect();
                tables.push(Self::default());
                continue;
            }
            // The line above each of many.
            let Some(table) = tables.last_mut().filter(|_| cells.len() > 2) else { continue };
            if cells.get(3) == Some(&OTHER) {
                table.other = cells[0].parse().with_context(|| format!("no number: {line}"))?;
                continue;
            }
            ensure!(cells.len() == headings.len(), "a line that fits no heading: {line:?}");
            let cells = cells.into_iter().map(str::to_owned);
            table.rows.push(headings.iter().cloned().zip(cells).collect());
        }
        Ok(tables)
    }

    /// Totals by these columns.
    ///
    /// # Errors
    /// When there is no such column, a key is there twice, or a total is no number.
    pub fn totals<const N: usize>(&self, columns: [&str; N]) -> Result<BTreeMap<[String; N], u64>> {
        let mut totals = BTreeMap::new();
        for row in &self.rows {
            let cell = |name: &str| row.get(name).cloned().with_context(|| format!("no {name}"));
            let mut key = [const { String::new() }; N];
            for (part, column) in key.iter_mut().zip(columns) {
                *part = cell(column)?;
            }
            let total = cell("TOTAL")?.parse()?;
            ensure!(totals.insert(key, total).is_none(), "a key twice: {row:?}");
        }
        Ok(totals)
    }

    /// All drops together.
    ///
    /// # Errors
    /// When a total is no number.
    pub fn sum(&self) -> Result<u64> {
        let total = |row: &BTreeMap<String, String>| -> Result<u64> {
            Ok(row.get("TOTAL").context("no TOTAL")?.parse()?)
        };
        self.rows.iter().try_fold(self.other, |sum, row| Ok(sum + total(row)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
16:01:06.416  13 drops, 2.0 per second
TOTAL  RATE  SHARE  REASON     LOCATION                 FLOW
    9   1.0  69.2%  NO_SOCKET  nft_do_chain+0x1 [nft]   1.1.1.1.1 > 2.2.2.2.2 UDP
    1   1.0   7.7%  SOME       0x1                      -
    3   0.0  23.1%  (other)

16:01:07.416  0 drops, 0.0 per second
TOTAL  RATE  SHARE  REASON
";

    #[test]
    fn tables_are_read() -> Result<()> {
        let tables = Table::all(TEXT)?;
        assert_eq!(tables.len(), 2);
        let totals = tables[0].totals(["REASON", "FLOW"])?;
        let key = |reason: &str, flow: &str| [reason.to_owned(), flow.to_owned()];
        assert_eq!(totals[&key("NO_SOCKET", "1.1.1.1.1 > 2.2.2.2.2 UDP")], 9);
        assert_eq!((totals[&key("SOME", "-")], tables[0].other), (1, 3));
        assert_eq!((tables[0].sum()?, tables[1].sum()?), (13, 0));
        assert!(tables[0].totals(["NETNS"]).is_err());
        assert!(Table::all("TOTAL  REASON\n1  A  B\n").is_err());
        Ok(())
    }
}

//! Medians, spreads and Markdown.

use std::fmt::{self, Display};
use std::time::Duration;

/// What several rounds have told of one quantity.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rounds(Vec<f64>);

impl Rounds {
    pub(crate) fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    pub(crate) fn median(&self) -> f64 {
        let sorted = self.sorted();
        let middle = sorted.len() / 2;
        if sorted.len().is_multiple_of(2) {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        } else {
            sorted[middle]
        }
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    }
}

/// The median, and the least and the greatest where there are several.
impl Display for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sorted = self.sorted();
        write!(f, "{}", Figure(self.median()))?;
        match sorted.as_slice() {
            [least, .., greatest] => write!(f, " ({}–{})", Figure(*least), Figure(*greatest)),
            _ => Ok(()),
        }
    }
}

/// A number, with as many digits as it is worth.
struct Figure(f64);

impl Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.0.abs() {
            at_least if at_least >= 100.0 => 0,
            at_least if at_least >= 10.0 => 1,
            _ => 2,
        };
        write!(f, "{:.digits$}", self.0)
    }
}

/// Nanoseconds for each of so many.
pub(crate) fn ns_each(elapsed: Duration, of: usize) -> f64 {
    elapsed.as_nanos() as f64 / of as f64
}

/// What part of a sorted sample, in thousandths, is not greater than the one returned.
pub(crate) fn percentile(sorted: &[u64], thousandths: usize) -> f64 {
    sorted[(sorted.len() - 1) * thousandths / 1000] as f64
}

/// The first lines of a section: its title, a text, and the head of a table.
pub(crate) fn section(title: &str, text: &str, columns: &[&str]) {
    println!("\n### {title}\n\n{text}\n");
    println!("| {} |", columns.join(" | "));
    println!("|{}", "---|".repeat(columns.len()));
}

/// A row of a table.
pub(crate) fn row(cells: &[&dyn Display]) {
    let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
    println!("| {} |", cells.join(" | "));
}

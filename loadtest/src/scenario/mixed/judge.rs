//! What must hold of a reply in the mix.

use super::answer::Answer;
use super::operation::{End, FRACTIONS, Operation, Window};
use crate::scenario::Run;
use crate::scenario::pipelined::Request;
use crate::verify::{ArrayChecks, Check, CheckFailure, Ledger, Receipt};
use std::ops::RangeInclusive;

/// Checks a reply, and enters what it acknowledges in the books whatever the checks say.
pub(crate) fn judge(run: &mut Run, operation: &Operation, answer: &Answer, request: &Request) {
    let Run { ledger, shared, stats, .. } = run;
    if let Some(most) = operation.most_removed() {
        // Its own removal is known now.
        ledger.removed(most, 0);
    }
    let counts = if *shared { 0..=u64::MAX } else { ledger.counts(&request.bounds) };
    let findings = Judge { ledger, shared: *shared, counts }.findings(operation, answer);
    for finding in findings {
        stats.check(finding, || format!("request {} ({operation:.60?})", request.number));
    }
}

type Finding = Result<(), CheckFailure>;

struct Judge<'l> {
    ledger: &'l mut Ledger,
    shared: bool,
    /// How many elements there may have been: with `shared` any number.
    counts: RangeInclusive<u64>,
}

impl Judge<'_> {
    fn findings(mut self, operation: &Operation, answer: &Answer) -> Vec<Finding> {
        match (operation, answer) {
            (Operation::Add(batch), Answer::Added { added, count }) => {
                self.added(batch, *added, *count)
            }
            (Operation::Read(window), Answer::Values { count, values }) => {
                self.window(window, *count, values)
            }
            (Operation::Count, Answer::Count(count)) => vec![check_count(*count, &self.counts)],
            (_, Answer::Count(count)) => vec![check_count(*count, &(0..=*self.counts.end()))],
            (Operation::Rank(asked), Answer::Rank { value, rank, equal }) => {
                self.rank(*asked, *value, *rank, equal.unwrap_or(0))
            }
            (Operation::At(asked), Answer::At { index, value }) => {
                // The index from the nearer end, from 1 on.
                let place =
                    if *asked < 0 { asked.unsigned_abs() } else { asked.unsigned_abs() + 1 };
                let echo = index.is_none_or(|index| index == *asked);
                vec![
                    finding(echo, Check::Echo, || format!("index {index:?} for {asked}")),
                    self.presence(value.is_some(), place),
                    self.shown(value.as_slice()),
                ]
            }
            (Operation::Quantiles, Answer::Quantiles { count, quantiles }) => {
                self.quantiles(*count, quantiles)
            }
            (_, Answer::Extreme(value)) => {
                vec![self.presence(value.is_some(), 1), self.shown(value.as_slice())]
            }
            (_, Answer::Removed(removed)) => self.removed(operation, *removed),
            (Operation::Pop(end, n), Answer::Popped(values)) => self.popped(*end, *n, values),
            _ => unreachable!("a dialect reads a reply as the operation asks for it"),
        }
    }

    fn added(&mut self, batch: &[i64], added: Option<u64>, count: u64) -> Vec<Finding> {
        self.ledger.acknowledged(batch.iter().copied());
        let mut findings = vec![check_count(count, &self.counts)];
        if let Some(added) = added {
            findings.push(Receipt { added, count }.check_added(batch.len()));
        }
        findings
    }

    fn window(&mut self, window: &Window, count: Option<u64>, values: &[i64]) -> Vec<Finding> {
        let Window { min, max, offset, limit, descending } = *window;
        let outside = values.iter().find(|value| !(min..=max).contains(value));
        let checks = in_order(values, descending);
        let length = match count {
            Some(count) => {
                let shown = limit.min(count.saturating_sub(offset));
                shown..=shown
            }
            None => 0..=limit.min(self.counts.end().saturating_sub(offset)),
        };
        let mut findings = vec![
            checks.order(),
            checks.length(&length),
            finding(outside.is_none(), Check::OutOfBounds, || {
                format!("{outside:?} is not from {min} to {max}")
            }),
            self.shown(values),
        ];
        findings.extend(count.map(|count| check_count(count, &(0..=*self.counts.end()))));
        findings
    }

    fn rank(&self, asked: i64, value: Option<i64>, rank: u64, equal: u64) -> Vec<Finding> {
        let (up_to, most) = (rank.saturating_add(equal), *self.counts.end());
        vec![
            finding(value.is_none_or(|value| value == asked), Check::Echo, || {
                format!("value {value:?} for {asked}")
            }),
            finding(up_to <= most, Check::Rank, || {
                format!("{rank} are less than {asked} and {equal} equal, of at most {most}")
            }),
        ]
    }

    fn quantiles(
        &mut self,
        count: Option<u64>,
        quantiles: &[(Option<f64>, Option<i64>)],
    ) -> Vec<Finding> {
        let echo = quantiles.len() == FRACTIONS.len()
            && quantiles.iter().zip(FRACTIONS).all(|((q, _), asked)| q.is_none_or(|q| q == asked));
        let values: Vec<i64> = quantiles.iter().filter_map(|(_, value)| *value).collect();
        let there = !values.is_empty();
        let complete = values.len() == if there { quantiles.len() } else { 0 };
        let mut findings = vec![
            finding(echo, Check::Echo, || format!("{quantiles:?} for {FRACTIONS:?}")),
            in_order(&values, false).order(),
            finding(
                complete && count.is_none_or(|count| (count > 0) == there),
                Check::Presence,
                || format!("{quantiles:?} of {count:?} elements"),
            ),
            self.presence(there, 1),
            self.shown(&values),
        ];
        findings.extend(count.map(|count| check_count(count, &self.counts)));
        findings
    }

    fn removed(&mut self, operation: &Operation, removed: u64) -> Vec<Finding> {
        self.ledger.removed(0, removed);
        let possible = match operation {
            Operation::Clear => self.counts.clone(),
            Operation::Remove(_) => 0..=1.min(*self.counts.end()),
            _ => 0..=*self.counts.end(),
        };
        let (least, most) = (possible.start(), possible.end());
        let mut findings = vec![finding(possible.contains(&removed), Check::Removed, || {
            format!("{removed} were removed, of from {least} to {most}")
        })];
        if let (Operation::Remove(value), 1) = (operation, removed) {
            findings.push(self.taken(&[*value], Check::Removed));
        }
        findings
    }

    fn popped(&mut self, end: End, n: u64, values: &[i64]) -> Vec<Finding> {
        self.ledger.removed(0, values.len() as u64);
        let checks = in_order(values, end == End::Max);
        let (least, most) = (n.min(*self.counts.start()), n.min(*self.counts.end()));
        vec![checks.order(), checks.length(&(least..=most)), self.taken(values, Check::Popped)]
    }

    /// Whether there is an element at this place, from 1 on, or none, as it must be.
    fn presence(&self, there: bool, place: u64) -> Finding {
        let (least, most) = (*self.counts.start(), *self.counts.end());
        let possible = if there { place <= most } else { place > least };
        finding(possible, Check::Presence, || {
            let what = if there { "a value" } else { "no value" };
            format!("{what} as number {place} of from {least} to {most}")
        })
    }

    /// Whether all values in a reply were added by somebody.
    fn shown(&mut self, values: &[i64]) -> Finding {
        match self.ledger.stock() {
            Some(stock) if !self.shared => {
                values.iter().try_for_each(|&value| stock.check_shown(value))
            }
            _ => Ok(()),
        }
    }

    /// Enters what was taken out; whether it can have been there.
    fn taken(&mut self, values: &[i64], check: Check) -> Finding {
        match self.ledger.stock() {
            Some(stock) if !self.shared => {
                // Each is entered, whatever is found out about those before.
                let mut finding = Ok(());
                for &value in values {
                    let taken = stock.take(value, check);
                    finding = finding.and(taken);
                }
                finding
            }
            _ => Ok(()),
        }
    }
}

fn in_order(values: &[i64], descending: bool) -> ArrayChecks {
    let mut checks = ArrayChecks::new(Vec::new());
    if descending {
        values.iter().rev().for_each(|&value| checks.value(value));
    } else {
        values.iter().for_each(|&value| checks.value(value));
    }
    checks
}

fn check_count(count: u64, expected: &RangeInclusive<u64>) -> Finding {
    Receipt { added: 0, count }.check_count(expected)
}

fn finding(holds: bool, check: Check, detail: impl FnOnce() -> String) -> Finding {
    if holds { Ok(()) } else { Err(CheckFailure { check, detail: detail() }) }
}

//! What happened: who called what, when, and what came back.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::operation::{Operation, Outcome};

/// The threads that a history can have, the one that prepares it and clears up after it included.
pub(crate) const MAX_LANES: usize = 5;

/// Numbers the beginnings and the ends of calls in one order.
///
/// Each call takes a stamp before it begins and another one after it has returned. That is sound: the
/// counter's changes have one order, which agrees with what threads know of each other, so if the stamp
/// at the end of one call is smaller than that at the beginning of another, the one really had
/// returned before the other began. An implementation that is right is never accused. The reverse does
/// not hold: between stamp and call a thread may be held up, so that calls seem to overlap that did
/// not, and a wrong order of them goes unnoticed.
///
/// A stamp also is an atomic read-modify-write between any two calls of a thread. It orders memory
/// more than the callers of a multiset have to, so these histories do not tell whether a fence is
/// missing.
#[derive(Default)]
pub(crate) struct Clock(AtomicUsize);

impl Clock {
    pub(crate) fn stamp(&self) -> usize {
        // SeqCst: one order of all stamps, and of them with the calls that they enclose.
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) outcome: Outcome,
    /// The stamp before it began.
    pub(crate) invoked: usize,
    /// The stamp after it had returned.
    pub(crate) returned: usize,
}

/// The calls of some threads on one multiset, which was empty at first.
///
/// Its text is a timeline: a column for each thread, a row for each beginning and end of a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Each thread's calls, one after the other.
    pub(crate) lanes: Vec<Vec<Call>>,
}

impl History {
    /// Whether calls of different threads overlap.
    pub(crate) fn overlaps(&self) -> bool {
        let calls = || self.lanes.iter().flatten();
        let overlap = |a: &Call, b: &Call| a.invoked < b.invoked && b.invoked < a.returned;
        calls().any(|a| calls().any(|b| overlap(a, b)))
    }

    /// The timeline's rows: the stamp, the lane, and what to show there.
    fn rows(&self) -> Vec<(usize, usize, String)> {
        let mut rows = Vec::new();
        for (lane, calls) in self.lanes.iter().enumerate() {
            for call in calls {
                rows.push((call.invoked, lane, format!("┌ {}", call.operation)));
                rows.push((call.returned, lane, format!("└ {}", call.outcome)));
            }
        }
        rows.sort();
        rows
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        let widths: Vec<usize> = (0..self.lanes.len())
            .map(|lane| {
                let cells = rows.iter().filter(|row| row.1 == lane).map(|row| &row.2);
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max("thread 0".len())
            })
            .collect();
        let mut line = String::new();
        for (lane, &width) in widths.iter().enumerate() {
            line += &format!("{:<width$}  ", format!("thread {lane}"));
        }
        writeln!(f, "{}", line.trim_end())?;
        let mut open = vec![false; widths.len()];
        for (_, at, cell) in &rows {
            let mut line = String::new();
            for (lane, &width) in widths.iter().enumerate() {
                let shown = match (lane == *at, open[lane]) {
                    (true, _) => cell,
                    (false, true) => "│",
                    (false, false) => "",
                };
                line += &format!("{shown:<width$}  ");
            }
            open[*at] = !open[*at];
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[test]
fn a_history_reads_as_a_timeline() {
    let call =
        |operation, outcome, invoked, returned| Call { operation, outcome, invoked, returned };
    let history = History {
        lanes: vec![
            vec![call(Operation::Add(vec![i64::MIN, 5, 5]), Outcome::Done, 0, 3)],
            vec![
                call(Operation::Len, Outcome::Count(0), 1, 2),
                call(Operation::At(7), Outcome::Value(None), 4, 5),
            ],
        ],
    };
    let expected = "\
thread 0           thread 1
┌ add [MIN, 5 ×2]
│                  ┌ len
│                  └ 0
└ done
                   ┌ at 7
                   └ none
";
    assert_eq!(history.to_string(), expected);
}

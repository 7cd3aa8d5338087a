//! Whether a history is linearizable: whether there is an order of its calls, each taking effect at
//! one instant between its beginning and its end, in which every outcome is what the specification
//! says.
//!
//! The search is that of Wing and Gong ("Testing and Verifying Concurrent Objects", Journal of
//! Parallel and Distributed Computing 17, 1993) with Lowe's memoisation ("Testing for
//! linearizability", Concurrency and Computation: Practice and Experience 29(4), 2017): depth first
//! over the calls that can take effect next, never twice from the same set of calls done and the same
//! state of the multiset.

use std::collections::HashSet;
use std::fmt;

use super::history::{Call, History, MAX_LANES};
use super::model::State;
use super::operation::{Outcome, list};

/// Finds an order that explains the history, or says how far the best one got.
pub(crate) fn check(history: &History) -> Result<(), Contradiction<'_>> {
    let mut search =
        Search { history, been: HashSet::new(), order: Vec::new(), best: Contradiction::default() };
    if search.explains_from([0; MAX_LANES], State::default()) { Ok(()) } else { Err(search.best) }
}

/// How many calls of each lane have taken effect. Names a set of calls, since those of one lane follow
/// each other.
type Progress = [usize; MAX_LANES];

struct Search<'h> {
    history: &'h History,
    been: HashSet<(Progress, State)>,
    /// The lanes whose next call took effect, from the start on.
    order: Vec<usize>,
    /// Where the longest order so far ends.
    best: Contradiction<'h>,
}

impl Search<'_> {
    fn explains_from(&mut self, done: Progress, state: State) -> bool {
        if !self.been.insert((done, state)) {
            return false;
        }
        let history = self.history;
        let next = || {
            let lanes = history.lanes.iter().enumerate();
            lanes.filter_map(|(lane, calls)| Some((lane, calls.get(done[lane])?)))
        };
        // What begins after another call's end must wait for that one.
        let Some(horizon) = next().map(|(_, call)| call.returned).min() else { return true };
        let mut refused = Vec::new();
        for (lane, call) in next().filter(|(_, call)| call.invoked < horizon) {
            let (after, outcome) = state.after(&call.operation);
            if outcome != call.outcome {
                refused.push((lane, call, outcome));
                continue;
            }
            let mut done = done;
            done[lane] += 1;
            self.order.push(lane);
            if self.explains_from(done, after) {
                return true;
            }
            self.order.pop();
        }
        if self.order.len() >= self.best.order.len() {
            self.best = Contradiction { order: self.order.clone(), state, refused };
        }
        false
    }
}

/// The end of the longest order of calls that the specification allows.
#[derive(Debug, Default)]
pub(crate) struct Contradiction<'h> {
    order: Vec<usize>,
    state: State,
    /// The calls that could be next, by lane, and the outcomes that they should have had.
    refused: Vec<(usize, &'h Call, Outcome)>,
}

impl fmt::Display for Contradiction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order: Vec<String> = self.order.iter().map(|lane| lane.to_string()).collect();
        writeln!(f, "the longest order that makes sense, by threads: {}", order.join(" "))?;
        writeln!(
            f,
            "then there are {}, and what could be next does not fit:",
            list(&self.state.values())
        )?;
        for (lane, Call { operation, outcome, .. }, expected) in &self.refused {
            writeln!(
                f,
                "  thread {lane}: {operation} gave {outcome}, should have given {expected}"
            )?;
        }
        Ok(())
    }
}

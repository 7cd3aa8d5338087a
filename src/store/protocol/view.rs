//! The view: everything that a reader needs to find the array, behind one pointer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::generation::{Committed, Generation};
use super::platform::{Platform, Word};
use super::slots::Slots;

/// The array between two clears. Immutable but for the outcome of a removal; replaced whole.
pub(crate) struct View<P: Platform> {
    pub(crate) generation: Arc<Generation<P>>,
    /// Where writers that enter now insert.
    pub(crate) active: Arc<P::Memtable>,
    /// Full ones, oldest first, which the compactor has not turned into runs yet.
    pub(crate) sealed: Vec<Arc<P::Memtable>>,
    /// What there is besides memtables, unless `removal` changes it.
    contents: Contents<P>,
    removal: Option<Removal<P>>,
}

/// What there is besides memtables.
pub(crate) struct Contents<P: Platform> {
    /// Sorted arrays. Their order means nothing.
    pub(crate) runs: Vec<Arc<P::Run>>,
    /// Elements that the commit words do not tell of: those that came as runs, less those that went
    /// by removals that were decided as a whole.
    pub(crate) offset: i64,
    /// How often that happened: with the words, what tells two states of a generation apart.
    pub(crate) edits: u64,
}

/// Removing several elements at one instant: other contents, which hold if nobody committed
/// between the snapshot that they were chosen from and the view's replacement.
struct Removal<P: Platform> {
    /// The words of that snapshot.
    chosen_at: Committed,
    /// What there is besides memtables if it is done.
    contents: Contents<P>,
    /// Undecided, done or aborted; decided once, by whoever comes first.
    outcome: P::Word,
}

const UNDECIDED: u64 = 0;
const DONE: u64 = 1;
const ABORTED: u64 = 2;

impl<P: Platform> View<P> {
    /// An empty array in this generation, which no other view has had.
    pub(crate) fn empty(generation: Arc<Generation<P>>, active: Arc<P::Memtable>) -> View<P> {
        View { generation, active, sealed: Vec::new(), contents: Contents::empty(), removal: None }
    }

    /// The same, but with other contents and without these sealed memtables, whose entries the
    /// contents have. None when one of them is no longer here.
    pub(super) fn compacted(
        &self,
        taken: &[Arc<P::Memtable>],
        contents: Contents<P>,
    ) -> Option<View<P>> {
        let is_taken = |memtable: &Arc<P::Memtable>| taken.iter().any(|t| Arc::ptr_eq(t, memtable));
        let sealed: Vec<_> = self.sealed.iter().filter(|m| !is_taken(m)).cloned().collect();
        (sealed.len() + taken.len() == self.sealed.len()).then(|| View {
            generation: Arc::clone(&self.generation),
            active: Arc::clone(&self.active),
            sealed,
            contents,
            removal: None,
        })
    }

    /// The same, but with the active memtable sealed and `fresh` in its place.
    pub(super) fn sealed(&self, fresh: Arc<P::Memtable>, contents: Contents<P>) -> View<P> {
        let sealed = self.sealed.iter().chain([&self.active]).cloned().collect();
        let generation = Arc::clone(&self.generation);
        View { generation, active: fresh, sealed, contents, removal: None }
    }

    /// The same, whose removal is decided, but with `contents` if nobody has committed since.
    pub(super) fn with_removal(&self, chosen_at: Committed, contents: Contents<P>) -> View<P> {
        View {
            generation: Arc::clone(&self.generation),
            active: Arc::clone(&self.active),
            sealed: self.sealed.clone(),
            contents: self.settled().clone(),
            removal: Some(Removal { chosen_at, contents, outcome: P::Word::new(UNDECIDED) }),
        }
    }

    /// What there is besides memtables. Decides the removal if nobody has yet.
    ///
    /// **Done** says that the words at the removal's installation were those of its snapshot: the
    /// view was the snapshot's then (the installation is a compare-and-swap), words only grow, and
    /// they are the same still when looked at here. So the removal takes effect at its installation.
    /// Nobody has seen otherwise, since whoever looks at the view comes through here first.
    pub(crate) fn contents(&self, slots: &Slots<P>) -> &Contents<P> {
        match &self.removal {
            Some(removal) if removal.decide(&self.generation, slots) => &removal.contents,
            _ => &self.contents,
        }
    }

    /// As [`contents`](View::contents), for a view whose removal is known to be decided.
    pub(crate) fn settled(&self) -> &Contents<P> {
        match &self.removal {
            Some(removal) if removal.outcome() == DONE => &removal.contents,
            _ => &self.contents,
        }
    }

    /// Whether this view carries a removal that is done. Decides it if nobody has yet.
    pub(super) fn removes(&self, slots: &Slots<P>) -> bool {
        self.removal.as_ref().is_some_and(|removal| removal.decide(&self.generation, slots))
    }
}

impl<P: Platform> Removal<P> {
    /// Whether it is done, decided now at the latest.
    fn decide(&self, generation: &Generation<P>, slots: &Slots<P>) -> bool {
        if self.outcome() == UNDECIDED {
            let same = generation.still_at(&self.chosen_at, slots);
            // Somebody else may have been first.
            self.outcome.replace(UNDECIDED, if same { DONE } else { ABORTED });
        }
        self.outcome() == DONE
    }

    fn outcome(&self) -> u64 {
        // Acquire: pairs with the AcqRel in `replace`; what the one who decided has seen is seen by
        // all who follow.
        self.outcome.load(Ordering::Acquire)
    }
}

impl<P: Platform> Contents<P> {
    pub(crate) fn empty() -> Contents<P> {
        Contents { runs: Vec::new(), offset: 0, edits: 0 }
    }

    /// The same with `new` in the place of the runs `old`; none when one of these is not here.
    pub(crate) fn with_runs_replaced(
        &self,
        old: &[Arc<P::Run>],
        new: impl IntoIterator<Item = Arc<P::Run>>,
    ) -> Option<Contents<P>> {
        let is_old = |run: &Arc<P::Run>| old.iter().any(|o| Arc::ptr_eq(o, run));
        let mut runs: Vec<_> = self.runs.iter().filter(|run| !is_old(run)).cloned().collect();
        let all_found = runs.len() + old.len() == self.runs.len();
        runs.extend(new);
        all_found.then_some(Contents { runs, ..*self })
    }
}

impl<P: Platform> Clone for Contents<P> {
    fn clone(&self) -> Contents<P> {
        Contents { runs: self.runs.clone(), ..*self }
    }
}

//! The reaper: a thread that frees what nobody can see any more.
//!
//! Dropping a memtable of ten million entries takes seconds. Whoever happens to let go of it last
//! (a clear, a writer, a slow reader's snapshot) must not spend them, so a memtable sends its
//! entries here when it is dropped.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;

/// How many pieces of garbage may wait. Freeing an entry is several times cheaper than inserting
/// it, so the queue stays short; where it does fill up, whoever drops pays, and memory stays bounded.
const MAX_WAITING: usize = 1 << 14;

/// A handle to the reaper thread, which ends when its last handle is gone.
#[derive(Clone, Debug)]
pub(crate) struct Reaper {
    garbage: SyncSender<Box<dyn Send>>,
}

impl Reaper {
    /// Starts the thread.
    ///
    /// # Panics
    /// When the system cannot start one, as [`std::thread::spawn`] does.
    pub(crate) fn start() -> Reaper {
        let (garbage, waiting) = sync_channel::<Box<dyn Send>>(MAX_WAITING);
        thread::Builder::new()
            .name("sortd-reaper".into())
            .spawn(move || waiting.into_iter().for_each(drop))
            .expect("the system can start the reaper thread");
        Reaper { garbage }
    }

    /// Has `garbage` dropped elsewhere and returns at once.
    pub(crate) fn free(&self, garbage: impl Send + 'static) {
        match self.garbage.try_send(Box::new(garbage)) {
            Ok(()) => {}
            Err(TrySendError::Full(garbage) | TrySendError::Disconnected(garbage)) => drop(garbage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::Sender;

    struct TellsWhereItDied(Sender<thread::ThreadId>);

    impl Drop for TellsWhereItDied {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).expect("the test is listening");
        }
    }

    #[test]
    fn garbage_is_dropped_on_another_thread() {
        let (tell, died_on) = std::sync::mpsc::channel();
        Reaper::start().free(TellsWhereItDied(tell));
        assert_ne!(died_on.recv(), Ok(thread::current().id()));
    }
}

//! How other threads reach an event loop: a bounded queue, and a call to wake it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use mio::Waker;

/// The sending side of an event loop's mailbox.
pub(super) struct Mailbox<T> {
    queue: SyncSender<T>,
    waker: Arc<Waker>,
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Mailbox<T> {
        Mailbox { queue: self.queue.clone(), waker: Arc::clone(&self.waker) }
    }
}

/// A mailbox for `capacity` messages whose owner is woken by `waker`.
pub(super) fn mailbox<T>(capacity: usize, waker: Arc<Waker>) -> (Mailbox<T>, Receiver<T>) {
    let (queue, receiver) = sync_channel(capacity);
    (Mailbox { queue, waker }, receiver)
}

impl<T> Mailbox<T> {
    /// Puts a message in and wakes the owner, or gives the message back if there is no room or no
    /// owner any more.
    pub(super) fn send(&self, message: T) -> Result<(), T> {
        match self.queue.try_send(message) {
            Ok(()) => {
                self.wake();
                Ok(())
            }
            Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) => Err(message),
        }
    }

    /// Makes the owner look around.
    pub(super) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            // The descriptor is open for as long as the waker lives, and its counter never fills up.
            log::error!("an event loop cannot be woken: {error}");
        }
    }
}

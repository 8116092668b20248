//! The answer that may come later.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use tokio::sync::oneshot;

use crate::error::StoreError;

/// A future with the outcome of one call to a store.
///
/// Dropping it loses the answer, not the work: a write goes its way all the same.
#[must_use = "the outcome of a call to the store is in its receipt"]
pub struct Receipt<T>(Inner<T>);

enum Inner<T> {
    Ready(Option<Result<T, StoreError>>),
    Waiting(oneshot::Receiver<Result<T, StoreError>>),
}

impl<T> Receipt<T> {
    /// Returns a receipt that is already resolved.
    pub fn ready(outcome: Result<T, StoreError>) -> Self {
        Self(Inner::Ready(Some(outcome)))
    }

    /// Returns a receipt and the end that resolves it. If that end is dropped unused, the receipt
    /// resolves to [`StoreError::Closed`].
    pub(crate) fn pending() -> (oneshot::Sender<Result<T, StoreError>>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(Inner::Waiting(receiver)))
    }

    /// Returns the outcome if it is there already, without a task to wake; else the receipt again.
    ///
    /// # Errors
    /// The receipt itself, when there is still something to wait for.
    pub fn try_take(self) -> Result<Result<T, StoreError>, Self> {
        match self.0 {
            Inner::Ready(Some(outcome)) => Ok(outcome),
            Inner::Ready(None) => Err(Self(Inner::Ready(None))),
            Inner::Waiting(mut receiver) => match receiver.try_recv() {
                Ok(outcome) => Ok(outcome),
                Err(oneshot::error::TryRecvError::Closed) => Ok(Err(StoreError::Closed)),
                Err(oneshot::error::TryRecvError::Empty) => Err(Self(Inner::Waiting(receiver))),
            },
        }
    }

    /// Blocks this thread until the outcome is there. For tests and tools; a task awaits instead.
    ///
    /// # Errors
    /// What the call itself answers.
    pub fn wait(mut self) -> Result<T, StoreError> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut ctx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(outcome) = Pin::new(&mut self).poll(&mut ctx) {
                return outcome;
            }
            thread::park();
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

// Nothing in it is pinned: the receiver is `Unpin`, and an outcome is only moved.
impl<T> Unpin for Receipt<T> {}

impl<T> Future for Receipt<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Inner::Ready(outcome) => Poll::Ready(
                outcome
                    .take()
                    .expect("a receipt is not polled after it resolved"),
            ),
            Inner::Waiting(receiver) => Pin::new(receiver)
                .poll(ctx)
                .map(|outcome| outcome.unwrap_or(Err(StoreError::Closed))),
        }
    }
}

impl<T> fmt::Debug for Receipt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Inner::Ready(_) => "Receipt(ready)",
            Inner::Waiting(_) => "Receipt(waiting)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Receipt;
    use crate::StoreError;

    #[test]
    fn waits_for_another_thread() {
        let (sender, receipt) = Receipt::pending();
        let receipt = receipt.try_take().expect_err("nothing was sent yet");
        let thread = std::thread::spawn(move || sender.send(Ok(7)));
        assert_eq!(receipt.wait().expect("seven was sent"), 7);
        assert!(thread.join().expect("the sender does not panic").is_ok());
    }

    #[test]
    fn says_closed_when_nobody_will_answer() {
        let (sender, receipt) = Receipt::<()>::pending();
        drop(sender);
        assert!(matches!(receipt.wait(), Err(StoreError::Closed)));
        let (sender, receipt) = Receipt::<()>::pending();
        drop(sender);
        assert!(matches!(receipt.try_take(), Ok(Err(StoreError::Closed))));
    }
}

//! Tasks with a name, that end when the process drains and say so when they panic.
//!
//! One [`Tasks`] belongs to one process (or one in-process server in a test). [`Tasks::drain`] asks
//! everyone to stop and waits until the last one has.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::{JoinError, JoinHandle},
};

use crate::Clock;

/// Starts tasks and ends them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tasks {
    stop: watch::Sender<bool>,
    alive: watch::Sender<usize>,
}

/// Tells a task that it shall end.
#[derive(Clone, Debug)]
pub struct Drain(watch::Receiver<bool>);

/// A running task. Dropping the handle lets the task go on.
#[derive(Debug)]
pub struct Task<T>(JoinHandle<T>);

/// Why a task gave no result.
#[derive(Debug, thiserror::Error)]
pub enum TaskEnd {
    /// The task panicked; the report has been logged.
    #[error("the task panicked")]
    Panicked,
    /// The task was stopped before its end.
    #[error("the task was stopped")]
    Stopped,
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl Tasks {
    /// Returns a group without tasks.
    #[must_use]
    pub fn new() -> Self {
        Self {
            stop: watch::Sender::new(false),
            alive: watch::Sender::new(0),
        }
    }

    /// Returns the signal that tells when to end.
    #[must_use]
    pub fn drain_signal(&self) -> Drain {
        Drain(self.stop.subscribe())
    }

    /// Starts `future` as a task. It must end soon after its [`Drain`] is requested.
    ///
    /// A panic ends only this task; it is logged with the name.
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one place that spawns"
    )]
    pub fn spawn<T: Send + 'static>(
        &self,
        name: &'static str,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Task<T> {
        self.alive.send_modify(|count| *count += 1);
        let guard = Guard {
            name,
            alive: self.alive.clone(),
        };
        Task(tokio::spawn(async move {
            let _guard = guard;
            future.await
        }))
    }

    /// Asks every task to end, without waiting.
    pub fn request_drain(&self) {
        self.stop.send_replace(true);
    }

    /// Asks every task to end and waits for the last one, at most `patience`.
    ///
    /// Returns how many tasks had not ended by then.
    pub async fn drain(&self, clock: &Clock, patience: Duration) -> usize {
        self.request_drain();
        let mut alive = self.alive.subscribe();
        let waited = clock
            .timeout(patience, async {
                // The sender lives in `self`, so waiting cannot fail.
                let _ = alive.wait_for(|count| *count == 0).await;
            })
            .await;
        match waited {
            Ok(()) => 0,
            Err(_) => *self.alive.borrow(),
        }
    }
}

impl Drain {
    /// Waits until the end is asked for. Dropping the future loses nothing.
    pub async fn requested(&mut self) {
        // An error means that the group is gone, which is an end as well.
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    /// Returns whether the end has been asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }
}

impl<T> Task<T> {
    /// Stops the task at its next await.
    pub fn stop(&self) {
        self.0.abort();
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, TaskEnd>;
    fn poll(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(ctx)
            .map(|done| done.map_err(TaskEnd::from))
    }
}

impl From<JoinError> for TaskEnd {
    fn from(error: JoinError) -> Self {
        if error.is_panic() {
            Self::Panicked
        } else {
            Self::Stopped
        }
    }
}

/// Counts the task down however it ends, and reports a panic.
struct Guard {
    name: &'static str,
    alive: watch::Sender<usize>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(task = self.name, "a task panicked");
        }
        self.alive.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{TaskEnd, Tasks};
    use crate::{Clock, WallTime};

    #[tokio::test]
    async fn drain_waits_for_the_last_task() {
        let (tasks, clock) = (Tasks::new(), Clock::system());
        let mut signal = tasks.drain_signal();
        let task = tasks.spawn("waits", async move {
            signal.requested().await;
            7
        });
        assert_eq!(tasks.drain(&clock, Duration::from_secs(10)).await, 0);
        assert_eq!(task.await.expect("it ended by itself"), 7);
    }

    #[tokio::test]
    async fn drain_counts_who_did_not_end() {
        let tasks = Tasks::new();
        let task = tasks.spawn("deaf", std::future::pending::<()>());
        let (clock, handle) = Clock::fake(WallTime::from_secs(0));
        let drain = tasks.drain(&clock, Duration::from_secs(1));
        let (left, ()) = tokio::join!(drain, async { handle.advance(Duration::from_secs(2)) });
        assert_eq!(left, 1);
        task.stop();
        assert!(matches!(task.await, Err(TaskEnd::Stopped)));
    }

    #[tokio::test]
    async fn a_panic_ends_one_task_only() {
        let (tasks, clock) = (Tasks::new(), Clock::system());
        let task = tasks.spawn("breaks", async { panic!("on purpose") });
        assert!(matches!(task.await, Err(TaskEnd::Panicked)));
        assert_eq!(tasks.drain(&clock, Duration::from_secs(10)).await, 0);
    }
}

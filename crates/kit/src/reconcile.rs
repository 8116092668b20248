//! The loop that every controller runs: observe, plan, act.
//!
//! A round looks at the world as it is, from caches; decides in a pure function; and carries the
//! decision out. Events only wake a round up, so a restart, a lost event and a repeated event are
//! the same case. A round that fails is tried again, later each time; one that panics does so alone.
//!
//! ```
//! use kit::{After, Controller, Error, Key};
//!
//! /// Greets every object once.
//! struct Greeter;
//!
//! impl Controller for Greeter {
//!     type Key = Key;
//!     type Seen = bool;
//!     type Plan = Option<&'static str>;
//!     fn name(&self) -> &'static str { "greeter" }
//!     fn observe(&self, key: &Key) -> Option<bool> { Some(key.name() == "stranger") }
//!     fn plan(&self, unknown: &bool, _now: base::WallTime) -> Option<&'static str> {
//!         unknown.then_some("hello")
//!     }
//!     async fn act(&self, _key: &Key, _seen: bool, plan: Self::Plan) -> Result<After, Error> {
//!         assert_eq!(plan, Some("hello"));
//!         Ok(After::Done)
//!     }
//! }
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
//! # runtime.block_on(async {
//! let (tasks, clock) = (base::Tasks::new(), base::Clock::system());
//! let queue = kit::Queue::new(clock.clone(), base::Rng::from_seed(1));
//! let rounds = kit::reconcile::start(Greeter, queue.clone(), 2, &tasks, &clock);
//! queue.add(Key::new("", "stranger"));
//! # while rounds.done() == 0 { tokio::task::yield_now().await; }
//! tasks.drain(&clock, std::time::Duration::from_secs(1)).await;
//! assert_eq!(rounds.done(), 1);
//! # });
//! ```

use std::{
    fmt::{Debug, Display},
    future::Future,
    hash::Hash,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base::{Clock, Drain, Tasks, WallTime};
use futures_util::FutureExt;

use crate::{error::Error, queue::Queue};

/// Brings the world closer to a wish, one key at a time.
pub trait Controller: Send + Sync + 'static {
    /// What a round is about: usually a [`crate::Key`].
    type Key: Clone + Eq + Hash + Display + Debug + Send + Sync + 'static;
    /// What was wanted and seen.
    type Seen: Send;
    /// What is to be done.
    type Plan: Send;

    /// Returns the name, for logs and numbers.
    fn name(&self) -> &'static str;

    /// Reads from caches what a round needs; `None` if there is nothing to do for this key.
    fn observe(&self, key: &Self::Key) -> Option<Self::Seen>;

    /// Decides. The same input gives the same plan.
    fn plan(&self, seen: &Self::Seen, now: WallTime) -> Self::Plan;

    /// Carries the plan out.
    fn act(
        &self,
        key: &Self::Key,
        seen: Self::Seen,
        plan: Self::Plan,
    ) -> impl Future<Output = Result<After, Error>> + Send;
}

/// When a key is to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// When something changes.
    Done,
    /// After this time at the latest.
    Again(Duration),
}

/// How many rounds a controller made. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Rounds(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    done: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
    working: AtomicU64,
}

impl Rounds {
    /// Returns how many rounds ended well.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.0.done.load(Ordering::Relaxed)
    }

    /// Returns how many rounds failed, panics included.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// Returns how many rounds panicked.
    #[must_use]
    pub fn panicked(&self) -> u64 {
        self.0.panicked.load(Ordering::Relaxed)
    }

    /// Returns how many rounds are under way.
    #[must_use]
    pub fn working(&self) -> u64 {
        self.0.working.load(Ordering::Relaxed)
    }
}

/// Starts `workers` tasks that take keys from `queue` until the tasks drain.
///
/// A round under way when the drain is asked for is carried to its end.
pub fn start<C: Controller>(
    controller: C,
    queue: Queue<C::Key>,
    workers: usize,
    tasks: &Tasks,
    clock: &Clock,
) -> Rounds {
    let rounds = Rounds::default();
    let controller = Arc::new(controller);
    for _ in 0..workers.max(1) {
        tasks.spawn(
            "controller",
            work(
                Arc::clone(&controller),
                queue.clone(),
                clock.clone(),
                tasks.drain_signal(),
                rounds.clone(),
            ),
        );
    }
    rounds
}

async fn work<C: Controller>(
    controller: Arc<C>,
    queue: Queue<C::Key>,
    clock: Clock,
    mut drain: Drain,
    rounds: Rounds,
) {
    loop {
        let key = tokio::select! {
            biased;
            () = drain.requested() => return,
            key = queue.next() => key,
        };
        rounds.0.working.fetch_add(1, Ordering::Relaxed);
        let caught = AssertUnwindSafe(round(&*controller, &key, &clock))
            .catch_unwind()
            .await;
        rounds.0.working.fetch_sub(1, Ordering::Relaxed);
        let result = caught.unwrap_or(Err(Error::Panicked));
        count(&rounds, &result);
        match result {
            Ok(after) => {
                queue.forget(&key);
                if let After::Again(delay) = after {
                    queue.add_after(key.clone(), delay);
                }
            }
            Err(error) => {
                report(controller.name(), &key, &error);
                queue.retry(key.clone());
            }
        }
        queue.done(&key);
    }
}

async fn round<C: Controller>(controller: &C, key: &C::Key, clock: &Clock) -> Result<After, Error> {
    let Some(seen) = controller.observe(key) else {
        return Ok(After::Done);
    };
    let plan = controller.plan(&seen, clock.wall());
    controller.act(key, seen, plan).await
}

fn count(rounds: &Rounds, result: &Result<After, Error>) {
    match result {
        Ok(_) => rounds.0.done.fetch_add(1, Ordering::Relaxed),
        Err(error) => {
            if matches!(error, Error::Panicked) {
                rounds.0.panicked.fetch_add(1, Ordering::Relaxed);
            }
            rounds.0.failed.fetch_add(1, Ordering::Relaxed)
        }
    };
}

/// Logs a failed round. Conflicts and the like are how optimistic writes work, not news.
fn report(name: &'static str, key: &impl Display, error: &Error) {
    let expected = error.is_conflict()
        || error.is_not_found()
        || error.is_already_exists()
        || error.has_cause("NamespaceTerminating")
        || matches!(error, Error::Behind { .. } | Error::NotYet(_));
    if expected {
        tracing::debug!(controller = name, %key, error = %base::Chain(error), "a round is tried again");
    } else {
        tracing::warn!(controller = name, %key, error = %base::Chain(error), "a round failed and is tried again");
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use base::{Clock, Rng, Tasks, WallTime};
    use parking_lot::Mutex;

    use super::{After, Controller, start};
    use crate::{Error, Key, Queue};

    /// Notes its rounds; a key's name says what its rounds do.
    #[derive(Clone, Default)]
    struct Noted(Arc<Mutex<Vec<String>>>);

    impl Controller for Noted {
        type Key = Key;
        type Seen = usize;
        type Plan = usize;
        fn name(&self) -> &'static str {
            "noted"
        }
        fn observe(&self, key: &Key) -> Option<usize> {
            if key.name() == "absent" {
                return None;
            }
            let notes = self.0.lock();
            Some(notes.iter().filter(|note| *note == key.name()).count())
        }
        fn plan(&self, seen: &usize, now: WallTime) -> usize {
            assert!(now.secs() >= 1_000);
            *seen
        }
        async fn act(&self, key: &Key, _seen: usize, earlier: usize) -> Result<After, Error> {
            self.0.lock().push(key.name().to_owned());
            match (key.name(), earlier) {
                ("panics", 0) => panic!("on purpose"),
                ("fails", 0..2) => Err(Error::other("not yet")),
                ("repeats", 0..2) => Ok(After::Again(Duration::from_secs(5))),
                _ => Ok(After::Done),
            }
        }
    }

    /// Runs until nothing is left to do, moving the clock whenever all wait.
    async fn run(keys: &[&str]) -> (String, super::Rounds) {
        let (clock, handle) = Clock::fake(WallTime::from_secs(1_000));
        let (tasks, noted) = (Tasks::new(), Noted::default());
        let queue = Queue::new(clock.clone(), Rng::from_seed(1));
        let rounds = start(noted.clone(), queue.clone(), 1, &tasks, &clock);
        for key in keys {
            queue.add(Key::new("", key));
        }
        while !queue.is_empty() {
            tokio::task::yield_now().await;
            if handle.next_wake().is_some() {
                handle.advance(Duration::from_secs(1));
            }
        }
        tasks.drain(&Clock::system(), Duration::from_secs(10)).await;
        (noted.0.lock().join(" "), rounds)
    }

    #[tokio::test]
    async fn a_round_per_key() {
        let (notes, rounds) = run(&["a", "b", "a", "absent"]).await;
        assert_eq!(notes, "a b");
        assert_eq!(
            (rounds.done(), rounds.failed(), rounds.working()),
            (3, 0, 0)
        );
    }

    #[tokio::test]
    async fn a_failed_round_is_tried_again() {
        let (notes, rounds) = run(&["fails"]).await;
        assert_eq!(notes, "fails fails fails");
        assert_eq!((rounds.done(), rounds.failed()), (1, 2));
    }

    #[tokio::test]
    async fn a_panic_stays_in_its_round() {
        let (notes, rounds) = run(&["panics", "a"]).await;
        assert_eq!(notes, "panics a panics");
        assert_eq!(
            (rounds.done(), rounds.failed(), rounds.panicked()),
            (2, 1, 1)
        );
    }

    #[tokio::test]
    async fn a_round_may_ask_to_come_again() {
        let (notes, rounds) = run(&["repeats"]).await;
        assert_eq!(notes, "repeats repeats repeats");
        assert_eq!(rounds.done(), 3);
    }
}

//! Time as an argument: one clock that runs by itself and one that a test moves.

use std::{
    fmt,
    future::Future,
    ops::{Add, Sub},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;

/// A point on the clock's own line, which never jumps. Only differences mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Moment {
    /// Returns the time from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;
    fn add(self, rhs: Duration) -> Moment {
        Moment(self.0.saturating_add(rhs))
    }
}

impl Sub<Duration> for Moment {
    type Output = Moment;
    fn sub(self, rhs: Duration) -> Moment {
        Moment(self.0.saturating_sub(rhs))
    }
}

/// A date and time of day: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime {
    /// Microseconds since the epoch; negative before it.
    pub micros: i64,
}

impl WallTime {
    /// Returns the time with this many seconds since the epoch.
    #[must_use]
    pub fn from_secs(secs: i64) -> Self {
        Self {
            micros: secs.saturating_mul(1_000_000),
        }
    }

    /// Returns whole seconds since the epoch, rounded down.
    #[must_use]
    pub fn secs(self) -> i64 {
        self.micros.div_euclid(1_000_000)
    }
}

impl Add<Duration> for WallTime {
    type Output = WallTime;
    fn add(self, rhs: Duration) -> WallTime {
        let micros = i64::try_from(rhs.as_micros()).unwrap_or(i64::MAX);
        WallTime {
            micros: self.micros.saturating_add(micros),
        }
    }
}

/// Tells the time and waits. Cheap to clone; every clone tells the same time.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

enum Inner {
    System { origin: Instant },
    Fake(Mutex<FakeState>),
}

struct FakeState {
    now: Duration,
    wall_start: WallTime,
    /// Who waits for what. Few wait at once in a test, so a list is enough.
    sleepers: Vec<(Duration, Waker)>,
}

/// The handle that moves a fake [`Clock`].
#[derive(Clone)]
pub struct FakeClock(Clock);

/// The answer of [`Clock::timeout`] when the time ran out first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time ran out")]
pub struct Elapsed;

impl Clock {
    /// Returns the operating system's clock.
    #[must_use]
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the room that owns the clock"
    )]
    pub fn system() -> Self {
        Self(Arc::new(Inner::System {
            origin: Instant::now(),
        }))
    }

    /// Returns a clock that stands at `start` until its handle moves it.
    #[must_use]
    pub fn fake(start: WallTime) -> (Self, FakeClock) {
        let clock = Self(Arc::new(Inner::Fake(Mutex::new(FakeState {
            now: Duration::ZERO,
            wall_start: start,
            sleepers: Vec::new(),
        }))));
        (clock.clone(), FakeClock(clock))
    }

    /// Returns the current moment.
    #[must_use]
    pub fn now(&self) -> Moment {
        match &*self.0 {
            Inner::System { origin } => Moment(origin.elapsed()),
            Inner::Fake(state) => Moment(state.lock().now),
        }
    }

    /// Returns the date and time of day.
    #[must_use]
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the room that owns the clock"
    )]
    pub fn wall(&self) -> WallTime {
        match &*self.0 {
            Inner::System { .. } => {
                let since = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                WallTime { micros: 0 } + since
            }
            Inner::Fake(state) => {
                let state = state.lock();
                state.wall_start + state.now
            }
        }
    }

    /// Waits for `duration`. Dropping the future loses nothing.
    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.now() + duration).await;
    }

    /// Waits until `moment`. Dropping the future loses nothing.
    pub async fn sleep_until(&self, moment: Moment) {
        match &*self.0 {
            Inner::System { origin } => {
                let deadline = tokio::time::Instant::from_std(*origin + moment.0);
                tokio::time::sleep_until(deadline).await;
            }
            Inner::Fake(_) => FakeSleep(self, moment).await,
        }
    }

    /// Runs `future` until it is done or `duration` has passed.
    ///
    /// # Errors
    /// [`Elapsed`] when the time ran out; the future is dropped then.
    pub async fn timeout<T>(
        &self,
        duration: Duration,
        future: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        tokio::select! {
            biased;
            done = future => Ok(done),
            () = self.sleep(duration) => Err(Elapsed),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.0 {
            Inner::System { .. } => "Clock(system)",
            Inner::Fake(_) => "Clock(fake)",
        })
    }
}

struct FakeSleep<'a>(&'a Clock, Moment);

impl Future for FakeSleep<'_> {
    type Output = ();
    fn poll(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<()> {
        let Inner::Fake(state) = &*self.0.0 else {
            return Poll::Ready(());
        };
        let mut state = state.lock();
        if state.now >= self.1.0 {
            return Poll::Ready(());
        }
        state.sleepers.push((self.1.0, ctx.waker().clone()));
        Poll::Pending
    }
}

impl FakeClock {
    /// Moves the clock forward and wakes everyone whose time has come.
    pub fn advance(&self, duration: Duration) {
        let Inner::Fake(state) = &*self.0.0 else {
            return;
        };
        let due: Vec<Waker> = {
            let mut state = state.lock();
            state.now += duration;
            let now = state.now;
            let (due, rest) = std::mem::take(&mut state.sleepers)
                .into_iter()
                .partition(|(deadline, _)| *deadline <= now);
            state.sleepers = rest;
            due
        }
        .into_iter()
        .map(|(_, waker)| waker)
        .collect();
        for waker in due {
            waker.wake();
        }
    }

    /// Returns the earliest moment someone waits for, so that a simulation can jump there.
    #[must_use]
    pub fn next_wake(&self) -> Option<Moment> {
        let Inner::Fake(state) = &*self.0.0 else {
            return None;
        };
        let state = state.lock();
        state.sleepers.iter().map(|(at, _)| Moment(*at)).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Clock, Elapsed, WallTime};

    #[tokio::test]
    async fn fake_sleep_ends_only_when_moved() {
        let (clock, handle) = Clock::fake(WallTime::from_secs(1_000));
        let start = clock.now();
        let mut sleep = std::pin::pin!(clock.sleep(Duration::from_secs(5)));
        assert!(futures_poll(sleep.as_mut()).is_pending());
        handle.advance(Duration::from_secs(4));
        assert!(futures_poll(sleep.as_mut()).is_pending());
        assert_eq!(handle.next_wake(), Some(start + Duration::from_secs(5)));
        handle.advance(Duration::from_secs(1));
        assert!(futures_poll(sleep.as_mut()).is_ready());
        assert_eq!(clock.now().since(start), Duration::from_secs(5));
        assert_eq!(clock.wall(), WallTime::from_secs(1_005));
    }

    #[tokio::test]
    async fn timeout_gives_up() {
        let (clock, handle) = Clock::fake(WallTime::from_secs(0));
        let mut waiting =
            std::pin::pin!(clock.timeout(Duration::from_secs(1), std::future::pending::<()>()));
        assert!(futures_poll(waiting.as_mut()).is_pending());
        handle.advance(Duration::from_secs(1));
        assert_eq!(waiting.await, Err(Elapsed));
    }

    fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
        future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
    }
}

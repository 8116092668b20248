//! When a connection is closed from our side, on a clock that only the test moves.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use base::{Clock, FakeClock, WallTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::{Activity, HEADER, IDLE, LOOK_EVERY, STALL, Watched};

/// Longer than every limit here.
const LONG: Duration = Duration::from_secs(600);

/// What the transport holds that nobody has read.
const BUFFER_BYTES: usize = 64;

struct Ground {
    activity: Arc<Activity>,
    clock: Clock,
    hand: FakeClock,
    /// Our side of the connection.
    ours: Watched<DuplexStream>,
    peer: DuplexStream,
}

fn is_done(waiting: Pin<&mut impl Future>) -> bool {
    let mut ctx = Context::from_waker(Waker::noop());
    waiting.poll(&mut ctx).is_ready()
}

impl Ground {
    fn new(activity: fn(Clock) -> Activity) -> Self {
        let (clock, hand) = Clock::fake(WallTime::from_secs(1_000));
        let activity = Arc::new(activity(clock.clone()));
        let (ours, peer) = tokio::io::duplex(BUFFER_BYTES);
        Self {
            ours: Watched::new(ours, Arc::clone(&activity)),
            activity,
            clock,
            hand,
            peer,
        }
    }

    /// Moves the clock by seconds until `waiting` is over; returns how long that took.
    fn until(&self, waiting: impl Future<Output = ()>) -> Option<Duration> {
        let (start, mut waiting) = (self.clock.now(), pin!(waiting));
        loop {
            if is_done(waiting.as_mut()) {
                return Some(self.clock.now().since(start));
            }
            if self.clock.now().since(start) > LONG {
                return None;
            }
            self.hand.advance(Duration::from_secs(1));
        }
    }

    /// Compares when the connection is to be closed with a limit; the watchdog looks a moment later.
    #[track_caller]
    fn check(&self, limit: Option<Duration>) {
        let took = self.until(self.activity.spent());
        match (took, limit) {
            (None, None) => {}
            (Some(took), Some(limit)) => {
                let late = limit + LOOK_EVERY + Duration::from_secs(1);
                assert!(limit <= took && took <= late, "{took:?}, not {limit:?}");
            }
            (took, limit) => panic!("{took:?}, not {limit:?}"),
        }
    }

    /// Lets the peer say something that we read.
    async fn hear(&mut self) {
        self.peer.write_all(b"GET").await.expect("it is open");
        let mut bytes = [0; 3];
        self.ours.read_exact(&mut bytes).await.expect("it is open");
    }

    /// Says more than the transport holds; whoever reads nothing blocks us.
    fn talk(&mut self) -> bool {
        let large = [0; 4 * BUFFER_BYTES];
        is_done(pin!(self.ours.write_all(&large)))
    }
}

#[tokio::test]
async fn rests_so_long_and_no_longer() {
    for kind in [Activity::http1, Activity::http2] {
        Ground::new(kind).check(Some(IDLE));
    }
}

#[tokio::test]
async fn rest_begins_when_the_last_request_ends() {
    for kind in [Activity::http1, Activity::http2] {
        let ground = Ground::new(kind);
        let (one, two) = (ground.activity.enter(), ground.activity.enter());
        ground.check(None);
        drop(one);
        ground.check(None);
        drop(two);
        ground.check(Some(IDLE));
    }
}

#[tokio::test]
async fn a_header_must_come_soon_after_its_first_byte() {
    let mut ground = Ground::new(Activity::http1);
    ground.hand.advance(Duration::from_secs(20));
    ground.hear().await;
    // More of the same header does not begin anew.
    let started = ground.clock.now();
    ground.hand.advance(Duration::from_secs(10));
    ground.hear().await;
    let took = ground
        .until(ground.activity.spent())
        .map(|_| ground.clock.now().since(started));
    let took = took.expect("it is closed");
    assert!(
        took >= HEADER && took <= HEADER + LOOK_EVERY + LOOK_EVERY,
        "{took:?}"
    );
}

#[tokio::test]
async fn a_header_that_came_starts_no_more_clocks() {
    let mut ground = Ground::new(Activity::http1);
    ground.hear().await;
    let request = ground.activity.enter();
    // Its body comes slowly; that is for the deadline of the request.
    ground.hear().await;
    ground.check(None);
    drop(request);
    ground.check(Some(IDLE));
}

#[tokio::test]
async fn http2_peers_may_ping_while_they_rest() {
    let mut ground = Ground::new(Activity::http2);
    ground.hear().await;
    ground.check(Some(IDLE));
}

#[tokio::test]
async fn a_peer_that_stops_reading_is_cut_off() {
    for kind in [Activity::http1, Activity::http2] {
        let mut ground = Ground::new(kind);
        let _request = ground.activity.enter();
        assert!(!ground.talk(), "the transport is full");
        ground.check(Some(STALL));
    }
}

#[tokio::test]
async fn a_peer_that_reads_slowly_is_not() {
    let mut ground = Ground::new(Activity::http1);
    let _request = ground.activity.enter();
    let activity = Arc::clone(&ground.activity);
    let mut spent = pin!(activity.spent());
    for _ in 0..20 {
        assert!(!ground.talk(), "the transport is full");
        ground.hand.advance(Duration::from_secs(50));
        assert!(!is_done(spent.as_mut()), "it is still reading");
        let mut bytes = [0; BUFFER_BYTES];
        ground
            .peer
            .read_exact(&mut bytes)
            .await
            .expect("it is open");
    }
}

#[tokio::test]
async fn a_drain_waits_for_requests_but_not_for_those_who_stall() {
    let mut ground = Ground::new(Activity::http1);
    let request = ground.activity.enter();
    let activity = Arc::clone(&ground.activity);
    assert_eq!(ground.until(activity.stalled()), None, "it is being served");
    assert!(!ground.talk(), "the transport is full");
    let took = ground.until(activity.stalled()).expect("it is cut off");
    assert!(took >= STALL && took <= STALL + 3 * LOOK_EVERY, "{took:?}");
    drop(request);
    let ground = Ground::new(Activity::http1);
    let took = ground.until(ground.activity.stalled());
    assert!(took.is_some_and(|took| took <= 2 * LOOK_EVERY), "{took:?}");
}

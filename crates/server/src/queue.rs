//! How many requests are served at once. Stands where priority and fairness will: until then two
//! plain bounds, one for reads and one for writes, as upstream without fairness.

use std::sync::atomic::{AtomicUsize, Ordering};

use access::{User, user::MASTERS};
use api::Status;

use crate::{Refusal, server::Limits};

/// What upstream tells clients to wait.
const RETRY_AFTER_SECONDS: u32 = 1;

/// Counts requests in flight.
#[derive(Debug)]
pub(crate) struct Queue {
    reads: Lane,
    writes: Lane,
}

#[derive(Debug)]
struct Lane {
    max: usize,
    taken: AtomicUsize,
}

/// A request's place; dropping it gives it back.
pub(crate) struct Seat<'a>(Option<&'a Lane>);

/// What a request counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Changes nothing.
    Read,
    /// May change something.
    Write,
    /// Watches and connections: they wait more than they work, and are not counted.
    Long,
}

impl Queue {
    pub(crate) fn new(limits: Limits) -> Self {
        let lane = |max| Lane {
            max,
            taken: AtomicUsize::new(0),
        };
        Self {
            reads: lane(limits.reads_max),
            writes: lane(limits.writes_max),
        }
    }

    /// Takes a seat.
    ///
    /// # Errors
    /// 429 when all are taken and the caller is not privileged.
    pub(crate) fn admit(&self, load: Load, user: &User) -> Result<Seat<'_>, Refusal> {
        let lane = match load {
            Load::Long => return Ok(Seat(None)),
            Load::Read => &self.reads,
            Load::Write => &self.writes,
        };
        if lane.taken.fetch_add(1, Ordering::Relaxed) < lane.max {
            return Ok(Seat(Some(lane)));
        }
        lane.taken.fetch_sub(1, Ordering::Relaxed);
        // They are never turned away, so that a flooded server can still be mended.
        if user.is_in(MASTERS) {
            return Ok(Seat(None));
        }
        let message = "Too many requests, please try again later.";
        Err(Status::too_many_requests(message, RETRY_AFTER_SECONDS).into())
    }

    /// Returns how many reads and writes are in flight.
    pub(crate) fn in_flight(&self) -> (usize, usize) {
        let count = |lane: &Lane| lane.taken.load(Ordering::Relaxed);
        (count(&self.reads), count(&self.writes))
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(lane) = self.0 {
            lane.taken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use api::Text;

    use super::{Load, Queue};
    use access::User;

    use crate::server::Limits;

    #[test]
    fn turns_away_when_full_but_never_masters_or_watches() {
        let queue = Queue::new(Limits {
            reads_max: 1,
            writes_max: 1,
            ..Limits::default()
        });
        let anyone = User::default();
        let master = User {
            groups: vec![Text::new("system:masters")],
            ..User::default()
        };
        let seat = queue.admit(Load::Read, &anyone).ok();
        assert!(seat.is_some());
        let refused = queue.admit(Load::Read, &anyone).err().expect("it is full");
        assert_eq!(refused.code(), 429);
        assert!(queue.admit(Load::Write, &anyone).is_ok());
        assert!(queue.admit(Load::Long, &anyone).is_ok());
        assert!(queue.admit(Load::Read, &master).is_ok());
        assert_eq!(queue.in_flight(), (1, 0));
        drop(seat);
        assert!(queue.admit(Load::Read, &anyone).is_ok());
    }
}

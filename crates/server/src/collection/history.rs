//! What happened to a collection lately, in order, for watches and for reads of the past.
//!
//! Every change has a number that counts from the moment the collection was read. A watcher is a
//! number: the next change it wants. One that wants a change which is no longer kept was too slow.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use api::Text;
use base::Moment;
use bytes::Bytes;
use parking_lot::Mutex;
use store::Revision;

use super::Stored;

/// How many changes are kept at most, so that a storm on one collection cannot eat the memory.
/// Upstream's cache ends at about 100,000 for each resource; ours holds them for all watchers alike
/// and asks the store for older ones.
pub(super) const CHANGES_MAX: usize = 20_000;

/// How many bytes of replaced objects are kept at most.
pub(super) const REPLACED_BYTES_MAX: usize = 64 << 20;

/// How long a change is kept: the window upstream keeps before it compacts.
pub(super) const AGE_MAX: Duration = Duration::from_secs(5 * 60);

/// How far behind the newest change a change keeps its frames. Most watchers are one or two changes
/// behind; who is further behind makes frames anew, which is better than keeping each twice.
const FRAMED_MAX: usize = 128;

/// The same, by the bytes of the objects: large ones are framed for fewer changes.
const FRAMED_BYTES_MAX: usize = 512 << 10;

/// One change of one object.
pub struct Change {
    /// When it happened.
    pub revision: Revision,
    /// Which object: the end of its key.
    pub place: Text,
    /// The object after it; for a deletion its last state, stamped with the deletion's revision.
    pub object: Arc<Stored>,
    /// The object before it; absent if it was created.
    pub before: Option<Arc<Stored>>,
    /// Whether the object is gone.
    pub deleted: bool,
    at: Moment,
    frames: Mutex<Vec<(FrameKey, Bytes)>>,
}

/// Which frame of a change: the same key, the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameKey {
    /// Place of the version in its kind.
    pub place: usize,
    /// Media type, form and kind of event, packed by the watch.
    pub form: u32,
}

impl Change {
    /// Returns a change that happened at `at`.
    #[must_use]
    pub fn new(
        revision: Revision,
        place: Text,
        object: Arc<Stored>,
        before: Option<Arc<Stored>>,
        deleted: bool,
        at: Moment,
    ) -> Self {
        Self {
            revision,
            place,
            object,
            before,
            deleted,
            at,
            frames: Mutex::new(Vec::new()),
        }
    }

    /// Returns the frame with this key, made by the first watcher that asks for it.
    ///
    /// # Errors
    /// What `make` answers; nothing is kept then.
    pub fn frame<E>(
        &self,
        key: FrameKey,
        make: impl FnOnce() -> Result<Bytes, E>,
    ) -> Result<Bytes, E> {
        let mut frames = self.frames.lock();
        if let Some((_, frame)) = frames.iter().find(|(known, _)| *known == key) {
            return Ok(frame.clone());
        }
        let frame = make()?;
        frames.push((key, frame.clone()));
        Ok(frame)
    }

    fn replaced_bytes(&self) -> usize {
        self.before.as_ref().map_or(0, |before| before.bytes.len())
    }
}

/// The changes that are kept.
pub struct History {
    changes: VecDeque<Arc<Change>>,
    /// Number of the first change that is kept.
    first: u64,
    /// Everything later than this revision is here.
    since: Revision,
    replaced_bytes: usize,
    /// Number of the first change that may keep its frames, and the bytes of the objects from there.
    framed: u64,
    framed_bytes: usize,
}

impl History {
    /// Returns a history that begins after `since`.
    #[must_use]
    pub fn new(since: Revision) -> Self {
        Self {
            changes: VecDeque::new(),
            // Room below, because older changes may be fetched from the store later.
            first: 1 << 40,
            since,
            replaced_bytes: 0,
            framed: 1 << 40,
            framed_bytes: 0,
        }
    }

    /// Returns the revision after which every change is here.
    #[must_use]
    pub fn since(&self) -> Revision {
        self.since
    }

    /// Returns the number the next change will have.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first + self.changes.len() as u64
    }

    /// Returns the number of the first change later than `revision`; none if it is not kept.
    #[must_use]
    pub fn after(&self, revision: Revision) -> Option<u64> {
        if revision < self.since {
            return None;
        }
        let place = self
            .changes
            .partition_point(|change| change.revision <= revision);
        Some(self.first + place as u64)
    }

    /// Returns the changes from number `next` on; none if that one is no longer kept.
    #[must_use]
    pub fn from(&self, next: u64) -> Option<impl Iterator<Item = &Arc<Change>>> {
        let place = usize::try_from(next.checked_sub(self.first)?).ok()?;
        Some(self.changes.range(place.min(self.changes.len())..))
    }

    /// Returns the changes later than `revision`, newest first; none if they are not all kept.
    #[must_use]
    pub fn back_to(&self, revision: Revision) -> Option<impl Iterator<Item = &Arc<Change>>> {
        let start = self.after(revision)?;
        Some(self.from(start)?.collect::<Vec<_>>().into_iter().rev())
    }

    /// Adds a change and forgets what is too much.
    pub fn push(&mut self, change: Arc<Change>) {
        let now = change.at;
        self.replaced_bytes += change.replaced_bytes();
        self.framed_bytes += change.object.bytes.len();
        self.changes.push_back(change);
        self.drop_frames();
        self.trim(now);
    }

    /// Drops the frames of changes that are far behind; the newest one keeps its own.
    fn drop_frames(&mut self) {
        let newest = self.end() - 1;
        while self.framed < newest {
            let is_much = self.framed_bytes > FRAMED_BYTES_MAX;
            if !is_much && newest - self.framed < FRAMED_MAX as u64 {
                return;
            }
            let Some(change) = usize::try_from(self.framed - self.first)
                .ok()
                .and_then(|place| self.changes.get(place))
            else {
                return;
            };
            *change.frames.lock() = Vec::new();
            self.framed_bytes -= change.object.bytes.len();
            self.framed += 1;
        }
    }

    /// Puts older changes, which came from the store, before the ones that are here.
    pub fn prepend(&mut self, older: Vec<Arc<Change>>, since: Revision) {
        for change in older.into_iter().rev() {
            self.first -= 1;
            self.replaced_bytes += change.replaced_bytes();
            self.changes.push_front(change);
        }
        self.since = since;
    }

    fn trim(&mut self, now: Moment) {
        while let Some(oldest) = self.changes.front() {
            let too_much = self.changes.len() > CHANGES_MAX
                || self.replaced_bytes > REPLACED_BYTES_MAX
                || now.since(oldest.at) > AGE_MAX;
            if !too_much {
                break;
            }
            self.replaced_bytes -= oldest.replaced_bytes();
            self.since = oldest.revision;
            if self.framed <= self.first {
                self.framed_bytes -= oldest.object.bytes.len();
                self.framed = self.first + 1;
            }
            self.first += 1;
            self.changes.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use api::Text;
    use base::{Clock, WallTime};
    use bytes::Bytes;
    use store::Revision;

    use super::{AGE_MAX, Change, FRAMED_BYTES_MAX, FRAMED_MAX, FrameKey, History};
    use crate::collection::Stored;

    const KEY: FrameKey = FrameKey { place: 0, form: 0 };

    /// Pushes changes of objects of so many bytes, each framed, and expects so many to keep frames.
    #[track_caller]
    fn check(bytes: usize, expected: usize) {
        let (clock, hand) = Clock::fake(WallTime::from_secs(1_800_000_000));
        let mut history = History::new(Revision(0));
        let push = |history: &mut History, number: u64| {
            let object = Stored::new(Bytes::from(vec![b' '; bytes]), Revision(number));
            let change = Change::new(
                Revision(number),
                Text::const_new("a"),
                Arc::new(object),
                None,
                false,
                clock.now(),
            );
            let frame = change.frame(KEY, || Ok::<_, ()>(Bytes::from_static(b"frame")));
            assert!(frame.is_ok());
            history.push(Arc::new(change));
        };
        for number in 1..=400 {
            push(&mut history, number);
        }
        let framed = |history: &History| {
            let has = |change: &&Arc<Change>| !change.frames.lock().is_empty();
            history.changes.iter().filter(has).count()
        };
        assert_eq!(framed(&history), expected);
        // What is forgotten is no longer counted.
        hand.advance(AGE_MAX * 2);
        push(&mut history, 401);
        assert_eq!((framed(&history), history.changes.len()), (1, 1));
        assert_eq!(history.framed_bytes, bytes);
    }

    #[test]
    fn keeps_the_frames_of_the_newest_changes() {
        check(10, FRAMED_MAX);
        check(FRAMED_BYTES_MAX / 16, 16);
        check(FRAMED_BYTES_MAX * 2, 1);
    }
}

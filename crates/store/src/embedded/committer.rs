//! From a write to its receipt: staged by the caller, made durable in groups, then shown.
//!
//! Two locks, always taken in this order. `committer` belongs to whoever appends to the log: the
//! one writer thread, or the caller itself when the store is driven inline. `head` is short: a
//! caller compares, assigns the revision and puts its record into the frame that is being filled;
//! the writer takes whole frames out. While one frame is synced, the next one fills, so the busier
//! the store is, the more writes share one sync.

use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    sync::Arc,
};

use base::Moment;
use tokio::sync::oneshot;

use super::{
    format::{FRAME_BYTES_FULL, FRAME_HEADER_BYTES, FrameKind, push_record},
    log::FrameFacts,
};
use crate::{
    contract::{Durability, Entry, Event, Key, Receipt, Revision, Write, Written},
    error::StoreError,
    hub::{Hub, Woken, check_expected, check_size, entry_of, make_event, written},
};

/// Relaxed writes that may be acknowledged ahead of the log. A crash makes revisions jump by this
/// much at most.
const RELAXED_AHEAD: u64 = 4096;

/// What callers and the writer share.
pub(super) struct Head {
    /// The newest revision given out.
    revision: Revision,
    /// Up to here a relaxed write may be acknowledged at once: the log says that they may be lost.
    ceiling: Revision,
    /// True once a relaxed write was seen, so that stores without any never skip revisions.
    has_relaxed: bool,
    /// Keys whose newest state is not shown yet, and in which frame it is.
    unshown: HashMap<Key, Unshown>,
    /// Frames that wait, the last one still filling.
    queue: VecDeque<Batch>,
    queued_bytes: usize,
    /// Answers that wait for the frame that is being synced.
    synced_soon: Vec<Refusal>,
    /// The number of the next batch.
    batch_next: u64,
    /// A synced write waits.
    is_urgent: bool,
    /// When the oldest acknowledged write that is not in the log was acknowledged.
    relaxed_since: Option<Moment>,
    /// When the disk was last found full.
    full_since: Option<Moment>,
    state: HeadState,
    /// An empty frame whose memory can be used again.
    reusable: Option<Vec<u8>>,
}

enum HeadState {
    Open,
    Closed,
    Poisoned(Arc<StoreError>),
}

struct Unshown {
    entry: Option<Arc<Entry>>,
    revision: Revision,
    batch: u64,
}

/// Writes that will be one frame.
pub(super) struct Batch {
    number: u64,
    /// Room for the header, then records.
    pub(super) frame: Vec<u8>,
    revision: Revision,
    count: u32,
    /// Length and count of those records at the beginning that are shown already.
    shown_bytes: usize,
    shown_count: u32,
    staged: Vec<Staged>,
    refusals: Vec<Refusal>,
}

struct Staged {
    event: Arc<Event>,
    sender: oneshot::Sender<Result<Written, StoreError>>,
}

/// A refusal that names an entry which is not durable yet, so it must wait for it.
struct Refusal {
    error: StoreError,
    sender: oneshot::Sender<Result<Written, StoreError>>,
}

/// What a call to [`Head::stage`] asks of its caller.
pub(super) struct Staging {
    pub(super) receipt: Receipt<Written>,
    /// Who is to be woken, if the write is shown already.
    pub(super) woken: Option<Woken>,
    /// Whether the writer has something to do or a new time to look at.
    pub(super) is_news: bool,
}

/// Answers that can be given once no lock is held.
pub(super) struct Answers {
    woken: Option<Woken>,
    written: Vec<Staged>,
    refusals: Vec<Refusal>,
    failed: Vec<(oneshot::Sender<Result<Written, StoreError>>, StoreError)>,
}

impl Answers {
    fn new(woken: Option<Woken>) -> Self {
        Self {
            woken,
            written: Vec::new(),
            refusals: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Wakes and answers. Watchers come first: whoever gets its receipt finds its event there. A
    /// caller that no longer waits is no error.
    pub(super) fn give(self) {
        if let Some(woken) = self.woken {
            woken.wake();
        }
        for Staged { event, sender } in self.written {
            let _ = sender.send(Ok(written(&event)));
        }
        for Refusal { error, sender } in self.refusals {
            let _ = sender.send(Err(error));
        }
        for (sender, error) in self.failed {
            let _ = sender.send(Err(error));
        }
    }
}

/// How long a full disk is left alone before the next write tries again. Each try may zero a whole
/// file, so not every refused write should be one.
const FULL_RETRY: std::time::Duration = std::time::Duration::from_secs(1);

impl Head {
    pub(super) fn new(revision: Revision, ceiling: Revision) -> Self {
        Self {
            revision,
            ceiling,
            has_relaxed: false,
            unshown: HashMap::new(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            synced_soon: Vec::new(),
            batch_next: 0,
            is_urgent: false,
            relaxed_since: None,
            full_since: None,
            state: HeadState::Open,
            reusable: None,
        }
    }

    /// Returns why writes are refused, if they are.
    pub(super) fn health(&self, hub: &Hub, dir: &Path) -> Result<(), StoreError> {
        match &self.state {
            HeadState::Poisoned(source) => Err(StoreError::Poisoned {
                source: Arc::clone(source),
            }),
            HeadState::Closed => Err(StoreError::Closed),
            HeadState::Open => match self.full_since {
                Some(since) if hub.clock().now().since(since) < FULL_RETRY => {
                    Err(StoreError::Full {
                        dir: dir.to_owned(),
                    })
                }
                _ => Ok(()),
            },
        }
    }

    /// Compares `write` with the newest state, shown or not, and puts it into the frame that is
    /// being filled. The caller has checked [`Head::health`].
    pub(super) fn stage(&mut self, hub: &Hub, write: Write, queue_bytes_max: usize) -> Staging {
        let ready = |outcome| Staging {
            receipt: Receipt::ready(outcome),
            woken: None,
            is_news: false,
        };
        if let Err(error) = check_size(&write) {
            return ready(Err(error));
        }
        let queued_bytes = self.queued_bytes;
        if queued_bytes > queue_bytes_max {
            return ready(Err(StoreError::Busy { queued_bytes }));
        }
        let unshown = self.unshown.get(&write.key);
        let found = match unshown {
            Some(unshown) => unshown.entry.clone(),
            None => hub.get(&write.key),
        };
        if let Err(error) = check_expected(&write, found.as_ref()) {
            return match unshown.map(|unshown| unshown.batch) {
                Some(batch) => self.refuse_later(batch, error),
                None => ready(Err(error)),
            };
        }
        let is_relaxed = write.durability == Durability::Relaxed;
        let revision = self.revision.next();
        self.revision = revision;
        let event = Arc::new(make_event(write, revision, found));
        let batch = self.push(&event);
        if is_relaxed {
            self.has_relaxed = true;
            // In front of it nothing may wait, or watches would see it too early.
            if self.unshown.is_empty() && revision <= self.ceiling {
                return self.show_now(hub, event);
            }
        }
        let (sender, receipt) = Receipt::pending();
        let entry = event
            .value
            .as_ref()
            .filter(|_| event.kind == crate::EventKind::Put);
        let entry = entry.map(|value| Arc::new(entry_of(&event, value)));
        let unshown = Unshown {
            entry,
            revision,
            batch,
        };
        self.unshown.insert(event.key.clone(), unshown);
        let filling = self.queue.back_mut().expect("a record was just pushed");
        filling.staged.push(Staged { event, sender });
        let is_news = !self.is_urgent;
        self.is_urgent = true;
        Staging {
            receipt,
            woken: None,
            is_news,
        }
    }

    fn show_now(&mut self, hub: &Hub, event: Arc<Event>) -> Staging {
        let outcome = written(&event);
        let is_news = self.relaxed_since.is_none();
        self.relaxed_since.get_or_insert_with(|| hub.clock().now());
        let filling = self.queue.back_mut().expect("a record was just pushed");
        filling.shown_bytes = filling.frame.len();
        filling.shown_count = filling.count;
        Staging {
            receipt: Receipt::ready(Ok(outcome)),
            woken: Some(hub.publish([event])),
            is_news,
        }
    }

    fn refuse_later(&mut self, batch: u64, error: StoreError) -> Staging {
        let (sender, receipt) = Receipt::pending();
        let refusal = Refusal { error, sender };
        match self.queue.iter_mut().find(|queued| queued.number == batch) {
            Some(queued) => queued.refusals.push(refusal),
            None => self.synced_soon.push(refusal),
        }
        Staging {
            receipt,
            woken: None,
            is_news: false,
        }
    }

    /// Puts the record of `event` into the filling frame and returns that frame's number.
    fn push(&mut self, event: &Event) -> u64 {
        let is_full = |batch: &Batch| batch.frame.len() >= FRAME_BYTES_FULL;
        if self.queue.back().is_none_or(is_full) {
            let mut frame = self.reusable.take().unwrap_or_default();
            frame.clear();
            frame.resize(FRAME_HEADER_BYTES, 0);
            self.queue.push_back(Batch {
                number: self.batch_next,
                frame,
                revision: event.revision,
                count: 0,
                shown_bytes: FRAME_HEADER_BYTES,
                shown_count: 0,
                staged: Vec::new(),
                refusals: Vec::new(),
            });
            self.batch_next += 1;
        }
        let batch = self.queue.back_mut().expect("there is one now");
        let before = batch.frame.len();
        push_record(&mut batch.frame, event);
        batch.count += 1;
        self.queued_bytes += batch.frame.len() - before;
        batch.number
    }

    /// Returns whether a frame should be written now.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        let relaxed_due = self.relaxed_due();
        self.is_urgent || relaxed_due.is_some_and(|due| due <= now)
    }

    /// Returns when relaxed writes have waited long enough.
    pub(super) fn relaxed_due(&self) -> Option<Moment> {
        self.relaxed_since
            .map(|since| since + crate::RELAXED_DELAY_MAX)
    }

    /// Takes the oldest frame out, with what the log wants to know of it.
    pub(super) fn take_batch(&mut self, hub: &Hub) -> Option<(Batch, FrameFacts)> {
        let batch = self.queue.pop_front()?;
        if self.queue.is_empty() {
            self.is_urgent = false;
            self.relaxed_since = None;
        }
        self.queued_bytes -= batch.frame.len() - FRAME_HEADER_BYTES;
        let last = Revision(batch.revision.0 + u64::from(batch.count) - 1);
        let facts = FrameFacts {
            revision: batch.revision,
            ceiling: self.ceiling_after(last),
            wall: hub.clock().wall(),
            count: batch.count,
            kind: FrameKind::Batch,
        };
        Some((batch, facts))
    }

    /// Returns the ceiling that a frame ending at `last` should carry. It moves in steps, so that
    /// relaxed writes do not wait for every frame.
    fn ceiling_after(&self, last: Revision) -> Revision {
        if self.has_relaxed && self.ceiling.0 < last.0 + RELAXED_AHEAD / 2 {
            return Revision(last.0 + RELAXED_AHEAD);
        }
        self.ceiling.max(last)
    }

    /// Returns the facts of a frame without records.
    pub(super) fn mark_facts(&self, hub: &Hub, kind: FrameKind) -> FrameFacts {
        let revision = hub.revision();
        let ceiling = match kind {
            FrameKind::Close => revision,
            _ => self.ceiling,
        };
        FrameFacts {
            revision,
            ceiling,
            wall: hub.clock().wall(),
            count: 0,
            kind,
        }
    }

    /// Shows a batch that is durable now.
    pub(super) fn show(&mut self, hub: &Hub, mut batch: Batch, ceiling: Revision) -> Answers {
        let woken = hub.publish(batch.staged.iter().map(|staged| Arc::clone(&staged.event)));
        for Staged { event, .. } in &batch.staged {
            let unshown = self.unshown.get(&event.key);
            if unshown.is_some_and(|unshown| unshown.revision == event.revision) {
                self.unshown.remove(&event.key);
            }
        }
        self.ceiling = self.ceiling.max(ceiling);
        self.full_since = None;
        batch.refusals.append(&mut self.synced_soon);
        // One large value should not keep its memory in every later frame.
        if batch.frame.capacity() <= FRAME_BYTES_FULL {
            self.reusable = Some(batch.frame);
        }
        Answers {
            written: batch.staged,
            refusals: batch.refusals,
            ..Answers::new(Some(woken))
        }
    }

    /// Takes back every write that is not shown, because `batch` found no room; what is shown stays
    /// queued.
    pub(super) fn take_back(&mut self, hub: &Hub, batch: Batch, error: &StoreError) -> Answers {
        self.queue.push_front(batch);
        let mut answers = Answers::new(None);
        for mut batch in std::mem::take(&mut self.queue) {
            let staged = batch.staged.drain(..);
            answers
                .failed
                .extend(staged.map(|staged| (staged.sender, error.clone())));
            let refusals = batch.refusals.drain(..);
            answers
                .failed
                .extend(refusals.map(|refusal| (refusal.sender, error.clone())));
            // The shown records are all at the beginning of the queue: a record is shown at once
            // only while nothing waits in front of it.
            batch.frame.truncate(batch.shown_bytes);
            batch.count = batch.shown_count;
            if batch.count > 0 {
                self.queue.push_back(batch);
            }
        }
        let refusals = self.synced_soon.drain(..);
        answers
            .failed
            .extend(refusals.map(|refusal| (refusal.sender, error.clone())));
        let now = hub.clock().now();
        let lengths = self
            .queue
            .iter()
            .map(|batch| batch.frame.len() - FRAME_HEADER_BYTES);
        self.queued_bytes = lengths.sum();
        self.unshown.clear();
        self.revision = hub.revision();
        self.is_urgent = false;
        self.relaxed_since = (!self.queue.is_empty()).then_some(now);
        self.full_since = Some(now);
        answers
    }

    /// Ends the store after a fault. `batch` gets the fault itself, the others hear of it.
    pub(super) fn poison(&mut self, hub: &Hub, batch: Option<Batch>, fault: StoreError) -> Answers {
        let source = Arc::new(fault.clone());
        let poisoned = StoreError::Poisoned {
            source: Arc::clone(&source),
        };
        let mut answers = Answers::new(None);
        let first = batch.map(|batch| (batch, &fault));
        let rest = self.queue.drain(..).map(|batch| (batch, &poisoned));
        for (batch, error) in first.into_iter().chain(rest) {
            for Staged { sender, .. } in batch.staged {
                answers.failed.push((sender, error.clone()));
            }
            for Refusal { sender, .. } in batch.refusals {
                answers.failed.push((sender, error.clone()));
            }
        }
        for Refusal { sender, .. } in self.synced_soon.drain(..) {
            answers.failed.push((sender, poisoned.clone()));
        }
        self.unshown.clear();
        self.queued_bytes = 0;
        self.is_urgent = false;
        self.relaxed_since = None;
        if !matches!(self.state, HeadState::Poisoned(_)) {
            self.state = HeadState::Poisoned(source);
        }
        hub.end_watches(&poisoned);
        answers
    }

    /// Refuses writes from now on; returns whether they were allowed before.
    pub(super) fn close(&mut self) -> bool {
        let was_open = matches!(self.state, HeadState::Open);
        if was_open {
            self.state = HeadState::Closed;
        }
        was_open
    }

    /// Returns the fault that stopped the store, if one did.
    pub(super) fn fault(&self) -> Option<StoreError> {
        let HeadState::Poisoned(source) = &self.state else {
            return None;
        };
        Some(StoreError::Poisoned {
            source: Arc::clone(source),
        })
    }

    /// Returns whether a frame waits, due or not.
    pub(super) fn has_batch(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(super) fn ceiling(&self) -> Revision {
        self.ceiling
    }
}

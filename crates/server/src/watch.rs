//! Watches: what there is, then what happens, one frame after the other.
//!
//! A watcher is a cursor into the history of a collection and holds nothing else: the frame of an
//! event is made once and shared by all who want it in the same form, and a watcher that is slower
//! than the history is ended. Nobody is called when something happens: a bell rings, and whoever
//! is woken looks for itself.
//!
//! Invariant: a bookmark's revision is never ahead of an event the client has not been sent.

mod converting;
mod frame;

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use api::{Status, Text};
use base::{Clock, Moment};
use bytes::{Bytes, BytesMut};
use http_body::Frame;
use store::{Revision, StoreError};

use crate::{
    Answer, Call,
    body::{BodyError, CHUNK_BYTES},
    collection::{Change, Collection, Cursor, Seat, Step, Stored, View},
    convert::{self, Converter},
    faults,
    list::{self, Beginning},
    registry::Resource,
    render::Showing,
    select::Selection,
};

use converting::Converting;
use frame::{Framer, Kind};

/// How many changes are looked at for one frame of the body. Joined they stay near a TLS record for
/// small objects, and a large one goes out without a long wait.
const CHANGES_PER_FRAME: usize = 32;

/// How often a client that wants bookmarks gets one, as upstream.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// How long before the end of a watch its last bookmark is sent, as upstream.
const BOOKMARK_BEFORE_END: Duration = Duration::from_secs(2);

/// How long a watch lives whose client names no time: from this to twice as long, by chance, so that
/// clients that came together do not come back together.
const LIFE_DEFAULT: Duration = Duration::from_secs(1_800);

/// Begins a watch.
///
/// # Errors
/// The refusals of options and selectors. Whatever is wrong later is told by an ERROR event.
pub(crate) async fn watch(
    (clock, converter): (&Clock, &Converter),
    chance: f64,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Status> {
    let showing = Showing::of(call, resource)?;
    let selection = Selection::read(resource, &call.path, &call.options)?;
    let beginning = Beginning::read(&call.options)?;
    let life = match call.options.timeout_seconds {
        Some(seconds) if seconds > 0 => Duration::from_secs(seconds.unsigned_abs()),
        _ => LIFE_DEFAULT.mul_f64(1.0 + chance),
    };
    let collection = resource.served.collection.clone();
    let media = showing.accepted.media;
    let bookmarks = call.options.allow_watch_bookmarks;
    let converter = convert::is_needed(resource, showing.accepted.form).then(|| converter.clone());
    let framer = Framer::new(showing);
    let frames: crate::body::Stream = match begin(clock, &collection, &beginning).await {
        Ok((start, cursor)) => Box::pin(Watcher::new(
            clock.clone(),
            converter,
            collection,
            framer,
            selection,
            &beginning,
            start,
            cursor,
            Times { life, bookmarks },
        )),
        Err(status) => {
            // Once the request was understood, refusals are events.
            let error = framer.error(&status);
            Box::pin(http_body_util::Full::new(error).map_err_never())
        }
    };
    Ok(Answer::Watch { media, frames })
}

/// Finds the state to begin with, if it is wanted, and the place of what follows.
async fn begin(
    clock: &Clock,
    collection: &Collection,
    beginning: &Beginning,
) -> Result<(View, Cursor), Status> {
    let revision = beginning.revision.unwrap_or(Revision(0));
    if beginning.initial {
        list::wait_for(clock, collection, revision).await?;
    }
    let fault = |error: StoreError| faults::read(&error);
    let (mut view, now) = collection.follow().await.map_err(fault)?;
    if beginning.initial {
        return Ok((view, now));
    }
    view.objects = Default::default();
    if revision.0 == 0 {
        return Ok((view, now));
    }
    if revision >= view.revision {
        // A revision from elsewhere: what comes up to it is not shown.
        view.revision = revision;
        return Ok((view, now));
    }
    view.revision = revision;
    match collection.follow_after(revision).await {
        Ok(cursor) => Ok((view, cursor)),
        Err(StoreError::Compacted { oldest, .. }) => Err(Status::expired(format!(
            "too old resource version: {revision} ({oldest})"
        ))),
        Err(error) => Err(fault(error)),
    }
}

/// How long a watch lives, and whether it gets bookmarks.
struct Times {
    life: Duration,
    bookmarks: bool,
}

/// A watch that runs.
struct Watcher {
    clock: Clock,
    /// Converts what is shown, where a webhook does.
    converter: Option<Converter>,
    /// What is being converted.
    batch: Option<Converting>,
    collection: Collection,
    seat: Seat,
    framer: Framer,
    selection: Selection,
    /// Objects that are still to be sent as ADDED.
    initial: imbl::ordmap::ConsumingIter<Text, Arc<Stored>, imbl::shared_ptr::DefaultSharedPtr>,
    /// A bookmark is to say that the initial objects were sent.
    marks_end: bool,
    is_initial: bool,
    cursor: Cursor,
    /// Everything up to this revision was sent.
    sent: Revision,
    end: Moment,
    next_bookmark: Option<Moment>,
    timer: Pin<Box<dyn Future<Output = ()> + Send>>,
    done: bool,
}

impl Watcher {
    #[allow(clippy::too_many_arguments, reason = "each is a part of its own")]
    fn new(
        clock: Clock,
        converter: Option<Converter>,
        collection: Collection,
        framer: Framer,
        selection: Selection,
        beginning: &Beginning,
        start: View,
        cursor: Cursor,
        times: Times,
    ) -> Self {
        let seat = collection
            .bell()
            .enter(selection.interest(framer.resource()));
        collection.keep_ringing();
        let now = clock.now();
        let end = now + times.life;
        let mut watcher = Self {
            timer: Box::pin(std::future::ready(())),
            clock,
            converter,
            batch: None,
            collection,
            seat,
            framer,
            selection,
            initial: start.objects.into_iter(),
            is_initial: beginning.initial,
            marks_end: beginning.marks_end,
            cursor,
            sent: start.revision,
            end,
            next_bookmark: times.bookmarks.then_some(now),
            done: false,
        };
        watcher.set_timer(now);
        watcher
    }

    /// Plans the next bookmark and waits for it or for the end.
    fn set_timer(&mut self, now: Moment) {
        let mut until = self.end;
        if self.next_bookmark.is_some() {
            let mut next = now + BOOKMARK_EVERY;
            let last = self.end - BOOKMARK_BEFORE_END;
            if last > now && last < next {
                next = last;
            }
            self.next_bookmark = Some(next);
            until = until.min(next);
        }
        let clock = self.clock.clone();
        self.timer = Box::pin(async move { clock.sleep_until(until).await });
    }

    /// Returns the next frame of the body; nothing when there is none now.
    fn next(&mut self, ctx: &mut Context<'_>) -> Option<Poll<Bytes>> {
        let mut armed = false;
        loop {
            if let Some(batch) = &mut self.batch {
                let Poll::Ready(batch) = batch.as_mut().poll(ctx) else {
                    return Some(Poll::Pending);
                };
                self.batch = None;
                match batch.and_then(|batch| self.show(&batch)) {
                    Ok(Some(frames)) => return Some(Poll::Ready(frames)),
                    Ok(None) => continue,
                    Err(status) => {
                        self.done = true;
                        return Some(Poll::Ready(self.framer.error(&status)));
                    }
                }
            }
            if self.is_initial {
                if self.begin_initial() {
                    continue;
                }
                return self.next_initial().map(Poll::Ready);
            }
            match self.collection.step(&mut self.cursor, CHANGES_PER_FRAME) {
                Step::Lost | Step::Ended => return None,
                Step::Changes(changes, through) if changes.is_empty() => {
                    self.sent = self.sent.max(through);
                    if armed {
                        return Some(Poll::Pending);
                    }
                    // Look once more after taking the seat: a change may have come in between.
                    self.collection.bell().wait(&self.seat, ctx.waker());
                    armed = true;
                }
                Step::Changes(changes, through) if self.converter.is_some() => {
                    self.begin_changes(changes, through);
                }
                Step::Changes(changes, through) => {
                    let frames = self.frames(&changes);
                    self.sent = self.sent.max(through);
                    match frames {
                        Ok(Some(frames)) => return Some(Poll::Ready(frames)),
                        Ok(None) => {}
                        Err(status) => {
                            self.done = true;
                            return Some(Poll::Ready(self.framer.error(&status)));
                        }
                    }
                }
            }
        }
    }

    /// Returns the next initial objects, or the bookmark that says they were all.
    fn next_initial(&mut self) -> Option<Bytes> {
        let mut frames = Vec::new();
        for (place, object) in self.initial.by_ref() {
            let resource = self.framer.resource();
            if !self.selection.matches(resource, &place, &object) {
                continue;
            }
            if let Err(status) = self.framer.put(Kind::Added, &object, &mut frames) {
                self.done = true;
                frames.extend_from_slice(&self.framer.error(&status));
                return Some(Bytes::from(frames));
            }
            if frames.len() >= CHUNK_BYTES {
                return Some(Bytes::from(frames));
            }
        }
        self.is_initial = false;
        if self.marks_end {
            self.marks_end = false;
            frames.extend_from_slice(&self.framer.bookmark(self.sent, true));
        }
        Some(Bytes::from(frames))
    }

    /// Returns the frames of those changes that concern this watch, joined.
    fn frames(&mut self, changes: &[Arc<Change>]) -> Result<Option<Bytes>, Status> {
        let mut first: Option<Bytes> = None;
        let mut joined: Option<BytesMut> = None;
        for change in changes {
            let Some(frame) = self.frame(change)? else {
                continue;
            };
            match (&mut joined, &first) {
                (Some(joined), _) => joined.extend_from_slice(&frame),
                (None, Some(known)) => {
                    let mut both = BytesMut::with_capacity(2 * (known.len() + frame.len()));
                    both.extend_from_slice(known);
                    both.extend_from_slice(&frame);
                    joined = Some(both);
                }
                (None, None) => first = Some(frame),
            }
        }
        Ok(joined.map(BytesMut::freeze).or(first))
    }

    /// Returns the frame of one change: what it means to someone who sees only the selection.
    fn frame(&mut self, change: &Change) -> Result<Option<Bytes>, Status> {
        if change.revision <= self.sent {
            return Ok(None);
        }
        let resource = self.framer.resource();
        let fits = |object: &Stored| self.selection.matches(resource, &change.place, object);
        let before = change.before.as_deref().is_some_and(fits);
        let after = !change.deleted && fits(&change.object);
        let kind = match (before, after) {
            (false, false) => return Ok(None),
            (false, true) => Kind::Added,
            (true, true) => Kind::Modified,
            (true, false) => Kind::Deleted,
        };
        self.framer.shared(kind, change, None).map(Some)
    }

    /// Returns the bookmark if it is time for one.
    fn due_bookmark(&mut self, now: Moment) -> Option<Bytes> {
        let due = self.next_bookmark.is_some_and(|next| next <= now);
        self.set_timer(now);
        // While initial objects are still to come there is nothing to promise.
        (due && !self.is_initial).then(|| self.framer.bookmark(self.sent, false))
    }
}

impl http_body::Body for Watcher {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let ready = |bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        loop {
            if self.done {
                return Poll::Ready(None);
            }
            match self.next(ctx) {
                None => {
                    self.done = true;
                    return Poll::Ready(None);
                }
                Some(Poll::Ready(bytes)) if bytes.is_empty() => {}
                Some(Poll::Ready(bytes)) => return ready(bytes),
                Some(Poll::Pending) => {
                    if self.timer.as_mut().poll(ctx).is_pending() {
                        return Poll::Pending;
                    }
                    let now = self.clock.now();
                    if now >= self.end {
                        self.done = true;
                        return Poll::Ready(None);
                    }
                    if let Some(bookmark) = self.due_bookmark(now) {
                        return ready(bookmark);
                    }
                }
            }
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.collection.bell().leave(&self.seat);
    }
}

/// Gives a body that cannot fail the error type of those that can.
trait NeverFails: http_body::Body<Data = Bytes, Error = std::convert::Infallible> + Sized {
    fn map_err_never(
        self,
    ) -> http_body_util::combinators::MapErr<Self, fn(Self::Error) -> BodyError> {
        http_body_util::BodyExt::map_err(self, |never| match never {})
    }
}

impl NeverFails for http_body_util::Full<Bytes> {}

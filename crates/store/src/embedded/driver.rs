//! The one who appends: frames when they are due, seals, and the end.

mod house;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use base::{Chain, Moment, Rng};
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use self::house::JobDone;
use super::{
    EmbeddedOptions, StoreUsage, committer::Head, format::FrameKind, log::Log, recover::Recovered,
};
use crate::{
    contract::{Receipt, Write, Written},
    disk::{Disk, DiskLock},
    error::StoreError,
    hub::Hub,
};

/// An idle log is sealed after this time. Long enough that a steady trickle of writes is not
/// doubled by seals, short enough that damage rarely meets an unsealed frame.
const SEAL_DELAY: Duration = Duration::from_millis(500);

/// How often an idle store forgets events that are past their time.
const TRIM_INTERVAL: Duration = Duration::from_secs(30);

/// What all threads that use the store share.
pub(super) struct Shared {
    pub(super) hub: Arc<Hub>,
    desk: Mutex<Desk>,
    /// Tells the writer thread to look at the desk.
    news: Condvar,
    options: EmbeddedOptions,
    dir: PathBuf,
    log_bytes: AtomicU64,
    snapshots: AtomicU64,
    /// Tells a snapshot that is being written to give up.
    is_ending: Arc<AtomicBool>,
    /// For the threads of jobs.
    this: Weak<Shared>,
}

struct Desk {
    head: Head,
    is_job_done: bool,
    is_closing: bool,
    closers: Vec<oneshot::Sender<Result<(), StoreError>>>,
    /// How the store ended, once it has.
    ended: Option<Result<(), StoreError>>,
}

/// What belongs to the one who appends.
pub(super) struct Committer {
    log: Log,
    is_sealed: bool,
    last_frame: Moment,
    last_trim: Moment,
    job: Option<JoinHandle<JobDone>>,
    /// Number of the newest snapshot.
    snapshot: Option<u64>,
    snapshot_not_before: Moment,
    spare_not_before: Moment,
    /// Held until the store has ended.
    lock: Option<DiskLock>,
}

enum Work {
    Commit,
    Job,
    Tick,
    Close,
}

/// Puts together what recovery found.
pub(super) fn start(
    disk: Arc<dyn Disk>,
    rng: Rng,
    recovered: Recovered,
    lock: DiskLock,
    options: EmbeddedOptions,
) -> (Arc<Shared>, Committer) {
    let hub = Arc::new(recovered.hub);
    let now = hub.clock().now();
    let dir = disk.path().to_owned();
    let log = Log::new(disk, rng, recovered.tail, options.segment_bytes_max);
    let shared = Arc::new_cyclic(|this| Shared {
        this: Weak::clone(this),
        desk: Mutex::new(Desk {
            head: Head::new(hub.revision(), recovered.ceiling),
            is_job_done: false,
            is_closing: false,
            closers: Vec::new(),
            ended: None,
        }),
        news: Condvar::new(),
        log_bytes: AtomicU64::new(log.used_bytes()),
        snapshots: AtomicU64::new(0),
        is_ending: Arc::new(AtomicBool::new(false)),
        hub,
        options,
        dir,
    });
    let committer = Committer {
        log,
        is_sealed: recovered.is_sealed,
        last_frame: now,
        last_trim: now,
        job: None,
        snapshot: recovered.snapshot,
        snapshot_not_before: now,
        spare_not_before: now,
        lock: Some(lock),
    };
    (shared, committer)
}

// What callers do.
impl Shared {
    pub(super) fn write(&self, write: Write) -> Receipt<Written> {
        let mut desk = self.desk.lock();
        if let Err(error) = desk.head.health(&self.hub, &self.dir) {
            return Receipt::ready(Err(error));
        }
        let staging = desk
            .head
            .stage(&self.hub, write, self.options.queue_bytes_max);
        drop(desk);
        if let Some(woken) = staging.woken {
            woken.wake();
        }
        if staging.is_news {
            self.news.notify_one();
        }
        staging.receipt
    }

    pub(super) fn health(&self) -> Result<(), StoreError> {
        self.desk.lock().head.health(&self.hub, &self.dir)
    }

    /// Refuses writes from now on and asks for the end.
    pub(super) fn begin_close(&self) -> Receipt<()> {
        self.is_ending.store(true, Ordering::Release);
        let mut desk = self.desk.lock();
        if let Some(ended) = &desk.ended {
            return Receipt::ready(ended.clone());
        }
        desk.head.close();
        desk.is_closing = true;
        let (sender, receipt) = Receipt::pending();
        desk.closers.push(sender);
        drop(desk);
        self.news.notify_one();
        receipt
    }

    pub(super) fn usage(&self) -> StoreUsage {
        let (history_events, history_bytes) = self.hub.history_size();
        StoreUsage {
            live_bytes: self.hub.live_bytes(),
            history_events,
            history_bytes,
            log_bytes: self.log_bytes.load(Ordering::Relaxed),
            snapshots: self.snapshots.load(Ordering::Relaxed),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    fn full(&self) -> StoreError {
        StoreError::Full {
            dir: self.dir.clone(),
        }
    }
}

// What the one who appends does.
impl Shared {
    /// The life of the writer thread.
    pub(super) fn run(&self, mut committer: Committer) {
        let guard = EndOnPanic(self);
        loop {
            match self.wait(&committer) {
                Work::Commit => self.commit(&mut committer),
                Work::Job => self.finish_job(&mut committer),
                Work::Tick => self.tick(&mut committer),
                Work::Close => break,
            }
        }
        self.finish(&mut committer);
        drop(guard);
    }

    fn wait(&self, committer: &Committer) -> Work {
        let mut desk = self.desk.lock();
        loop {
            let now = self.hub.clock().now();
            if desk.head.is_due(now) {
                return Work::Commit;
            }
            if std::mem::take(&mut desk.is_job_done) {
                return Work::Job;
            }
            if desk.is_closing {
                return Work::Close;
            }
            match self.next_tick(committer, &desk) {
                Some(at) if at <= now => return Work::Tick,
                Some(at) => {
                    self.news.wait_for(&mut desk, at.since(now));
                }
                None => self.news.wait(&mut desk),
            }
        }
    }

    fn next_tick(&self, committer: &Committer, desk: &Desk) -> Option<Moment> {
        if desk.head.fault().is_some() {
            return None;
        }
        let seal = (!committer.is_sealed).then(|| committer.last_frame + SEAL_DELAY);
        let trim = self
            .hub
            .has_excess()
            .then(|| committer.last_trim + TRIM_INTERVAL);
        [desk.head.relaxed_due(), seal, trim]
            .into_iter()
            .flatten()
            .min()
    }

    /// Writes whatever is due. For stores without a thread.
    pub(super) fn drive(&self, committer: &mut Committer) {
        while self.desk.lock().head.is_due(self.hub.clock().now()) {
            self.commit(committer);
        }
    }

    /// Does what has become due since the last time.
    pub(super) fn tick(&self, committer: &mut Committer) {
        if !self.is_running() {
            return;
        }
        self.drive(committer);
        let now = self.hub.clock().now();
        if !committer.is_sealed && now.since(committer.last_frame) >= SEAL_DELAY {
            self.seal(committer, now);
        }
        if now.since(committer.last_trim) >= TRIM_INTERVAL {
            committer.last_trim = now;
            self.hub.trim();
        }
        self.keep_house(committer);
    }

    /// Makes one frame durable and shows it.
    fn commit(&self, committer: &mut Committer) {
        let taken = self.desk.lock().head.take_batch(&self.hub);
        let Some((mut batch, facts)) = taken else {
            return;
        };
        let outcome = committer.log.append(&mut batch.frame, &facts);
        let answers = {
            let head = &mut self.desk.lock().head;
            match &outcome {
                Ok(()) => head.show(&self.hub, batch, facts.ceiling),
                Err(error @ StoreError::Full { .. }) => head.take_back(&self.hub, batch, error),
                Err(fault) => head.poison(&self.hub, Some(batch), fault.clone()),
            }
        };
        answers.give();
        match outcome {
            Ok(()) => {
                committer.is_sealed = false;
                committer.last_frame = self.hub.clock().now();
                self.keep_house(committer);
            }
            Err(error) => {
                // Nothing is appended after a fault, not even a seal.
                committer.is_sealed |= error.is_fault();
                self.report("failed to write the log", &error);
            }
        }
    }

    fn seal(&self, committer: &mut Committer, now: Moment) {
        let facts = self.desk.lock().head.mark_facts(&self.hub, FrameKind::Seal);
        // Tried again after the same delay if there is no room.
        committer.last_frame = now;
        match committer.log.append_seal(&facts) {
            // Without room for it, the end of the segment follows with the next frame.
            Ok(_) => committer.is_sealed = true,
            Err(StoreError::Full { .. }) => {}
            Err(fault) => {
                committer.is_sealed = true;
                self.poison(fault);
            }
        }
    }

    fn is_running(&self) -> bool {
        let desk = self.desk.lock();
        desk.ended.is_none() && desk.head.fault().is_none()
    }

    fn poison(&self, fault: StoreError) {
        self.report("failed to write the log", &fault);
        let answers = self.desk.lock().head.poison(&self.hub, None, fault);
        answers.give();
    }

    fn report(&self, what: &'static str, error: &StoreError) {
        let (dir, error) = (self.dir.display(), Chain(error));
        tracing::error!(dir = %dir, error = %error, "{what}");
    }

    /// Writes what waits, closes the log, and tells everyone.
    pub(super) fn finish(&self, committer: &mut Committer) {
        if self.desk.lock().ended.is_some() {
            return;
        }
        let mut failed = None;
        // Ends: each turn takes a frame away, or finds that there is no room for it.
        while failed.is_none() && self.desk.lock().head.has_batch() {
            let before = committer.log.sequence();
            self.commit(committer);
            if committer.log.sequence() == before {
                failed = Some(self.full());
            }
        }
        if let Some(handle) = committer.job.take() {
            // Whether it was done or gave up, the next start finds files that fit together.
            let _ = handle.join();
        }
        let ended = self.close_log(committer, failed);
        self.hub.end_watches(&StoreError::Closed);
        committer.lock = None;
        self.set_ended(&ended);
    }

    fn close_log(
        &self,
        committer: &mut Committer,
        failed: Option<StoreError>,
    ) -> Result<(), StoreError> {
        if let Some(fault) = self.desk.lock().head.fault() {
            return Err(fault);
        }
        // A seal keeps the mark that relaxed writes may be lost; a close says that none is.
        let kind = failed
            .as_ref()
            .map_or(FrameKind::Close, |_| FrameKind::Seal);
        let facts = self.desk.lock().head.mark_facts(&self.hub, kind);
        committer.log.append_seal(&facts)?;
        failed.map_or(Ok(()), Err)
    }

    fn set_ended(&self, ended: &Result<(), StoreError>) {
        let mut desk = self.desk.lock();
        desk.head.close();
        desk.ended.get_or_insert_with(|| ended.clone());
        for closer in desk.closers.drain(..) {
            // Whoever asked and does not wait any more is no error.
            let _ = closer.send(ended.clone());
        }
    }
}

/// A panic of the writer is a broken invariant: the store stops, and says so to everyone.
struct EndOnPanic<'a>(&'a Shared);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let error = std::io::Error::other("the writer thread panicked");
            let fault = StoreError::io("keep writing", &self.0.dir)(error);
            self.0.poison(fault.clone());
            self.0.set_ended(&Err(fault));
        }
    }
}

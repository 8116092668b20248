//! What the one who appends does beside: the next segment, snapshots, and what they make needless.
//!
//! Work that takes long is a job on a thread of its own; the writer goes on and is told.

use std::{
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use super::{
    super::{
        Drive,
        format::{FrameKind, SnapshotHeader},
        log::SpareJob,
        segment::{Spare, snapshot_name},
        snapshot::SnapshotJob,
    },
    Committer, Shared,
};
use crate::{disk::Disk, error::StoreError};

/// How long a failed job is left alone. The log only grows meanwhile, and a segment is also made
/// when it is needed.
const JOB_RETRY: Duration = Duration::from_secs(30);

/// Something that takes longer than a write may wait.
enum Job {
    Spare(SpareJob),
    Snapshot(SnapshotJob),
}

/// What came of a job.
pub(super) enum JobDone {
    Spare(Result<Spare, StoreError>),
    Snapshot(u64, Result<(), StoreError>),
}

impl Job {
    fn run(self, disk: &dyn Disk) -> JobDone {
        match self {
            Self::Spare(job) => JobDone::Spare(job.run(disk)),
            Self::Snapshot(job) => JobDone::Snapshot(job.header.segment, job.run(disk)),
        }
    }
}

impl Shared {
    /// Prepares the next segment and starts a snapshot, each when it is time.
    pub(super) fn keep_house(&self, committer: &mut Committer) {
        let used_bytes = committer.log.used_bytes();
        self.log_bytes.store(used_bytes, Ordering::Relaxed);
        if committer.job.is_some() || !self.is_running() {
            return;
        }
        let now = self.hub.clock().now();
        let bound = self.hub.live_bytes() + self.options.log_slack_bytes;
        if used_bytes > bound && now >= committer.snapshot_not_before {
            // Whatever happens, the next try is not at once.
            committer.snapshot_not_before = now + JOB_RETRY;
            self.start_snapshot(committer);
        } else if committer.log.wants_spare() && now >= committer.spare_not_before {
            let job = committer.log.spare_job();
            self.start_job(committer, Job::Spare(job));
        }
    }

    fn start_snapshot(&self, committer: &mut Committer) {
        let facts = self.desk.lock().head.mark_facts(&self.hub, FrameKind::End);
        match committer.log.rotate(&facts, 0) {
            Ok(()) => {}
            Err(error @ StoreError::Full { .. }) => {
                return self.report("no room for a snapshot", &error);
            }
            Err(fault) => {
                committer.is_sealed = true;
                return self.poison(fault);
            }
        }
        committer.is_sealed = true;
        // Every frame so far is shown, so the view has all of them. It may also have relaxed
        // writes that the log gets later; replay knows them by their revision.
        let view = self.hub.view();
        let header = SnapshotHeader {
            segment: committer.log.number(),
            sequence: committer.log.sequence(),
            revision: view.revision,
            ceiling: self.desk.lock().head.ceiling(),
            salt: committer.log.next_salt(),
        };
        let is_ending = Arc::clone(&self.is_ending);
        let job = SnapshotJob {
            header,
            view,
            is_ending,
        };
        self.start_job(committer, Job::Snapshot(job));
    }

    fn start_job(&self, committer: &mut Committer, job: Job) {
        let disk = Arc::clone(committer.log.disk());
        if self.options.drive == Drive::Inline {
            let done = job.run(&*disk);
            return self.take_job(committer, done);
        }
        let Some(shared) = self.this.upgrade() else {
            return;
        };
        let work = move || {
            // However the job ends, the writer is told, and finds out by joining.
            let _tell = TellJobDone(shared);
            job.run(&*disk)
        };
        let thread = thread::Builder::new().name("store-keeper".to_owned());
        match thread.spawn(work) {
            Ok(handle) => committer.job = Some(handle),
            Err(error) => {
                let error = StoreError::io("start a thread for", &self.dir)(error);
                self.report("failed to keep the log small", &error);
            }
        }
    }

    pub(super) fn finish_job(&self, committer: &mut Committer) {
        let Some(handle) = committer.job.take() else {
            return;
        };
        // A panic there was reported by its own thread; the log is as it was.
        if let Ok(done) = handle.join() {
            self.take_job(committer, done);
        }
        self.keep_house(committer);
    }

    fn take_job(&self, committer: &mut Committer, done: JobDone) {
        let now = self.hub.clock().now();
        match done {
            JobDone::Spare(Ok(spare)) => committer.log.add_spare(spare),
            JobDone::Spare(Err(error)) => {
                self.report("failed to prepare a segment", &error);
                committer.spare_not_before = now + JOB_RETRY;
            }
            JobDone::Snapshot(_, Err(_)) if self.is_ending.load(Ordering::Acquire) => {}
            JobDone::Snapshot(_, Err(error)) => {
                self.report("failed to write a snapshot", &error);
                committer.snapshot_not_before = now + JOB_RETRY;
            }
            JobDone::Snapshot(number, Ok(())) => {
                committer.snapshot_not_before = now;
                self.snapshots.fetch_add(1, Ordering::Relaxed);
                if let Err(error) = self.release(committer, number) {
                    self.report("failed to remove old files", &error);
                }
            }
        }
    }

    /// Puts aside what snapshot `number` has made needless.
    fn release(&self, committer: &mut Committer, number: u64) -> Result<(), StoreError> {
        let old = committer.snapshot.replace(number);
        let spare_bytes_max = self.options.log_slack_bytes;
        committer.log.release_before(number, spare_bytes_max)?;
        self.log_bytes
            .store(committer.log.used_bytes(), Ordering::Relaxed);
        let Some(old) = old else {
            return Ok(());
        };
        let name = snapshot_name(old);
        let removed = committer.log.disk().remove(&name);
        removed.map_err(StoreError::io("remove", self.dir.join(name)))
    }
}

struct TellJobDone(Arc<Shared>);

impl Drop for TellJobDone {
    fn drop(&mut self) {
        self.0.desk.lock().is_job_done = true;
        self.0.news.notify_one();
    }
}

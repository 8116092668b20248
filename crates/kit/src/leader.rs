//! Leader election over a Lease, as client-go does it.
//!
//! Several instances of one program agree on who works: the holder renews a Lease object, the
//! others look at it and take over when it has not changed for its duration. Clocks are not
//! compared: each looks only at how long ago *it* saw the lease change. [`Election`] is the pure
//! core; [`Candidate`] asks the server.

use std::{future::Future, time::Duration};

use base::{Clock, Drain, Moment, Rng, WallTime};
use bytes::Bytes;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff,
};

use crate::{
    error::Error,
    resource::{Resource, Scope},
    transport::Client,
};

/// How long things take; the defaults are client-go's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a lease holds after its last renewal.
    pub lease: Duration,
    /// How long the holder tries to renew before it gives up.
    pub renew: Duration,
    /// How long to wait between tries.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            renew: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// What the lease said when it was last seen to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; empty if nobody.
    pub holder: String,
    /// How long it holds without renewal.
    pub duration: Duration,
    /// When it was last renewed, by the holder's clock; used only to see a change.
    pub renewed: Option<WallTime>,
    /// When the holder got it, by the holder's clock.
    pub acquired: Option<WallTime>,
    /// How often it changed hands.
    pub transitions: i32,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write this record and then say [`Election::wrote`].
    Write(Record),
    /// Another one holds it; look again later.
    Stand,
}

/// The pure core of one candidate.
#[derive(Debug)]
pub struct Election {
    identity: String,
    timing: Timing,
    seen: Option<(Record, Moment)>,
}

impl Election {
    /// Returns a candidate that has not looked yet.
    #[must_use]
    pub fn new(identity: String, timing: Timing) -> Self {
        Self {
            identity,
            timing,
            seen: None,
        }
    }

    /// Decides what to do about the lease as it is (`None`: there is none).
    pub fn look(&mut self, found: Option<&Record>, now: Moment, wall: WallTime) -> Step {
        let fresh = Record {
            holder: self.identity.clone(),
            duration: self.timing.lease,
            renewed: Some(wall),
            acquired: Some(wall),
            transitions: 0,
        };
        let Some(found) = found else {
            return Step::Write(fresh);
        };
        if self.seen.as_ref().is_none_or(|(held, _)| held != found) {
            self.seen = Some((found.clone(), now));
        }
        let changed_at = self.seen.as_ref().map_or(now, |(_, at)| *at);
        let mine = found.holder == self.identity;
        let valid = now.since(changed_at) < found.duration;
        if !found.holder.is_empty() && !mine && valid {
            return Step::Stand;
        }
        Step::Write(if mine {
            Record {
                acquired: found.acquired,
                transitions: found.transitions,
                ..fresh
            }
        } else {
            Record {
                transitions: found.transitions.saturating_add(1),
                ..fresh
            }
        })
    }

    /// Notes that the record was written.
    pub fn wrote(&mut self, record: Record, now: Moment) {
        self.seen = Some((record, now));
    }

    /// Returns whether this candidate holds the lease as far as it knows.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.seen
            .as_ref()
            .is_some_and(|(record, _)| record.holder == self.identity)
    }

    /// Returns the record that gives the lease up.
    #[must_use]
    pub fn release(&self, wall: WallTime) -> Option<Record> {
        let (record, _) = self.seen.as_ref().filter(|_| self.leads())?;
        Some(Record {
            holder: String::new(),
            duration: Duration::from_secs(1),
            renewed: Some(wall),
            acquired: Some(wall),
            transitions: record.transitions,
        })
    }
}

/// One instance that stands for election.
pub struct Candidate {
    client: Client,
    clock: Clock,
    rng: Rng,
    namespace: String,
    name: String,
    timing: Timing,
    election: Election,
}

impl Candidate {
    /// Returns a candidate for the lease `name`; `identity` is to be unique among instances.
    #[must_use]
    pub fn new(
        client: Client,
        clock: Clock,
        rng: Rng,
        (namespace, name): (&str, &str),
        identity: String,
        timing: Timing,
    ) -> Self {
        Self {
            client,
            clock,
            rng,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            timing,
            election: Election::new(identity, timing),
        }
    }

    /// Waits until this instance leads, runs `work`, and gives the lease up when it ends or the
    /// drain is asked for.
    ///
    /// Returns what `work` gave, or `None` if the lease was lost or never won; `work` is dropped
    /// at its next await then, so what it does must bear that.
    pub async fn lead<T>(&mut self, mut drain: Drain, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = drain.requested() => return None,
            () = self.win() => {}
        }
        tracing::info!(lease = self.name, "this instance leads");
        let done = tokio::select! {
            biased;
            () = drain.requested() => None,
            done = work => Some(done),
            () = self.hold() => None,
        };
        self.release().await;
        done
    }

    /// Waits until the lease is won.
    async fn win(&mut self) {
        while !matches!(self.attempt().await, Ok(true)) {
            // Up to 1.2 times more, as client-go's jitter, so that candidates do not run together.
            let factor = 1.0 + 1.2 * self.rng.unit();
            self.clock.sleep(self.timing.retry.mul_f64(factor)).await;
        }
    }

    /// Renews until that fails for too long.
    async fn hold(&mut self) {
        let mut renewed = self.clock.now();
        loop {
            self.clock.sleep(self.timing.retry).await;
            let clock = self.clock.clone();
            let left = self.timing.renew.saturating_sub(clock.now().since(renewed));
            match clock.timeout(left, self.attempt()).await {
                Ok(Ok(true)) => renewed = self.clock.now(),
                // Another one took it.
                Ok(Ok(false)) => break,
                Ok(Err(_)) if self.clock.now().since(renewed) < self.timing.renew => {}
                Ok(Err(_)) | Err(_) => break,
            }
        }
        tracing::warn!(lease = self.name, "the lease is lost");
    }

    /// Tries once to take or renew the lease; false if another one holds it.
    async fn attempt(&mut self) -> Result<bool, Error> {
        let lease = self.read().await?;
        let record = lease.as_ref().map(record);
        let step = self
            .election
            .look(record.as_ref(), self.clock.now(), self.clock.wall());
        let Step::Write(record) = step else {
            return Ok(false);
        };
        self.write(lease, &record).await?;
        self.election.wrote(record, self.clock.now());
        Ok(true)
    }

    async fn release(&mut self) {
        let Some(free) = self.election.release(self.clock.wall()) else {
            return;
        };
        let released = async {
            let lease = self.read().await?;
            if lease.as_ref().map(|lease| record(lease).holder)
                != Some(self.election.identity.clone())
            {
                return Ok(());
            }
            self.write(lease, &free).await
        };
        if let Err(error) = released.await {
            tracing::debug!(lease = self.name, error = %base::Chain(&error), "the lease was not given up");
        }
    }

    fn leases() -> Resource {
        Resource::of::<Lease>(Scope::Namespaced)
    }

    async fn read(&self) -> Result<Option<Lease>, Error> {
        let path = Self::leases().path_to(&self.namespace, &self.name);
        match self.client.get(&path).await {
            Ok(lease) => Ok(Some(lease)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn write(&self, lease: Option<Lease>, record: &Record) -> Result<(), Error> {
        let exists = lease.is_some();
        let mut lease = lease.unwrap_or_default();
        lease.metadata.name = Some(self.name.clone());
        lease.metadata.namespace = Some(self.namespace.clone());
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(record.holder.clone()),
            lease_duration_seconds: Some(
                i32::try_from(record.duration.as_secs()).unwrap_or(i32::MAX),
            ),
            acquire_time: record.acquired.map(micro),
            renew_time: record.renewed.map(micro),
            lease_transitions: Some(record.transitions),
            ..lease.spec.unwrap_or_default()
        });
        let body = serde_json::to_vec(&lease).map_err(|source| Error::Decode {
            what: "an own lease",
            source,
        })?;
        if exists {
            let path = Self::leases().path_to(&self.namespace, &self.name);
            self.client.replace::<Lease>(&path, Bytes::from(body)).await
        } else {
            let path = Self::leases().path_in(&self.namespace);
            self.client.create::<Lease>(&path, Bytes::from(body)).await
        }
        .map(drop)
    }
}

fn micro(wall: WallTime) -> MicroTime {
    MicroTime(jiff::Timestamp::from_microsecond(wall.micros).unwrap_or_default())
}

fn record(lease: &Lease) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    let wall = |time: MicroTime| WallTime {
        micros: time.0.as_microsecond(),
    };
    Record {
        holder: spec.holder_identity.unwrap_or_default(),
        duration: Duration::from_secs(
            u64::try_from(spec.lease_duration_seconds.unwrap_or_default()).unwrap_or_default(),
        ),
        renewed: spec.renew_time.map(wall),
        acquired: spec.acquire_time.map(wall),
        transitions: spec.lease_transitions.unwrap_or_default(),
    }
}

#[cfg(test)]
#[path = "leader/tests.rs"]
mod tests;

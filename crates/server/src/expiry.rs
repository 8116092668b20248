//! Objects whose time is over are removed: events after an hour, and what a definition says so of.
//!
//! One task for each kind with a [`Lifetime`]. It looks at the live collection, removes what is due
//! and sleeps until the next is; without objects, or while nothing changes, it costs nothing.
//! When an object was written is not kept with it: the task marks now and then which revision the
//! store has reached, so a write lies before the next [`Mark`]. That makes expiry up to [`PAUSE`]
//! late, as upstream's shared leases do.
//!
//! Source: upstream's `--event-ttl` and k8s.io/apiserver, pkg/storage/etcd3/lease_manager.go.

use std::{collections::HashMap, future::poll_fn, sync::Arc, task::Poll, time::Duration};

use api::{Status, Text, Value, meta::Meta, time};
use base::{Chain, WallTime};
use schema::Lifetime;
use store::{Revision, StoreError};

use crate::{
    collection::{Cursor, Interest, Objects, Step, Stored},
    crds,
    delete::options::DeleteOptions,
    registry::{Resource, Served},
    render,
    serving::Serving,
    write::{Done, Door, Writer},
};

/// Least time between two looks at a collection that changes: a busy one is not walked for each
/// change. Upstream shares one lease for as long.
const PAUSE: Duration = Duration::from_secs(60);

/// The same where objects say themselves when their time is over, and people wait for it.
const PAUSE_SHORT: Duration = Duration::from_secs(1);

/// How many objects are removed between two looks, so that others write in between.
const ROUND_MAX: usize = 1_000;

/// Keeps watch over the objects of a kind, if their time is limited.
pub(crate) fn start(serving: &Arc<Serving>, served: &Arc<Served>) {
    if served.kind.traits.lifetime == Lifetime::Endless {
        return;
    }
    let resource = Resource {
        served: Arc::clone(served),
        place: served.kind.storage,
    };
    let follow = follow(Arc::clone(serving), resource);
    drop(serving.tasks.spawn("expiry", follow));
}

/// The store had reached `revision` at `time`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    revision: Revision,
    time: WallTime,
}

/// When objects were written, as far as it is known.
#[derive(Debug, Default)]
struct Marks {
    /// Oldest first. Marks older than a lifetime are dropped, so there are as many as pauses in it.
    marks: Vec<Mark>,
    /// Objects that lay in the store at first, by what they say themselves.
    first: HashMap<Text, (Revision, WallTime)>,
}

/// What is due, and when the next is.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    due: Vec<(Text, Revision)>,
    next: Option<WallTime>,
}

impl Marks {
    /// Notes which revision is reached, and what the first objects say.
    fn note(&mut self, objects: &Objects, mark: Mark, lifetime: Duration) {
        if self.marks.is_empty() {
            let written = |(place, object): (&Text, &Arc<Stored>)| {
                Some((place.clone(), (object.revision, last_written(object)?)))
            };
            self.first = objects.iter().filter_map(written).collect();
        }
        self.marks
            .retain(|old| old.time + lifetime + PAUSE >= mark.time);
        if self
            .marks
            .last()
            .is_none_or(|last| last.revision < mark.revision)
        {
            self.marks.push(mark);
        }
    }

    /// Returns when an object was written, or a moment soon after.
    fn written(&self, place: &str, revision: Revision) -> Option<WallTime> {
        if let Some((known, time)) = self.first.get(place)
            && *known == revision
        {
            return Some(*time);
        }
        let at = self.marks.partition_point(|mark| mark.revision < revision);
        self.marks.get(at).map(|mark| mark.time)
    }
}

/// Returns when an object says it was written last.
fn last_written(object: &Stored) -> Option<WallTime> {
    let value = render::parse(&object.bytes).ok()?;
    let meta = Meta::of(&value);
    let times = meta.managed_fields().iter();
    let times = times.filter_map(|entry| time::parse(entry.str_at(&["time"])?).ok());
    times.chain(meta.creation_timestamp()).max()
}

/// Returns when the time of an object is over by what stands in it.
fn own_end(object: &Value, path: &[Text], more: Duration) -> Option<WallTime> {
    let path: Vec<&str> = path.iter().map(Text::as_str).collect();
    let created = Meta::of(object).creation_timestamp();
    let after = |seconds: i64| {
        let seconds = u64::try_from(seconds).ok()?;
        Some(created? + Duration::from_secs(seconds) + more)
    };
    match object.at(&path)? {
        Value::Int(seconds) => after(*seconds),
        Value::String(text) => match time::parse(text) {
            Ok(end) => Some(end + more),
            Err(_) => after(time::parse_duration(text).ok()? / 1_000_000_000),
        },
        _ => None,
    }
}

/// Decides what is due now. Pure.
fn plan(objects: &Objects, lifetime: &Lifetime, marks: &Marks, now: WallTime) -> Plan {
    let mut plan = Plan::default();
    for (place, object) in objects {
        let end = match lifetime {
            Lifetime::Endless => None,
            Lifetime::AfterWrite(span) => marks
                .written(place, object.revision)
                .map(|written| written + *span),
            Lifetime::Own { path, more } => {
                let value = render::parse(&object.bytes).ok();
                value.and_then(|value| match Meta::of(&value).is_leaving() {
                    true => None,
                    false => own_end(&value, path, *more),
                })
            }
        };
        match end {
            Some(end) if end <= now => {
                plan.due.push((place.clone(), object.revision));
                if plan.due.len() >= ROUND_MAX {
                    plan.next = Some(now);
                    break;
                }
            }
            Some(end) => plan.next = Some(plan.next.map_or(end, |next| next.min(end))),
            None => {}
        }
    }
    plan
}

async fn follow(serving: Arc<Serving>, resource: Resource) {
    let mut drain = serving.tasks.drain_signal();
    let mut marks = Marks::default();
    loop {
        let round = async {
            match round(&serving, &resource, &mut marks).await {
                Ok(Round::Wait(next, cursor)) => wait(&serving, &resource, next, cursor).await,
                Ok(Round::Again) => {}
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), resource = resource.plural(), "expiry looks again later");
                    serving.clock.sleep(PAUSE).await;
                }
            }
        };
        tokio::select! {
            biased;
            () = drain.requested() => return,
            () = round => {}
        }
        if resource.served.collection.is_ended() {
            return;
        }
    }
}

/// How a round ended.
enum Round {
    /// More is due already.
    Again,
    /// The next is due then (nothing is, as things are), unless something changes here.
    Wait(Option<WallTime>, Cursor),
}

/// Looks at the collection once and removes what is due.
async fn round(
    serving: &Serving,
    resource: &Resource,
    marks: &mut Marks,
) -> Result<Round, StoreError> {
    let lifetime = &resource.kind().traits.lifetime;
    let (view, cursor) = resource.served.collection.follow().await?;
    let now = serving.clock.wall();
    if let Lifetime::AfterWrite(span) = lifetime {
        let mark = Mark {
            revision: view.revision,
            time: now,
        };
        marks.note(&view.objects, mark, *span);
    }
    let plan = plan(&view.objects, lifetime, marks, now);
    for (place, revision) in &plan.due {
        marks.first.remove(place);
        if let Err(status) = remove(serving, resource, place, *revision).await {
            tracing::warn!(error = %status, place = place.as_str(), "what is due could not be removed");
        }
    }
    Ok(match plan.next {
        Some(next) if next <= now => Round::Again,
        next => Round::Wait(next, cursor),
    })
}

/// Waits until the next object is due, or until something may be due sooner.
async fn wait(serving: &Serving, resource: &Resource, next: Option<WallTime>, mut cursor: Cursor) {
    let collection = &resource.served.collection;
    let pause = match resource.kind().traits.lifetime {
        Lifetime::Own { .. } => PAUSE_SHORT,
        Lifetime::Endless | Lifetime::AfterWrite(_) => PAUSE,
    };
    let due = async {
        match next {
            Some(next) => {
                let micros = next.micros - serving.clock.wall().micros;
                let micros = u64::try_from(micros).unwrap_or_default();
                serving.clock.sleep(Duration::from_micros(micros)).await;
            }
            None => std::future::pending().await,
        }
    };
    let changed = async {
        let seat = collection.sit(Interest::All);
        poll_fn(|ctx| {
            seat.wait(ctx.waker());
            match collection.step(&mut cursor, 1) {
                Step::Changes(changes, _) if changes.is_empty() => Poll::Pending,
                Step::Changes(..) | Step::Lost | Step::Ended => Poll::Ready(()),
            }
        })
        .await;
        drop(seat);
        if !collection.is_ended() {
            serving.clock.sleep(pause).await;
        }
    };
    tokio::select! {
        () = due => {}
        () = changed => {}
    }
}

/// Removes an object, unless it was written meanwhile.
async fn remove(
    serving: &Serving,
    resource: &Resource,
    place: &str,
    revision: Revision,
) -> Result<(), Status> {
    let (namespace, name) = place.rsplit_once('/').unwrap_or(("", place));
    let mut call = crds::call(serving, resource, name);
    call.path.namespace = Text::new(namespace);
    let mut writer = Writer::new(serving, &mut call, resource, Door::Main);
    if let Lifetime::Own { .. } = resource.kind().traits.lifetime {
        let options = DeleteOptions::at(revision);
        return match writer.delete(&options).await {
            // It is gone already, or has changed and is looked at again.
            Err(status) if matches!(status.code, 404 | 409) => Ok(()),
            other => other.map(drop),
        };
    }
    // As with upstream's leases nobody is asked, and nobody can hold it.
    let Some(old) = writer.leaving(place).await? else {
        return Ok(());
    };
    if old.stored.revision == revision {
        let approved = writer.approve_removal(old.value.clone(), &old)?;
        let (Done::Is(_) | Done::Changed(_)) = writer.commit(approved).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use api::{Text, Value, json};
    use base::WallTime;
    use bytes::Bytes;
    use schema::Lifetime;
    use store::Revision;

    use super::{Mark, Marks, PAUSE, Plan, own_end, plan};
    use crate::{
        collection::{Objects, Stored},
        serving::tests::Bench,
    };

    const HOUR: Duration = Duration::from_secs(3_600);

    fn at(seconds: i64) -> WallTime {
        WallTime::from_secs(seconds)
    }

    fn objects(all: &[(&str, u64)]) -> Objects {
        let one = |(place, revision): &(&str, u64)| {
            let object = Stored::new(Bytes::from_static(b"{}"), Revision(*revision));
            (Text::new(place), Arc::new(object))
        };
        all.iter().map(one).collect()
    }

    #[test]
    fn a_write_lies_before_the_next_mark() {
        let all = objects(&[("a", 5), ("b", 10), ("c", 11)]);
        let mut marks = Marks::default();
        for (revision, seconds) in [(5, 0), (10, 60), (10, 90)] {
            let mark = Mark {
                revision: Revision(revision),
                time: at(seconds),
            };
            marks.note(&all, mark, HOUR);
        }
        let lifetime = Lifetime::AfterWrite(HOUR);
        let found = plan(&all, &lifetime, &marks, at(3_600));
        let expected = Plan {
            due: vec![(Text::new("a"), Revision(5))],
            // What was written after the last mark has no end yet.
            next: Some(at(3_660)),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn an_object_says_its_own_end() {
        let check = |spec: &str, path: &str, more: u64, expected: Option<i64>| {
            let text = format!(
                r#"{{"metadata":{{"creationTimestamp":"1970-01-01T00:00:10Z"}},"spec":{spec}}}"#
            );
            let object: Value = json::read(text.as_bytes()).expect("it is JSON").value;
            let path: Vec<Text> = path.split('.').map(Text::new).collect();
            let found = own_end(&object, &path, Duration::from_secs(more));
            assert_eq!(found, expected.map(at), "{spec} {path:?}");
        };
        check("{}", "metadata.creationTimestamp", 5, Some(15));
        check(r#"{"ttl":20}"#, "spec.ttl", 0, Some(30));
        check(r#"{"ttl":"1m"}"#, "spec.ttl", 0, Some(70));
        check(r#"{"end":"1970-01-01T00:01:00Z"}"#, "spec.end", 1, Some(61));
        check("{}", "spec.end", 0, None);
        check(r#"{"ttl":-1}"#, "spec.ttl", 0, None);
        check(r#"{"ttl":true}"#, "spec.ttl", 0, None);
        check(r#"{"ttl":"soon"}"#, "spec.ttl", 0, None);
    }

    #[tokio::test]
    async fn events_live_an_hour_after_they_were_written() {
        let bench = Bench::new();
        bench.serving.open().await.expect("the store opens");
        let event = |name: &str| {
            format!(
                r#"{{"metadata":{{"name":"{name}","namespace":"default"}},"involvedObject":{{"namespace":"default"}}}}"#
            )
        };
        let path = "/api/v1/namespaces/default/events";
        let list = format!("GET {path}");
        let after = async |span| {
            bench.clock.advance(span);
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            let list = bench.send(&list, "").await;
            list.body.matches(r#""involvedObject""#).count()
        };
        assert_eq!(after(Duration::ZERO).await, 0);
        for name in ["a", "b"] {
            let made = bench.send(&format!("POST {path}"), &event(name)).await;
            assert_eq!(made.code, 201, "{}", made.body);
        }
        assert_eq!(after(Duration::ZERO).await, 2);
        assert_eq!(
            after(PAUSE).await,
            2,
            "now it is marked when they were written"
        );
        assert_eq!(after(HOUR - PAUSE).await, 2, "not yet");
        let touch = r#"merge {"message":"seen again"}"#;
        let touched = bench.send(&format!("PATCH {path}/b"), touch).await;
        assert_eq!(touched.code, 200, "{}", touched.body);
        assert_eq!(
            after(PAUSE).await,
            1,
            "an hour after it was marked one goes"
        );
        assert!(bench.send(&list, "").await.body.contains(r#""name":"b""#));
        assert_eq!(after(HOUR - PAUSE).await, 1);
        assert_eq!(
            after(PAUSE * 2).await,
            0,
            "the other an hour after its last write"
        );
    }

    #[tokio::test]
    async fn a_restart_knows_when_events_were_written() {
        let bench = Bench::new();
        let path = "/api/v1/namespaces/default/events";
        let event = r#"{"metadata":{"name":"a","namespace":"default"},"involvedObject":{"namespace":"default"}}"#;
        bench.ok(&format!("POST {path}"), event).await;
        let later = bench.restarted();
        later.clock.advance(HOUR + PAUSE);
        later.serving.open().await.expect("the store opens");
        later
            .until(&format!("GET {path}"), |list| {
                !list.body.contains("involvedObject")
            })
            .await;
    }
}

//! Conversion by webhooks: whoever shows or writes an object of a kind whose definition names one
//! first makes sure that the object is there in the version that is wanted.
//!
//! What comes of it is an object like any other, bytes of another version, so everything behind it
//! (rendering, selecting, framing) knows nothing of webhooks. It is kept beside the object it was
//! made from, within bounds, for the next one who asks.
//!
//! A webhook that fails fails those who need another version than the one that lies in the store,
//! and nobody else: who reads metadata only, deletes, or speaks the stored version does not come
//! here.
//!
//! Source: k8s.io/apiextensions-apiserver, pkg/apiserver/conversion/webhook_converter.go.

mod check;
mod client;
mod memo;
mod review;
mod trust;

use std::sync::{
    Arc, OnceLock, Weak,
    atomic::{AtomicUsize, Ordering},
};

use api::{Cause, GroupVersion, Reason, Status, Text, Value, json, meta::Uid};
use base::{Clock, Rng, Tasks};
use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::Mutex;
use schema::{Conversion, Kind, Unknown, way::Way};
use tokio::sync::OwnedMutexGuard;

use crate::{
    Form,
    collection::Stored,
    registry::{Resource, Served},
    render,
    write::meta,
};

use client::Hook;
pub(crate) use memo::Memo;

/// How many objects one review carries at most.
const REVIEW_OBJECTS_MAX: usize = 1_000;

/// How many bytes of objects one review carries at most, one object aside.
const REVIEW_BYTES_MAX: usize = 8 << 20;

/// How many bytes of converted objects are kept at most, of all kinds together.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// How many webhooks are remembered with their connections; when there are more, all are forgotten.
const HOOKS_MAX: usize = 256;

/// How many causes a refused list names at most.
const CAUSES_MAX: usize = 100;

/// Converts by webhooks. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Converter(Arc<Inner>);

struct Inner {
    clock: Clock,
    tasks: Tasks,
    rng: Mutex<Rng>,
    /// Webhooks by how they are reached.
    hooks: Mutex<HashMap<Text, Arc<Hook>>>,
    outside: OnceLock<Outside>,
    /// Where Services and what stands behind them are looked up.
    built_in: OnceLock<Vec<Arc<Served>>>,
    kept_bytes: Arc<AtomicUsize>,
}

/// What the program that holds the server says of the world outside.
struct Outside {
    /// Leads from a Service to what answers for it.
    services: Arc<dyn Way>,
    /// Certificates in PEM of who is trusted where a webhook names nobody.
    authorities: Vec<u8>,
}

/// A converted object, kept beside the one it was made from.
pub(crate) struct Converted {
    /// For which kind it was made: a changed definition is another one.
    served: Weak<Served>,
    place: usize,
    object: Arc<Stored>,
    _room: Room,
}

/// Bytes that are taken of [`KEPT_BYTES_MAX`] as long as it lives.
struct Room {
    kept_bytes: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.kept_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Room {
    fn take(kept_bytes: &Arc<AtomicUsize>, bytes: usize) -> Option<Self> {
        let before = kept_bytes.fetch_add(bytes, Ordering::Relaxed);
        let room = Self {
            kept_bytes: Arc::clone(kept_bytes),
            bytes,
        };
        (before + bytes <= KEPT_BYTES_MAX).then_some(room)
    }
}

impl Converted {
    /// Returns the object if it is of this version of this kind.
    pub(crate) fn get(&self, served: &Arc<Served>, place: usize) -> Option<Arc<Stored>> {
        let fits = self.place == place && std::ptr::eq(self.served.as_ptr(), Arc::as_ptr(served));
        fits.then(|| Arc::clone(&self.object))
    }
}

/// Returns whether objects of a kind are converted by a webhook.
pub(crate) fn has_webhook(kind: &Kind) -> bool {
    matches!(kind.conversion, Conversion::Webhook(_))
}

/// Returns whether objects must be converted before they are shown in this form. Metadata is shown
/// as it lies in the store: it is what the cluster itself lives by, and no webhook may change it
/// but for labels and annotations.
pub(crate) fn is_needed(resource: &Resource, form: Form) -> bool {
    let is_partial = matches!(
        form,
        Form::PartialObjectMetadata(_) | Form::PartialObjectMetadataList(_)
    );
    !is_partial && has_webhook(resource.kind())
}

/// Returns the place of the version in which an object says it stands.
///
/// # Errors
/// 500 for a version that the kind does not have (any more).
pub(crate) fn standing(kind: &Kind, object: &Value) -> Result<usize, Status> {
    let said = object.str_at(&["apiVersion"]).unwrap_or_default();
    place_of(kind, said).map_err(|why| Status::new(500, Reason::Unknown, why))
}

fn place_of(kind: &Kind, said: &str) -> Result<usize, String> {
    let (group, version) = said.split_once('/').unwrap_or(("", said));
    let fits = |known: &GroupVersion| known.group == group && known.version == version;
    let mut versions = kind.versions.iter();
    let found = versions.position(|known| fits(&known.group_version));
    found.ok_or_else(|| format!("request to convert CR from an invalid group/version: {said}"))
}

/// Returns whether stored bytes of a custom resource stand in this version, which is what they begin
/// with: their fields are sorted.
pub(crate) fn is_in(bytes: &[u8], version: &GroupVersion) -> bool {
    let rest = bytes.strip_prefix(br#"{"apiVersion":""#);
    let rest = rest.and_then(|rest| rest.strip_prefix(version.group.as_bytes()));
    let rest = rest.and_then(|rest| rest.strip_prefix(b"/"));
    let rest = rest.and_then(|rest| rest.strip_prefix(version.version.as_bytes()));
    rest.is_some_and(|rest| rest.starts_with(b"\""))
}

/// One object on its way to another version, as bytes and as a tree.
struct Source {
    bytes: Bytes,
    value: Value,
}

impl Converter {
    pub(crate) fn new(clock: Clock, tasks: Tasks, rng: Rng) -> Self {
        Self(Arc::new(Inner {
            clock,
            tasks,
            rng: Mutex::new(rng),
            hooks: Mutex::default(),
            outside: OnceLock::new(),
            built_in: OnceLock::new(),
            kept_bytes: Arc::default(),
        }))
    }

    /// Says which kinds the server was started with. Only the first word counts.
    pub(crate) fn set_built_in(&self, served: Vec<Arc<Served>>) {
        let _ = self.0.built_in.set(served);
    }

    /// Says how Services are found, and who is trusted. Only the first word counts.
    pub(crate) fn set_outside(&self, services: Arc<dyn Way>, authorities: Vec<u8>) {
        let _ = self.0.outside.set(Outside {
            services,
            authorities,
        });
    }

    /// Returns an object that is read as it is in the version asked for.
    ///
    /// # Errors
    /// 500 with what the webhook did wrong.
    pub(crate) async fn read(
        &self,
        resource: &Resource,
        object: Arc<Stored>,
    ) -> Result<Arc<Stored>, Status> {
        self.one(resource, &object)
            .await
            .map_err(|why| unreadable(resource, &object, &why))
    }

    /// Returns an object that was written, or is about to be, as it is in the version asked for.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) async fn written(
        &self,
        resource: &Resource,
        object: &Arc<Stored>,
    ) -> Result<Arc<Stored>, Status> {
        self.one(resource, object).await.map_err(|why| {
            let text = format!("object not decodable revision={}: {why}", object.revision);
            Status::new(500, Reason::Unknown, text)
        })
    }

    async fn one(&self, resource: &Resource, object: &Arc<Stored>) -> Result<Arc<Stored>, String> {
        if is_in(&object.bytes, &resource.version().group_version) {
            return Ok(Arc::clone(object));
        }
        let mut converted = self.stored(resource, &[object]).await;
        converted.pop().expect("there is one for each object")
    }

    /// Replaces objects that are listed by what they are in the version asked for.
    ///
    /// # Errors
    /// 500 that names every object that could not be converted.
    pub(crate) async fn list(
        &self,
        resource: &Resource,
        items: &mut [(Text, Arc<Stored>)],
    ) -> Result<(), Status> {
        let objects: Vec<&Arc<Stored>> = items.iter().map(|(_, object)| object).collect();
        let converted = self.stored(resource, &objects).await;
        let mut causes = Vec::new();
        for ((place, object), converted) in items.iter_mut().zip(converted) {
            match converted {
                Ok(converted) => *object = converted,
                Err(why) => {
                    let key = resource.served.collection.key(place).to_string();
                    causes.push(Cause {
                        reason: Text::const_new("UnexpectedServerResponse"),
                        message: corrupt(&key, object, &why),
                        field: key,
                    });
                }
            }
        }
        if causes.is_empty() {
            return Ok(());
        }
        Err(unlistable(resource, causes))
    }

    /// Returns an object of the version at `from` as it is in the version at `to`, for the store or
    /// for whoever owns its fields.
    ///
    /// # Errors
    /// 500 with what the webhook did wrong.
    pub(crate) async fn value(
        &self,
        resource: &Resource,
        to: usize,
        value: Value,
    ) -> Result<Value, Status> {
        let mut bytes = Vec::with_capacity(1024);
        json::write(&value, &mut bytes);
        let bytes = Bytes::from(bytes);
        let mut made = self
            .reviewed(resource, to, vec![Source { bytes, value }])
            .await;
        let made = made.pop().expect("there is one for each object");
        made.map_err(|why| Status::new(500, Reason::Unknown, why))
    }

    /// Returns each object as it is in the version asked for, or why it cannot be had so.
    async fn stored(
        &self,
        resource: &Resource,
        objects: &[&Arc<Stored>],
    ) -> Vec<Result<Arc<Stored>, String>> {
        let (served, place) = (&resource.served, resource.place);
        let version = &resource.version().group_version;
        let known = |object: &Arc<Stored>| {
            if is_in(&object.bytes, version) {
                return Some(Arc::clone(object));
            }
            object.converted(|converted| converted.get(served, place))
        };
        let mut outcomes: Vec<Option<Result<Arc<Stored>, String>>> =
            objects.iter().map(|object| known(object).map(Ok)).collect();
        let mut missing: Vec<usize> = Vec::new();
        let mut sources = Vec::new();
        for (index, object) in objects.iter().enumerate() {
            if outcomes[index].is_some() {
                continue;
            }
            match render::parse(&object.bytes) {
                Ok(value) => {
                    missing.push(index);
                    let bytes = object.bytes.clone();
                    sources.push(Source { bytes, value });
                }
                Err(status) => outcomes[index] = Some(Err(status.message)),
            }
        }
        let made = self.reviewed(resource, place, sources).await;
        for (index, made) in missing.into_iter().zip(made) {
            let kept = made.map(|value| self.keep(resource, objects[index], &value));
            outcomes[index] = Some(kept);
        }
        let outcomes = outcomes.into_iter();
        outcomes
            .map(|outcome| outcome.expect("each was known, unreadable or reviewed"))
            .collect()
    }

    /// Waits until no other watcher has the same webhook convert. Dropping the future loses nothing.
    ///
    /// # Errors
    /// 500 if that takes longer than a call may.
    pub(crate) async fn turn(&self, resource: &Resource) -> Result<OwnedMutexGuard<()>, Status> {
        let Conversion::Webhook(webhook) = &resource.kind().conversion else {
            return Err(Status::internal("there is no webhook"));
        };
        let turn = self.hook(webhook).turn(&self.0.clock).await;
        turn.map_err(|why| {
            let kind = resource.gvk();
            let (version, kind) = (kind.group_version.to_string(), kind.kind);
            Status::internal(format!(
                "conversion webhook for {version}, Kind={kind} failed: {why}"
            ))
        })
    }

    /// Makes an object of a converted tree and keeps it beside the one it was made from.
    fn keep(&self, resource: &Resource, from: &Arc<Stored>, value: &Value) -> Arc<Stored> {
        let mut bytes = Vec::with_capacity(from.bytes.len() + 256);
        json::write(value, &mut bytes);
        let object = Arc::new(Stored::new(Bytes::from(bytes), from.revision));
        if let Some(room) = Room::take(&self.0.kept_bytes, object.bytes.len()) {
            from.keep_converted(Converted {
                served: Arc::downgrade(&resource.served),
                place: resource.place,
                object: Arc::clone(&object),
                _room: room,
            });
        }
        object
    }

    /// Sends objects to the webhook, as many at once as fit, and checks what comes back.
    async fn reviewed(
        &self,
        resource: &Resource,
        to: usize,
        sources: Vec<Source>,
    ) -> Vec<Result<Value, String>> {
        let mut outcomes = Vec::with_capacity(sources.len());
        let mut some: Vec<Source> = Vec::new();
        let mut some_bytes = 0;
        for source in sources {
            let is_full = some.len() >= REVIEW_OBJECTS_MAX
                || (!some.is_empty() && some_bytes + source.bytes.len() > REVIEW_BYTES_MAX);
            if is_full {
                outcomes.extend(self.review(resource, to, &some).await);
                some.clear();
                some_bytes = 0;
            }
            some_bytes += source.bytes.len();
            some.push(source);
        }
        if !some.is_empty() {
            outcomes.extend(self.review(resource, to, &some).await);
        }
        outcomes
    }

    /// Sends one review.
    async fn review(
        &self,
        resource: &Resource,
        to: usize,
        sources: &[Source],
    ) -> Vec<Result<Value, String>> {
        let kind = resource.kind();
        let all = |why: String| {
            let told = |source: &Source| {
                Err(format!(
                    "conversion webhook for {} {why}",
                    gvk(&source.value)
                ))
            };
            sources.iter().map(told).collect::<Vec<_>>()
        };
        // An object may have been stored in a version that the definition has dropped since.
        let strange = |source: &Source| {
            let said = source.value.str_at(&["apiVersion"]).unwrap_or_default();
            place_of(kind, said).err()
        };
        if sources.iter().any(|source| strange(source).is_some()) {
            return self.around_strangers(resource, to, sources, strange).await;
        }
        let Conversion::Webhook(webhook) = &kind.conversion else {
            return all("failed: there is none".to_owned());
        };
        let target = &kind.versions[to].group_version;
        let uid = Uid::random(&mut self.0.rng.lock()).to_string();
        let Some(version) = review::Version::of(webhook) else {
            let why = "no supported conversion review versions".to_owned();
            return sources.iter().map(|_| Err(why.clone())).collect();
        };
        let objects: Vec<&Bytes> = sources.iter().map(|source| &source.bytes).collect();
        let request = review::request(version, &uid, target, &objects);
        let hook = self.hook(webhook);
        let answered = match hook.post(self, request).await {
            Ok(answer) => review::objects(version, &uid, &answer),
            Err(why) => Err(why),
        };
        let objects = match answered {
            Ok(objects) => objects,
            Err(why) => return all(format!("failed: {why}")),
        };
        if objects.len() != sources.len() {
            let (found, wanted) = (objects.len(), sources.len());
            return all(format!("returned {found} objects, expected {wanted}"));
        }
        let pairs = sources.iter().zip(objects).enumerate();
        pairs
            .map(|(index, (source, object))| {
                let checked = check::converted(&source.value, object, target, index);
                checked
                    .map_err(|why| match why {
                        check::Wrong::Converted(why) => {
                            format!("conversion webhook for {} {why}", gvk(&source.value))
                        }
                        check::Wrong::NoObject(why) => why,
                    })
                    .and_then(|value| fit(kind, to, value))
            })
            .collect()
    }

    /// Reviews those that can be; who stands in a version that is gone is told so.
    async fn around_strangers(
        &self,
        resource: &Resource,
        to: usize,
        sources: &[Source],
        strange: impl Fn(&Source) -> Option<String>,
    ) -> Vec<Result<Value, String>> {
        let mut outcomes = Vec::with_capacity(sources.len());
        for source in sources {
            outcomes.push(match strange(source) {
                Some(why) => Err(why),
                None => {
                    let one = std::slice::from_ref(source);
                    let mut made = Box::pin(self.review(resource, to, one)).await;
                    made.pop().expect("there is one for each object")
                }
            });
        }
        outcomes
    }

    /// Returns the webhook that is reached so, with its connections.
    fn hook(&self, webhook: &Value) -> Arc<Hook> {
        let config = webhook.get("clientConfig").cloned().unwrap_or_default();
        let mut key = Vec::new();
        json::write(&config, &mut key);
        let key = Text::from_utf8_lossy(&key);
        let mut hooks = self.0.hooks.lock();
        if let Some(hook) = hooks.get(&key) {
            return Arc::clone(hook);
        }
        if hooks.len() >= HOOKS_MAX {
            hooks.clear();
        }
        let authorities = self.0.outside.get().map(|outside| &outside.authorities);
        let hook = Arc::new(Hook::new(&config, authorities.map_or(b"", Vec::as_slice)));
        hooks.insert(key, Arc::clone(&hook));
        hook
    }
}

/// Brings a converted object into the form of its version.
fn fit(kind: &Kind, to: usize, mut value: Value) -> Result<Value, String> {
    let shape = &kind.versions[to].shape;
    schema::decode(shape, &mut value, &mut Unknown::ignore()).map_err(|error| error.to_string())?;
    schema::default(shape, &mut value);
    meta::of(&mut value).sort();
    Ok(value)
}

/// Returns what an object says it is, as upstream prints it.
fn gvk(object: &Value) -> String {
    let text = |name: &str| object.str_at(&[name]).unwrap_or_default();
    format!("{}, Kind={}", text("apiVersion"), text("kind"))
}

/// Says of an object in the store that it cannot be read, as upstream's storage does.
fn corrupt(key: &str, object: &Stored, why: &str) -> String {
    format!(
        "StorageError: corrupt object, Code: 7, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: object not decodable revision={}: {why}",
        object.revision
    )
}

/// Returns the refusal of a read of an object that cannot be had in the version asked for.
fn unreadable(resource: &Resource, object: &Stored, why: &str) -> Status {
    let place = object.head().map(|head| match head.namespace() {
        "" => head.name().to_owned(),
        namespace => format!("{namespace}/{}", head.name()),
    });
    let place = place.unwrap_or_default();
    let key = format!("/{}/{}/{place}", resource.group(), resource.plural());
    Status::internal(corrupt(&key, object, why))
}

fn unlistable(resource: &Resource, mut causes: Vec<Cause>) -> Status {
    let more = match causes.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    let text = format!(
        "failed to read one or more {} from the storage: {}{more}",
        resource.qualified(),
        causes[0].message
    );
    causes.truncate(CAUSES_MAX);
    let mut status = Status::new(500, Reason::StoreReadError, text);
    let details = status.details.get_or_insert_default();
    details.name = Text::const_new("list");
    details.group = Text::new(resource.group());
    details.kind = Text::new(resource.plural());
    details.causes = causes;
    status
}

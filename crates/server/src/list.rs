//! Lists: one state of a collection, a page of it, in the form asked for.
//!
//! The body is a row of pieces that lie in memory already: the stored bytes of each object and what
//! goes between them. Nothing is parsed or copied for the usual list of the stored version as JSON.

mod options;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use api::{Status, Text, continue_token};
use base::{Clock, WallTime};
use bytes::Bytes;
use schema::proto;
use store::{Revision, StoreError};

use crate::{
    Answer, Call, Form, Media,
    collection::{Collection, Stored, View},
    convert::{self, Converter},
    faults,
    media::MetaVersion,
    registry::Resource,
    render::{self, Showing},
    select::Selection,
    table,
};

pub(crate) use options::{Beginning, Moment, Plan, as_fault, parse_revision};

/// How long a read waits for a revision that is not reached yet, as upstream.
pub(crate) const FRESH_WAIT: Duration = Duration::from_secs(3);

/// How long after its first page a list may be gone on with. Where nothing is written the state of
/// the first page would stay for ever; that a token ends in its time is what clients prepare for
/// (upstream: with the next compaction, five minutes or more).
pub(crate) const PAGES_SECONDS_MAX: i64 = 300;

/// What a page of a list holds.
pub(crate) struct Page {
    /// Revision of the whole list.
    pub(crate) revision: Revision,
    /// Places and objects, in order.
    pub(crate) items: Vec<(Text, Arc<Stored>)>,
    /// Token for the next page; empty for the last.
    pub(crate) continue_token: String,
    /// How many objects are left, if known.
    pub(crate) remaining: Option<usize>,
}

/// Answers a list.
///
/// # Errors
/// The refusals of options and selectors; 410 and 504 for revisions that cannot be read.
pub(crate) async fn list(
    (clock, converter): (&Clock, &Converter),
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Status> {
    let showing = Showing::of(call, resource)?;
    let selection = Selection::read(resource, &call.path, &call.options)?;
    let plan = Plan::read(&call.options, selection.single(resource).is_some())?;
    let page = page((clock, converter), &showing, &selection, &plan).await?;
    answer(&showing, &page)
}

/// Reads one page.
///
/// # Errors
/// As [`list`].
pub(crate) async fn page(
    (clock, converter): (&Clock, &Converter),
    showing: &Showing,
    selection: &Selection,
    plan: &Plan,
) -> Result<Page, Status> {
    let resource = &showing.resource;
    let collection = &resource.served.collection;
    let mut view = view(clock, collection, plan).await?;
    let needs_webhook = convert::has_webhook(resource.kind());
    if needs_webhook && selection.looks_at_fields() {
        // The fields lie where the version asked for has them.
        convert_all(converter, resource, selection, &mut view).await?;
    }
    let mut page = pick(clock, resource, selection, plan, &view);
    if convert::is_needed(resource, showing.accepted.form) {
        converter.list(resource, &mut page.items).await?;
    }
    Ok(page)
}

/// Converts every object that may be selected.
async fn convert_all(
    converter: &Converter,
    resource: &Resource,
    selection: &Selection,
    view: &mut View,
) -> Result<(), Status> {
    let wider = selection.without_fields();
    let objects = view.objects.iter();
    let mut items: Vec<(Text, Arc<Stored>)> = objects
        .filter(|(place, object)| wider.matches(resource, place, object))
        .map(|(place, object)| (place.clone(), Arc::clone(object)))
        .collect();
    converter.list(resource, &mut items).await?;
    for (place, object) in items {
        view.objects.insert(place, object);
    }
    Ok(())
}

/// Takes what is selected out of a state.
fn pick(
    clock: &Clock,
    resource: &Resource,
    selection: &Selection,
    plan: &Plan,
    view: &View,
) -> Page {
    if let Some(place) = selection.single(resource) {
        let object = view.objects.get(&place).cloned();
        let items = object
            .into_iter()
            .filter(|object| selection.matches(resource, &place, object))
            .map(|object| (place.clone(), object))
            .collect();
        return Page {
            revision: view.revision,
            items,
            continue_token: String::new(),
            remaining: None,
        };
    }
    cut(resource, selection, plan, view, clock.wall())
}

/// Returns the state a list is of.
async fn view(clock: &Clock, collection: &Collection, plan: &Plan) -> Result<View, Status> {
    match plan.moment {
        Moment::Newest => collection
            .view()
            .await
            .map_err(|error| faults::read(&error)),
        Moment::AtLeast(revision) => {
            wait_for(clock, collection, revision).await?;
            collection
                .view()
                .await
                .map_err(|error| faults::read(&error))
        }
        Moment::Exactly(revision) => {
            let age = plan.since.map(|since| clock.wall().secs() - since);
            if age.is_some_and(|age| age > PAGES_SECONDS_MAX) {
                let left = collection.leave(revision).await;
                left.map_err(|error| faults::read(&error))?;
                return Err(too_old(plan));
            }
            wait_for(clock, collection, revision).await?;
            let view = collection.view_at(revision).await;
            view.map_err(|error| match error {
                StoreError::Compacted { .. } => too_old(plan),
                other => faults::read(&other),
            })
        }
    }
}

/// Takes a page out of a state.
fn cut(
    resource: &Resource,
    selection: &Selection,
    plan: &Plan,
    view: &View,
    now: WallTime,
) -> Page {
    let prefix = selection.prefix();
    let mut start = prefix.clone();
    start.push_str(&plan.start);
    let everything = selection.is_everything();
    let mut items = Vec::new();
    if plan.limit == 0 && prefix.is_empty() && plan.start.is_empty() {
        items.reserve(if everything { view.objects.len() } else { 0 });
    }
    let mut left = view
        .objects
        .range(start..)
        .take_while(|(place, _)| place.starts_with(prefix.as_str()));
    let mut full = false;
    for (place, object) in left.by_ref() {
        if everything || selection.matches(resource, place, object) {
            items.push((place.clone(), Arc::clone(object)));
            full = plan.limit > 0 && items.len() >= plan.limit;
        }
        if full {
            break;
        }
    }
    let mut page = Page {
        revision: view.revision,
        items,
        continue_token: String::new(),
        remaining: None,
    };
    // Upstream promises a next page when anything is left, whether it matches or not.
    if full && left.next().is_some() {
        resource.served.collection.pin(view);
        let last = page.items.last().map_or("", |(place, _)| place.as_str());
        page.continue_token = continue_token::encode(&continue_token::Continue {
            since: Some(plan.since.unwrap_or(now.secs())),
            revision: i64::try_from(view.revision.0).unwrap_or(i64::MAX),
            // The smallest place that is larger than the last one.
            start: format!("{}\0", &last[prefix.len()..]),
        });
        page.remaining = everything.then(|| 1 + left.count());
    }
    page
}

/// Waits until the store has reached `revision`.
///
/// # Errors
/// 504 with upstream's cause when it does not come within [`FRESH_WAIT`].
pub(crate) async fn wait_for(
    clock: &Clock,
    collection: &Collection,
    revision: Revision,
) -> Result<(), Status> {
    let newest = collection
        .progress()
        .await
        .map_err(|error| faults::read(&error))?;
    if revision <= newest {
        return Ok(());
    }
    let reached = clock.timeout(FRESH_WAIT, collection.reach(revision)).await;
    match reached {
        Ok(outcome) => outcome.map_err(|error| faults::read(&error)),
        Err(_) => {
            let newest = collection
                .progress()
                .await
                .map_err(|error| faults::read(&error))?;
            Err(faults::too_large_revision(revision, newest))
        }
    }
}

/// Returns the 410 of a list whose moment is forgotten; a further page gets a token to go on with.
fn too_old(plan: &Plan) -> Status {
    if !plan.paged {
        return Status::expired("The resourceVersion for the provided list is too old.");
    }
    let mut status = Status::expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    );
    status.continue_token = Some(continue_token::encode(&continue_token::Continue {
        revision: -1,
        start: plan.start.to_string(),
        since: None,
    }));
    status
}

/// Writes a page in the form asked for.
///
/// # Errors
/// The refusal of a conversion that fails.
pub(crate) fn answer(showing: &Showing, page: &Page) -> Result<Answer, Status> {
    crate::media::refuse_single(showing.accepted.form, &showing.resource)?;
    let media = showing.accepted.media;
    let pieces = match (showing.accepted.form, media) {
        (Form::Table(version), _) => table_pieces(showing, version, page)?,
        (Form::Object, Media::Protobuf) => proto_pieces(showing, page)?,
        (Form::Object, _) => json_pieces(showing, page)?,
        (
            Form::PartialObjectMetadata(version) | Form::PartialObjectMetadataList(version),
            Media::Protobuf,
        ) => partial_proto_pieces(showing, version, page)?,
        (Form::PartialObjectMetadata(version) | Form::PartialObjectMetadataList(version), _) => {
            partial_pieces(showing, version, page)?
        }
    };
    let encoded = match media {
        Media::Protobuf if !matches!(showing.accepted.form, Form::Table(_)) => Media::Protobuf,
        _ => Media::Json,
    };
    Ok(Answer::List {
        accepted: showing.accepted,
        encoded,
        pieces,
    })
}

/// Upstream ends JSON with a line feed.
const END: &[u8] = b"]}\n";

fn json_pieces(showing: &Showing, page: &Page) -> Result<VecDeque<Bytes>, Status> {
    let resource = &showing.resource;
    let kind = resource.kind();
    let api_version = resource.version().group_version.to_string();
    let mut head = Vec::with_capacity(256);
    let mut end = END.to_vec();
    // What each item begins with and the list does not repeat; custom resources keep it.
    let mut known = Vec::new();
    let revision = page.revision.to_string();
    if kind.traits.custom {
        // Custom resources are written with sorted fields upstream, their lists too.
        head.extend_from_slice(format!(r#"{{"apiVersion":"{api_version}","items":["#).as_bytes());
        end = format!(
            r#"],"kind":"{}","metadata":{{"continue":"{}"{},"resourceVersion":"{revision}"}}}}"#,
            kind.names.list_kind,
            page.continue_token,
            page.remaining
                .map(|count| format!(r#","remainingItemCount":{count}"#))
                .unwrap_or_default(),
        )
        .into_bytes();
        end.push(b'\n');
    } else {
        let list_kind = &kind.names.list_kind;
        head.extend_from_slice(
            format!(r#"{{"kind":"{list_kind}","apiVersion":"{api_version}","metadata":"#)
                .as_bytes(),
        );
        table::put_list_meta(&revision, &page.continue_token, page.remaining, &mut head);
        head.extend_from_slice(br#","items":["#);
        let kind = &kind.names.kind;
        known = format!(r#"{{"kind":"{kind}","apiVersion":"{api_version}","#).into_bytes();
    }
    let mut pieces = VecDeque::with_capacity(2 * page.items.len() + 2);
    pieces.push_back(Bytes::from(head));
    for (place, (_, object)) in page.items.iter().enumerate() {
        let bytes = render::json(resource, object)?;
        if !known.is_empty() && bytes.starts_with(&known) {
            let between: &'static [u8] = if place == 0 { b"{" } else { b",{" };
            pieces.push_back(Bytes::from_static(between));
            pieces.push_back(bytes.slice(known.len()..));
        } else {
            if place > 0 {
                pieces.push_back(Bytes::from_static(b","));
            }
            pieces.push_back(bytes);
        }
    }
    pieces.push_back(Bytes::from(end));
    Ok(pieces)
}

fn proto_pieces(showing: &Showing, page: &Page) -> Result<VecDeque<Bytes>, Status> {
    let resource = &showing.resource;
    let messages = page
        .items
        .iter()
        .map(|(_, object)| render::message(resource, object))
        .collect::<Result<Vec<Bytes>, Status>>()?;
    let api_version = resource.version().group_version.to_string();
    let list_kind = &resource.kind().names.list_kind;
    Ok(framed(page, &api_version, list_kind, messages))
}

fn partial_proto_pieces(
    showing: &Showing,
    version: MetaVersion,
    page: &Page,
) -> Result<VecDeque<Bytes>, Status> {
    let messages = page
        .items
        .iter()
        .map(|(_, object)| render::partial_message(&showing.resource, object).map(Bytes::from))
        .collect::<Result<Vec<Bytes>, Status>>()?;
    let api_version = format!("meta.k8s.io/{}", version.as_str());
    Ok(framed(
        page,
        &api_version,
        "PartialObjectMetadataList",
        messages,
    ))
}

fn framed(page: &Page, api_version: &str, kind: &str, messages: Vec<Bytes>) -> VecDeque<Bytes> {
    let revision = page.revision.to_string();
    let meta = proto::ListMeta {
        resource_version: &revision,
        continue_token: &page.continue_token,
        remaining: page
            .remaining
            .map(|count| i64::try_from(count).unwrap_or(i64::MAX)),
    };
    let length = messages
        .iter()
        .map(|message| proto::item_bytes(message.len()))
        .sum();
    let frame = proto::ListFrame::new(api_version, kind, meta, length);
    let mut pieces = VecDeque::with_capacity(2 * messages.len() + 2);
    pieces.push_back(Bytes::from(frame.start));
    for message in messages {
        let mut head = Vec::with_capacity(6);
        proto::item_head(message.len(), &mut head);
        pieces.push_back(Bytes::from(head));
        pieces.push_back(message);
    }
    pieces.push_back(Bytes::from_static(frame.end));
    pieces
}

fn partial_pieces(
    showing: &Showing,
    version: MetaVersion,
    page: &Page,
) -> Result<VecDeque<Bytes>, Status> {
    let mut head = Vec::with_capacity(256);
    head.extend_from_slice(br#"{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/"#);
    head.extend_from_slice(version.as_str().as_bytes());
    head.extend_from_slice(br#"","metadata":"#);
    let revision = page.revision.to_string();
    table::put_list_meta(&revision, &page.continue_token, page.remaining, &mut head);
    head.extend_from_slice(br#","items":["#);
    rows(head, page, |object, out| {
        render::put_partial(&showing.resource, object, version, out)
    })
}

fn table_pieces(
    showing: &Showing,
    version: MetaVersion,
    page: &Page,
) -> Result<VecDeque<Bytes>, Status> {
    let mut head = Vec::with_capacity(4096);
    let revision = page.revision.to_string();
    let token = &page.continue_token;
    table::put_start(
        showing,
        version,
        &revision,
        token,
        page.remaining,
        &mut head,
    );
    rows(head, page, |object, out| {
        table::put_row(showing, version, object, out)
    })
}

/// Appends made items behind `head`, in pieces of about a frame.
fn rows(
    head: Vec<u8>,
    page: &Page,
    put: impl Fn(&Stored, &mut Vec<u8>) -> Result<(), Status>,
) -> Result<VecDeque<Bytes>, Status> {
    let mut pieces = VecDeque::new();
    let mut open = head;
    for (place, (_, object)) in page.items.iter().enumerate() {
        if place > 0 {
            open.push(b',');
        }
        put(object, &mut open)?;
        if open.len() >= crate::body::CHUNK_BYTES {
            pieces.push_back(Bytes::from(std::mem::take(&mut open)));
            open.reserve(crate::body::CHUNK_BYTES + 4096);
        }
    }
    open.extend_from_slice(END);
    pieces.push_back(Bytes::from(open));
    Ok(pieces)
}

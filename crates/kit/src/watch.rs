//! One list and watch of one resource, kept up through everything that can cut it off.
//!
//! The life of a watch: it asks for a *streaming list* (every object as an event, then a bookmark
//! that says it is complete) and goes on with the changes. A server that cannot do that is asked
//! for pages and then for a plain watch. When the connection ends it goes on from the last revision;
//! when that revision is too old it begins again. Waiting happens only after an error.
//!
//! Bytes are read as they come: in process an event arrives as the server framed it, and is read in
//! place.

use std::time::Duration;

use base::{Backoff, Clock, Rng};
use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    error::Error,
    object::{Head, Object},
    transport::{AnswerBody, Client, build, decode, read_answer},
};

/// Longest event that is read. The server's own limit on an object is a few MiB; without an end to
/// the line the stream is not one of a Kubernetes API.
const EVENT_BYTES_MAX: usize = 64 << 20;

/// Objects per page when the server cannot stream its list.
const PAGE: usize = 500;

/// First and longest wait after an error.
const WAIT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What makes the server send metadata only.
pub const METADATA: HeaderValue = HeaderValue::from_static(
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
);

/// What makes the server send lists of metadata only.
pub const METADATA_LIST: HeaderValue = HeaderValue::from_static(
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
);

/// How much of each object the server is asked to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Whole objects.
    Whole,
    /// Metadata only.
    Metadata,
}

/// What happened.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<T> {
    /// A full list begins; what is not seen before the next [`Event::Complete`] is gone.
    Begin,
    /// The object exists and looks like this.
    Seen(T),
    /// The object is gone; this is its last state.
    Gone(T),
    /// The full list is complete as of this revision.
    Complete(u64),
    /// Nothing happened up to this revision.
    Progress(u64),
}

/// One list and watch.
pub struct Watch<T> {
    client: Client,
    path: String,
    query: String,
    extent: Extent,
    clock: Clock,
    rng: Rng,
    backoff: Backoff,
    state: State<T>,
    revision: u64,
    streams_lists: bool,
}

enum State<T> {
    /// Nothing is known.
    Start,
    /// Wait, then do what the flag says.
    Wait(Next),
    /// Objects of a page that have not been given yet, and where the next page begins.
    Page {
        items: std::vec::IntoIter<T>,
        next: Option<String>,
        revision: u64,
    },
    /// Events come; `listing` until the list is complete.
    Stream { lines: Lines, listing: bool },
    /// The list is known; watch from there.
    Resume,
}

#[derive(Clone, Copy)]
enum Next {
    Start,
    Resume,
}

impl<T: Object + DeserializeOwned> Watch<T> {
    /// Returns a watch of all objects under a collection's path.
    ///
    /// `query` narrows it (`fieldSelector=…&labelSelector=…`, already escaped) or is empty.
    #[must_use]
    pub fn new(
        client: Client,
        path: String,
        query: String,
        extent: Extent,
        clock: Clock,
        rng: Rng,
    ) -> Self {
        Self {
            client,
            path,
            query,
            extent,
            clock,
            rng,
            backoff: Backoff::new(WAIT.0, WAIT.1),
            state: State::Start,
            revision: 0,
            streams_lists: true,
        }
    }

    /// Waits for the next event. It never ends and never fails: errors are logged and tried again.
    ///
    /// Dropping the future between two events loses nothing that is not given again.
    pub async fn next(&mut self) -> Event<T> {
        loop {
            match self.step().await {
                Ok(Some(event)) => return event,
                Ok(None) => {}
                Err(error) => self.fail(&error),
            }
        }
    }

    /// Any ⇒ Wait: an error is logged once and the way back is chosen.
    fn fail(&mut self, error: &Error) {
        let gone = error.is("Expired") || error.is("Gone") || {
            let code = error.status().map_or(0, |status| status.code);
            code == StatusCode::GONE.as_u16()
        };
        let listing = match &self.state {
            State::Stream { listing, .. } => *listing,
            State::Start | State::Page { .. } | State::Wait(Next::Start) => true,
            State::Resume | State::Wait(Next::Resume) => false,
        };
        if gone && !listing {
            // The history we stood in was compacted away: a fresh list at once, it is no fault.
            tracing::debug!(path = self.path, "the watch begins again");
            self.state = State::Start;
            return;
        }
        if error.is_not_found() {
            // A resource that is not served (a CRD on its way) is no news for the log.
            tracing::debug!(path = self.path, "the resource is not served");
        } else {
            tracing::warn!(
                path = self.path,
                error = %base::Chain(error),
                "a watch failed and is tried again"
            );
        }
        self.state = State::Wait(if listing || gone {
            Next::Start
        } else {
            Next::Resume
        });
    }

    async fn step(&mut self) -> Result<Option<Event<T>>, Error> {
        match &mut self.state {
            // Start ⇒ Stream or Page: ask for everything.
            // In a box: a watch waits for years with nothing but its stream, and there are
            // thousands of them.
            State::Start => Box::pin(self.start()).await.map(Some),
            // Wait ⇒ Start or Resume: the wait is over.
            State::Wait(next) => {
                let next = *next;
                let delay = self.backoff.next_delay(&mut self.rng);
                self.clock.sleep(delay).await;
                self.state = match next {
                    Next::Start => State::Start,
                    Next::Resume => State::Resume,
                };
                Ok(None)
            }
            // Page ⇒ Page or Resume: give what is there, then get more.
            State::Page {
                items,
                next,
                revision,
            } => {
                if let Some(item) = items.next() {
                    return Ok(Some(Event::Seen(item)));
                }
                if let Some(token) = next.clone() {
                    self.state = Box::pin(self.page(Some(&token))).await?;
                    return Ok(None);
                }
                let revision = *revision;
                self.revision = revision;
                self.backoff.reset();
                self.state = State::Resume;
                Ok(Some(Event::Complete(revision)))
            }
            // Resume ⇒ Stream: watch from the last revision.
            State::Resume => {
                let from = format!("resourceVersion={}", self.revision);
                let lines = Box::pin(self.watch(&from)).await?;
                self.state = State::Stream {
                    lines,
                    listing: false,
                };
                Ok(None)
            }
            // Stream ⇒ Stream: one event. At its end ⇒ Resume, or Start if the list was cut off.
            State::Stream { lines, listing } => {
                let Some(line) = lines.next().await? else {
                    if *listing {
                        return Err(Error::Transport("the list was cut off".into()));
                    }
                    if lines.lines == 0 {
                        // A server that closes at once must not make us spin.
                        self.state = State::Wait(Next::Resume);
                    } else {
                        self.state = State::Resume;
                    }
                    return Ok(None);
                };
                let event = read_line(&line)?;
                self.take(event)
            }
        }
    }

    async fn start(&mut self) -> Result<Event<T>, Error> {
        if self.streams_lists {
            let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
            match self.watch(query).await {
                Ok(lines) => {
                    self.state = State::Stream {
                        lines,
                        listing: true,
                    };
                    return Ok(Event::Begin);
                }
                // Servers before 1.34 may refuse the words; they are asked for pages.
                Err(error) if error.is("Invalid") || error.is("BadRequest") => {
                    tracing::debug!(path = self.path, "the server does not stream lists");
                    self.streams_lists = false;
                }
                Err(error) => return Err(error),
            }
        }
        self.state = self.page(None).await?;
        Ok(Event::Begin)
    }

    async fn watch(&mut self, query: &str) -> Result<Lines, Error> {
        // An end between 5 and 10 minutes, as client-go, so that a dead connection is noticed and
        // many watches do not end together.
        let timeout = 300 + self.rng.below(300);
        let mut path = format!(
            "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={timeout}&{query}",
            self.path
        );
        self.push_query(&mut path);
        let accept = match self.extent {
            Extent::Whole => JSON,
            Extent::Metadata => METADATA,
        };
        let answer = self
            .client
            .send(build(Method::GET, &path, accept, None, Bytes::new())?)
            .await?;
        if !answer.status().is_success() {
            read_answer(answer).await?;
            return Err(Error::other("a refusal without an error code"));
        }
        Ok(Lines {
            body: answer.into_body(),
            rest: BytesMut::new(),
            frame: Bytes::new(),
            lines: 0,
        })
    }

    async fn page(&mut self, next: Option<&str>) -> Result<State<T>, Error> {
        let mut path = format!("{}?limit={PAGE}", self.path);
        if let Some(token) = next {
            path.push_str("&continue=");
            path.push_str(token);
        }
        self.push_query(&mut path);
        let accept = match self.extent {
            Extent::Whole => JSON,
            Extent::Metadata => METADATA_LIST,
        };
        let request = build(Method::GET, &path, accept, None, Bytes::new())?;
        let list: List<T> = decode("a list", &self.client.call(request).await?)?;
        let token = list.metadata.token.filter(|token| !token.is_empty());
        Ok(State::Page {
            items: list.items.unwrap_or_default().into_iter(),
            next: token,
            revision: list.metadata.resource_version.parse().unwrap_or(0),
        })
    }

    fn push_query(&self, path: &mut String) {
        if !self.query.is_empty() {
            path.push('&');
            path.push_str(&self.query);
        }
    }

    fn take(&mut self, event: Read<T>) -> Result<Option<Event<T>>, Error> {
        let State::Stream { listing, .. } = &mut self.state else {
            return Ok(None);
        };
        match event {
            Read::Seen(object) => {
                self.revision = self.revision.max(object.revision());
                Ok(Some(Event::Seen(object)))
            }
            Read::Gone(object) => {
                self.revision = self.revision.max(object.revision());
                Ok(Some(Event::Gone(object)))
            }
            Read::Bookmark { revision, complete } => {
                self.revision = self.revision.max(revision);
                self.backoff.reset();
                if complete && *listing {
                    *listing = false;
                    return Ok(Some(Event::Complete(revision)));
                }
                Ok((!*listing).then_some(Event::Progress(revision)))
            }
            Read::Error(status) => Err(Error::Refused(status)),
        }
    }
}

#[derive(Deserialize)]
struct List<T> {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default = "Option::default")]
    items: Option<Vec<T>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta {
    resource_version: String,
    #[serde(rename = "continue")]
    token: Option<String>,
}

/// Cuts a body into lines without copying when a frame holds whole lines.
struct Lines {
    body: AnswerBody,
    /// The beginning of a line whose end has not come.
    rest: BytesMut,
    /// What is left of the last frame.
    frame: Bytes,
    lines: u64,
}

impl Lines {
    /// Waits for the next line; `None` at the end. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if let Some(end) = self.frame.iter().position(|byte| *byte == b'\n') {
                let mut line = self.frame.split_to(end);
                self.frame.advance(1);
                if !self.rest.is_empty() {
                    self.rest.extend_from_slice(&line);
                    line = self.rest.split().freeze();
                }
                if line.is_empty() {
                    continue;
                }
                self.lines += 1;
                return Ok(Some(line));
            }
            self.rest.extend_from_slice(&self.frame);
            self.frame.clear();
            if self.rest.len() > EVENT_BYTES_MAX {
                return Err(Error::Transport("an event is too long".into()));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.frame = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => {
                    // An end in the middle is how connections end; what came was complete.
                    tracing::debug!(error = %error, "a watch was cut off");
                    return Ok(None);
                }
                None => return Ok(None),
            }
        }
    }
}

/// One line of a watch.
#[derive(Debug)]
enum Read<T> {
    Seen(T),
    Gone(T),
    Bookmark { revision: u64, complete: bool },
    Error(Box<kube::core::Status>),
}

/// Reads one line; the object is read in place, as the type before it says.
fn read_line<T: DeserializeOwned>(line: &[u8]) -> Result<Read<T>, Error> {
    let (kind, object) = split(line)?;
    match kind {
        "ADDED" | "MODIFIED" => Ok(Read::Seen(decode("an event", object)?)),
        "DELETED" => Ok(Read::Gone(decode("an event", object)?)),
        "BOOKMARK" => {
            let head: Bookmark = decode("a bookmark", object)?;
            Ok(Read::Bookmark {
                revision: head.metadata.resource_version,
                complete: head.metadata.annotations.get("k8s.io/initial-events-end")
                    == Some("true"),
            })
        }
        "ERROR" => Ok(Read::Error(Box::new(decode("an error event", object)?))),
        _ => Err(Error::Transport("an event of an unknown type".into())),
    }
}

#[derive(Deserialize)]
struct Bookmark {
    metadata: Head,
}

/// Takes `{"type":"…","object":…}` apart without reading the object.
fn split(line: &[u8]) -> Result<(&str, &[u8]), Error> {
    const BEFORE: &[u8] = br#"{"type":""#;
    const BETWEEN: &[u8] = br#"","object":"#;
    let fast = || {
        let rest = line.strip_prefix(BEFORE)?;
        let end = rest.iter().take(16).position(|byte| *byte == b'"')?;
        let kind = std::str::from_utf8(&rest[..end]).ok()?;
        let object = rest[end..].strip_prefix(BETWEEN)?;
        Some((kind, object.trim_ascii_end().strip_suffix(b"}")?))
    };
    if let Some(parts) = fast() {
        return Ok(parts);
    }
    // Some other server's spacing or order.
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        #[serde(borrow)]
        object: &'a serde_json::value::RawValue,
    }
    let line: Line<'_> = serde_json::from_slice(line).map_err(|source| Error::Decode {
        what: "an event",
        source,
    })?;
    Ok((line.kind, line.object.get().as_bytes()))
}

#[cfg(test)]
#[path = "watch/tests.rs"]
mod tests;

//! Requests against a served store, in process: method, path and body in; code and body out.

mod applies;
mod claims;
mod conversions;
mod definitions;
mod deletes;
mod folds;
mod grace;
mod model;
mod reads;
mod subresources;
mod watches;
mod writes;

use std::{pin::Pin, sync::Arc};

use api::{Status, Text, json};
use base::{Clock, FakeClock, Rng, Tasks, WallTime};
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt;
use store::MemoryStore;

use super::Serving;
use crate::{
    Accepted, Answer, Call, Content, Form, Media, Options, Target, User, Verb,
    media::MetaVersion,
    request::{BodyType, PatchType, Query, path},
};

/// 2026-01-02T03:04:05Z
pub(crate) const START: WallTime = WallTime {
    micros: 1_767_323_045_000_000,
};

/// A server of the built-in kinds on an empty memory store, at a clock that stands still.
pub(crate) struct Bench {
    pub(crate) serving: Arc<Serving>,
    pub(crate) clock: FakeClock,
    pub(crate) store: Arc<MemoryStore>,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) body: String,
    pub(crate) warnings: Vec<String>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let (clock, handle) = Clock::fake(START);
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let serving = Arc::new(Serving::new(
            kinds::load().kinds,
            Arc::clone(&store) as Arc<dyn store::Store>,
            clock,
            Tasks::new(),
            Rng::from_seed(1),
        ));
        Self {
            serving,
            clock: handle,
            store,
        }
    }

    /// Returns another server on the same store.
    pub(crate) fn restarted(&self) -> Self {
        let (clock, handle) = Clock::fake(START);
        Self {
            serving: Arc::new(Serving::new(
                kinds::load().kinds,
                Arc::clone(&self.store) as Arc<dyn store::Store>,
                clock,
                Tasks::new(),
                Rng::from_seed(2),
            )),
            clock: handle,
            store: Arc::clone(&self.store),
        }
    }

    /// Sends `METHOD URL`, with a content type by the first word of the body if it is one.
    pub(crate) async fn send(&self, line: &str, body: &str) -> Reply {
        self.send_as(line, body, Accepted::default()).await
    }

    pub(crate) async fn send_as(&self, line: &str, body: &str, accepted: Accepted) -> Reply {
        let mut call = self.call(line, body, accepted);
        let outcome = match self.serving.find(&call.path) {
            None => Err(Status::no_such_page()),
            Some(resource) => self.serving.serve(&mut call, &resource).await,
        };
        let (code, body) = match outcome {
            Ok(answer) => text(answer).await,
            Err(status) => (status.code, write(&status.to_value())),
        };
        Reply {
            code,
            body,
            warnings: call.warnings,
        }
    }

    pub(crate) fn call(&self, line: &str, body: &str, accepted: Accepted) -> Call {
        let (method, url) = line.split_once(' ').expect("a method and a URL");
        let (url_path, query) = url.split_once('?').unwrap_or((url, ""));
        let method = http::Method::from_bytes(method.as_bytes()).expect("a method");
        let query = Query::parse(query);
        let (verb, target) = path::read(&method, url_path, &query).expect("a path");
        let Target::Resource(path) = target else {
            panic!("{url} is no resource");
        };
        let (body_type, body) = match body.split_once(' ') {
            Some(("json-patch", rest)) => (BodyType::Patch(PatchType::Json), rest),
            Some(("merge", rest)) => (BodyType::Patch(PatchType::Merge), rest),
            Some(("strategic", rest)) => (BodyType::Patch(PatchType::StrategicMerge), rest),
            Some(("apply", rest)) => (BodyType::Patch(PatchType::Apply), rest),
            Some(("yaml", rest)) => (BodyType::Yaml, rest),
            _ => (BodyType::Json, body),
        };
        Call {
            options: Options::read(verb, &query).expect("options"),
            query,
            verb,
            path,
            accepted,
            body_type,
            body: Bytes::copy_from_slice(body.as_bytes()),
            user: Arc::new(User::default()),
            received: self.serving.clock.wall(),
            deadline: None,
            warnings: Vec::new(),
            table: Arc::clone(&self.serving.registry.table()),
            audit_id: Text::default(),
            user_agent: Text::default(),
        }
    }

    /// Sends until the answer is good, letting other tasks run in between.
    pub(crate) async fn until(&self, line: &str, good: impl Fn(&Reply) -> bool) -> Reply {
        for _ in 0..1_000 {
            let reply = self.send(line, "").await;
            if good(&reply) {
                return reply;
            }
            tokio::task::yield_now().await;
        }
        panic!(
            "{line} never became good: {}",
            self.send(line, "").await.body
        );
    }

    /// Sends something that must work.
    pub(crate) async fn ok(&self, line: &str, body: &str) -> String {
        let reply = self.send(line, body).await;
        assert!(reply.code < 300, "{line}: {} {}", reply.code, reply.body);
        reply.body
    }

    /// Creates a config map with this name and data.
    pub(crate) async fn note(&self, namespace: &str, name: &str, text: &str) -> String {
        let body = format!(r#"{{"metadata":{{"name":"{name}"}},"data":{{"text":"{text}"}}}}"#);
        let line = format!("POST /api/v1/namespaces/{namespace}/configmaps");
        self.ok(&line, &body).await
    }

    /// Opens a watch.
    pub(crate) async fn watch(&self, url: &str) -> Watching {
        self.watch_as(url, Accepted::default()).await
    }

    pub(crate) async fn watch_as(&self, url: &str, accepted: Accepted) -> Watching {
        let mut call = self.call(&format!("GET {url}"), "", accepted);
        assert_eq!(call.verb, Verb::Watch, "{url}");
        let resource = self.serving.find(&call.path).expect("it is served");
        match self.serving.serve(&mut call, &resource).await {
            Ok(Answer::Watch { frames, .. }) => Watching { frames },
            Ok(_) => panic!("a watch is answered with a watch"),
            Err(status) => panic!("{}", status.message),
        }
    }
}

/// An open watch.
pub(crate) struct Watching {
    frames: crate::body::Stream,
}

/// What an open watch says.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    Frames(String),
    Nothing,
    End,
}

impl Watching {
    /// Looks once, without waiting.
    pub(crate) fn look(&mut self) -> Said {
        let mut ctx = std::task::Context::from_waker(std::task::Waker::noop());
        match self.frames.as_mut().poll_frame(&mut ctx) {
            std::task::Poll::Pending => Said::Nothing,
            std::task::Poll::Ready(None) => Said::End,
            std::task::Poll::Ready(Some(frame)) => {
                let frame = frame.expect("watches do not break off");
                let bytes = frame.into_data().expect("it is data");
                Said::Frames(String::from_utf8_lossy(&bytes).into_owned())
            }
        }
    }

    /// Waits for the next frame.
    pub(crate) async fn wait(&mut self) -> String {
        let next = std::future::poll_fn(|ctx| Pin::new(&mut self.frames).poll_frame(ctx)).await;
        let frame = next.expect("it goes on").expect("it does not break off");
        String::from_utf8_lossy(&frame.into_data().expect("it is data")).into_owned()
    }

    /// Returns the events there are now, in short: type, name, data and revision.
    pub(crate) fn events(&mut self) -> String {
        let mut lines = Vec::new();
        loop {
            match self.look() {
                Said::Nothing => break,
                Said::End => {
                    lines.push("end".to_owned());
                    break;
                }
                Said::Frames(frames) => lines.extend(frames.lines().map(short)),
            }
        }
        lines.join(", ")
    }
}

fn short(line: &str) -> String {
    let event = json::read(line.as_bytes()).expect("it is JSON").value;
    let text = |path: &[&str]| event.str_at(path).unwrap_or_default().to_owned();
    let kind = text(&["type"]);
    let revision = text(&["object", "metadata", "resourceVersion"]);
    match kind.as_str() {
        "ERROR" => format!("ERROR {}", text(&["object", "message"])),
        "BOOKMARK" => {
            let marks = event.at(&["object", "metadata", "annotations"]).is_some();
            format!("BOOKMARK @{revision}{}", if marks { " end" } else { "" })
        }
        _ => format!(
            "{kind} {}={} @{revision}",
            text(&["object", "metadata", "name"]),
            text(&["object", "data", "text"])
        ),
    }
}

fn write(value: &api::Value) -> String {
    let mut out = Vec::new();
    json::write(value, &mut out);
    String::from_utf8(out).expect("it is text")
}

async fn text(answer: Answer) -> (u16, String) {
    match answer {
        Answer::Object { code, content, .. } => {
            let text = match content {
                Content::Bytes { json, .. } | Content::Encoded(json) => {
                    String::from_utf8_lossy(&json).into_owned()
                }
                Content::Tree { value, .. } => write(&value),
            };
            (code, text)
        }
        Answer::List { pieces, .. } => {
            let bytes: Vec<u8> = pieces.into_iter().flatten().collect();
            (200, String::from_utf8_lossy(&bytes).into_owned())
        }
        Answer::Status { status, .. } => (status.code, write(&status.to_value())),
        Answer::Watch { frames, .. } => {
            let bytes = frames.collect().await.expect("it ends").to_bytes();
            (200, String::from_utf8_lossy(&bytes).into_owned())
        }
        Answer::Page(_) | Answer::Http(_) => panic!("no such answer to a request on a resource"),
    }
}

/// Returns what lies under a path of an answer's body, printed.
pub(crate) fn at(body: &str, path: &str) -> String {
    let value = json::read(body.as_bytes()).expect("it is JSON").value;
    let path: Vec<&str> = path.split('/').collect();
    value.at(&path).map_or("-".to_owned(), |found| match found {
        api::Value::String(text) => text.to_string(),
        other => write(other),
    })
}

/// Returns the names of a list's items.
pub(crate) fn names(body: &str) -> String {
    let value = json::read(body.as_bytes()).expect("it is JSON").value;
    let items = value.get("items").and_then(api::Value::as_array);
    let names: Vec<&str> = items
        .expect("a list has items")
        .iter()
        .map(|item| item.str_at(&["metadata", "name"]).unwrap_or("?"))
        .collect();
    names.join(" ")
}

pub(crate) const TABLE: Accepted = Accepted {
    media: Media::Json,
    form: Form::Table(MetaVersion::V1),
    pretty: false,
};

pub(crate) const METADATA: Accepted = Accepted {
    media: Media::Json,
    form: Form::PartialObjectMetadataList(MetaVersion::V1),
    pretty: false,
};

pub(crate) const PROTOBUF: Accepted = Accepted {
    media: Media::Protobuf,
    form: Form::Object,
    pretty: false,
};

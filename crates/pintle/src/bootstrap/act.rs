//! Carries out what is planned, one request for each step.

use std::collections::{BTreeMap, BTreeSet};

use access::bootstrap::Step;
use api::{Value, json};
use base::WallTime;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use kit::Client;

use super::plan::{Seen, Stage, name_of, plan};
use crate::network;

/// Requests that wait for the store together, so that one sync covers many.
const TOGETHER_MAX: usize = 64;

/// Why the cluster's first objects are not there.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// A request was refused or lost.
    #[error("cannot set up {path}")]
    Request {
        /// What was asked.
        path: String,
        /// What came back.
        #[source]
        source: kit::Error,
    },
    /// The server's own answer cannot be read.
    #[error("cannot read the list of {path}: {what}")]
    Answer {
        /// What was asked.
        path: String,
        /// What is wrong with it.
        what: String,
    },
}

/// Says of the cluster's own range of addresses that it is ready.
///
/// # Errors
/// The request that failed.
pub async fn ready_range(
    client: &Client,
    wanted: &Value,
    now: WallTime,
) -> Result<(), BootstrapError> {
    let path = format!(
        "/apis/networking.k8s.io/v1/servicecidrs/{}",
        name_of(wanted)
    );
    let answer = send(client, http::Method::GET, &path, None).await?;
    let found = json::read(&answer).map_err(|error| BootstrapError::Answer {
        path: path.clone(),
        what: error.to_string(),
    })?;
    if let Some(object) = network::readied(&found.value, wanted, now) {
        let status = format!("{path}/status");
        send(client, http::Method::PUT, &status, Some(&object)).await?;
    }
    Ok(())
}

/// Brings about what the stages want, one after the other.
///
/// # Errors
/// The first request that failed. What was done stays; the next start continues.
pub async fn run(client: &Client, stages: &[Stage]) -> Result<(), BootstrapError> {
    for stage in stages {
        let mut seen = Seen::new();
        let collections: BTreeSet<&String> = stage.iter().map(|one| &one.collection).collect();
        for path in collections {
            seen.insert(path.clone(), objects_in(client, path).await?);
        }
        stream::iter(plan(stage, &seen))
            .map(|(collection, step)| act(client, collection, step))
            .buffer_unordered(TOGETHER_MAX)
            .try_collect::<()>()
            .await?;
    }
    Ok(())
}

async fn objects_in(
    client: &Client,
    path: &str,
) -> Result<BTreeMap<String, Value>, BootstrapError> {
    let answer = send(client, http::Method::GET, path, None).await?;
    let list = json::read(&answer).map_err(|error| BootstrapError::Answer {
        path: path.to_owned(),
        what: error.to_string(),
    })?;
    let items = list.value.get("items").and_then(Value::as_array);
    let items = items.unwrap_or_default().iter();
    Ok(items
        .map(|item| (name_of(item).to_owned(), item.clone()))
        .collect())
}

async fn act(client: &Client, collection: String, step: Step) -> Result<(), BootstrapError> {
    match step {
        Step::Keep => {}
        Step::Create(object) => create(client, &collection, &object).await?,
        Step::Update(object) => {
            let path = format!("{collection}/{}", name_of(&object));
            send(client, http::Method::PUT, &path, Some(&object)).await?;
        }
        Step::Replace(object) => {
            let path = format!("{collection}/{}", name_of(&object));
            send(client, http::Method::DELETE, &path, None).await?;
            create(client, &collection, &object).await?;
        }
    }
    Ok(())
}

async fn create(client: &Client, collection: &str, object: &Value) -> Result<(), BootstrapError> {
    match send(client, http::Method::POST, collection, Some(object)).await {
        // Another server on the same store was faster, which is as good.
        Err(BootstrapError::Request {
            source: kit::Error::Refused(status),
            ..
        }) if status.code == 409 => Ok(()),
        other => other.map(|_| ()),
    }
}

async fn send(
    client: &Client,
    method: http::Method,
    path: &str,
    object: Option<&Value>,
) -> Result<Bytes, BootstrapError> {
    let mut body = Vec::new();
    if let Some(object) = object {
        json::write(object, &mut body);
    }
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Bytes::from(body))
        .expect("a path made of names of objects is a path");
    let answer = client.call(request).await;
    answer.map_err(|source| BootstrapError::Request {
        path: path.to_owned(),
        source,
    })
}

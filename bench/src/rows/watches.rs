//! Events to many watchers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use xtask::failure::{Doing, Failure};

use super::{Row, config_maps, create_config_map, in_turn, per_operation};
use crate::Plan;
use crate::book::{Book, Sample};
use crate::client::{Client, JSON};
use crate::objects;
use crate::side::Side;

/// Watchers of one collection.
const WATCHERS: usize = 1_000;

/// Connections that carry them: kube-apiserver allows a hundred streams on one.
const CONNECTIONS: usize = 20;

/// Updates in a round; each becomes an event for every watcher.
const UPDATES: usize = 50;

/// How long the events of a round may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures the row.
pub(super) async fn measure(plan: &Plan, sides: &mut [Side], book: &mut Book) {
    let watchers = plan.scaled(WATCHERS, 20);
    let updates = plan.scaled(UPDATES, 5);
    in_turn(plan, sides, book, Row::Watch, async |side, round| {
        round_of_events(side, round, watchers, updates).await
    })
    .await;
}

/// Opens the watches, makes the updates and waits until every watcher has seen every one.
async fn round_of_events(
    side: &Side,
    round: usize,
    watchers: usize,
    updates: usize,
) -> Result<Sample, Failure> {
    let name = format!("watched-{round}");
    create_config_map(side, "bench", &name).await?;
    let list = side.client.get(&config_maps("bench")).await?.json();
    let revision = list["metadata"]["resourceVersion"]
        .as_str()
        .ok_or_else(|| Failure::new("the list has no resourceVersion"))?
        .to_owned();
    let path = format!(
        "{}?watch=1&allowWatchBookmarks=false&resourceVersion={revision}",
        config_maps("bench")
    );
    let crowd = Client::open(&side.credentials, side.port(), CONNECTIONS).await?;
    let arrived = Arc::new(Semaphore::new(0));
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..watchers {
        let response = crowd
            .send(Method::GET, &path, (JSON, JSON), Bytes::new())
            .await?;
        if !response.status().is_success() {
            return Err(Failure::new(format!("watch: {}", response.status())));
        }
        readers.spawn(count_events(response.into_body(), Arc::clone(&arrived)));
    }
    let events = watchers * updates;
    let sample = per_operation(side, events, async {
        for update in 0..updates {
            let mut object = objects::config_map(&name);
            object["data"]["round"] = serde_json::json!(update.to_string());
            let path = format!("{}/{name}", config_maps("bench"));
            let body = Bytes::from(object.to_string());
            side.client
                .call(Method::PUT, &path, (JSON, JSON), body)
                .await?
                .success("update")?;
        }
        let permits = u32::try_from(events).doing("count events")?;
        let all = arrived.acquire_many(permits);
        tokio::time::timeout(PATIENCE, all)
            .await
            .doing("wait for the events")?
            .doing("wait for the events")?
            .forget();
        Ok(())
    })
    .await;
    readers.abort_all();
    sample
}

/// Adds one permit for each line, and each event is one line.
async fn count_events(mut body: Incoming, arrived: Arc<Semaphore>) {
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            arrived.add_permits(data.iter().filter(|&&byte| byte == b'\n').count());
        }
    }
}

//! Lists of many pods, in every form, and what a pod costs in memory.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use xtask::failure::Failure;

use super::{Row, create_many, in_turn, per_operation};
use crate::Plan;
use crate::book::{Book, Sample};
use crate::client::{JSON, PROTOBUF, TABLE};
use crate::objects;
use crate::process::resident_bytes;
use crate::side::Side;

/// Rows of this group.
pub(super) const ROWS: [Row; 6] = [
    Row::ListJson,
    Row::ListProtobuf,
    Row::ListTable,
    Row::Page,
    Row::ListSelector,
    Row::MemoryPod,
];

/// Pods in the list.
const PODS: usize = 10_000;

/// Bytes of JSON that each of them has once it is stored, on either side.
const STORED_BYTES: usize = 5_000;

/// One pod in so many carries the label that the selector row asks for.
const SELECTED_ONE_IN: usize = 100;

const PATH: &str = "/api/v1/namespaces/bench/pods";

/// Measures the rows of this group.
pub(super) async fn measure(plan: &Plan, sides: &mut [Side], book: &mut Book) {
    let pods = plan.scaled(PODS, 200);
    for side in &*sides {
        match fill(side, pods).await {
            Ok(sample) if plan.wants(&[Row::MemoryPod]) => {
                book.add(Row::MemoryPod, side.which, sample);
            }
            Ok(_) => {}
            Err(error) => book.note(format!(
                "creating {pods} pods failed on {:?}: {error}",
                side.which
            )),
        }
        if let Ok(bytes) = side.client.drain(PATH, JSON).await {
            book.note(format!(
                "{pods} pods as JSON are {bytes} bytes on {:?}",
                side.which
            ));
        }
    }
    let lists = [
        (Row::ListJson, PATH.to_owned(), JSON, 3),
        (Row::ListProtobuf, PATH.to_owned(), PROTOBUF, 3),
        (Row::ListTable, PATH.to_owned(), TABLE, 3),
        (Row::Page, format!("{PATH}?limit=500"), JSON, 40),
        (
            Row::ListSelector,
            format!("{PATH}?labelSelector=group%3Drare"),
            JSON,
            100,
        ),
    ];
    for (row, path, accept, times) in lists {
        in_turn(plan, sides, book, row, async |side, _| {
            per_operation(side, times, async {
                for _ in 0..times {
                    side.client.drain(&path, accept).await?;
                }
                Ok(())
            })
            .await
        })
        .await;
    }
}

/// Creates the pods and returns how much memory each of them took.
async fn fill(side: &Side, pods: usize) -> Result<Sample, Failure> {
    let padding = STORED_BYTES.saturating_sub(stored_bytes(side).await?);
    let before = resident_bytes(&side.pids());
    create_many(side, PATH, pods, |number| {
        let group = if number % SELECTED_ONE_IN == 0 {
            "rare"
        } else {
            "common"
        };
        objects::listed_pod(&format!("pod-{number:06}"), group, padding)
    })
    .await?;
    // Both sides free or flush some of what the writing took soon after it.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after = resident_bytes(&side.pids());
    #[allow(clippy::cast_precision_loss)]
    let figure = after.saturating_sub(before) as f64 / pods as f64;
    Ok(Sample { figure, wall: None })
}

/// Returns how long a pod without padding is after the server added its defaults and bookkeeping.
///
/// A list is compared by its bytes; without this, the side that adds less would look faster.
async fn stored_bytes(side: &Side) -> Result<usize, Failure> {
    let probe = objects::listed_pod("probe-0000", "common", 0);
    side.client.create(PATH, &probe).await?;
    let path = format!("{PATH}/probe-0000");
    let stored = side
        .client
        .get(&path)
        .await?
        .success("get a pod")?
        .body
        .len();
    side.client
        .call(
            Method::DELETE,
            &format!("{path}?gracePeriodSeconds=0"),
            (JSON, JSON),
            Bytes::new(),
        )
        .await?
        .success("delete a pod")?;
    Ok(stored)
}

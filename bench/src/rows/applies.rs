//! Server-side apply: one field changes, or nothing does.

use bytes::Bytes;
use http::Method;
use xtask::failure::Failure;

use super::{Row, at_once, in_turn, per_operation};
use crate::Plan;
use crate::book::Book;
use crate::client::JSON;
use crate::objects;
use crate::side::Side;

/// Rows of this group.
pub(super) const ROWS: [Row; 2] = [Row::Apply, Row::ApplySame];

/// Operations in a round.
const APPLIES: usize = 2_000;

/// Pods that are applied in turn, so that requests at the same time do not meet at one object.
const PODS: usize = 64;

const APPLY: &str = "application/apply-patch+yaml";

/// Measures the rows of this group.
pub(super) async fn measure(plan: &Plan, sides: &mut [Side], book: &mut Book) {
    let applies = plan.scaled(APPLIES, 100);
    for row in ROWS {
        in_turn(plan, sides, book, row, async |side, round| {
            for number in 0..PODS {
                apply(side, number, "first").await?;
            }
            let work = at_once(applies, async |number| {
                let image = match row {
                    Row::Apply => format!("registry.example.com/app:{round}-{number}"),
                    _ => "first".to_owned(),
                };
                apply(side, number % PODS, &image).await
            });
            per_operation(side, applies, work).await
        })
        .await;
    }
}

async fn apply(side: &Side, number: usize, image: &str) -> Result<(), Failure> {
    let name = format!("applied-{number:06}");
    let path = format!("/api/v1/namespaces/bench/pods/{name}?fieldManager=bench&force=true");
    let mut pod = objects::pod(&name, "one");
    pod["spec"]["containers"][0]["image"] = image.into();
    let body = Bytes::from(pod.to_string());
    let answer = side.client.call(Method::PATCH, &path, (APPLY, JSON), body);
    answer.await?.success("apply a pod").map(drop)
}

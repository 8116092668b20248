//! Single requests: get and create.

use bytes::Bytes;
use http::Method;
use xtask::failure::Failure;

use super::{Row, at_once, create_config_map, in_turn, per_operation, until};
use crate::Plan;
use crate::book::Book;
use crate::client::{JSON, PROTOBUF};
use crate::side::Side;
use crate::{objects, protobuf};

/// Rows of this group.
pub(super) const ROWS: [Row; 6] = [
    Row::Get,
    Row::CreateConfigMap,
    Row::CreatePod,
    Row::CreatePodProtobuf,
    Row::CreateCustomResource,
    Row::CreateRuledResource,
];

/// Operations in a round; long enough that the kernel's clock does not matter.
const GETS: usize = 6_000;
const CREATES: usize = 2_000;

const PODS: &str = "/api/v1/namespaces/bench/pods";

/// Measures the rows of this group.
pub(super) async fn measure(plan: &Plan, sides: &mut [Side], book: &mut Book) {
    let gets = plan.scaled(GETS, 200);
    let creates = plan.scaled(CREATES, 100);
    if plan.wants(&[Row::Get]) {
        for side in &*sides {
            if let Err(error) = create_config_map(side, "bench", "single").await {
                book.note(format!("preparing GET failed on {:?}: {error}", side.which));
            }
        }
    }
    in_turn(plan, sides, book, Row::Get, async |side, _| {
        let work = at_once(gets, async |_| {
            let path = "/api/v1/namespaces/bench/configmaps/single";
            side.client.get(path).await?.success("get").map(drop)
        });
        per_operation(side, gets, work).await
    })
    .await;
    in_turn(
        plan,
        sides,
        book,
        Row::CreateConfigMap,
        async |side, round| {
            let work = at_once(creates, async |number| {
                create_config_map(side, "bench", &format!("map-{round}-{number:06}")).await
            });
            per_operation(side, creates, work).await
        },
    )
    .await;
    in_turn(plan, sides, book, Row::CreatePod, async |side, round| {
        let work = at_once(creates, async |number| {
            let pod = objects::pod(&format!("pod-{round}-{number:06}"), "one");
            side.client.create(PODS, &pod).await.map(drop)
        });
        per_operation(side, creates, work).await
    })
    .await;
    in_turn(
        plan,
        sides,
        book,
        Row::CreatePodProtobuf,
        async |side, round| create_pods_as_protobuf(side, round, creates).await,
    )
    .await;
    for (row, plural, definition) in [
        (
            Row::CreateCustomResource,
            "things",
            objects::definition as fn(&str) -> serde_json::Value,
        ),
        (Row::CreateRuledResource, "ruled", objects::ruled_definition),
    ] {
        in_turn(plan, sides, book, row, async |side, round| {
            serve_definition(side, plural, &definition(plural)).await?;
            let path = format!("/apis/{}/v1/namespaces/bench/{plural}", objects::GROUP);
            let work = at_once(creates, async |number| {
                let name = format!("thing-{round}-{number:06}");
                let object = objects::custom_resource(plural, &name);
                side.client.create(&path, &object).await.map(drop)
            });
            per_operation(side, creates, work).await
        })
        .await;
    }
}

/// Takes a pod as the server itself writes it in protobuf and creates it again under other names.
async fn create_pods_as_protobuf(
    side: &Side,
    round: usize,
    creates: usize,
) -> Result<crate::book::Sample, Failure> {
    // Other names of the same length can be put over this one byte for byte.
    let name = format!("proto-{round}-######").replace('#', "x");
    side.client
        .create(PODS, &objects::pod(&name, "one"))
        .await?;
    let sent = side
        .client
        .call(
            Method::GET,
            &format!("{PODS}/{name}"),
            (JSON, PROTOBUF),
            Bytes::new(),
        )
        .await?
        .success("get a pod as protobuf")?;
    let template = protobuf::as_new_pod(&sent.body)
        .ok_or_else(|| Failure::new("the pod did not come as protobuf"))?;
    let at = find(&template, name.as_bytes())
        .ok_or_else(|| Failure::new("the protobuf pod does not hold its name"))?;
    let work = at_once(creates, async |number| {
        let mut body = template.clone();
        let new_name = format!("proto-{round}-{number:06}");
        body[at..at + name.len()].copy_from_slice(new_name.as_bytes());
        side.client
            .call(Method::POST, PODS, (PROTOBUF, PROTOBUF), Bytes::from(body))
            .await?
            .success("create a pod as protobuf")
            .map(drop)
    });
    per_operation(side, creates, work).await
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

/// Creates this CRD if its plural is not served, and waits until it is served.
async fn serve_definition(
    side: &Side,
    plural: &str,
    definition: &serde_json::Value,
) -> Result<(), Failure> {
    let path = format!("/apis/{}/v1/namespaces/bench/{plural}", objects::GROUP);
    if side.client.get(&path).await?.status.is_success() {
        return Ok(());
    }
    side.client
        .create(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            definition,
        )
        .await?;
    let pause = std::time::Duration::from_millis(50);
    let patience = std::time::Duration::from_secs(30);
    until(pause, patience, "serving a CRD", async || {
        Ok(side.client.get(&path).await?.status.is_success())
    })
    .await?;
    // Upstream delays the first creates after a CRD is established by up to two seconds.
    let probe = objects::custom_resource(plural, "probe");
    side.client.create(&path, &probe).await?;
    Ok(())
}

//! What upstream answered to the cases of `conformance/differential`, asked of a Pintle in this
//! process. Recorded by `cargo xtask conformance differential --record`.

use std::fmt::Write as _;

use bytes::Bytes;
use http_body_util::BodyExt;
use kit::Client;
use testkit::{Cluster, Controllers};
use xtask::conformance::differential::{
    cases,
    known::Known,
    play::{Heard, Play, Sent, Told},
};

/// How many cases are recorded at least.
const CASES_MIN: usize = 100;

async fn send(client: &Client, sent: &Sent) -> Heard {
    let request = http::Request::builder()
        .method(sent.request.method.as_str())
        .uri(&sent.target)
        .header(http::header::ACCEPT, "application/json")
        // Fields are owned by who sends, and upstream was asked through kubectl.
        .header(http::header::USER_AGENT, "kubectl")
        .header(http::header::CONTENT_TYPE, &sent.request.content_type)
        .body(Bytes::from(sent.request.text.clone()))
        .expect("the case is a request");
    let answer = client.send(request).await.expect("the server answers");
    let code = answer.status().as_u16();
    let warnings = answer.headers().get_all(http::header::WARNING).iter();
    let warnings = warnings.map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned());
    let warnings = warnings.collect();
    let body = answer.into_body().collect().await;
    let body = body.expect("the answer has a body").to_bytes();
    let text = String::from_utf8_lossy(&body);
    let body = serde_json::from_str(&text).unwrap_or_else(|_| text.into());
    Heard {
        code,
        warnings,
        body,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_as_upstream_did() {
    let topics = cases::load(&[]).expect("the cases are well formed");
    let known = Known::load().expect("the list of differences is well formed");
    let cluster = Cluster::start_with(Controllers::None).await;
    let client = cluster.client();
    let (mut count, mut wrong) = (0, String::new());
    for topic in &topics {
        let mut play = Play::new(topic, "");
        while let Some(sent) = play.send_next() {
            let heard = send(&client, &sent).await;
            let (name, expected, found) = match play.answered(&heard) {
                Told::Nothing => continue,
                Told::NotYet => {
                    tokio::task::yield_now().await;
                    continue;
                }
                Told::Failed(why) => {
                    let _ = writeln!(wrong, "{}: {why}", topic.place());
                    continue;
                }
                Told::Case { case, found, .. } => (case.name.clone(), &case.answer, found),
                Told::Variant { variant, found, .. } => (variant.name(), &variant.answer, found),
            };
            count += 1;
            let expected = expected.as_ref().expect("every answer is recorded");
            if let Err(text) = known.judge(&topic.place(), &name, expected, &found) {
                wrong.push_str(&text);
                wrong.push('\n');
            }
        }
    }
    cluster.stop().await;
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(count >= CASES_MIN, "only {count} cases");
}

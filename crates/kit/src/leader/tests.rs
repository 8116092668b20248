//! Tests of leader.

use std::time::Duration;

use base::{Clock, Rng, Tasks, WallTime};

use super::{Candidate, Election, Record, Step, Timing};
use crate::scripted::{Answer, Script};

fn held(holder: &str, renewed: i64, transitions: i32) -> Record {
    Record {
        holder: holder.to_owned(),
        duration: Duration::from_secs(15),
        renewed: Some(WallTime::from_secs(renewed)),
        acquired: Some(WallTime::from_secs(1)),
        transitions,
    }
}

/// Looks at each record in turn, the given seconds later, as `me`.
fn run(looks: &[(u64, Option<Record>)]) -> String {
    let (clock, handle) = Clock::fake(WallTime::from_secs(1_000));
    let mut election = Election::new("me".to_owned(), Timing::default());
    let mut out = Vec::new();
    for (later, found) in looks {
        handle.advance(Duration::from_secs(*later));
        let step = election.look(found.as_ref(), clock.now(), clock.wall());
        out.push(match step {
            Step::Stand => "stand".to_owned(),
            Step::Write(record) => {
                assert_eq!(
                    (&*record.holder, record.renewed),
                    ("me", Some(clock.wall()))
                );
                let text = format!("write {}", record.transitions);
                election.wrote(record, clock.now());
                text
            }
        });
    }
    out.join(", ")
}

#[test]
fn takes_what_nobody_holds() {
    assert_eq!(run(&[(0, None)]), "write 0");
    assert_eq!(run(&[(0, Some(held("", 1, 3)))]), "write 4");
}

#[test]
fn stands_while_another_renews() {
    let looks = [
        (0, Some(held("other", 1, 0))),
        (14, Some(held("other", 1, 0))),
        (1, Some(held("other", 2, 0))),
        (14, Some(held("other", 2, 0))),
    ];
    assert_eq!(run(&looks), "stand, stand, stand, stand");
}

#[test]
fn takes_over_what_is_not_renewed_by_its_own_clock() {
    // The holder's times are far in the future; only the change counts.
    let looks = [
        (0, Some(held("other", 9_000_000, 2))),
        (15, Some(held("other", 9_000_000, 2))),
    ];
    assert_eq!(run(&looks), "stand, write 3");
}

#[test]
fn renews_without_a_transition() {
    assert_eq!(run(&[(0, Some(held("me", 1, 5)))]), "write 5");
}

#[tokio::test]
async fn leads_renews_and_gives_up() {
    let lease = |holder: &str, version: u64| {
        format!(
            r#"{{"metadata":{{"name":"l","namespace":"n","resourceVersion":"{version}"}},
                "spec":{{"holderIdentity":"{holder}","leaseDurationSeconds":15,"leaseTransitions":1}}}}"#
        )
    };
    let ok = |text: &str| Answer::ends(200, text);
    let script = Script::new([
        ok(&lease("", 1)),
        ok(&lease("me", 2)),
        ok(&lease("me", 2)),
        ok(&lease("me", 3)),
        ok(&lease("me", 3)),
        ok(&lease("", 4)),
    ]);
    let (clock, handle) = Clock::fake(WallTime::from_secs(1_000));
    let mut candidate = Candidate::new(
        script.client(),
        clock.clone(),
        Rng::from_seed(1),
        ("n", "l"),
        "me".to_owned(),
        Timing::default(),
    );
    let tasks = Tasks::new();
    let work = async {
        // The work ends after one renewal.
        while script.asked().len() < 4 {
            tokio::task::yield_now().await;
            handle.advance(Duration::from_secs(1));
        }
        7
    };
    assert_eq!(candidate.lead(tasks.drain_signal(), work).await, Some(7));
    let asked = script.asked();
    let words: Vec<&str> = asked.iter().map(|line| &line[..3]).collect();
    assert_eq!(words, ["GET", "PUT", "GET", "PUT", "GET", "PUT"]);
    assert!(
        asked[1].contains(r#""holderIdentity":"me""#)
            && asked[1].contains(r#""leaseTransitions":2"#)
    );
    assert!(asked[5].contains(r#""holderIdentity":"""#));
}

#[tokio::test]
async fn stops_working_when_the_lease_cannot_be_renewed() {
    let free = r#"{"metadata":{"name":"l"},"spec":{}}"#;
    let broken = || Answer::ends(500, r#"{"code":500,"message":"ouch"}"#);
    let mut answers = vec![Answer::ends(200, free), Answer::ends(200, free)];
    answers.extend((0..10).map(|_| broken()));
    let script = Script::new(answers);
    let (clock, handle) = Clock::fake(WallTime::from_secs(1_000));
    let mut candidate = Candidate::new(
        script.client(),
        clock,
        Rng::from_seed(1),
        ("n", "l"),
        "me".to_owned(),
        Timing::default(),
    );
    let tasks = Tasks::new();
    let leading = candidate.lead(tasks.drain_signal(), std::future::pending::<()>());
    let moving = async {
        loop {
            tokio::task::yield_now().await;
            handle.advance(Duration::from_millis(500));
        }
    };
    tokio::select! {
        done = leading => assert_eq!(done, None),
        () = moving => unreachable!("the clock moves for ever"),
    }
    assert!(script.asked().len() >= 6, "it tried for a while");
}

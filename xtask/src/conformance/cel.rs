//! `cargo xtask conformance cel`: the rules of `conformance/cel`, sent to a server in real definitions.
//!
//! Their facts were told by upstream's Go packages; here the server itself is asked. A server never
//! says what a rule is estimated to cost, but it says by which factor the estimate exceeds the
//! budget. So every rule is put into a map of so many entries that the whole costs a quarter more
//! than it may, where the factor has six digits; and into a map without a limit, where upstream
//! reckons how many entries fit into a request. Then definitions with the rules are created, and
//! objects sent that the rules judge.

mod subjects;

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::differential::cases::Request;
use super::differential::exchange::Door;
use super::{Against, Ground, Target, write_result};
use crate::control_plane::Controllers;
use crate::failure::Failure;
use subjects::Subject;

/// What a rule may cost at most, times how often it can apply.
const BUDGET: u64 = schema::cel::rules::RULE_ESTIMATE_MAX;

/// How much a rule is made to cost: a quarter more than it may.
const AIM: u64 = BUDGET / 4 * 5;

/// How many rules one definition has, and how long their schemas are together.
const RULES_MAX: usize = 40;
const BYTES_MAX: usize = 900_000;

/// How often a served kind is looked for, and the pause between.
const TRIES_MAX: u32 = 200;
const PAUSE: Duration = Duration::from_millis(50);

const GROUP: &str = "facts.example.com";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// What `cargo xtask conformance cel` takes.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Writes a page into conformance/results.
    #[arg(long)]
    results: bool,
}

/// Sends the rules and prints where the server says otherwise than the facts.
///
/// # Errors
/// Something kept the run from happening, or answers differ (their count).
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let subjects = subjects::load()?;
    let ground = Ground::prepare_with(&arguments.target, &[], Controllers::Off)?;
    let door = Door::open(&ground.bin, &ground.kubeconfig)?;
    let mut report = Report::default();
    for (title, entries) in [
        ("limited", limited as fn(&Subject) -> Option<u64>),
        ("unlimited", |_: &Subject| None),
    ] {
        for batch in batches(&subjects) {
            measure(&door, title, batch, entries, &mut report)?;
        }
    }
    let judged: Vec<Subject> = subjects
        .iter()
        .filter(|one| one.is_judged())
        .cloned()
        .collect();
    for (number, batch) in batches(&judged).enumerate() {
        hold(&door, number, batch, &mut report)?;
    }
    print!("{}", report.text);
    println!("{}", report.sum(subjects.len()));
    if arguments.results {
        let name = match arguments.target.against {
            Against::Pintle => "cel-pintle",
            Against::Upstream => "cel-upstream",
        };
        let command = format!(
            "cargo xtask conformance cel --against {}",
            arguments.target.against.name()
        );
        let body = format!(
            "{}\n\n```text\n{}```\n",
            report.sum(subjects.len()),
            report.text
        );
        write_result(name, &command, &body)?;
    }
    match report.wrong {
        0 => Ok(()),
        wrong => Err(Failure::new(format!(
            "{wrong} answers are not as the facts"
        ))),
    }
}

/// What a run found.
#[derive(Default)]
struct Report {
    text: String,
    accepted: usize,
    priced: usize,
    refused: usize,
    judged: usize,
    wrong: usize,
}

impl Report {
    fn sum(&self, count: usize) -> String {
        format!(
            "{count} rules, each asked for twice: {} answers gave the estimate that was recorded, \
             {} accepted what costs little enough, {} refused what does not compile with the words \
             that were recorded; {} rules judged an object as recorded; {} answers differ",
            self.priced, self.accepted, self.refused, self.judged, self.wrong
        )
    }

    fn differs(&mut self, what: &str, subject: &Subject, expected: &str, found: &str) {
        self.wrong += 1;
        let _ = writeln!(
            self.text,
            "{what}: {}\n  facts:  {expected}\n  server: {found}",
            subject.name
        );
    }
}

fn batches(subjects: &[Subject]) -> impl Iterator<Item = &[Subject]> {
    let mut rest = subjects;
    std::iter::from_fn(move || {
        let (mut count, mut bytes) = (0, 0);
        for subject in rest.iter().take(RULES_MAX) {
            bytes += subject.schema.to_string().len();
            if count > 0 && bytes > BYTES_MAX {
                break;
            }
            count += 1;
        }
        let (batch, after) = rest.split_at(count);
        rest = after;
        (!batch.is_empty()).then_some(batch)
    })
}

/// Returns how many entries of a map make its rule cost a quarter too much.
fn limited(subject: &Subject) -> Option<u64> {
    Some(AIM.div_ceil(subject.cost.max(1)))
}

fn definition(name: &str, properties: &Value) -> Value {
    let kind = format!("F{name}");
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("f{name}s.{GROUP}")},
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {
                "plural": format!("f{name}s"),
                "singular": format!("f{name}"),
                "kind": kind,
                "listKind": format!("{kind}List"),
            },
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {"spec": {"type": "object", "properties": properties}},
                }},
            }],
        },
    })
}

fn send(door: &Door, method: &str, path: &str, body: &Value) -> Result<(u16, Value), Failure> {
    let request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        content_type: "application/json".to_owned(),
        text: if body.is_null() {
            String::new()
        } else {
            body.to_string()
        },
        body: Value::Null,
    };
    door.send(&request, path)
}

fn field(place: usize) -> String {
    format!("r{place:03}")
}

/// Asks what the rules cost, each in a map of its own.
fn measure(
    door: &Door,
    title: &str,
    batch: &[Subject],
    entries: fn(&Subject) -> Option<u64>,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut properties = serde_json::Map::new();
    for (place, subject) in batch.iter().enumerate() {
        let mut map = json!({"type": "object", "additionalProperties": subject.schema});
        if let Some(entries) = entries(subject) {
            map["maxProperties"] = i64::try_from(entries).unwrap_or(i64::MAX).into();
        }
        properties.insert(field(place), map);
    }
    let body = definition("x", &Value::Object(properties));
    let (code, answer) = send(door, "POST", &format!("{DEFINITIONS}?dryRun=All"), &body)?;
    if code != 201 && code != 422 {
        return Err(Failure::new(format!(
            "a definition was answered {code}: {answer}"
        )));
    }
    for (place, subject) in batch.iter().enumerate() {
        let path = format!(
            "spec.validation.openAPIV3Schema.properties[spec].properties[{}].\
             additionalProperties.x-kubernetes-validations[0]",
            field(place)
        );
        let found = said_at(&answer, &path);
        let times = entries(subject).unwrap_or(subject.cardinality);
        let cost = subject.cost.saturating_mul(times);
        let expected = match &subject.error {
            Some(error) => error.clone(),
            None if cost > BUDGET => {
                schema::cel::rules::too_much("estimated rule cost", cost, BUDGET)
            }
            None => String::new(),
        };
        let is_same = match (found.as_slice(), expected.as_str()) {
            ([], "") => true,
            ([one], expected) => !expected.is_empty() && one.ends_with(expected),
            _ => false,
        };
        if !is_same {
            report.differs(title, subject, &expected, &found.join(" | "));
        } else if subject.error.is_some() {
            report.refused += 1;
        } else if expected.is_empty() {
            report.accepted += 1;
        } else {
            report.priced += 1;
        }
    }
    Ok(())
}

/// Returns what an answer says of a rule, without what it says of all rules together.
fn said_at(answer: &Value, path: &str) -> Vec<String> {
    let causes = answer["details"]["causes"].as_array();
    let causes = causes.into_iter().flatten().filter(|cause| {
        let field = cause["field"].as_str().unwrap_or_default();
        field.starts_with(path)
    });
    let texts = causes.map(|cause| cause["message"].as_str().unwrap_or_default().to_owned());
    texts
        .filter(|text| !text.contains("contributed to estimated"))
        .collect()
}

/// Creates a definition with rules and sends the objects that they judge.
fn hold(door: &Door, number: usize, batch: &[Subject], report: &mut Report) -> Result<(), Failure> {
    let (mut properties, mut spec) = (serde_json::Map::new(), serde_json::Map::new());
    for (place, subject) in batch.iter().enumerate() {
        properties.insert(field(place), subject.schema.clone());
        spec.insert(field(place), subject.object.clone());
    }
    let name = format!("h{number}");
    let body = definition(&name, &Value::Object(properties));
    let (code, answer) = send(door, "POST", DEFINITIONS, &body)?;
    if code != 201 {
        return Err(Failure::new(format!(
            "a definition was answered {code}: {answer}"
        )));
    }
    let path = format!("/apis/{GROUP}/v1/f{name}s");
    let mut tries = 0;
    while send(door, "GET", &path, &Value::Null)?.0 != 200 {
        tries += 1;
        if tries > TRIES_MAX {
            return Err(Failure::new(format!("{path} is never served")));
        }
        std::thread::sleep(PAUSE);
    }
    let object = json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": format!("F{name}"),
        "metadata": {"name": "a"},
        "spec": spec,
    });
    let (code, answer) = send(door, "POST", &format!("{path}?dryRun=All"), &object)?;
    if code != 201 && code != 422 {
        return Err(Failure::new(format!(
            "an object was answered {code}: {answer}"
        )));
    }
    for (place, subject) in batch.iter().enumerate() {
        let mut found = said_at(&answer, &format!("spec.{}", field(place)));
        found.sort();
        let expected: Vec<&str> = (subject.errors.iter())
            .map(|error| error.strip_prefix("<nil>: ").unwrap_or(error))
            .collect();
        if found == expected {
            report.judged += 1;
        } else {
            report.differs("object", subject, &expected.join(" | "), &found.join(" | "));
        }
    }
    send(
        door,
        "DELETE",
        &format!("{DEFINITIONS}/f{name}s.{GROUP}"),
        &Value::Null,
    )?;
    Ok(())
}

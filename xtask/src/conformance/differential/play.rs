//! The order in which a topic's requests are sent, and what each answer tells.
//!
//! A [`Play`] knows no server: whoever has one asks for the next request ([`Play::send_next`]), sends it
//! and hands the answer back ([`Play::answered`]). So the command and the test that replays the
//! recorded answers do the same.
//!
//! First come the cases in order, then the variants that are created, then for each base with
//! variants that update it: the base is created for real, changed as a dry run, and removed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::answer::Answer;
use super::cases::{Case, Request, Role, Topic};
use super::variants::{Variant, Way, object_path};

/// How often a preparation may look for something that is not there yet.
const TRIES_MAX: u32 = 400;

/// The family whose answers are what clients are warned of, and nothing else.
const WARNINGS: &str = "warnings";

#[derive(Clone, Copy, Debug)]
enum Step {
    Case(usize),
    Variant {
        variant: usize,
        base: usize,
    },
    /// Creates a base for real.
    Make(usize),
    /// Reads it again: what watches it may have written its status.
    Read(usize),
    /// Deletes it.
    Delete(usize),
    /// Takes its finalizers, in case nobody else does.
    Free(usize),
}

/// A topic being played.
#[derive(Debug)]
pub struct Play<'a> {
    topic: &'a Topic,
    steps: std::vec::IntoIter<Step>,
    now: Option<(Step, Request)>,
    /// The step that is taken again, and how often it was.
    again: Option<Step>,
    tries: u32,
    /// The base as it was created for real.
    live: Option<Value>,
}

/// What is sent next.
#[derive(Debug)]
pub struct Sent {
    /// The request.
    pub request: Request,
    /// Path and query to send it to: a dry run unless it is done for real.
    pub target: String,
}

/// What a server answered.
#[derive(Debug)]
pub struct Heard {
    /// HTTP status code.
    pub code: u16,
    /// Its `Warning` headers, in order.
    pub warnings: Vec<String>,
    /// The body; a text if it is no JSON.
    pub body: Value,
}

/// What an answer tells.
#[derive(Debug)]
pub enum Told<'a> {
    /// Nothing: it was part of the preparations.
    Nothing,
    /// What a preparation waits for is not there yet; it is sent again.
    NotYet,
    /// A preparation did not succeed; why.
    Failed(String),
    /// A case's answer, beside the recorded one.
    Case {
        /// Its place among the topic's cases.
        at: usize,
        /// The case.
        case: &'a Case,
        /// What was answered now.
        found: Answer,
    },
    /// A variant's answer, beside the recorded one.
    Variant {
        /// Its place among the topic's variants.
        at: usize,
        /// The variant.
        variant: &'a Variant,
        /// What was answered now.
        found: Answer,
    },
}

impl<'a> Play<'a> {
    /// Plays the cases and variants whose names hold a text.
    #[must_use]
    pub fn new(topic: &'a Topic, part: &str) -> Self {
        let mut steps = case_steps(topic, part);
        steps.extend(variant_steps(topic, part));
        Self::of(topic, steps)
    }

    /// Plays only the cases.
    #[must_use]
    pub fn cases(topic: &'a Topic, part: &str) -> Self {
        Self::of(topic, case_steps(topic, part))
    }

    /// Plays only the variants; the cases that set up what they need were played before.
    #[must_use]
    pub fn variants(topic: &'a Topic, part: &str) -> Self {
        Self::of(topic, variant_steps(topic, part))
    }

    fn of(topic: &'a Topic, steps: Vec<Step>) -> Self {
        Self {
            topic,
            steps: steps.into_iter(),
            now: None,
            again: None,
            tries: 0,
            live: None,
        }
    }

    /// Returns what to send next.
    pub fn send_next(&mut self) -> Option<Sent> {
        let step = self.again.take().or_else(|| self.steps.next())?;
        let cases = &self.topic.cases;
        let (request, is_real) = match step {
            Step::Case(at) => (cases[at].request.clone(), cases[at].role == Role::Setup),
            Step::Variant { variant, base } => {
                let variant = &self.topic.variants.0[variant];
                let live = self.live.as_ref().filter(|_| variant.way == Way::Update);
                (variant.request(&cases[base].request, live), false)
            }
            Step::Make(base) => (cases[base].request.clone(), true),
            Step::Read(base) => (self.on_live(base, "GET", "application/json", ""), true),
            Step::Delete(base) => {
                let body = r#"{"gracePeriodSeconds":0,"propagationPolicy":"Background"}"#;
                (self.on_live(base, "DELETE", "application/json", body), true)
            }
            Step::Free(base) => {
                let body = r#"{"metadata":{"finalizers":null}}"#;
                let kind = "application/merge-patch+json";
                (self.on_live(base, "PATCH", kind, body), true)
            }
        };
        let target = match (is_real, request.path.contains('?')) {
            (true, _) => request.path.clone(),
            (false, true) => format!("{}&dryRun=All", request.path),
            (false, false) => format!("{}?dryRun=All", request.path),
        };
        self.now = Some((step, request.clone()));
        Some(Sent { request, target })
    }

    fn on_live(&self, base: usize, method: &str, kind: &str, body: &str) -> Request {
        let live = self.live.as_ref().unwrap_or(&Value::Null);
        Request {
            method: method.to_owned(),
            path: object_path(&self.topic.cases[base].request.path, live),
            content_type: kind.to_owned(),
            text: body.to_owned(),
            body: serde_json::from_str(body).unwrap_or_default(),
        }
    }

    /// Takes the answer to what [`Play::send_next`] returned last.
    ///
    /// # Panics
    /// Nothing was sent.
    pub fn answered(&mut self, heard: &Heard) -> Told<'a> {
        let (code, body) = (heard.code, &heard.body);
        let (step, request) = self.now.take().expect("a request was sent");
        let topic = self.topic;
        match step {
            Step::Case(at) => {
                let case = &topic.cases[at];
                if case.role != Role::Setup {
                    let mut found = Answer::of(&request, code, body);
                    if topic.family == WARNINGS {
                        let lines = heard.warnings.iter();
                        found.lines = lines.map(|text| format!("warning {text}")).collect();
                    }
                    return Told::Case { at, case, found };
                }
                if case.is_set_up(code) {
                    self.tries = 0;
                    return Told::Nothing;
                }
                if request.method == "GET" && self.tries < TRIES_MAX {
                    self.tries += 1;
                    self.again = Some(step);
                    return Told::NotYet;
                }
                Told::Failed(format!("{}: {code}: {body}", case.name))
            }
            Step::Make(base) if code != 201 => {
                self.live = None;
                let name = &topic.cases[base].name;
                Told::Failed(format!("{name}: create it for real: {code}: {body}"))
            }
            Step::Read(_) if code != 200 => Told::Nothing,
            Step::Make(_) | Step::Read(_) => {
                self.live = Some(body.clone());
                Told::Nothing
            }
            Step::Delete(_) | Step::Free(_) => Told::Nothing,
            Step::Variant { variant, base } => Told::Variant {
                at: variant,
                variant: &topic.variants.0[variant],
                found: {
                    let base = topic.cases[base].answer.as_ref();
                    let is_update = topic.variants.0[variant].way == Way::Update;
                    let base = base.filter(|_| !is_update);
                    Answer::of(&request, code, body).beside(base)
                },
            },
        }
    }
}

fn case_steps(topic: &Topic, part: &str) -> Vec<Step> {
    let cases = topic.cases.iter().enumerate();
    let is_wanted = |case: &Case| case.role == Role::Setup || case.name.contains(part);
    let wanted = cases.filter(|(_, case)| is_wanted(case));
    wanted.map(|(at, _)| Step::Case(at)).collect()
}

fn variant_steps(topic: &Topic, part: &str) -> Vec<Step> {
    let cases = topic.cases.iter().enumerate();
    let bases = cases.filter(|(_, case)| case.role == Role::Base);
    let bases: BTreeMap<&str, usize> = bases.map(|(at, case)| (case.name.as_str(), at)).collect();
    let (mut steps, mut updates, mut made) = (Vec::new(), Vec::new(), None);
    for (variant, one) in topic.variants.0.iter().enumerate() {
        let base = bases.get(one.base.as_str());
        let Some(&base) = base.filter(|_| one.name().contains(part)) else {
            continue;
        };
        let step = Step::Variant { variant, base };
        if one.way == Way::Create {
            steps.push(step);
            continue;
        }
        if made != Some(base) {
            updates.extend(made.into_iter().flat_map(removal));
            updates.push(Step::Make(base));
            made = Some(base);
        }
        updates.extend([Step::Read(base), step]);
    }
    steps.extend(updates);
    steps.extend(made.into_iter().flat_map(removal));
    steps
}

fn removal(base: usize) -> [Step; 2] {
    [Step::Delete(base), Step::Free(base)]
}

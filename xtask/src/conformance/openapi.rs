//! `cargo xtask conformance openapi`: the OpenAPI documents of upstream and of Pintle, side by side.
//!
//! Both sides get the custom resources of `conformance/openapi/crds.yaml`. Then every v3 document
//! and the one of v2 is fetched from both, and each definition and each path is compared as a
//! value: the order of fields does not count, nor that of the kinds that a definition stands for,
//! and upstream's shared parameters of v2 are put where they are used. A definition or path that
//! says the same but describes it otherwise counts on its own.
//!
//! What differs beyond descriptions must be listed in `conformance/differences.md`, as
//! ``- `openapi: NAME`: reason``.
//!
//! Upstream's own documents are also written in protobuf by our encoder; the bytes must be those
//! that upstream sends.

mod publish;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::differential::exchange::Door;
use super::{Against, Ground, Target, repository, write_result};
use crate::failure::{Doing, Failure};

const JSON: &str = "application/json";
const V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
const V3_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v3.v1.0+protobuf";
const GVK: &str = "x-kubernetes-group-version-kind";

/// What the custom resources make appear; upstream publishes them after some seconds.
const CUSTOM: [&str; 3] = [
    "apis/plain.example.com/v1",
    "apis/rich.example.com/v1",
    "apis/rich.example.com/v2alpha1",
];
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);
const SETTLED: Duration = Duration::from_secs(3);

/// What `cargo xtask conformance openapi` takes.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Writes a page into conformance/results.
    #[arg(long)]
    results: bool,
    /// Compares nothing, but measures how long so many custom resources take to be published.
    #[arg(long, value_name = "COUNT")]
    publish: Option<usize>,
}

/// Compares the documents and prints what differs.
///
/// # Errors
/// Something kept the run from happening, or documents differ where nothing is listed.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(count) = arguments.publish {
        return publish::run(&arguments.target, count.max(1));
    }
    let upstream = Documents::of(&Target {
        against: Against::Upstream,
        kubeconfig: None,
        pintle: None,
    })?;
    let ours = Documents::of(&arguments.target)?;
    let listed = listed()?;
    let mut report = Report::default();
    for (name, theirs) in &upstream.v3 {
        let Some(own) = ours.v3.get(name) else {
            report.note(&listed, "documents", name, "only upstream has it");
            continue;
        };
        report.compare(
            &listed,
            "v3 definitions",
            theirs,
            own,
            &["components", "schemas"],
        );
        report.compare(&listed, "v3 paths", theirs, own, &["paths"]);
    }
    for name in ours
        .v3
        .keys()
        .filter(|name| !upstream.v3.contains_key(*name))
    {
        report.note(&listed, "documents", name, "upstream does not have it");
    }
    let theirs = with_parameters(&upstream.v2, &upstream.v2["parameters"]);
    report.compare(
        &listed,
        "v2 definitions",
        &theirs,
        &ours.v2,
        &["definitions"],
    );
    report.compare(&listed, "v2 paths", &theirs, &ours.v2, &["paths"]);
    let body = report.body(&upstream);
    print!("{body}");
    if arguments.results {
        write_result(
            "openapi",
            "cargo xtask conformance openapi --results",
            &body,
        )?;
    }
    match report.failed.len() + upstream.otherwise.len() {
        0 => Ok(()),
        failed => Err(Failure::new(format!("{failed} differences are not listed"))),
    }
}

/// The documents of one side.
struct Documents {
    v3: BTreeMap<String, Value>,
    v2: Value,
    /// Documents that our encoder writes as this side sends them, and those that it does not.
    encoded: usize,
    otherwise: Vec<String>,
}

impl Documents {
    fn of(target: &Target) -> Result<Self, Failure> {
        let ground = Ground::prepare(target, &[])?;
        let status = Command::new(ground.bin.join("kubectl"))
            .arg("--kubeconfig")
            .arg(&ground.kubeconfig)
            .args(["apply", "-f"])
            .arg(repository().join("conformance/openapi/crds.yaml"))
            .status()
            .doing("run kubectl apply")?;
        if !status.success() {
            return Err(Failure::new("kubectl apply of the custom resources failed"));
        }
        let door = Door::open(&ground.bin, &ground.kubeconfig)?;
        let index = wait(&door)?;
        let mut documents = Self {
            v3: BTreeMap::new(),
            v2: Value::Null,
            encoded: 0,
            otherwise: Vec::new(),
        };
        for (name, entry) in index["paths"].as_object().into_iter().flatten() {
            let url = entry["serverRelativeURL"].as_str().unwrap_or_default();
            let json = door.get(url, JSON)?;
            let protobuf = door.get(url, V3_PROTOBUF)?;
            documents.check(name, &json, &protobuf, schema::openapi::proto::write_v3);
            documents.v3.insert(name.clone(), parse(&json)?);
        }
        let json = door.get("/openapi/v2", JSON)?;
        let protobuf = door.get("/openapi/v2", V2_PROTOBUF)?;
        documents.check("v2", &json, &protobuf, schema::openapi::proto::write_v2);
        documents.v2 = parse(&json)?;
        Ok(documents)
    }

    fn check(
        &mut self,
        name: &str,
        json: &[u8],
        protobuf: &[u8],
        write: fn(&api::Value) -> Vec<u8>,
    ) {
        let same = api::json::read(json).is_ok_and(|read| write(&read.value) == protobuf);
        if same {
            self.encoded += 1;
        } else {
            self.otherwise.push(format!("{name} in protobuf"));
        }
    }
}

/// Waits until the custom resources are published in both versions; returns the list of documents.
fn wait(door: &Door) -> Result<Value, Failure> {
    let started = Instant::now();
    loop {
        let index = parse(&door.get("/openapi/v3", JSON)?)?;
        let v2 = parse(&door.get("/openapi/v2", JSON)?)?;
        let is_there = |name: &&str| {
            let prefix = format!("/{name}/");
            let mut paths = v2["paths"].as_object().into_iter().flatten();
            index["paths"].get(name).is_some() && paths.any(|(path, _)| path.starts_with(&prefix))
        };
        if CUSTOM.iter().all(is_there) {
            // Upstream publishes one definition after the other; a list that stays is whole.
            std::thread::sleep(SETTLED);
            if parse(&door.get("/openapi/v3", JSON)?)? == index {
                return Ok(index);
            }
        }
        if started.elapsed() > PATIENCE {
            return Err(Failure::new("the custom resources are not published"));
        }
        std::thread::sleep(PAUSE);
    }
}

fn parse(bytes: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(bytes).doing("parse a document")
}

/// Reads what is listed in `conformance/differences.md`.
fn listed() -> Result<BTreeMap<String, String>, Failure> {
    let path = repository().join("conformance/differences.md");
    let text = std::fs::read_to_string(&path).doing("read conformance/differences.md")?;
    let entry = |line: &str| {
        let (name, reason) = line.strip_prefix("- `openapi: ")?.split_once("`: ")?;
        Some((name.to_owned(), reason.to_owned()))
    };
    Ok(text.lines().filter_map(entry).collect())
}

/// What was found, by sort of thing.
#[derive(Default)]
struct Report {
    counts: BTreeMap<&'static str, Counts>,
    known: BTreeMap<String, BTreeSet<String>>,
    failed: BTreeSet<String>,
    /// Descriptions of fields and types in v3: as upstream, and in all.
    described: (usize, usize),
}

#[derive(Default)]
struct Counts {
    same: usize,
    texts: usize,
    known: usize,
    failed: usize,
}

impl Report {
    fn compare(
        &mut self,
        listed: &BTreeMap<String, String>,
        sort: &'static str,
        theirs: &Value,
        ours: &Value,
        place: &[&str],
    ) {
        let all = |of: &Value| -> BTreeMap<String, Value> {
            let found = place.iter().fold(of, |value, name| &value[name]);
            let entries = found.as_object().into_iter().flatten();
            entries
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        };
        let (theirs, mut ours) = (all(theirs), all(ours));
        for (name, theirs) in theirs {
            let Some(mut own) = ours.remove(&name) else {
                self.note(listed, sort, &name, "only upstream has it");
                continue;
            };
            let mut theirs = theirs;
            sort_kinds(&mut theirs);
            sort_kinds(&mut own);
            if sort == "v3 definitions" {
                self.count_texts(&theirs, &own, false);
            }
            if theirs == own {
                self.counts.entry(sort).or_default().same += 1;
                continue;
            }
            strip_texts(&mut theirs, false);
            strip_texts(&mut own, false);
            if theirs == own {
                self.counts.entry(sort).or_default().texts += 1;
            } else {
                self.note(listed, sort, &name, &difference("", &theirs, &own));
            }
        }
        for name in ours.keys() {
            self.note(listed, sort, name, "upstream does not have it");
        }
    }

    fn note(
        &mut self,
        listed: &BTreeMap<String, String>,
        sort: &'static str,
        name: &str,
        what: &str,
    ) {
        let counts = self.counts.entry(sort).or_default();
        if let Some(reason) = listed.get(name) {
            counts.known += 1;
            let entry = self.known.entry(format!("{name}: {reason}")).or_default();
            entry.insert(sort.to_owned());
        } else {
            counts.failed += 1;
            self.failed.insert(format!("{sort}: {name}: {what}"));
        }
    }

    fn count_texts(&mut self, theirs: &Value, ours: &Value, is_named: bool) {
        match theirs {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if name == "description" && value.is_string() && !is_named {
                        self.described.1 += 1;
                        self.described.0 += usize::from(*value == ours[name]);
                    } else {
                        self.count_texts(value, &ours[name], name == "properties");
                    }
                }
            }
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    self.count_texts(item, &ours[place], false);
                }
            }
            _ => {}
        }
    }

    fn body(&self, upstream: &Documents) -> String {
        let mut body = String::from(
            "Each definition and each path of every document, compared as values with kube-apiserver 1.37.1.\n\n\
             | what | same | same but for descriptions | listed differences | others |\n|---|---|---|---|---|\n",
        );
        for (sort, counts) in &self.counts {
            let _ = writeln!(
                body,
                "| {sort} | {} | {} | {} | {} |",
                counts.same, counts.texts, counts.known, counts.failed
            );
        }
        let _ = writeln!(
            body,
            "\n{} of {} descriptions in the definitions of v3 are upstream's to the letter.\n\
             {} of {} of upstream's documents, written in protobuf by our encoder, are what upstream sends, byte for byte.\n",
            self.described.0,
            self.described.1,
            upstream.encoded,
            upstream.encoded + upstream.otherwise.len(),
        );
        for (what, sorts) in &self.known {
            let sorts: Vec<&str> = sorts.iter().map(String::as_str).collect();
            let _ = writeln!(body, "- listed ({}): {what}", sorts.join(", "));
        }
        for what in self.failed.iter().chain(&upstream.otherwise) {
            let _ = writeln!(body, "- **not listed**: {what}");
        }
        body
    }
}

/// Puts the kinds that a definition stands for into one order.
fn sort_kinds(definition: &mut Value) {
    if let Some(Value::Array(kinds)) = definition.get_mut(GVK) {
        kinds.sort_by_key(Value::to_string);
    }
}

/// Takes out descriptions; a field may have that name, too.
fn strip_texts(value: &mut Value, is_named: bool) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| is_named || name != "description" || !value.is_string());
            for (name, value) in fields {
                strip_texts(value, name == "properties" && !is_named);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| strip_texts(item, false)),
        _ => {}
    }
}

/// Puts shared parameters where they are used.
fn with_parameters(value: &Value, shared: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let reference = fields.get("$ref").and_then(Value::as_str);
            if let Some(name) = reference.and_then(|target| target.strip_prefix("#/parameters/")) {
                return shared[name].clone();
            }
            let fields = fields.iter();
            Value::Object(
                fields
                    .map(|(name, value)| (name.clone(), with_parameters(value, shared)))
                    .collect(),
            )
        }
        Value::Array(items) => {
            let items = items.iter();
            Value::Array(items.map(|item| with_parameters(item, shared)).collect())
        }
        other => other.clone(),
    }
}

/// Names the first place at which two values differ.
fn difference(place: &str, theirs: &Value, ours: &Value) -> String {
    match (theirs, ours) {
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            let differs = names
                .into_iter()
                .find(|name| one.get(*name) != other.get(*name));
            let name = differs.map_or("", String::as_str);
            difference(&format!("{place}/{name}"), &theirs[name], &ours[name])
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let differs = (0..one.len())
                .find(|at| one[*at] != other[*at])
                .unwrap_or(0);
            difference(
                &format!("{place}/{differs}"),
                &one[differs],
                &other[differs],
            )
        }
        _ => format!("{place}: upstream {theirs}, Pintle {ours}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{difference, strip_texts, with_parameters};

    #[test]
    fn strips_descriptions_but_no_field_of_that_name() {
        let mut value = json!({"description": "d", "properties": {"description": {"description": "d", "type": "string"}}});
        strip_texts(&mut value, false);
        assert_eq!(
            value,
            json!({"properties": {"description": {"type": "string"}}})
        );
    }

    #[test]
    fn names_the_first_difference() {
        let found = difference(
            "",
            &json!({"a": 1, "b": [1, 2]}),
            &json!({"a": 1, "b": [1, 3]}),
        );
        assert_eq!(found, "/b/1: upstream 2, Pintle 3");
    }

    #[test]
    fn puts_parameters_where_they_are_used() {
        let value = json!({"parameters": [{"$ref": "#/parameters/limit-1"}]});
        let found = with_parameters(&value, &json!({"limit-1": {"name": "limit"}}));
        assert_eq!(found, json!({"parameters": [{"name": "limit"}]}));
    }
}

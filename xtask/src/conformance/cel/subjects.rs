//! The rules whose facts are recorded in `conformance/cel`, each with the schema it stands in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::conformance::repository;
use crate::failure::{Doing, Failure};

/// Bundles of real definitions in Go's module cache, as the oracle read them.
const BUNDLES: [&str; 5] = [
    "sigs.k8s.io/gateway-api@v1.6.1/config/crd/standard",
    "github.com/prometheus-operator/prometheus-operator@v0.93.0/bundle.yaml",
    "sigs.k8s.io/cluster-api@v1.14.0/core/config/crd/bases",
    "github.com/cert-manager/cert-manager@v1.21.1/deploy/crds",
    "istio.io/api@v1.31.1/kubernetes/customresourcedefinitions.gen.yaml",
];

const RULES: &str = "x-kubernetes-validations";

/// A rule and what is recorded of it.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// How it is called in reports.
    pub(super) name: String,
    /// A schema with this rule only.
    pub(super) schema: Value,
    /// What it is estimated to cost once.
    pub(super) cost: u64,
    /// How often it can apply if nothing limits it.
    pub(super) cardinality: u64,
    /// Why it does not compile.
    pub(super) error: Option<String>,
    /// An object it judges; null if none is recorded.
    pub(super) object: Value,
    /// What it says of the object.
    pub(super) errors: Vec<String>,
    /// It also needs what the object was before.
    needs_old: bool,
}

impl Subject {
    /// Whether the rule can be created, and there is an object for it.
    pub(super) fn is_judged(&self) -> bool {
        !self.object.is_null()
            && !self.needs_old
            && self.error.is_none()
            && self.cost <= super::BUDGET
    }

    fn of(name: String, schema: Value, facts: &Value) -> Self {
        let number = |name: &str| facts[name].as_u64().unwrap_or_default();
        let errors = facts["errors"].as_array().into_iter().flatten();
        Self {
            name,
            schema,
            cost: number("cost"),
            cardinality: number("cardinality"),
            error: facts["error"].as_str().map(str::to_owned),
            object: Value::Null,
            errors: errors
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            needs_old: facts.get("old").is_some(),
        }
    }
}

/// Reads all of them.
pub(super) fn load() -> Result<Vec<Subject>, Failure> {
    let folder = repository().join("conformance/cel");
    let mut subjects = written(&folder)?;
    subjects.extend(real(&folder)?);
    Ok(subjects)
}

fn lines(path: &Path) -> Result<Vec<Value>, Failure> {
    let text = std::fs::read_to_string(path).doing(format!("read {}", path.display()))?;
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_str(line).doing(format!("read {}", path.display())))
        .collect()
}

/// Rules that were written for the table; they stand at the root of their schemas.
fn written(folder: &Path) -> Result<Vec<Subject>, Failure> {
    let path = folder.join("shapes.json");
    let text = std::fs::read_to_string(&path).doing(format!("read {}", path.display()))?;
    let shapes: Value = serde_json::from_str(&text).doing("read shapes.json")?;
    let lines = lines(&folder.join("rules.jsonl"))?;
    Ok(lines
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default();
            let mut schema = shapes["schemas"][text("schema")].clone();
            schema[RULES] = json!([{"rule": text("rule")}]);
            schema["x-kubernetes-embedded-resource"] = true.into();
            let mut subject = Subject::of(text("rule").to_owned(), schema, line);
            if !text("object").is_empty() {
                subject.object = shapes["objects"][text("object")].clone();
            }
            subject
        })
        .collect())
}

/// Rules of real definitions.
fn real(folder: &Path) -> Result<Vec<Subject>, Failure> {
    let mut schemas: BTreeMap<String, Value> = BTreeMap::new();
    for bundle in BUNDLES {
        for definition in definitions(bundle)? {
            let name = definition["metadata"]["name"].as_str().unwrap_or_default();
            for version in definition["spec"]["versions"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let version_name = version["name"].as_str().unwrap_or_default();
                let schema = version["schema"]["openAPIV3Schema"].clone();
                schemas.insert(format!("{name}/{version_name}"), schema);
            }
        }
    }
    let mut subjects = Vec::new();
    for line in lines(&folder.join("crds.jsonl"))? {
        let (crd, path) = (&line["crd"], line["path"].as_str().unwrap_or_default());
        let place = line["rule"].as_u64().unwrap_or_default();
        let name = format!("{} {path} {place}", crd.as_str().unwrap_or_default());
        let missing = || Failure::new(format!("{name}: no such rule"));
        let schema = schemas
            .get(crd.as_str().unwrap_or_default())
            .ok_or_else(missing)?;
        let mut schema = at(schema, path).ok_or_else(missing)?.clone();
        let rule = schema[RULES][usize::try_from(place).unwrap_or(usize::MAX)].clone();
        if rule.is_null() {
            return Err(missing());
        }
        strip(&mut schema);
        schema[RULES] = json!([rule]);
        if path.is_empty() {
            schema["x-kubernetes-embedded-resource"] = true.into();
        }
        subjects.push(Subject::of(name, schema, &line));
    }
    Ok(subjects)
}

/// Returns the schema at a path like `.spec.names[]`, with `{}` for the values of a map.
fn at<'a>(schema: &'a Value, path: &str) -> Option<&'a Value> {
    let (mut at, mut rest) = (schema, path);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("[]") {
            (at, rest) = (at.get("items")?, after);
        } else if let Some(after) = rest.strip_prefix("{}") {
            (at, rest) = (at.get("additionalProperties")?, after);
        } else {
            let after = rest.strip_prefix('.')?;
            let end = after.find(['.', '[', '{']).unwrap_or(after.len());
            (at, rest) = (at.get("properties")?.get(&after[..end])?, &after[end..]);
        }
    }
    Some(at)
}

/// Removes what makes a definition long and does not bear on what a rule costs: other rules and
/// texts. What stands under `properties` is a name and no word.
fn strip(schema: &mut Value) {
    let Value::Object(words) = schema else {
        return;
    };
    for word in [RULES, "description", "example"] {
        words.remove(word);
    }
    for (word, inner) in words.iter_mut() {
        match (word.as_str(), inner) {
            ("properties", Value::Object(all)) => all.values_mut().for_each(strip),
            ("items" | "additionalProperties" | "not", inner) => strip(inner),
            ("allOf" | "anyOf" | "oneOf", Value::Array(all)) => all.iter_mut().for_each(strip),
            _ => {}
        }
    }
}

fn definitions(bundle: &str) -> Result<Vec<Value>, Failure> {
    let home = std::env::home_dir().ok_or_else(|| Failure::new("there is no home".to_owned()))?;
    let path = home.join("go/pkg/mod").join(bundle);
    let mut files = vec![path.clone()];
    if path.is_dir() {
        let entries = std::fs::read_dir(&path).doing(format!("read {}", path.display()))?;
        let entries = entries.filter_map(|entry| Some(entry.ok()?.path()));
        files = entries
            .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
            .collect();
    }
    files.sort();
    let mut found = Vec::new();
    for file in files {
        found.extend(documents(&file)?);
    }
    Ok(found)
}

fn documents(file: &PathBuf) -> Result<Vec<Value>, Failure> {
    let what = || format!("read {}", file.display());
    let text = std::fs::read_to_string(file).doing(what())?;
    let text = format!("\n{text}");
    let documents = text
        .split("\n---")
        .filter(|document| document.contains("kind: CustomResourceDefinition"));
    documents
        .map(|document| {
            let parsed = api::yaml::read(document.as_bytes()).doing(what())?;
            let mut json = Vec::new();
            api::json::write(&parsed.value, &mut json);
            serde_json::from_slice(&json).doing(what())
        })
        .collect()
}

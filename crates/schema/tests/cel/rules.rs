//! Rules whose verdict and cost upstream has told (`conformance/cel`): each is judged alike here.

use std::{collections::BTreeMap, fs, path::PathBuf};

use api::{Value, json, yaml};
use schema::{
    Shape,
    cel::rules::{facts, hold},
    structural::compile,
};

/// How many rules the tables hold at least.
const RULES_MIN: usize = 400;

/// Bundles of real definitions, as the oracle read them.
const BUNDLES: [&str; 5] = [
    "sigs.k8s.io/gateway-api@v1.6.1/config/crd/standard",
    "github.com/prometheus-operator/prometheus-operator@v0.93.0/bundle.yaml",
    "sigs.k8s.io/cluster-api@v1.14.0/core/config/crd/bases",
    "github.com/cert-manager/cert-manager@v1.21.1/deploy/crds",
    "istio.io/api@v1.31.1/kubernetes/customresourcedefinitions.gen.yaml",
];

fn table(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../conformance/cel");
    fs::read_to_string(path.join(name)).expect("the tables lie in conformance/cel")
}

fn lines(name: &str) -> Vec<Value> {
    let text = table(name);
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| json::read(line.as_bytes()).expect("a line is JSON").value)
        .collect()
}

fn number(value: &Value, name: &str) -> u64 {
    let number = value.get(name).and_then(Value::as_int).unwrap_or(0);
    u64::try_from(number).expect("costs are not negative")
}

/// Returns upstream's cost, which may be beyond the whole numbers of JSON here.
fn cost(value: &Value) -> u64 {
    match value.get("cost") {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is the bound"
        )]
        Some(Value::Float(cost)) => *cost as u64,
        _ => number(value, "cost"),
    }
}

#[test]
fn rules_are_judged_as_upstream_judges_them() {
    let shapes = json::read(table("shapes.json").as_bytes())
        .expect("JSON")
        .value;
    let rules = lines("rules.jsonl");
    let mut wrong = Vec::new();
    for line in &rules {
        let text = |name: &str| line.str_at(&[name]).unwrap_or_default();
        let mut schema = shapes
            .at(&["schemas", text("schema")])
            .expect("a schema")
            .clone();
        let rule = Value::Array(vec![{
            let mut rule = Value::object();
            rule.set_at(&["rule"], Value::string(text("rule")));
            rule
        }]);
        schema.set_at(&["x-kubernetes-validations"], rule);
        let shape = compile(&schema, &Shape::any()).expect("the schema is sound");
        let found = facts(&shape);
        let mut say = |what: &str, got: String, wanted: String| {
            if got != wanted {
                wrong.push(format!(
                    "{}\n  {what} {got}\n  wanted {wanted}",
                    text("rule")
                ));
            }
        };
        // Costs beyond 63 bits are floats in JSON as it is read here.
        #[allow(
            clippy::cast_precision_loss,
            reason = "only those are compared as floats"
        )]
        let got = match found[0].cost {
            cost if i64::try_from(cost).is_ok() => cost,
            cost => cost as f64 as u64,
        };
        say("cost", got.to_string(), cost(line).to_string());
        say(
            "cardinality",
            found[0].cardinality.to_string(),
            number(line, "cardinality").to_string(),
        );
        let error = found[0].error.clone().unwrap_or_default();
        say("error", error, text("error").to_owned());
        let object = |name: &str| shapes.at(&["objects", text(name)]);
        let Some(object_value) = object("object") else {
            continue;
        };
        let (errors, spent) = hold(&shape, object_value, object("old"));
        let mut errors: Vec<String> = errors
            .iter()
            .map(|error| match error.field.as_str() {
                "" => format!("<nil>{error}"),
                _ => error.to_string(),
            })
            .collect();
        errors.sort();
        let wanted = line
            .get("errors")
            .and_then(Value::as_array)
            .unwrap_or_default();
        let wanted: Vec<&str> = wanted.iter().filter_map(Value::as_str).collect();
        say("errors", errors.join("\n"), wanted.join("\n"));
        say(
            "spent",
            spent.to_string(),
            number(line, "spent").to_string(),
        );
    }
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(rules.len() + lines("crds.jsonl").len() >= RULES_MIN);
}

#[test]
fn rules_of_real_definitions_cost_what_upstream_says() {
    let mut wanted: BTreeMap<String, (u64, u64, String)> = BTreeMap::new();
    for line in lines("crds.jsonl") {
        let text = |name: &str| line.str_at(&[name]).unwrap_or_default().to_owned();
        let key = format!("{} {} {}", text("crd"), text("path"), number(&line, "rule"));
        wanted.insert(
            key,
            (cost(&line), number(&line, "cardinality"), text("error")),
        );
    }
    let mut wrong = Vec::new();
    for crd in BUNDLES.iter().flat_map(|bundle| definitions(bundle)) {
        let name = crd.str_at(&["metadata", "name"]).unwrap_or_default();
        let versions = crd.at(&["spec", "versions"]).and_then(Value::as_array);
        for version in versions.unwrap_or_default() {
            let schema = version
                .at(&["schema", "openAPIV3Schema"])
                .expect("a schema");
            let shape = compile(schema, &Shape::any()).expect("the schema is sound");
            let version = version.str_at(&["name"]).unwrap_or_default();
            for fact in facts(&shape) {
                let key = format!("{name}/{version} {} {}", fact.path, fact.rule);
                let got = (fact.cost, fact.cardinality, fact.error.unwrap_or_default());
                match wanted.remove(&key) {
                    Some(told) if told == got => {}
                    told => wrong.push(format!("{key}\n  is     {got:?}\n  wanted {told:?}")),
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(wanted.is_empty(), "not found: {wanted:?}");
}

fn definitions(bundle: &str) -> Vec<Value> {
    let home = std::env::home_dir().expect("there is a home");
    let path = home.join("go/pkg/mod").join(bundle);
    let mut files: Vec<PathBuf> = match path.is_file() {
        true => vec![path],
        false => fs::read_dir(&path)
            .unwrap_or_else(|error| panic!("{bundle}: {error}\nhint: run `go mod download`"))
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
            .collect(),
    };
    files.sort();
    let documents = files.iter().flat_map(|file| {
        let text = fs::read_to_string(file).expect("the file can be read");
        let documents: Vec<Value> = format!("\n{text}")
            .split("\n---")
            .filter(|document| document.contains("kind: CustomResourceDefinition"))
            .map(|document| yaml::read(document.as_bytes()).expect("YAML").value)
            .collect();
        documents
    });
    documents.collect()
}

//! Subresources that a definition names itself, in annotations of our own.
//!
//! `subresources.pintle.dev/NAME` holds a map in YAML. With `path` the subresource is a part of the
//! object that changes through this door and no other. With `expression` or `webhook` it is an
//! action: what is posted there changes the object as the definition says. No other server knows
//! them.

use std::{sync::Arc, time::Duration};

use api::{
    GroupVersion, Text, Value,
    field::{Error, Path},
    names::validate::dns1123_label,
};
use schema::{
    Action, Form, Others, Shape, Subresource, View,
    action::{self, Does, Rule},
    structural::{CheckOptions, check},
    webhook_client,
};

use super::{
    computed::{ours, shapes},
    definition::versions,
};

/// Annotations of subresources begin so.
const SUBRESOURCES: &str = "subresources.pintle.dev/";

/// How many subresources a definition may name: each is a line in discovery and a path in OpenAPI.
const SUBRESOURCES_MAX: usize = 16;

/// How many rules an action may have: each costs an evaluation for every request.
const RULES_MAX: usize = 16;

/// How long the message of a rule may be, as that of a rule in a schema.
const MESSAGE_BYTES_MAX: usize = 2048;

/// How many steps a path may have.
const STEPS_MAX: usize = 32;

/// How long a webhook may take if nothing is said, and at most, as for admission webhooks.
const TIMEOUT_SECONDS: i64 = 10;
const TIMEOUT_SECONDS_MAX: i64 = 30;

/// Names that mean something else on every custom resource.
const RESERVED: [&str; 2] = ["status", "scale"];

const NO_WEBHOOKS: &str = "webhooks are not asked yet";

const KEYS: [&str; 6] = [
    "path",
    "parameters",
    "rules",
    "expression",
    "webhook",
    "timeoutSeconds",
];

/// What one annotation says.
enum Said {
    Part(Vec<Text>),
    Action(action::Said),
}

/// Adds what a definition names to the subresources of one of its versions; what is not
/// understood is left out, as it was refused when it was written.
pub(super) fn add(
    definition: &Value,
    group_version: &GroupVersion,
    kind: &Text,
    shape: &Shape,
    made: &mut Vec<Subresource>,
) {
    let path = Path::ROOT;
    for (key, text) in ours(definition) {
        let Some(name) = key.strip_prefix(SUBRESOURCES) else {
            continue;
        };
        if made.iter().any(|known| known.name == name) || made.len() >= SUBRESOURCES_MAX + 2 {
            continue;
        }
        let (view, verbs): (View, &[&'static str]) = match read(&text, &path, &mut Vec::new()) {
            Some(Said::Part(steps)) => (View::Part(steps), &["get", "patch", "update"]),
            Some(Said::Action(said)) => {
                let action = Action::new(said, shape.clone());
                (View::Action(Arc::new(action)), &["create"])
            }
            None => continue,
        };
        made.push(Subresource {
            name: Text::new(name),
            kind: kind.clone(),
            group_version: group_version.clone(),
            shape: shape.clone(),
            verbs: verbs.iter().map(|word| Text::const_new(word)).collect(),
            view,
        });
    }
}

/// Returns what is wrong with the annotations of a definition; `meta` is the shape of the metadata
/// of its objects.
pub(super) fn wrong(definition: &Value, meta: &Shape) -> Vec<Error> {
    let ours = ours(definition);
    let named = ours.iter().filter_map(|(key, text)| {
        let name = key.strip_prefix(SUBRESOURCES)?;
        Some((key, name, text))
    });
    let named: Vec<(&Text, &str, &Text)> = named.collect();
    if named.is_empty() {
        return Vec::new();
    }
    let metadata = Path::new("metadata");
    let annotations = metadata.child("annotations");
    let mut errors = Vec::new();
    if named.len() > SUBRESOURCES_MAX {
        let why = format!("may not name more than {SUBRESOURCES_MAX} subresources");
        errors.push(Error::forbidden(&annotations, why));
        return errors;
    }
    let shapes = shapes(definition, meta);
    let mut taken = taken(definition);
    for (key, name, text) in named {
        let place = annotations.key(key);
        for rule in dns1123_label(name) {
            errors.push(Error::invalid(&place, name, rule));
        }
        if RESERVED.contains(&name) {
            let why = "is the name of a subresource that definitions have under `spec`";
            errors.push(Error::invalid(&place, name, why));
        }
        match read(text, &place, &mut errors) {
            None => {}
            Some(Said::Part(steps)) => {
                wrong_part(&steps, &place, &shapes, &taken, &mut errors);
                taken.push((name.to_owned(), steps));
            }
            Some(Said::Action(said)) => {
                let wrong = shapes.iter().find_map(|(version, shape)| {
                    let action = Action::new(said.clone(), shape.clone());
                    action
                        .wrong()
                        .map(|why| format!("version {version}: {why}"))
                });
                if let Some(why) = wrong {
                    errors.push(Error::invalid(&place, text, why));
                }
            }
        }
    }
    errors
}

/// Returns the paths that have doors already: the number of replicas that a scale sets, and the
/// status where that is a subresource.
fn taken(definition: &Value) -> Vec<(String, Vec<Text>)> {
    let mut taken = Vec::new();
    for one in versions(definition) {
        if one.at(&["subresources", "status"]).is_some() {
            // Parts of the status may have doors of their own.
            taken.push(("status".to_owned(), Vec::new()));
        }
        if let Some(path) = one.str_at(&["subresources", "scale", "specReplicasPath"]) {
            let steps = path.trim_start_matches('.').split('.').map(Text::new);
            taken.push(("scale".to_owned(), steps.collect()));
        }
    }
    taken
}

fn wrong_part(
    steps: &[Text],
    place: &Path<'_>,
    shapes: &[(Text, Shape)],
    taken: &[(String, Vec<Text>)],
    errors: &mut Vec<Error>,
) {
    let path = place.child("path");
    let shown = format!(".{}", steps.join("."));
    let mut wrong = |why: String| errors.push(Error::invalid(&path, &shown, why));
    for (version, shape) in shapes {
        if !leads(shape, steps) {
            wrong(format!("version {version} has no such field"));
        }
    }
    for (name, other) in taken {
        let overlaps = match (name.as_str(), other.as_slice()) {
            ("status", []) => *steps == ["status"],
            (_, other) => steps.starts_with(other) || other.starts_with(steps),
        };
        if overlaps {
            wrong(format!("changes through the subresource {name} already"));
        }
    }
}

/// Returns whether objects of this shape may have something under a path of field names.
fn leads(shape: &Shape, steps: &[Text]) -> bool {
    let mut place = shape.clone();
    for step in steps {
        let next = match &place.node().form {
            Form::Any => return true,
            Form::Map { value, .. } => *value,
            Form::Struct(fields) => match (fields.field(step), fields.others) {
                (Some(field), _) => field.shape,
                (None, Others::Shaped(part)) => part,
                (None, Others::Keep) => return true,
                (None, Others::Drop) => return false,
            },
            Form::Scalar(_) | Form::List { .. } => return false,
        };
        place = place.part(next);
    }
    true
}

/// Reads one annotation; none if it is not understood, and `errors` say why.
fn read(text: &str, place: &Path<'_>, errors: &mut Vec<Error>) -> Option<Said> {
    let before = errors.len();
    let found = match api::yaml::read(text.as_bytes()) {
        Err(error) => Err(error.to_string()),
        Ok(parsed) => match (parsed.strict, parsed.value) {
            (Some(why), _) => Err(why),
            (None, value @ Value::Object(_)) => Ok(value),
            (None, _) => Err("must be a map in YAML".to_owned()),
        },
    };
    let map = match found {
        Ok(map) => map,
        Err(why) => {
            errors.push(Error::invalid(place, text, why));
            return None;
        }
    };
    for (key, _) in map.as_object()?.iter() {
        if !KEYS.contains(&key) {
            errors.push(Error::not_supported(place, key, &KEYS));
        }
    }
    let given = ["path", "expression", "webhook"].map(|key| map.get(key));
    let said = match given {
        [Some(path), None, None] => {
            for key in ["parameters", "rules", "timeoutSeconds"] {
                if map.get(key).is_some() {
                    let why = "belongs to an action";
                    errors.push(Error::forbidden(&place.child(key), why));
                }
            }
            steps(path, &place.child("path"), errors).map(Said::Part)
        }
        [None, Some(_), None] | [None, None, Some(_)] => {
            let does = does(&map, place, errors);
            let parameters = parameters(&map, place, errors);
            let rules = rules(&map, place, errors);
            does.map(|does| {
                Said::Action(action::Said {
                    parameters,
                    rules,
                    does,
                })
            })
        }
        _ => {
            let why = "must have exactly one of path, expression and webhook";
            errors.push(Error::invalid(place, text, why));
            None
        }
    };
    said.filter(|_| errors.len() == before)
}

/// Takes a path apart: `.spec.approval`.
fn steps(path: &Value, place: &Path<'_>, errors: &mut Vec<Error>) -> Option<Vec<Text>> {
    let text = path.as_str().unwrap_or_default();
    let steps: Vec<Text> = text.split('.').skip(1).map(Text::new).collect();
    let is_path = text.starts_with('.') && steps.iter().all(|step| !step.is_empty());
    let why = if !is_path || steps.len() > STEPS_MAX {
        "must be the path of a field like .spec.approval"
    } else if matches!(steps[0].as_str(), "apiVersion" | "kind" | "metadata") {
        "must be the path of a field beside metadata"
    } else {
        return Some(steps);
    };
    errors.push(Error::invalid(place, text, why));
    None
}

fn does(map: &Value, place: &Path<'_>, errors: &mut Vec<Error>) -> Option<Does> {
    let Some(client) = map.get("webhook") else {
        if map.get("timeoutSeconds").is_some() {
            let why = "belongs to a webhook";
            errors.push(Error::forbidden(&place.child("timeoutSeconds"), why));
        }
        return text(map, "expression", place, errors).map(Does::Expression);
    };
    errors.extend(webhook_client(client, &place.child("webhook")));
    // What asks webhooks comes with the conversion of versions.
    errors.push(Error::forbidden(&place.child("webhook"), NO_WEBHOOKS));
    let seconds = map.get("timeoutSeconds");
    let seconds = seconds.map_or(Some(TIMEOUT_SECONDS), Value::as_int);
    let seconds = seconds.filter(|seconds| (1..=TIMEOUT_SECONDS_MAX).contains(seconds));
    let Some(seconds) = seconds else {
        let why = format!("must be a number of seconds between 1 and {TIMEOUT_SECONDS_MAX}");
        errors.push(Error::forbidden(&place.child("timeoutSeconds"), why));
        return None;
    };
    Some(Does::Webhook {
        client: client.clone(),
        timeout: Duration::from_secs(seconds.unsigned_abs()),
    })
}

fn parameters(map: &Value, place: &Path<'_>, errors: &mut Vec<Error>) -> Option<Value> {
    let schema = map.get("parameters")?;
    let place = place.child("parameters");
    if schema.as_object().is_none() {
        errors.push(Error::required(&place, "must be a schema"));
        return None;
    }
    errors.extend(check(
        schema,
        &place,
        &Shape::any(),
        CheckOptions::default(),
    ));
    Some(schema.clone())
}

fn rules(map: &Value, place: &Path<'_>, errors: &mut Vec<Error>) -> Vec<Rule> {
    let Some(given) = map.get("rules") else {
        return Vec::new();
    };
    let place = place.child("rules");
    let Some(given) = given.as_array() else {
        errors.push(Error::required(&place, "must be a list of rules"));
        return Vec::new();
    };
    if given.len() > RULES_MAX {
        errors.push(Error::too_many(&place, given.len(), RULES_MAX));
        return Vec::new();
    }
    let mut rules = Vec::with_capacity(given.len());
    for (at, one) in given.iter().enumerate() {
        let place = place.index(at);
        for (key, _) in one.as_object().into_iter().flat_map(api::Object::iter) {
            if !matches!(key, "rule" | "message") {
                errors.push(Error::not_supported(&place, key, &["rule", "message"]));
            }
        }
        let message = one.str_at(&["message"]).unwrap_or_default();
        if message.len() > MESSAGE_BYTES_MAX {
            let place = place.child("message");
            errors.push(Error::too_long(&place, MESSAGE_BYTES_MAX));
        }
        if let Some(rule) = text(one, "rule", &place, errors) {
            let message = message.to_owned();
            rules.push(Rule { rule, message });
        }
    }
    rules
}

/// Returns a text that must be there.
fn text(map: &Value, key: &str, place: &Path<'_>, errors: &mut Vec<Error>) -> Option<String> {
    let text = map.str_at(&[key]).map(str::trim).unwrap_or_default();
    if text.is_empty() {
        errors.push(Error::required(&place.child(key), "must be an expression"));
        return None;
    }
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use api::{Value, field::Path, value};
    use schema::Shape;

    use super::{Said, read, wrong};

    #[track_caller]
    fn check_read(text: &str, expected: &str) {
        let mut errors = Vec::new();
        let found = match read(text, &Path::new("a"), &mut errors) {
            Some(Said::Part(steps)) => format!("part {}", steps.join("/")),
            Some(Said::Action(said)) => format!("action {:?}", said.does),
            None => errors
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n"),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn reads_parts_and_actions() {
        check_read("path: .spec.approval", "part spec/approval");
        check_read("expression: \"{}\"", "action Expression(\"{}\")");
        check_read(
            "webhook: {url: 'https://a.example'}\ntimeoutSeconds: 30",
            "a.webhook: Forbidden: webhooks are not asked yet",
        );
    }

    #[test]
    fn says_what_is_wrong_with_an_annotation() {
        let path = "must be the path of a field like .spec.approval";
        check_read(
            "path: spec",
            &format!("a.path: Invalid value: \"spec\": {path}"),
        );
        check_read(
            "path: .a..b",
            &format!("a.path: Invalid value: \".a..b\": {path}"),
        );
        check_read("path: 7", &format!("a.path: Invalid value: \"\": {path}"));
        check_read(
            "path: .metadata.labels",
            "a.path: Invalid value: \".metadata.labels\": must be the path of a field beside metadata",
        );
        let one = "must have exactly one of path, expression and webhook";
        check_read("{}", &format!("a: Invalid value: \"{{}}\": {one}"));
        check_read(
            "path: .a\nexpression: b",
            &format!("a: Invalid value: \"path: .a\\nexpression: b\": {one}"),
        );
        check_read("- a", "a: Invalid value: \"- a\": must be a map in YAML");
        check_read(
            "path: .a\nrules: []",
            "a.rules: Forbidden: belongs to an action",
        );
        check_read(
            "expression: a\ntimeoutSeconds: 1",
            "a.timeoutSeconds: Forbidden: belongs to a webhook",
        );
        check_read(
            "expression: a\nrule: b",
            r#"a: Unsupported value: "rule": supported values: "path", "parameters", "rules", "expression", "webhook", "timeoutSeconds""#,
        );
        check_read(
            "expression: ''",
            "a.expression: Required value: must be an expression",
        );
        check_read(
            "webhook: {url: 'https://a.example'}\ntimeoutSeconds: 31",
            "a.webhook: Forbidden: webhooks are not asked yet\na.timeoutSeconds: Forbidden: must be a number of seconds between 1 and 30",
        );
        check_read(
            "webhook: {}",
            "a.webhook: Required value: exactly one of url or service is required\na.webhook: Forbidden: webhooks are not asked yet",
        );
        check_read(
            "expression: a\nparameters: 1",
            "a.parameters: Required value: must be a schema",
        );
        check_read(
            "expression: a\nparameters: {type: object, properties: {x: {}}}",
            "a.parameters.properties[x].type: Required value: must not be empty for specified object fields",
        );
        check_read(
            "expression: a\nrules: 1",
            "a.rules: Required value: must be a list of rules",
        );
        check_read(
            "expression: a\nrules: [{rule: '', why: x}]",
            "a.rules[0]: Unsupported value: \"why\": supported values: \"rule\", \"message\"\na.rules[0].rule: Required value: must be an expression",
        );
        let rules = vec!["{rule: 'true'}"; 17].join(",");
        check_read(
            &format!("expression: a\nrules: [{rules}]"),
            "a.rules: Too many: 17: must have at most 16 items",
        );
        let long = "x".repeat(2_049);
        check_read(
            &format!("expression: a\nrules: [{{rule: 'true', message: {long}}}]"),
            "a.rules[0].message: Too long: may not be more than 2048 bytes",
        );
    }

    fn definition(annotations: Value) -> Value {
        let schema = value!({"openAPIV3Schema": {"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "size": {"type": "integer"},
                "approval": {"type": "object", "properties": {"by": {"type": "string"}}},
                "marks": {"type": "object", "additionalProperties": {"type": "string"}},
                "all": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}},
            "status": {"type": "object", "properties": {"phase": {"type": "string"}}}}}});
        value!({"metadata": {"annotations": (annotations)}, "spec": {"versions": [{
            "name": "v1", "schema": (schema),
            "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.size"}}}]}})
    }

    #[track_caller]
    fn check(name: &str, text: &str, expected: &str) {
        let mut annotations = Value::object();
        let key = format!("subresources.pintle.dev/{name}");
        annotations.make_object().insert(&key, Value::from(text));
        let errors = wrong(&definition(annotations), &Shape::any());
        let prefix = format!("metadata.annotations[{key}]");
        let found: Vec<String> = errors
            .iter()
            .map(|error| error.to_string().replace(&prefix, "@"))
            .map(|text| text.lines().next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(found.join("\n"), expected, "{name} {text}");
    }

    #[test]
    fn a_definition_is_refused_for_what_cannot_work() {
        for path in [
            ".spec.approval",
            ".spec.marks.a",
            ".spec.all.b.c",
            ".status.phase",
        ] {
            check("a", &format!("path: {path}"), "");
        }
        for (path, why) in [
            (".spec.nothing", "version v1 has no such field"),
            (".spec.size.x", "version v1 has no such field"),
            (".status", "changes through the subresource status already"),
            (
                ".spec.size",
                "changes through the subresource scale already",
            ),
            (".spec", "changes through the subresource scale already"),
        ] {
            let mut expected = format!("@.path: Invalid value: \"{path}\": {why}");
            if path == ".spec.size.x" {
                expected.push_str(&format!(
                    "\n@.path: Invalid value: \"{path}\": changes through the subresource scale already"
                ));
            }
            check("a", &format!("path: {path}"), &expected);
        }
        let reserved = "is the name of a subresource that definitions have under `spec`";
        check(
            "scale",
            "path: .spec.approval",
            &format!("@: Invalid value: \"scale\": {reserved}"),
        );
        check(
            "A",
            "path: .spec.approval",
            "@: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        );
        check(
            "a",
            "expression: self.nothing",
            "@: Invalid value: \"expression: self.nothing\": version v1: expression: compilation failed: ERROR: <input>:1:5: undefined field 'nothing'",
        );
    }

    #[test]
    fn parts_do_not_overlap_and_are_few() {
        let errors = |annotations: Value| {
            let errors = wrong(&definition(annotations), &Shape::any());
            let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
            texts.join("\n")
        };
        assert_eq!(
            errors(value!({
                "subresources.pintle.dev/a": "path: .spec.approval",
                "subresources.pintle.dev/b": "path: .spec.approval.by"})),
            "metadata.annotations[subresources.pintle.dev/b].path: Invalid value: \".spec.approval.by\": changes through the subresource a already"
        );
        let mut many = Value::object();
        for number in 0..17 {
            let key = format!("subresources.pintle.dev/a{number}");
            many.make_object()
                .insert(&key, Value::from("expression: '{}'"));
        }
        assert_eq!(
            errors(many),
            "metadata.annotations: Forbidden: may not name more than 16 subresources"
        );
        assert_eq!(errors(value!({"other.example/a": "path: x"})), "");
    }
}

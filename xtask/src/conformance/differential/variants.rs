//! Variants of good objects: each differs in one place from its base, and most are wrong.
//!
//! A base is a case marked `base:`, a good object. [`Variants::of`] makes its variants by rule: what
//! can be left out, emptied, doubled, turned round or put out of range. A variant is created, or it
//! is what an update makes of the base after that was created for real. They are kept with upstream's
//! answers in `TOPIC.variants` beside `TOPIC.cases`, written by `--vary`:
//!
//! ```text
//! pod: everything
//! create - /spec/containers/0/image
//! < 422
//! reason "Invalid"
//! cause "FieldValueRequired" "spec.containers[0].image" "Required value"
//! update = /spec/priority 8
//! < 422
//! ```
//!
//! What became of an accepted object is told as far as it differs from what became of the base.

use std::fmt::{self, Write as _};

use serde_json::{Value, json};

use super::answer::Answer;
use super::cases::{Case, Request};

/// How many variants one base has at most; a base with more should be two.
const VARIANTS_MAX: usize = 400;
/// Longer than any name may be.
const LONG: usize = 300;
/// Kinds whose new objects upstream's controllers change at once; an update of them names no version.
const TOUCHED: [&str; 5] = [
    "Node",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "ResourceQuota",
    "ServiceCIDR",
];
/// Maps whose keys have rules.
const MAPS: [&str; 8] = [
    "labels",
    "annotations",
    "matchLabels",
    "nodeSelector",
    "selector",
    "data",
    "limits",
    "requests",
];

/// How a variant comes to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The base, changed, is created.
    Create,
    /// The base as it was created is changed.
    Update,
}

/// What is changed of an object, at a JSON pointer.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// `- POINTER`
    Remove(String),
    /// `= POINTER VALUE`
    Set(String, Value),
    /// `+ POINTER`: the list's first item stands at its end, too.
    Double(String),
}

/// One variant of a base.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Name of the base.
    pub base: String,
    /// How it comes to the server.
    pub way: Way,
    /// What is changed.
    pub edit: Edit,
    /// What upstream answered.
    pub answer: Option<Answer>,
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.way {
            Way::Create => "create ",
            Way::Update => "update ",
        })?;
        match &self.edit {
            Edit::Remove(path) => write!(f, "- {path}"),
            Edit::Set(path, value) => write!(f, "= {path} {value}"),
            Edit::Double(path) => write!(f, "+ {path}"),
        }
    }
}

impl Variant {
    /// Returns `base: what is changed`, under which differences are listed.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}: {self}", self.base)
    }

    /// Returns the request: of the base's own body, or of the object that was made of it.
    #[must_use]
    pub fn request(&self, base: &Request, live: Option<&Value>) -> Request {
        let mut body = live.unwrap_or(&base.body).clone();
        let is_touched = TOUCHED.iter().any(|kind| body["kind"] == *kind);
        if let Some(Value::Object(metadata)) = body.get_mut("metadata").filter(|_| is_touched) {
            metadata.remove("resourceVersion");
        }
        self.edit.apply(&mut body);
        let (path, query) = base.path.split_once('?').unwrap_or((&base.path, ""));
        let (method, mut path) = match (self.way, live) {
            (Way::Update, Some(live)) => ("PUT", object_path(path, live)),
            _ => ("POST", path.to_owned()),
        };
        if !query.is_empty() {
            path = format!("{path}?{query}");
        }
        Request {
            method: method.to_owned(),
            path,
            content_type: "application/json".to_owned(),
            text: body.to_string(),
            body,
        }
    }
}

/// Returns the path of an object, from that of its collection.
#[must_use]
pub(super) fn object_path(collection: &str, live: &Value) -> String {
    let collection = collection.split('?').next().unwrap_or_default();
    let name = live["metadata"]["name"].as_str().unwrap_or_default();
    format!("{collection}/{name}")
}

impl Edit {
    fn apply(&self, body: &mut Value) {
        match self {
            Self::Set(path, value) => {
                let Some((parent, name)) = split(path) else {
                    return;
                };
                match body.pointer_mut(parent) {
                    Some(Value::Object(fields)) => {
                        fields.insert(name, value.clone());
                    }
                    Some(Value::Array(items)) => {
                        let at = name.parse().ok().and_then(|at: usize| items.get_mut(at));
                        if let Some(item) = at {
                            *item = value.clone();
                        }
                    }
                    _ => {}
                }
            }
            Self::Remove(path) => {
                let Some((parent, name)) = split(path) else {
                    return;
                };
                match body.pointer_mut(parent) {
                    Some(Value::Object(fields)) => {
                        fields.remove(&name);
                    }
                    Some(Value::Array(items)) => {
                        if let Some(at) = name.parse().ok().filter(|at| *at < items.len()) {
                            items.remove(at);
                        }
                    }
                    _ => {}
                }
            }
            Self::Double(path) => {
                if let Some(Value::Array(items)) = body.pointer_mut(path)
                    && let Some(first) = items.first().cloned()
                {
                    items.push(first);
                }
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (sign, rest) = text.split_once(' ')?;
        match sign {
            "-" => Some(Self::Remove(rest.to_owned())),
            "+" => Some(Self::Double(rest.to_owned())),
            "=" => {
                // Keys may hold spaces; a value begins where the rest is JSON.
                let ends = rest.match_indices(' ').map(|(at, _)| at);
                ends.into_iter().find_map(|at| {
                    let value = serde_json::from_str(&rest[at + 1..]).ok()?;
                    Some(Self::Set(rest[..at].to_owned(), value))
                })
            }
            _ => None,
        }
    }
}

/// Returns the pointer of the parent and the last step, unescaped.
fn split(path: &str) -> Option<(&str, String)> {
    let (parent, name) = path.rsplit_once('/')?;
    Some((parent, name.replace("~1", "/").replace("~0", "~")))
}

/// The variants of a topic.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variants(pub Vec<Variant>);

impl Variants {
    /// Makes the variants of a base.
    #[must_use]
    pub fn of(base: &Case) -> Self {
        let mut edits = Vec::new();
        walk(&base.request.body, &mut String::new(), 0, &mut edits);
        let mut variants = Vec::new();
        for (way, edit) in edits {
            variants.push(Variant {
                base: base.name.clone(),
                way,
                edit,
                answer: None,
            });
        }
        variants.truncate(VARIANTS_MAX);
        Self(variants)
    }

    /// Reads what [`Variants::render`] wrote.
    ///
    /// # Errors
    /// The line that is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut variants: Vec<Variant> = Vec::new();
        let mut base = String::new();
        let mut is_new = true;
        for line in text.lines() {
            if line.is_empty() {
                is_new = true;
            } else if line.starts_with('#') {
            } else if is_new {
                line.clone_into(&mut base);
                is_new = false;
            } else if let Some(code) = line.strip_prefix("< ") {
                let last = variants.last_mut().ok_or(line)?;
                last.answer = Some(Answer {
                    code: code.parse().map_err(|_| line)?,
                    lines: Vec::new(),
                });
            } else if let Some((way, edit)) = way(line) {
                variants.push(Variant {
                    base: base.clone(),
                    way,
                    edit: Edit::parse(edit).ok_or(line)?,
                    answer: None,
                });
            } else {
                let last = variants.last_mut().and_then(|last| last.answer.as_mut());
                last.ok_or(line)?.lines.push(line.to_owned());
            }
        }
        Ok(Self(variants))
    }

    /// Returns the text of a file.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::from(
            "# Made by `cargo xtask conformance differential --vary`; do not edit, run it again.\n",
        );
        let mut base = None;
        for variant in &self.0 {
            if base != Some(&variant.base) {
                let _ = writeln!(text, "\n{}", variant.base);
                base = Some(&variant.base);
            }
            let _ = writeln!(text, "{variant}");
            if let Some(answer) = &variant.answer {
                let _ = write!(text, "{answer}");
            }
        }
        text
    }
}

fn way(line: &str) -> Option<(Way, &str)> {
    let create = line.strip_prefix("create ").map(|edit| (Way::Create, edit));
    create.or_else(|| line.strip_prefix("update ").map(|edit| (Way::Update, edit)))
}

/// Collects what can be changed at and below a place.
fn walk(value: &Value, path: &mut String, depth: usize, edits: &mut Vec<(Way, Edit)>) {
    let both = [Way::Create, Way::Update];
    match value {
        Value::Object(fields) => {
            let map = path.rsplit('/').next().unwrap_or_default();
            if MAPS.contains(&map) {
                let set = Edit::Set(format!("{path}/-bad~1key~1x"), json!("1"));
                edits.push((Way::Create, set));
            }
            for (name, value) in fields {
                let is_head = matches!(
                    (path.as_str(), name.as_str()),
                    ("", "apiVersion" | "kind") | ("/metadata", "generateName" | "namespace")
                );
                if is_head {
                    continue;
                }
                let length = path.len();
                path.push('/');
                path.push_str(&name.replace('~', "~0").replace('/', "~1"));
                edits.extend(both.map(|way| (way, Edit::Remove(path.clone()))));
                walk(value, path, depth + 1, edits);
                path.truncate(length);
            }
        }
        Value::Array(items) => {
            edits.push((Way::Create, Edit::Set(path.clone(), json!([]))));
            if !items.is_empty() {
                edits.extend(both.map(|way| (way, Edit::Double(path.clone()))));
                edits.push((Way::Update, Edit::Remove(format!("{path}/0"))));
            }
            for (at, value) in items.iter().enumerate() {
                let length = path.len();
                let _ = write!(path, "/{at}");
                walk(value, path, depth + 1, edits);
                path.truncate(length);
            }
        }
        leaf => {
            let mut set = |way, value: Value| {
                if value != *leaf {
                    edits.push((way, Edit::Set(path.clone(), value)));
                }
            };
            for value in wrong(leaf, path, depth) {
                set(Way::Create, value);
            }
            set(Way::Update, other(leaf));
        }
    }
}

/// Returns what might be wrong instead of a value.
fn wrong(leaf: &Value, path: &str, depth: usize) -> Vec<Value> {
    /// Places this near to the root are also given another type.
    const SHALLOW: usize = 2;
    let mut values = match leaf {
        Value::String(_) => {
            let mut values = vec![json!(""), json!("-Bad_Value!")];
            let field = path.rsplit('/').next().unwrap_or_default();
            if field.ends_with("ame") {
                values.push(json!("a".repeat(LONG)));
            }
            values
        }
        Value::Number(_) => vec![
            json!(-1),
            json!(0),
            json!(70_000),
            json!(i64::from(i32::MAX)),
        ],
        Value::Bool(flag) => vec![json!(!flag)],
        _ => Vec::new(),
    };
    if depth <= SHALLOW {
        values.push(if leaf.is_string() {
            json!(7)
        } else {
            json!("seven")
        });
    }
    values
}

/// Returns a value like this one but another.
fn other(leaf: &Value) -> Value {
    match leaf {
        Value::String(text) => json!(format!("{text}x")),
        Value::Number(number) => json!(number.as_i64().unwrap_or_default() + 1),
        Value::Bool(flag) => json!(!flag),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Edit, Variants};
    use crate::conformance::differential::cases::{Case, Request, Role};

    #[track_caller]
    fn check(body: &Value, edit: &str, expected: &Value) {
        let edit = Edit::parse(edit).expect("it is an edit");
        let mut body = body.clone();
        edit.apply(&mut body);
        assert_eq!(body, *expected);
    }

    #[test]
    fn edits() {
        let body = json!({"a": [{"b c": 1}], "d/e": "x"});
        check(&body, "- /a/0/b c", &json!({"a": [{}], "d/e": "x"}));
        check(&body, "- /a/0", &json!({"a": [], "d/e": "x"}));
        check(
            &body,
            "= /a/0/b c {\"x\": 1}",
            &json!({"a": [{"b c": {"x": 1}}], "d/e": "x"}),
        );
        check(
            &body,
            "= /d~1e \"y z\"",
            &json!({"a": [{"b c": 1}], "d/e": "y z"}),
        );
        check(
            &body,
            "+ /a",
            &json!({"a": [{"b c": 1}, {"b c": 1}], "d/e": "x"}),
        );
    }

    #[test]
    fn makes_variants_and_reads_them_back() {
        let body = json!({"kind": "K", "spec": {"names": ["a"], "size": 1}});
        let base = Case {
            name: "one".to_owned(),
            role: Role::Base,
            request: Request {
                method: "POST".to_owned(),
                path: "/x".to_owned(),
                content_type: "application/json".to_owned(),
                text: body.to_string(),
                body,
            },
            answer: None,
        };
        let variants = Variants::of(&base);
        let text = variants.render();
        for line in [
            "create - /spec",
            "update - /spec/size",
            "create = /spec/names []",
            "create + /spec/names",
            "update - /spec/names/0",
            "create = /spec/names/0 \"-Bad_Value!\"",
            "create = /spec/size -1",
            "create = /spec/size \"seven\"",
            "update = /spec/size 2",
        ] {
            assert!(
                text.lines().any(|one| one == line),
                "{line} is not in {text}"
            );
        }
        assert!(!text.contains("/kind"));
        assert_eq!(Variants::parse(&text), Ok(variants));
        assert!(Variants::parse("a\nb").is_err());
    }
}

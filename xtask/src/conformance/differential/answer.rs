//! What a server answered, without what differs from run to run.
//!
//! An object is told as what became of the one that was sent: `+ PATH VALUE` was added or changed,
//! `- PATH` was dropped; paths are JSON pointers. A refusal is told as its reason, its message and
//! its causes. Uids, times, names and addresses that the server made up are replaced by words.

use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

use super::cases::Request;

/// Fields of metadata that are another each time.
const OWN: [&str; 4] = [
    "uid",
    "creationTimestamp",
    "resourceVersion",
    "managedFields",
];

static TIME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$").expect("the pattern is well formed")
});
static TIME_WITHIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").expect("the pattern is well formed")
});
/// Which version an object has, where refusals tell it.
static REVISION: LazyLock<Regex> = LazyLock::new(|| {
    let told = [
        r#"resourceVersion\\*":\\*""#,
        r"ResourceVersion in object meta: ",
        r"ResourceVersion in record \(",
    ];
    Regex::new(&format!(r"({})\d+", told.join("|"))).expect("the pattern is well formed")
});
static UID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").expect("the pattern is well formed")
});
static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+$").expect("the pattern is well formed")
});
static MADE_UP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("kube-api-access-[a-z0-9]{5}").expect("the pattern is well formed")
});

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status code.
    pub code: u16,
    /// What became of the object, or the refusal.
    pub lines: Vec<String>,
}

impl Answer {
    /// Returns what an answer says, compared with its request.
    #[must_use]
    pub fn of(request: &Request, code: u16, body: &Value) -> Self {
        let mut lines = Vec::new();
        if code >= 400 {
            refusal(request, body, &mut lines);
        } else {
            let (mut body, mut sent) = (body.clone(), request.body.clone());
            scrub(request, &mut body);
            forget(&mut sent);
            hide_asker(request, &mut body);
            // Who replaces an object sends back what an answer said.
            if request.method != "POST" {
                hide_asker(request, &mut sent);
            }
            differ(&sent, &body, &mut String::new(), &mut lines);
        }
        Self { code, lines }
    }

    /// Returns this answer to a variant as far as it differs from that to its base: lines that only
    /// the base has begin with `not`.
    #[must_use]
    pub fn beside(self, base: Option<&Answer>) -> Self {
        let Some(base) = base.filter(|base| base.code == self.code) else {
            return self;
        };
        let own = self.lines.iter().filter(|line| !base.lines.contains(line));
        let mut lines: Vec<String> = own.cloned().collect();
        let gone = base.lines.iter().filter(|line| !self.lines.contains(line));
        lines.extend(gone.map(|line| format!("not {line}")));
        Self {
            code: self.code,
            lines,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "< {}", self.code)?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn refusal(request: &Request, status: &Value, lines: &mut Vec<String>) {
    // Refusals may show whole objects, with what the server made up.
    let mut tell = |line: String| {
        let line = UID.replace_all(&line, "UID");
        let line = MADE_UP.replace_all(&line, "kube-api-access-NAME");
        let line = REVISION.replace_all(&line, "${1}REVISION");
        let line = TIME_WITHIN.replace_all(&line, |found: &Captures<'_>| {
            let time = &found[0];
            // A time of the client's, or how Go tells the form of one.
            let is_kept = request.text.contains(time) || time.starts_with("2006-01-02T15:04:05");
            if is_kept { time } else { "TIME" }.to_owned()
        });
        lines.push(line.into_owned());
    };
    tell(format!("reason {}", status["reason"]));
    tell(format!("message {}", message(status)));
    for cause in status["details"]["causes"].as_array().into_iter().flatten() {
        let part = |name: &str| cause.get(name).unwrap_or(&Value::Null).clone();
        tell(format!(
            "cause {} {} {}",
            part("reason"),
            part("field"),
            part("message")
        ));
    }
}

/// Returns the message; where it repeats all causes as upstream does, `*` stands for them.
fn message(status: &Value) -> Value {
    let causes = status["details"]["causes"].as_array();
    let mut texts: Vec<String> = Vec::new();
    for cause in causes.into_iter().flatten() {
        let part = |name: &str| cause[name].as_str().unwrap_or_default().to_owned();
        let text = format!("{}: {}", part("field"), part("message"));
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    let all = match texts.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    let text = status["message"].as_str().unwrap_or_default();
    match text.strip_suffix(all.as_str()) {
        Some(head) if !texts.is_empty() => format!("{head}*").into(),
        _ => status["message"].clone(),
    }
}

/// Removes the metadata that are another each time.
fn forget(body: &mut Value) {
    if let Some(Value::Object(metadata)) = body.get_mut("metadata") {
        metadata.retain(|name, _| !OWN.contains(&name.as_str()));
    }
}

/// Replaces who asked for a certificate: another one on each side.
fn hide_asker(request: &Request, body: &mut Value) {
    if let Some(Value::Object(spec)) = body.get_mut("spec")
        && request.path.contains("/certificatesigningrequests")
    {
        for field in ["username", "groups"] {
            if spec.contains_key(field) {
                spec.insert(field.to_owned(), "ASKER".into());
            }
        }
        // Only who comes with a certificate has these.
        for field in ["extra", "uid"] {
            spec.remove(field);
        }
    }
}

/// Replaces what the server made up.
fn scrub(request: &Request, body: &mut Value) {
    let uid = body.pointer("/metadata/uid").and_then(Value::as_str);
    let uid = uid.unwrap_or_default().to_owned();
    forget(body);
    let text = |body: &Value, path: &str| {
        let text = body.pointer(path).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let is_named = request.body.pointer("/metadata/name").is_some();
    let (name, prefix) = match text(body, "/metadata/generateName") {
        prefix if is_named || prefix.is_empty() => Default::default(),
        prefix => (text(body, "/metadata/name"), prefix),
    };
    let words = Words {
        request,
        uid,
        name,
        prefix,
    };
    words.replace(body);
    // What is absent or blank is the server's to fill.
    let is_open = |path: &str| {
        let given = request.body.pointer(path);
        given.is_none_or(|given| *given == "" || *given == 0)
    };
    if let Some(Value::Object(spec)) = body.get_mut("spec") {
        for field in ["clusterIP", "clusterIPs"] {
            let is_made_up = is_open(&format!("/spec/{field}"));
            if is_made_up && spec.contains_key(field) {
                spec.insert(field.to_owned(), "ADDRESS".into());
            }
        }
        if is_open("/spec/healthCheckNodePort") && spec.contains_key("healthCheckNodePort") {
            spec.insert("healthCheckNodePort".to_owned(), "PORT".into());
        }
        let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
        for (at, port) in ports.into_iter().flatten().enumerate() {
            let path = format!("/spec/ports/{at}/nodePort");
            if is_open(&path) && port.get("nodePort").is_some() {
                port["nodePort"] = "PORT".into();
            }
        }
    }
}

struct Words<'a> {
    request: &'a Request,
    uid: String,
    /// The name that was made up, and what it begins with; empty if the client named it.
    name: String,
    prefix: String,
}

impl Words<'_> {
    fn replace(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if !self.uid.is_empty() && *text == self.uid {
                    "UID".clone_into(text);
                } else if !self.name.is_empty() && *text == self.name {
                    *text = format!("{}NAME", self.prefix);
                } else if TIME.is_match(text) && !self.request.text.contains(text.as_str()) {
                    "TIME".clone_into(text);
                } else if TOKEN.is_match(text) {
                    "TOKEN".clone_into(text);
                } else if text.contains("kube-api-access-") {
                    *text = MADE_UP
                        .replace_all(text, "kube-api-access-NAME")
                        .into_owned();
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.replace(item)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.replace(value)),
            _ => {}
        }
    }
}

/// Tells what became of `before`, path by path in order.
fn differ(before: &Value, after: &Value, path: &mut String, lines: &mut Vec<String>) {
    let length = path.len();
    let mut step =
        |path: &mut String, name: &str, before: Option<&Value>, after: Option<&Value>| {
            path.push('/');
            path.push_str(&name.replace('~', "~0").replace('/', "~1"));
            match (before, after) {
                (Some(before), Some(after)) => differ(before, after, path, lines),
                (None, Some(after)) => lines.push(format!("+ {path} {after}")),
                (Some(_), None) => lines.push(format!("- {path}")),
                (None, None) => {}
            }
            path.truncate(length);
        };
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                step(path, name, before.get(name), after.get(name));
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for at in 0..before.len().max(after.len()) {
                step(path, &at.to_string(), before.get(at), after.get(at));
            }
        }
        (before, after) if before == after => {}
        (_, after) => lines.push(format!("+ {path} {after}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Answer;
    use crate::conformance::differential::cases::Request;

    #[track_caller]
    fn check(sent: &Value, code: u16, body: &Value, expected: &[&str]) {
        let request = Request {
            method: "POST".to_owned(),
            path: "/x".to_owned(),
            content_type: "application/json".to_owned(),
            text: sent.to_string(),
            body: sent.clone(),
        };
        assert_eq!(Answer::of(&request, code, body).lines, expected);
    }

    #[test]
    fn tells_what_became_of_an_object() {
        check(
            &json!({"a": 1, "b": {"c": [1, 2]}, "d/e": "x"}),
            201,
            &json!({"a": 1, "b": {"c": [1], "f": {}}, "d/e": "y"}),
            &["- /b/c/1", "+ /b/f {}", "+ /d~1e \"y\""],
        );
    }

    #[test]
    fn leaves_out_what_the_server_made_up() {
        check(
            &json!({"metadata": {"generateName": "a-"}, "spec": {"ports": [{"port": 1}], "at": "2026-01-01T00:00:00Z"}}),
            201,
            &json!({"metadata": {"generateName": "a-", "name": "a-x7", "uid": "u", "resourceVersion": "1",
                    "creationTimestamp": "2026-01-01T00:00:01Z", "managedFields": [], "labels": {"of": "u"}},
                    "spec": {"ports": [{"port": 1, "nodePort": 30001}], "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"],
                    "healthCheckNodePort": 3, "at": "2026-01-01T00:00:00Z", "now": "2026-01-01T00:00:01.5Z", "token": "eyJh.eyJi.c-_", "v": "kube-api-access-abcde"}}),
            &[
                "+ /metadata/labels {\"of\":\"UID\"}",
                "+ /metadata/name \"a-NAME\"",
                "+ /spec/clusterIP \"ADDRESS\"",
                "+ /spec/clusterIPs \"ADDRESS\"",
                "+ /spec/healthCheckNodePort \"PORT\"",
                "+ /spec/now \"TIME\"",
                "+ /spec/ports/0/nodePort \"PORT\"",
                "+ /spec/token \"TOKEN\"",
                "+ /spec/v \"kube-api-access-NAME\"",
            ],
        );
    }

    #[test]
    fn tells_how_a_variant_differs_from_its_base() {
        let answer = |lines: &[&str]| Answer {
            code: 201,
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        };
        let base = answer(&["+ /a 1", "+ /b 2"]);
        let found = answer(&["+ /b 2", "+ /c 3"]).beside(Some(&base));
        assert_eq!(found, answer(&["+ /c 3", "not + /a 1"]));
        let refused = Answer {
            code: 422,
            lines: vec!["reason".to_owned()],
        };
        assert_eq!(refused.clone().beside(Some(&base)), refused);
    }

    #[test]
    fn refusals_forget_what_the_server_made_up() {
        check(
            &json!({"at": "2026-01-01T00:00:00Z"}),
            409,
            &json!({"reason": "Conflict", "message": "2026-01-01T00:00:00Z 2026-01-01T00:00:01Z kube-api-access-abcde {\"resourceVersion\":\"7\"} ResourceVersion in record (8)"}),
            &[
                "reason \"Conflict\"",
                r#"message "2026-01-01T00:00:00Z TIME kube-api-access-NAME {\"resourceVersion\":\"REVISION\"} ResourceVersion in record (REVISION)""#,
            ],
        );
    }

    #[test]
    fn tells_why_it_was_refused() {
        check(
            &json!({}),
            422,
            &json!({"reason": "Invalid", "message": "no", "details": {"causes": [{"reason": "R", "field": "f", "message": "m"}]}}),
            &[
                "reason \"Invalid\"",
                "message \"no\"",
                "cause \"R\" \"f\" \"m\"",
            ],
        );
        check(
            &json!({}),
            422,
            &json!({"reason": "Invalid", "message": "K is invalid: [f: m, g: n]", "details": {"causes": [
                {"reason": "R", "field": "f", "message": "m"}, {"reason": "R", "field": "g", "message": "n"}]}}),
            &[
                "reason \"Invalid\"",
                "message \"K is invalid: *\"",
                "cause \"R\" \"f\" \"m\"",
                "cause \"R\" \"g\" \"n\"",
            ],
        );
    }
}

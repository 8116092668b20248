//! Actions: what a POST to a subresource of a custom resource does, as its definition says it.
//!
//! Expressions know the object as `self` and the request as `request`; what was posted is
//! `request.body`. Rules say whether the action may be taken. What it does comes as a JSON merge
//! patch of the object: from an expression, or from a webhook, which the server asks.
//!
//! Invariant: pure. Who asks and when comes in with the request.

use std::{sync::OnceLock, time::Duration};

use api::{Text, Value, field, value};

use crate::{
    Shape, Unknown,
    cel::{
        Dialect, Env, Program, Type, Val, Version,
        declared::{DeclId, Declarer, Decls, Place},
        rules::CALL_COST_MAX,
        value::{Declared, Fault},
        written,
    },
    decode, default, structural,
    validate::validate,
};

/// How deeply a patch may be nested.
const DEPTH_MAX: usize = 100;

/// What a definition says of an action.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The schema of what is posted; without one nothing may be.
    pub parameters: Option<Value>,
    /// What must hold before it is done.
    pub rules: Vec<Rule>,
    /// Who says what becomes of the object.
    pub does: Does,
}

/// What must hold before an action is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The expression.
    pub rule: String,
    /// What is said if it does not hold; empty to say the rule itself.
    pub message: String,
}

/// Who says what becomes of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Does {
    /// An expression, whose result is a JSON merge patch.
    Expression(String),
    /// A webhook, whose answer holds one.
    Webhook {
        /// Where it is reached, as kinds that have webhooks say it.
        client: Value,
        /// How long it may take.
        timeout: Duration,
    },
}

/// An action on the objects of one version of a kind.
#[derive(Debug)]
pub struct Action {
    said: Said,
    own: Shape,
    request: Shape,
    compiled: OnceLock<Result<Compiled, String>>,
}

/// Why a request does not fit an action.
#[derive(Clone, Debug, PartialEq)]
pub enum Misfit {
    /// It says what the action does not know: paths of fields.
    Unknown(Vec<String>),
    /// It breaks rules of the schema.
    Invalid(Vec<field::Error>),
}

#[derive(Debug)]
struct Compiled {
    decls: Decls,
    own: DeclId,
    request: DeclId,
    rules: Vec<Program>,
    patch: Option<Program>,
}

impl Action {
    /// Returns the action on objects of a shape. Cheap: expressions are compiled when they are
    /// first needed.
    #[must_use]
    pub fn new(said: Said, own: Shape) -> Self {
        let parameters = said.parameters.clone();
        Self {
            said,
            own,
            request: Shape::later(move || request_shape(parameters)),
            compiled: OnceLock::new(),
        }
    }

    /// Returns what the definition says.
    #[must_use]
    pub fn said(&self) -> &Said {
        &self.said
    }

    /// Returns what is wrong with the expressions, in the words in which rules are refused.
    #[must_use]
    pub fn wrong(&self) -> Option<&str> {
        self.compiled().as_ref().err().map(|why| why.as_str())
    }

    /// Brings a request into the form that expressions expect: defaults are set.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn fit(&self, request: &mut Value) -> Result<(), Misfit> {
        let mut unknown = Unknown::collect();
        // The shape of a schema takes values of any type; validation speaks of them.
        let _ = decode(&self.request, request, &mut unknown);
        if !unknown.paths().is_empty() {
            return Err(Misfit::Unknown(unknown.paths().to_vec()));
        }
        default(&self.request, request);
        let errors = validate(&self.request, request, None);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Misfit::Invalid(errors))
        }
    }

    /// Says whether the action may be taken.
    ///
    /// # Errors
    /// What is said of each rule that does not hold.
    pub fn allow(&self, object: &Value, request: &Value) -> Result<(), Vec<String>> {
        let compiled = self.compiled().as_ref().map_err(|why| vec![why.clone()])?;
        let mut refusals = Vec::new();
        for (said, program) in self.said.rules.iter().zip(&compiled.rules) {
            let held = compiled.run(program, object, request, |found| match found {
                Val::Bool(held) => Ok(*held),
                _ => Err("the result is no bool".to_owned()),
            });
            let text = match &*said.message {
                "" => format!("failed rule: {}", said.rule.trim()),
                message => message.to_owned(),
            };
            match held {
                Ok(true) => {}
                Ok(false) => refusals.push(text),
                Err(why) => refusals.push(format!("rule {}: {why}", said.rule.trim())),
            }
        }
        if refusals.is_empty() {
            Ok(())
        } else {
            Err(refusals)
        }
    }

    /// Returns the merge patch that the expression makes; none if a webhook is to be asked.
    ///
    /// # Errors
    /// Why there is none: a field that is missing, too much work.
    pub fn patch(&self, object: &Value, request: &Value) -> Option<Result<Value, String>> {
        let compiled = match self.compiled() {
            Ok(compiled) => compiled,
            Err(why) => return Some(Err(why.clone())),
        };
        let program = compiled.patch.as_ref()?;
        Some(compiled.run(program, object, request, |found| {
            let patch = patch_of(found, 0)?;
            patch
                .filter(|patch| patch.as_object().is_some())
                .ok_or_else(|| "the result is no map".to_owned())
        }))
    }

    fn compiled(&self) -> &Result<Compiled, String> {
        self.compiled
            .get_or_init(|| Compiled::new(&self.said, &self.own, &self.request))
    }
}

impl Compiled {
    fn new(said: &Said, own: &Shape, request: &Shape) -> Result<Self, String> {
        let mut declarer = Declarer::default();
        let own = declarer.declare(own.table(), own.root(), Place::Root);
        let mut declarer = declarer.apart();
        let request = declarer.declare(request.table(), request.root(), Place::Inside);
        let decls = declarer.decls;
        let of = |id| decls.type_of(id).unwrap_or(Type::Dyn);
        let compile = |source: &str, dialect| {
            let env = Env {
                version: Version::Stored,
                dialect,
                variables: vec![("self", of(own)), ("request", of(request))],
                decls: &decls,
            };
            Program::compile(source, &env, Some(own))
                .map_err(|error| format!("compilation failed: {error}"))
        };
        let mut rules = Vec::with_capacity(said.rules.len());
        for (place, rule) in said.rules.iter().enumerate() {
            let program = compile(&rule.rule, Dialect::Kubernetes)
                .map_err(|why| format!("rules[{place}]: {why}"))?;
            if *program.kind() != Type::Bool {
                return Err(format!("rules[{place}]: must evaluate to a bool"));
            }
            rules.push(program);
        }
        let patch = match &said.does {
            Does::Webhook { .. } => None,
            Does::Expression(source) => {
                let program =
                    compile(source, Dialect::Patch).map_err(|why| format!("expression: {why}"))?;
                let is_patch = match program.kind() {
                    Type::Dyn => true,
                    Type::Map(parts) => matches!(parts.0, Type::String | Type::Dyn),
                    _ => false,
                };
                if !is_patch {
                    let why = "expression: must evaluate to a map, the JSON merge patch";
                    return Err(format!("{why}, not to {}", program.kind()));
                }
                Some(program)
            }
        };
        Ok(Self {
            decls,
            own,
            request,
            rules,
            patch,
        })
    }

    /// Runs a program, and looks at what it found.
    fn run<T>(
        &self,
        program: &Program,
        object: &Value,
        request: &Value,
        look: impl FnOnce(&Val<'_>) -> Result<T, String>,
    ) -> Result<T, String> {
        let fault = |fault: Fault| fault.text().to_owned();
        let declared = |id| Declared {
            decls: &self.decls,
            id,
        };
        let own = Val::declared(object, declared(self.own)).map_err(fault)?;
        let request = Val::declared(request, declared(self.request)).map_err(fault)?;
        let run = program.run(&[Some(own), Some(request)], CALL_COST_MAX);
        look(&run.outcome.map_err(fault)?)
    }
}

/// Returns the shape of requests with these parameters. Parameters of which no shape can be made
/// were refused when they were written; then nothing may be posted.
fn request_shape(parameters: Option<Value>) -> Shape {
    let nothing = || value!({"type": "object"});
    let texts = || value!({"type": "array", "items": {"type": "string"}});
    let schema = |body: Value| {
        value!({"type": "object", "properties": {
            "name": {"type": "string"},
            "namespace": {"type": "string"},
            "time": {"type": "string", "format": "date-time"},
            "dryRun": {"type": "boolean"},
            "userInfo": {"type": "object", "properties": {
                "username": {"type": "string"},
                "uid": {"type": "string"},
                "groups": (texts()),
                "extra": {"type": "object", "additionalProperties": (texts())},
            }},
            "body": (body),
        }})
    };
    let compile = |body| structural::compile(&schema(body), &Shape::any());
    compile(parameters.unwrap_or_else(nothing))
        .or_else(|_| compile(nothing()))
        .unwrap_or_else(|_| Shape::any())
}

/// Returns a result as a merge patch, in which `null` removes; none for an optional without a value.
fn patch_of(found: &Val<'_>, depth: usize) -> Result<Option<Value>, String> {
    if depth > DEPTH_MAX {
        return Err("the result is nested too deeply".to_owned());
    }
    let map = match found {
        Val::Map(map) => map,
        Val::Null => return Ok(Some(Value::Null)),
        Val::Optional(inner) => {
            return inner
                .as_ref()
                .map_or(Ok(None), |inner| patch_of(inner, depth + 1));
        }
        other => return written(other, depth),
    };
    let mut patch = Value::object();
    for key in map.keys() {
        let name = key.as_str().ok_or("a key of the result is no string")?;
        let found = map.find(&key).map_err(|fault| fault.text().to_owned())?;
        let Some(found) = found else {
            continue;
        };
        if let Some(value) = patch_of(&found, depth + 1)? {
            patch.make_object().insert(Text::new(name), value);
        }
    }
    Ok(Some(patch))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use api::{Value, json, value};

    use super::{Action, Does, Misfit, Rule, Said};
    use crate::{Shape, structural};

    fn action(rules: &[(&str, &str)], does: Does, parameters: Option<Value>) -> Action {
        let schema = value!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "size": {"type": "integer"}, "names": {"type": "array", "items": {"type": "string"}}}},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
        let own = structural::compile(&schema, &Shape::any()).expect("the schema is well formed");
        let rules = rules.iter().map(|(rule, message)| Rule {
            rule: (*rule).to_owned(),
            message: (*message).to_owned(),
        });
        let said = Said {
            parameters,
            rules: rules.collect(),
            does,
        };
        Action::new(said, own)
    }

    fn parameters() -> Value {
        value!({"type": "object", "required": ["to"], "properties": {
            "to": {"type": "integer", "minimum": 1, "x-kubernetes-validations": [{"rule": "self != 13"}]},
            "why": {"type": "string", "default": "none"}}})
    }

    fn request(body: &str) -> Value {
        let body = json::read(body.as_bytes()).expect("it is JSON").value;
        value!({"name": "a", "namespace": "n", "dryRun": false, "time": "2026-01-02T03:04:05Z",
            "userInfo": {"username": "ann", "groups": ["g"], "extra": {"k": ["v"]}}, "body": (body)})
    }

    fn text(value: &Value) -> String {
        let mut out = Vec::new();
        json::write(value, &mut out);
        String::from_utf8(out).expect("JSON is text")
    }

    /// Compiles an expression and posts a body; answers with the patch or with what is wrong.
    #[track_caller]
    fn check(source: &str, body: &str, expected: &str) {
        let does = Does::Expression(source.to_owned());
        let action = action(
            &[
                ("self.spec.size < request.body.to", "it cannot shrink"),
                ("request.userInfo.username != 'eve'", ""),
            ],
            does,
            Some(parameters()),
        );
        let object = value!({"metadata": {"name": "a"}, "spec": {"size": 3, "names": ["x", "y"]}});
        let found = (|| {
            if let Some(why) = action.wrong() {
                return why.lines().next().unwrap_or_default().to_owned();
            }
            let mut request = request(body);
            match action.fit(&mut request) {
                Ok(()) => {}
                Err(Misfit::Unknown(paths)) => return format!("unknown {}", paths.join(", ")),
                Err(Misfit::Invalid(errors)) => return errors[0].to_string(),
            }
            if let Err(why) = action.allow(&object, &request) {
                return why.join(", ");
            }
            let patch = action.patch(&object, &request).expect("no webhook");
            patch.map_or_else(|why| why, |patch| text(&patch))
        })();
        assert_eq!(found, expected, "{source} {body}");
    }

    #[test]
    fn an_expression_makes_a_patch() {
        check(
            "{'spec': {'size': request.body.to}, 'status': {'by': request.userInfo.username, 'at': request.time}}",
            r#"{"to":4}"#,
            r#"{"spec":{"size":4},"status":{"by":"ann","at":"2026-01-02T03:04:05Z"}}"#,
        );
        let mixed = "{'spec': {'size': null, 'names': self.spec.names.filter(n, n != 'x'), 'why': request.body.why}}";
        check(
            mixed,
            r#"{"to":4}"#,
            r#"{"spec":{"size":null,"names":["y"],"why":"none"}}"#,
        );
        check(
            "{?'a': self.spec.?nothing}",
            r#"{"to":4}"#,
            "expression: compilation failed: ERROR: <input>:1:17: undefined field 'nothing'",
        );
        check(
            "{?'a': self.?status, 'b': [1, 'x']}",
            r#"{"to":4}"#,
            r#"{"b":[1,"x"]}"#,
        );
    }

    #[test]
    fn what_is_no_patch_is_refused() {
        check(
            "self.spec.size",
            "{}",
            "expression: must evaluate to a map, the JSON merge patch, not to int",
        );
        check(
            "{1: 'a'}",
            "{}",
            "expression: must evaluate to a map, the JSON merge patch, not to map(int, string)",
        );
        check(
            "{'spec': self.nothing}",
            "{}",
            "expression: compilation failed: ERROR: <input>:1:14: undefined field 'nothing'",
        );
        check("dyn('text')", r#"{"to":4}"#, "the result is no map");
        check(
            "dyn({1: 2})",
            r#"{"to":4}"#,
            "a key of the result is no string",
        );
    }

    #[test]
    fn runs_are_bounded_and_fail_with_a_reason() {
        check(
            "{'a': self.spec.names[7]}",
            r#"{"to":4}"#,
            "index out of bounds: 7",
        );
        let nested = "[1,2,3,4,5,6,7,8,9,10]".to_owned();
        let mut source = "true".to_owned();
        for level in 0..7 {
            source = format!("{nested}.all(x{level}, {source})");
        }
        let found = format!("{{'a': {source}}}");
        check(
            &found,
            r#"{"to":4}"#,
            "operation cancelled: actual cost limit exceeded",
        );
    }

    #[test]
    fn a_request_must_fit() {
        let source = "{'spec': {}}";
        check(source, "{}", r#"body.to: Required value"#);
        check(
            source,
            r#"{"to":0}"#,
            "body.to: Invalid value: 0: body.to in body should be greater than or equal to 1",
        );
        check(
            source,
            r#"{"to":13}"#,
            "body.to: Invalid value: 13: failed rule: self != 13",
        );
        check(source, r#"{"to":4,"tow":1}"#, "unknown body.tow");
        check(
            source,
            r#"{"to":"x"}"#,
            r#"body.to: Invalid value: "string": body.to in body must be of type integer: "string""#,
        );
    }

    #[test]
    fn rules_come_first() {
        check("{'spec': {}}", r#"{"to":2}"#, "it cannot shrink");
        let check = |rule: &str, expected: &str| {
            let does = Does::Expression("{}".to_owned());
            let action = action(&[(rule, "")], does, None);
            let found = action.wrong().map(str::to_owned).unwrap_or_else(|| {
                let refused = action.allow(&value!({}), &request("{}"));
                refused.expect_err("it does not hold").join(", ")
            });
            assert_eq!(found.lines().next(), Some(expected), "{rule}");
        };
        check("has(self.spec)", "failed rule: has(self.spec)");
        check(
            "self.spec.size > 1",
            "rule self.spec.size > 1: no such key: spec",
        );
        check("self.spec.size", "rules[0]: must evaluate to a bool");
        check(
            "request.body.to > 1",
            "rules[0]: compilation failed: ERROR: <input>:1:13: undefined field 'to'",
        );
    }

    #[test]
    fn without_parameters_nothing_may_be_posted() {
        let does = Does::Webhook {
            client: value!({"url": "https://example.com"}),
            timeout: Duration::from_secs(10),
        };
        let action = action(&[], does, None);
        let mut good = request("{}");
        assert_eq!(action.fit(&mut good), Ok(()));
        assert_eq!(action.patch(&value!({}), &good), None);
        assert_eq!(action.allow(&value!({}), &good), Ok(()));
        let unknown = Misfit::Unknown(vec!["body.a".to_owned()]);
        assert_eq!(action.fit(&mut request(r#"{"a":1}"#)), Err(unknown));
    }
}

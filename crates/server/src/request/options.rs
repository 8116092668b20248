//! The options of each verb, read from the query.
//!
//! Selectors stay as they were written here: their meaning depends on the kind.

use api::{Cause, Status, Text, quote::quote};

use super::{BodyType, PatchType, Query, Verb, path::is_true};

/// What unknown and repeated fields of a body lead to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Nothing.
    Ignore,
    /// Warnings; what the server does unless asked otherwise.
    #[default]
    Warn,
    /// A 400.
    Strict,
}

/// The options of a request; those that its verb does not have are at their defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "the names and types are upstream's own"
)]
pub struct Options {
    /// get, list, watch: as it was written; empty for none.
    pub resource_version: Text,
    /// list, watch: `NotOlderThan`, `Exact`; empty for none.
    pub resource_version_match: Text,
    /// list: 0 for no limit.
    pub limit: i64,
    /// list: token of the next page; empty for none.
    pub continue_token: Text,
    /// list, watch, deletecollection: as it was written; empty for everything.
    pub label_selector: Text,
    /// list, watch, deletecollection: as it was written; empty for everything.
    pub field_selector: Text,
    /// list, watch.
    pub timeout_seconds: Option<i64>,
    /// watch.
    pub allow_watch_bookmarks: bool,
    /// watch: absent, or what was asked for.
    pub send_initial_events: Option<bool>,
    /// create, update, patch, delete: `dryRun=All`.
    pub dry_run: bool,
    /// create, update, patch: empty for none.
    pub field_manager: Text,
    /// create, update, patch.
    pub field_validation: FieldValidation,
    /// patch: apply takes fields over.
    pub force: Option<bool>,
    /// delete without a body.
    pub grace_period_seconds: Option<i64>,
    /// delete without a body: `Background`, `Foreground`, `Orphan`.
    pub propagation_policy: Option<Text>,
    /// delete without a body: the older form of `propagation_policy`.
    pub orphan_dependents: Option<bool>,
    /// Table: what each row carries (`includeObject`): `None`, `Metadata`, `Object`; empty for the default.
    pub include_object: Text,
}

impl Options {
    /// Reads the options that `verb` has.
    ///
    /// # Errors
    /// 400 for a value that cannot be read, 422 for one that is not allowed.
    pub fn read(verb: Verb, query: &Query) -> Result<Self, Box<Status>> {
        Self::read_with(verb, query, Vec::new())
    }

    /// Reads the options of a request with a body; those of a patch depend on its type.
    ///
    /// # Errors
    /// As [`Options::read`].
    pub fn read_for(verb: Verb, query: &Query, body: &BodyType) -> Result<Self, Box<Status>> {
        let wrong = match verb {
            Verb::Patch => check_patch(query, body),
            _ => Vec::new(),
        };
        Self::read_with(verb, query, wrong)
    }

    fn read_with(verb: Verb, query: &Query, wrong: Vec<Cause>) -> Result<Self, Box<Status>> {
        let mut options = Self {
            include_object: text(query, "includeObject"),
            ..Self::default()
        };
        match verb {
            Verb::Get => options.resource_version = text(query, "resourceVersion"),
            Verb::List | Verb::Watch => options.read_list(query)?,
            Verb::Create => options.read_write("CreateOptions", query, wrong)?,
            Verb::Update => options.read_write("UpdateOptions", query, wrong)?,
            Verb::Patch => options.read_write("PatchOptions", query, wrong)?,
            Verb::Delete => options.read_delete(query)?,
            Verb::DeleteCollection => {
                options.read_list(query)?;
                options.read_delete(query)?;
            }
            _ => {}
        }
        Ok(options)
    }

    fn read_list(&mut self, query: &Query) -> Result<(), Box<Status>> {
        self.resource_version = text(query, "resourceVersion");
        self.resource_version_match = text(query, "resourceVersionMatch");
        self.limit = number(query, "limit")?.unwrap_or(0);
        self.continue_token = text(query, "continue");
        self.label_selector = text(query, "labelSelector");
        self.field_selector = text(query, "fieldSelector");
        self.timeout_seconds = number(query, "timeoutSeconds")?;
        self.allow_watch_bookmarks = is_true(query.get("allowWatchBookmarks"));
        self.send_initial_events = flag(query, "sendInitialEvents");
        Ok(())
    }

    fn read_write(
        &mut self,
        kind: &str,
        query: &Query,
        mut wrong: Vec<Cause>,
    ) -> Result<(), Box<Status>> {
        self.force = flag(query, "force");
        self.field_manager = text(query, "fieldManager");
        check_manager(&self.field_manager, &mut wrong);
        self.read_dry_run(query, &mut wrong);
        self.field_validation = match query.get("fieldValidation").unwrap_or_default() {
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            other => {
                let supported = r#""", "Ignore", "Strict", "Warn""#;
                wrong.push(unsupported("fieldValidation", &quote(other), supported));
                FieldValidation::Warn
            }
        };
        refuse(kind, wrong)
    }

    fn read_delete(&mut self, query: &Query) -> Result<(), Box<Status>> {
        let mut wrong = Vec::new();
        self.grace_period_seconds = number(query, "gracePeriodSeconds")?;
        self.propagation_policy = query.get("propagationPolicy").map(Text::new);
        self.orphan_dependents = flag(query, "orphanDependents");
        if let Some(policy) = &self.propagation_policy {
            if self.orphan_dependents.is_some() {
                let value = quote(policy);
                let rule = "orphanDependents and deletionPropagation cannot be both set";
                let message = format!("Invalid value: {value}: {rule}");
                wrong.push(cause("FieldValueInvalid", "propagationPolicy", message));
            }
            if !matches!(policy.as_str(), "Foreground" | "Background" | "Orphan") {
                let supported = r#""Foreground", "Background", "Orphan", "nil""#;
                wrong.push(unsupported("propagationPolicy", &quote(policy), supported));
            }
        }
        self.read_dry_run(query, &mut wrong);
        refuse("DeleteOptions", wrong)
    }

    fn read_dry_run(&mut self, query: &Query, wrong: &mut Vec<Cause>) {
        let given: Vec<&str> = query.all("dryRun").collect();
        self.dry_run = !given.is_empty();
        if given.iter().any(|value| *value != "All") {
            let given: Vec<String> = given.into_iter().map(quote).collect();
            let value = format!("[{}]", given.join(","));
            wrong.push(unsupported("dryRun", &value, r#""All""#));
        }
    }
}

/// Longest name of a field manager, in bytes, as upstream.
pub(crate) const MANAGER_LEN_MAX: usize = 128;

/// Checks what only a patch has.
fn check_patch(query: &Query, body: &BodyType) -> Vec<Cause> {
    let mut wrong = Vec::new();
    if *body == BodyType::Patch(PatchType::Apply) {
        if query.get("fieldManager").unwrap_or_default().is_empty() {
            let message = "Required value: is required for apply patch".to_owned();
            wrong.push(cause("FieldValueRequired", "fieldManager", message));
        }
    } else if query.get("force").is_some() {
        let message = "Forbidden: may not be specified for non-apply patch".to_owned();
        wrong.push(cause("FieldValueForbidden", "force", message));
    }
    wrong
}

fn check_manager(manager: &str, wrong: &mut Vec<Cause>) {
    if manager.len() > MANAGER_LEN_MAX {
        let message = format!("Too long: may not be more than {MANAGER_LEN_MAX} bytes");
        wrong.push(cause("FieldValueTooLong", "fieldManager", message));
    }
    for (place, letter) in manager.char_indices() {
        if !api::quote::is_printable(letter) {
            let (value, code) = (quote(manager), u32::from(letter));
            let message = format!(
                "Invalid value: {value}: invalid character U+{code:04X} (at position {place})"
            );
            wrong.push(cause("FieldValueInvalid", "fieldManager", message));
        }
    }
}

fn unsupported(field: &str, value: &str, supported: &str) -> Cause {
    let message = format!("Unsupported value: {value}: supported values: {supported}");
    cause("FieldValueNotSupported", field, message)
}

fn cause(reason: &str, field: &str, message: String) -> Cause {
    Cause {
        reason: Text::new(reason),
        message,
        field: field.to_owned(),
    }
}

fn refuse(kind: &str, wrong: Vec<Cause>) -> Result<(), Box<Status>> {
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Box::new(Status::invalid("meta.k8s.io", kind, "", wrong)))
}

fn text(query: &Query, name: &str) -> Text {
    Text::new(query.get(name).unwrap_or_default())
}

fn flag(query: &Query, name: &str) -> Option<bool> {
    query.get(name).map(|value| is_true(Some(value)))
}

fn number(query: &Query, name: &str) -> Result<Option<i64>, Box<Status>> {
    let Some(text) = query.get(name) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(number) => Ok(Some(number)),
        Err(error) => {
            use std::num::IntErrorKind::{NegOverflow, PosOverflow};
            let why = match error.kind() {
                PosOverflow | NegOverflow => "value out of range",
                _ => "invalid syntax",
            };
            let message = format!("strconv.ParseInt: parsing {}: {why}", quote(text));
            Err(Box::new(Status::bad_request(message)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BodyType, FieldValidation, Options, PatchType, Query, Verb};

    #[track_caller]
    fn read(verb: Verb, query: &str) -> Options {
        let apply = BodyType::Patch(PatchType::Apply);
        Options::read_for(verb, &Query::parse(query), &apply).expect("the options are sound")
    }

    #[track_caller]
    fn check_refused(verb: Verb, query: &str, code: u16, message: &str) {
        let merge = BodyType::Patch(PatchType::Merge);
        let refused =
            Options::read_for(verb, &Query::parse(query), &merge).expect_err("it is wrong");
        assert_eq!((refused.code, refused.message.as_str()), (code, message));
    }

    #[test]
    fn reads_what_each_verb_has() {
        let list = read(
            Verb::List,
            "limit=5&continue=c&resourceVersion=7&resourceVersionMatch=Exact&labelSelector=a%3Db&fieldSelector=x=y&timeoutSeconds=9&dryRun=All",
        );
        assert_eq!((list.limit, list.timeout_seconds), (5, Some(9)));
        assert_eq!(
            (list.continue_token.as_str(), list.resource_version.as_str()),
            ("c", "7")
        );
        assert_eq!(
            (list.label_selector.as_str(), list.field_selector.as_str()),
            ("a=b", "x=y")
        );
        assert!(!list.dry_run, "a list has no dry run");
        let watch = read(Verb::Watch, "allowWatchBookmarks=1&sendInitialEvents=false");
        assert_eq!(
            (watch.allow_watch_bookmarks, watch.send_initial_events),
            (true, Some(false))
        );
        let write = read(
            Verb::Patch,
            "dryRun=All&dryRun=All&fieldManager=me&fieldValidation=Strict&force=true",
        );
        assert!(write.dry_run && write.force == Some(true));
        assert_eq!(write.field_validation, FieldValidation::Strict);
        let delete = read(
            Verb::Delete,
            "gracePeriodSeconds=0&propagationPolicy=Orphan",
        );
        assert_eq!(delete.grace_period_seconds, Some(0));
        assert_eq!(delete.propagation_policy.as_deref(), Some("Orphan"));
        assert_eq!(read(Verb::Create, "limit=x"), Options::default());
    }

    #[test]
    fn refuses_in_upstreams_words() {
        check_refused(
            Verb::List,
            "limit=x",
            400,
            r#"strconv.ParseInt: parsing "x": invalid syntax"#,
        );
        check_refused(
            Verb::List,
            "timeoutSeconds=99999999999999999999",
            400,
            r#"strconv.ParseInt: parsing "99999999999999999999": value out of range"#,
        );
        check_refused(
            Verb::Create,
            "dryRun=x&fieldValidation=foo",
            422,
            r#"CreateOptions.meta.k8s.io "" is invalid: [dryRun: Unsupported value: ["x"]: supported values: "All", fieldValidation: Unsupported value: "foo": supported values: "", "Ignore", "Strict", "Warn"]"#,
        );
        check_refused(
            Verb::Delete,
            "propagationPolicy=foo",
            422,
            r#"DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "foo": supported values: "Foreground", "Background", "Orphan", "nil""#,
        );
        check_refused(
            Verb::Patch,
            "force=true&fieldManager=a%09",
            422,
            r#"PatchOptions.meta.k8s.io "" is invalid: [force: Forbidden: may not be specified for non-apply patch, fieldManager: Invalid value: "a\t": invalid character U+0009 (at position 1)]"#,
        );
    }
}

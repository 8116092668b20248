//! The options of each verb, read from the query.
//!
//! Selectors stay as they were written here: their meaning depends on the kind.

use api::{Status, Text};

use super::{Query, Verb, path::is_true};

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
    /// 400 for a value that cannot be read.
    pub fn read(verb: Verb, query: &Query) -> Result<Self, Box<Status>> {
        let mut options = Self {
            include_object: text(query, "includeObject"),
            ..Self::default()
        };
        match verb {
            Verb::Get => options.resource_version = text(query, "resourceVersion"),
            Verb::List | Verb::Watch => options.read_list(query)?,
            Verb::Create | Verb::Update | Verb::Patch => options.read_write(query)?,
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

    fn read_write(&mut self, query: &Query) -> Result<(), Box<Status>> {
        self.dry_run = query.get("dryRun").is_some_and(|value| !value.is_empty());
        self.field_manager = text(query, "fieldManager");
        self.field_validation = match query.get("fieldValidation").unwrap_or_default() {
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            _ => FieldValidation::Warn,
        };
        self.force = flag(query, "force");
        Ok(())
    }

    fn read_delete(&mut self, query: &Query) -> Result<(), Box<Status>> {
        self.dry_run = query.get("dryRun").is_some_and(|value| !value.is_empty());
        self.grace_period_seconds = number(query, "gracePeriodSeconds")?;
        self.propagation_policy = query.get("propagationPolicy").map(Text::new);
        self.orphan_dependents = flag(query, "orphanDependents");
        Ok(())
    }
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
            let message = format!("strconv.ParseInt: parsing {text:?}: {why}");
            Err(Box::new(Status::bad_request(message)))
        }
    }
}

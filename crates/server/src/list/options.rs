//! What a list or a watch asks for, checked by upstream's rules.
//!
//! Source: k8s.io/apimachinery, pkg/apis/meta/internalversion/{defaults,validation};
//! k8s.io/apiserver, pkg/storage/interfaces.go (`ValidateListOptions`).

use api::{
    Cause, Status, Text, continue_token,
    revision::{ResourceVersion, RevisionError},
};
use store::Revision;

use crate::Options;

/// Which moment a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Now: everything acknowledged is in it.
    Newest,
    /// Not before this revision.
    AtLeast(Revision),
    /// Exactly this revision.
    Exactly(Revision),
}

/// A list, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Which moment.
    pub(crate) moment: Moment,
    /// At most this many; 0 for all.
    pub(crate) limit: usize,
    /// Where the page begins; empty for the beginning.
    pub(crate) start: Text,
    /// Whether it is a further page.
    pub(crate) paged: bool,
    /// When the first page was read, in seconds since 1970; absent for a first page.
    pub(crate) since: Option<i64>,
}

impl Plan {
    /// Reads the options of a list.
    ///
    /// `single` says that one name is asked for: such a list has no pages.
    ///
    /// # Errors
    /// 422 and 400 with upstream's texts.
    pub(crate) fn read(options: &Options, single: bool) -> Result<Self, Status> {
        refuse(list_causes(options))?;
        let limit = usize::try_from(options.limit).unwrap_or(0);
        let version = options.resource_version.as_str();
        let plan = |moment| Self {
            moment,
            limit: if version == "0" { 0 } else { limit },
            start: Text::default(),
            paged: false,
            since: None,
        };
        if !single && !options.continue_token.is_empty() {
            let token = continue_token::decode(&options.continue_token)
                .map_err(|error| Status::bad_request(format!("invalid continue token: {error}")))?;
            if !version.is_empty() && version != "0" {
                return Err(Status::bad_request(
                    "specifying resource version is not allowed when using continue",
                ));
            }
            return Ok(Self {
                // A negative revision stands for whatever there is now.
                moment: u64::try_from(token.revision).map_or(Moment::Newest, |revision| {
                    Moment::Exactly(Revision(revision))
                }),
                limit,
                start: Text::from(token.start),
                paged: true,
                since: token.since,
            });
        }
        if version.is_empty() {
            return Ok(plan(Moment::Newest));
        }
        let revision = parse_revision(version).map_err(|error| {
            Status::bad_request(format!("invalid resource version: {}", printed(&error)))
        })?;
        let moment = match options.resource_version_match.as_str() {
            "Exact" => Moment::Exactly(revision),
            "" if !single && limit > 0 && revision.0 > 0 => Moment::Exactly(revision),
            _ => Moment::AtLeast(revision),
        };
        Ok(plan(moment))
    }
}

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beginning {
    /// After this revision; 0 for anywhere, none for now.
    pub(crate) revision: Option<Revision>,
    /// With what there is, as ADDED events.
    pub(crate) initial: bool,
    /// With a bookmark that says so once the initial events are through.
    pub(crate) marks_end: bool,
}

impl Beginning {
    /// Reads the options of a watch.
    ///
    /// # Errors
    /// 422 with upstream's texts; 500 for a resourceVersion that is no number, as upstream answers.
    pub(crate) fn read(options: &Options) -> Result<Self, Status> {
        let version = options.resource_version.as_str();
        // Watches from nowhere are watch-lists since 1.34.
        let legacy = options.send_initial_events.is_none()
            && options.resource_version_match.is_empty()
            && matches!(version, "" | "0");
        let wants_initial = legacy || options.send_initial_events == Some(true);
        if !legacy {
            refuse(watch_causes(options))?;
        }
        let revision = match version {
            "" => None,
            text => Some(parse_revision(text).map_err(|error| as_fault(&error))?),
        };
        // An explicit `sendInitialEvents=false` from nowhere begins at the newest revision.
        Ok(Self {
            revision,
            initial: wants_initial,
            marks_end: wants_initial && options.allow_watch_bookmarks,
        })
    }
}

/// Reads a resourceVersion; empty is 0.
pub(crate) fn parse_revision(text: &str) -> Result<Revision, RevisionError> {
    ResourceVersion::parse(text).map(|version| Revision(version.0))
}

/// Returns what upstream answers where nobody translated the error: a 500 without a reason.
pub(crate) fn as_fault(error: &RevisionError) -> Status {
    Status::new(500, api::Reason::Unknown, printed(error))
}

fn printed(error: &RevisionError) -> String {
    let text = api::quote::quote(&error.text);
    format!("resourceVersion: Invalid value: {text}: {error}")
}

fn forbidden(field: &str, why: &str) -> Cause {
    Cause {
        reason: Text::const_new("FieldValueForbidden"),
        message: format!("Forbidden: {why}"),
        field: field.to_owned(),
    }
}

fn unsupported(found: &str, allowed: &str) -> Cause {
    Cause {
        reason: Text::const_new("FieldValueNotSupported"),
        message: format!("Unsupported value: {found:?}: supported values: {allowed}"),
        field: "resourceVersionMatch".to_owned(),
    }
}

fn list_causes(options: &Options) -> Vec<Cause> {
    let mut causes = Vec::new();
    let matching = options.resource_version_match.as_str();
    if !matching.is_empty() {
        let mut refuse = |why| causes.push(forbidden("resourceVersionMatch", why));
        if options.resource_version.is_empty() {
            refuse("resourceVersionMatch is forbidden unless resourceVersion is provided");
        }
        if !options.continue_token.is_empty() {
            refuse("resourceVersionMatch is forbidden when continue is provided");
        }
        if !matches!(matching, "Exact" | "NotOlderThan") {
            causes.push(unsupported(matching, r#""Exact", "NotOlderThan", """#));
        }
        if matching == "Exact" && options.resource_version == "0" {
            causes.push(forbidden(
                "resourceVersionMatch",
                r#"resourceVersionMatch "exact" is forbidden for resourceVersion "0""#,
            ));
        }
    }
    if options.send_initial_events.is_some() {
        causes.push(forbidden(
            "sendInitialEvents",
            "sendInitialEvents is forbidden for list",
        ));
    }
    causes
}

fn watch_causes(options: &Options) -> Vec<Cause> {
    let mut causes = Vec::new();
    let matching = options.resource_version_match.as_str();
    let mut refuse = |why| causes.push(forbidden("resourceVersionMatch", why));
    if options.send_initial_events.is_some() && matching != "NotOlderThan" {
        refuse("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    }
    if !matching.is_empty() {
        if options.send_initial_events.is_none() {
            refuse(
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            );
        }
        if matching != "NotOlderThan" {
            causes.push(unsupported(matching, r#""NotOlderThan""#));
        }
        if !options.continue_token.is_empty() {
            causes.push(forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden when continue is provided",
            ));
        }
    }
    causes
}

fn refuse(causes: Vec<Cause>) -> Result<(), Status> {
    if causes.is_empty() {
        return Ok(());
    }
    Err(Status::invalid("meta.k8s.io", "ListOptions", "", causes))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::{Beginning, Plan};
    use crate::{
        Options,
        request::{Query, Verb},
    };

    #[track_caller]
    fn check(query: &str, expected: &Expect) {
        let options = Options::read(Verb::List, &Query::parse(query)).expect("it can be read");
        let shown = match Plan::read(&options, false) {
            Ok(plan) => format!("{:?} limit {}", plan.moment, plan.limit),
            Err(status) => format!("{} {}", status.code, status.message),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn knows_which_moment_a_list_is_of() {
        check("", &expect!["Newest limit 0"]);
        check("limit=5", &expect!["Newest limit 5"]);
        check(
            "resourceVersion=0&limit=5",
            &expect!["AtLeast(Revision(0)) limit 0"],
        );
        check(
            "resourceVersion=7",
            &expect!["AtLeast(Revision(7)) limit 0"],
        );
        check(
            "resourceVersion=7&limit=5",
            &expect!["Exactly(Revision(7)) limit 5"],
        );
        check(
            "resourceVersion=7&resourceVersionMatch=Exact",
            &expect!["Exactly(Revision(7)) limit 0"],
        );
        check(
            "resourceVersion=7&limit=5&resourceVersionMatch=NotOlderThan",
            &expect!["AtLeast(Revision(7)) limit 5"],
        );
    }

    #[test]
    fn refuses_with_upstreams_words() {
        check(
            "resourceVersionMatch=Exact",
            &expect![[
                r#"422 ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"#
            ]],
        );
        check(
            "resourceVersionMatch=Exact&resourceVersion=0",
            &expect![[
                r#"422 ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0""#
            ]],
        );
        check(
            "resourceVersionMatch=Foo&resourceVersion=1",
            &expect![[
                r#"422 ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Unsupported value: "Foo": supported values: "Exact", "NotOlderThan", """#
            ]],
        );
        check(
            "sendInitialEvents=true",
            &expect![[
                r#"422 ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"#
            ]],
        );
        check(
            "resourceVersion=abc",
            &expect![[
                r#"400 invalid resource version: resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax"#
            ]],
        );
        check(
            "resourceVersion=99999999999999999999",
            &expect![[
                r#"400 invalid resource version: resourceVersion: Invalid value: "99999999999999999999": strconv.ParseUint: parsing "99999999999999999999": value out of range"#
            ]],
        );
    }

    #[track_caller]
    fn check_watch(query: &str, expected: &Expect) {
        let options = Options::read(Verb::Watch, &Query::parse(query)).expect("it can be read");
        let shown = match Beginning::read(&options) {
            Ok(begin) => format!("{begin:?}"),
            Err(status) => format!("{} {}", status.code, status.message),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn knows_where_a_watch_begins() {
        check_watch(
            "",
            &expect!["Beginning { revision: None, initial: true, marks_end: false }"],
        );
        check_watch(
            "resourceVersion=0&allowWatchBookmarks=true",
            &expect!["Beginning { revision: Some(Revision(0)), initial: true, marks_end: true }"],
        );
        check_watch(
            "resourceVersion=5&allowWatchBookmarks=true",
            &expect!["Beginning { revision: Some(Revision(5)), initial: false, marks_end: false }"],
        );
        check_watch(
            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=1",
            &expect!["Beginning { revision: None, initial: true, marks_end: true }"],
        );
        check_watch(
            "sendInitialEvents=true",
            &expect![[
                r#"422 ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"#
            ]],
        );
        check_watch(
            "resourceVersionMatch=NotOlderThan&resourceVersion=4",
            &expect![[
                r#"422 ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"#
            ]],
        );
    }
}

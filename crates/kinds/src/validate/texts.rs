//! Texts: names, choices, paths and addresses.
//!
//! Each check says what is wrong at the place of the text; an absent text counts as empty.
//!
//! Source: k8s.io/apimachinery v0.37.1, pkg/util/validation.

use std::net::IpAddr;

use api::{field::Error, names::validate};

use super::{Findings, Place};

/// Checks a text by one of the rules of [`api::names::validate`].
pub(crate) fn fits(place: &Place<'_>, rule: fn(&str) -> Vec<String>, found: &mut Findings) {
    found.each_invalid_text(place, rule(place.text()));
}

/// Checks a label of DNS: `my-name`.
pub(crate) fn label(place: &Place<'_>, found: &mut Findings) {
    fits(place, validate::dns1123_label, found);
}

/// Checks a name of DNS: `my.name`.
pub(crate) fn subdomain(place: &Place<'_>, found: &mut Findings) {
    fits(place, validate::dns1123_subdomain, found);
}

/// Checks a name with an optional domain: `example.com/my-name`.
pub(crate) fn qualified(place: &Place<'_>, found: &mut Findings) {
    fits(place, validate::qualified_name, found);
}

/// Says whether a text is there; says that it must be.
pub(crate) fn require(place: &Place<'_>, detail: &str, found: &mut Findings) -> bool {
    let is_there = !place.text().is_empty();
    if !is_there {
        found.required(place, detail);
    }
    is_there
}

/// A text that must be there, and a label of DNS.
pub(crate) fn required_label(place: &Place<'_>, found: &mut Findings) {
    if require(place, "", found) {
        label(place, found);
    }
}

/// A text that must be there, and a name of DNS.
pub(crate) fn required_subdomain(place: &Place<'_>, found: &mut Findings) {
    if require(place, "", found) {
        subdomain(place, found);
    }
}

/// A text must be one of these, which errors print in this order (upstream sorts them often).
pub(crate) fn choice(place: &Place<'_>, supported: &[&str], found: &mut Findings) -> bool {
    let is_known = supported.contains(&place.text());
    if !is_known {
        found.not_supported(place, supported);
    }
    is_known
}

/// A choice that must be made: an empty text is said to be missing.
pub(crate) fn required_choice(place: &Place<'_>, supported: &[&str], found: &mut Findings) {
    if require(place, "", found) {
        choice(place, supported, found);
    }
}

/// A choice that need not be made, but is if the field is there.
pub(crate) fn optional_choice(place: &Place<'_>, supported: &[&str], found: &mut Findings) {
    if place.is_set() {
        choice(place, supported, found);
    }
}

/// A text has at most so many bytes.
pub(crate) fn bytes_max(place: &Place<'_>, max: usize, found: &mut Findings) {
    if place.text().len() > max {
        found.push(Error::too_long(place.path(), max));
    }
}

/// A path that goes down only: relative, and without `..`.
pub(crate) fn descending_path(place: &Place<'_>, found: &mut Findings) {
    if place.text().starts_with('/') {
        found.invalid_text(place, "must be a relative path");
    }
    no_backsteps(place, found);
}

/// A path without `..`.
pub(crate) fn no_backsteps(place: &Place<'_>, found: &mut Findings) {
    let is_back = |step: &str| step == "..";
    if place.text().split('/').any(is_back) {
        found.invalid_text(place, "must not contain '..'");
    }
}

/// A path that goes down only, to a name that is not the server's.
pub(crate) fn local_path(place: &Place<'_>, found: &mut Findings) {
    descending_path(place, found);
    let text = place.text();
    // `..` at the beginning was said before if it is a whole step.
    if text.starts_with("..") && !text.starts_with("../") {
        found.invalid_text(place, "must not start with '..'");
    }
}

/// Checks an IP address as old fields do: in any form, but without leading zeros. Returns it if it
/// is right.
pub(crate) fn ip_of_old(place: &Place<'_>, found: &mut Findings) -> Option<IpAddr> {
    let text = place.text();
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => {
            found.invalid_text(place, "must not be an IPv4-mapped IPv6 address");
            None
        }
        Ok(address) => Some(address),
        Err(_) if without_zeros(text).parse::<IpAddr>().is_ok() => {
            found.invalid_text(place, "must not have leading 0s");
            None
        }
        Err(_) => {
            let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            found.invalid_text(place, why);
            None
        }
    }
}

/// Returns a dotted address without zeros before its numbers.
fn without_zeros(text: &str) -> String {
    let numbers = text
        .split('.')
        .map(|number| match number.trim_start_matches('0') {
            "" if !number.is_empty() => "0",
            rest => rest,
        });
    numbers.collect::<Vec<_>>().join(".")
}

/// Checks the name of an HTTP header.
pub(crate) fn header_name(place: &Place<'_>, found: &mut Findings) {
    fits(place, http_header_name, found);
}

fn http_header_name(name: &str) -> Vec<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !name.is_empty() && name.bytes().all(allowed) {
        return Vec::new();
    }
    vec![validate::regex_error(
        "a valid HTTP header must consist of alphanumeric characters or '-'",
        "[-A-Za-z0-9]+",
        &["X-Header-Name"],
    )]
}

/// Checks a name of DNS in whose labels underscores may stand.
pub(crate) fn subdomain_with_underscore(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if name.len() > validate::SUBDOMAIN_LEN_MAX {
        errors.push(validate::max_len_error(validate::SUBDOMAIN_LEN_MAX));
    }
    // `_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?`
    let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let bytes = label.strip_prefix('_').unwrap_or(label).as_bytes();
        bytes.first().is_some_and(|byte| edge(*byte))
            && bytes.last().is_some_and(|byte| edge(*byte))
            && bytes
                .iter()
                .all(|byte| edge(*byte) || matches!(byte, b'-' | b'_'))
    };
    if !name.split('.').all(is_label) {
        let one = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
        errors.push(validate::regex_error(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
            &format!(r"{one}(\.{one})*"),
            &["example.com"],
        ));
    }
    errors
}

#[cfg(test)]
mod tests {
    use api::{Value, field::Path};

    use super::*;

    type Rule = fn(&Place<'_>, &mut Findings);

    #[track_caller]
    fn check(rule: Rule, text: &str, expected: &[&str]) {
        let value = Value::from(text);
        let mut found = Findings::default();
        rule(&Place::new(Some(&value), Path::new("a")), &mut found);
        let found: Vec<String> = found.errors().iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn addresses() {
        let old: Rule = |place, found| {
            ip_of_old(place, found);
        };
        check(old, "1.2.3.4", &[]);
        check(old, "FE80::0", &[]);
        check(
            old,
            "01.2.3.4",
            &[r#"a: Invalid value: "01.2.3.4": must not have leading 0s"#],
        );
        check(
            old,
            "::ffff:1.2.3.4",
            &[r#"a: Invalid value: "::ffff:1.2.3.4": must not be an IPv4-mapped IPv6 address"#],
        );
        let none = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        check(
            old,
            "1.2.3",
            &[&format!(r#"a: Invalid value: "1.2.3": {none}"#)],
        );
    }

    #[test]
    fn paths() {
        check(local_path, "a/b..c", &[]);
        check(
            local_path,
            "/a/../b",
            &[
                r#"a: Invalid value: "/a/../b": must be a relative path"#,
                r#"a: Invalid value: "/a/../b": must not contain '..'"#,
            ],
        );
        check(
            local_path,
            "..a",
            &[r#"a: Invalid value: "..a": must not start with '..'"#],
        );
    }

    #[test]
    fn choices() {
        let one: Rule = |place, found| required_choice(place, &["A", "B"], found);
        check(one, "A", &[]);
        check(one, "", &["a: Required value"]);
        check(
            one,
            "C",
            &[r#"a: Unsupported value: "C": supported values: "A", "B""#],
        );
        let short: Rule = |place, found| {
            bytes_max(place, 1, found);
        };
        check(short, "é", &["a: Too long: may not be more than 1 byte"]);
        check(short, "a", &[]);
        check(required_label, "", &["a: Required value"]);
        check(required_subdomain, "a.b", &[]);
        check(header_name, "A-1", &[]);
        assert_eq!(subdomain_with_underscore("_a.b_c"), [""; 0]);
        assert_eq!(subdomain_with_underscore("a_").len(), 1);
    }
}

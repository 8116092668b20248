//! Numbers: bounds, ports, and numbers that may be a share of something.
//!
//! Checks of a field look at a number that is there; what must be there is the caller's to say.
//! Where Go has no pointer an absent number is zero: those checks say so.
//!
//! Source: k8s.io/apimachinery v0.37.1, pkg/util/validation and pkg/api/validation.

use api::{Value, names::validate};

use super::{Findings, Place};

/// What upstream says of numbers below zero.
pub(crate) const NEGATIVE: &str = "must be greater than or equal to 0";
/// What upstream says of numbers that are not above zero.
pub(crate) const NOT_POSITIVE: &str = "must be greater than zero";

/// A number that is there is not below zero.
pub(crate) fn non_negative(place: &Place<'_>, found: &mut Findings) {
    if place.int().is_some_and(|number| number < 0) {
        found.invalid(place, NEGATIVE);
    }
}

/// A number that is there is above zero.
pub(crate) fn positive(place: &Place<'_>, found: &mut Findings) {
    if place.int().is_some_and(|number| number <= 0) {
        found.invalid(place, NOT_POSITIVE);
    }
}

/// A number that is there lies within these bounds.
pub(crate) fn within(place: &Place<'_>, low: i64, high: i64, found: &mut Findings) {
    if let Some(number) = place.int()
        && !(low..=high).contains(&number)
    {
        found.invalid(place, validate::range_error(low, high));
    }
}

/// A port; an absent one counts as zero, which is none.
pub(crate) fn port(place: &Place<'_>, found: &mut Findings) {
    let number = place.int().unwrap_or(0);
    for sentence in validate::port_number(number) {
        found.push(api::field::Error::invalid(place.path(), number, sentence));
    }
}

/// A port's number or its name.
pub(crate) fn port_or_name(place: &Place<'_>, found: &mut Findings) {
    match place.str() {
        Some(name) => found.each_invalid(place, validate::port_name(name)),
        None => port(place, found),
    }
}

/// A number that is not below zero, or a percentage; absent counts as zero.
pub(crate) fn count_or_percent(place: &Place<'_>, found: &mut Findings) {
    match place.value() {
        Some(Value::String(text)) if percent(text).is_none() => {
            found.invalid(place, not_percent());
        }
        Some(Value::Int(number)) if *number < 0 => found.invalid(place, NEGATIVE),
        _ => {}
    }
}

/// A percentage is not above a hundred; anything else is not this check's.
pub(crate) fn at_most_all(place: &Place<'_>, found: &mut Findings) {
    if place
        .str()
        .and_then(percent)
        .is_some_and(|percent| percent > 100)
    {
        found.invalid(place, "must not be greater than 100%");
    }
}

/// Returns the number of a percentage.
pub(crate) fn percent(text: &str) -> Option<i64> {
    let digits = text.strip_suffix('%')?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // More than fits is what Go makes of it: the greatest number.
    is_number.then(|| digits.parse().unwrap_or(i64::MAX))
}

/// Returns the number, or that of the percentage, as Go's `IntValue` has it.
pub(crate) fn amount(place: &Place<'_>) -> i64 {
    match place.value() {
        Some(Value::Int(number)) => *number,
        Some(Value::String(text)) => {
            percent(text).unwrap_or_else(|| text.parse().unwrap_or_default())
        }
        _ => 0,
    }
}

fn not_percent() -> String {
    validate::regex_error(
        "a valid percent string must be a numeric string followed by an ending '%'",
        "[0-9]+%",
        &["1%", "93%"],
    )
}

#[cfg(test)]
mod tests {
    use api::field::Path;

    use super::*;

    type Rule = fn(&Place<'_>, &mut Findings);

    #[track_caller]
    fn check(rule: Rule, value: impl Into<Value>, expected: &[&str]) {
        let value = value.into();
        let mut found = Findings::default();
        rule(&Place::new(Some(&value), Path::new("a")), &mut found);
        let found: Vec<String> = found.errors().iter().map(ToString::to_string).collect();
        let heads: Vec<&str> = found
            .iter()
            .map(|text| text.split(" (").next().unwrap_or_default())
            .collect();
        assert_eq!(heads, expected, "{value:?}");
    }

    #[test]
    fn bounds() {
        check(non_negative, 0, &[]);
        check(
            non_negative,
            -1,
            &["a: Invalid value: -1: must be greater than or equal to 0"],
        );
        check(positive, 1, &[]);
        check(
            positive,
            0,
            &["a: Invalid value: 0: must be greater than zero"],
        );
        let few: Rule = |place, found| within(place, 1, 2, found);
        check(few, 2, &[]);
        check(
            few,
            3,
            &["a: Invalid value: 3: must be between 1 and 2, inclusive"],
        );
    }

    #[test]
    fn ports() {
        check(port, 1, &[]);
        check(
            port_or_name,
            0,
            &["a: Invalid value: 0: must be between 1 and 65535, inclusive"],
        );
        check(port_or_name, "http", &[]);
        check(
            port_or_name,
            "1",
            &[r#"a: Invalid value: "1": must contain at least one letter"#],
        );
    }

    #[test]
    fn shares() {
        check(count_or_percent, "150%", &[]);
        check(
            count_or_percent,
            -1,
            &["a: Invalid value: -1: must be greater than or equal to 0"],
        );
        check(
            count_or_percent,
            "x",
            &[
                r#"a: Invalid value: "x": a valid percent string must be a numeric string followed by an ending '%'"#,
            ],
        );
        check(at_most_all, "100%", &[]);
        check(
            at_most_all,
            "101%",
            &[r#"a: Invalid value: "101%": must not be greater than 100%"#],
        );
        let value = Value::from("25%");
        assert_eq!(amount(&Place::new(Some(&value), Path::ROOT)), 25);
    }
}

//! What upstream prints of two structs that should be one: lines of JSON, before and after.
//!
//! Structs are printed as [`super::go`] has them, one line for each part; lines that differ stand
//! among three that do not, as in a unified diff. Which lines count as the same when several could
//! is as in Python's difflib, from which upstream's library was taken.
//!
//! Source: k8s.io/apimachinery v0.37.1, pkg/util/diff; github.com/pmezard/go-difflib.

use std::fmt::Write as _;

use api::{Value, json};

/// How many unchanged lines stand around those that changed.
const CONTEXT: usize = 3;

/// A stretch of both texts: from where to where in the one, and in the other.
#[derive(Clone, Copy)]
struct Stretch {
    is_same: bool,
    old: (usize, usize),
    new: (usize, usize),
}

/// Returns the lines in which two values differ, with those around them.
pub(crate) fn diff(old: &Value, new: &Value) -> String {
    let (old, new) = (lines(old), lines(new));
    let mut stretches = stretches(&old, &new);
    let is_changed = stretches.iter().any(|one| !one.is_same);
    if let Some(first) = stretches.first_mut().filter(|first| first.is_same) {
        first.old.0 = first.old.0.max(first.old.1.saturating_sub(CONTEXT));
        first.new.0 = first.new.0.max(first.new.1.saturating_sub(CONTEXT));
    }
    if let Some(last) = stretches.last_mut().filter(|last| last.is_same) {
        last.old.1 = last.old.1.min(last.old.0 + CONTEXT);
        last.new.1 = last.new.1.min(last.new.0 + CONTEXT);
    }
    let mut text = String::new();
    if !is_changed {
        return text;
    }
    let mut group: Vec<Stretch> = Vec::new();
    for mut one in stretches {
        if one.is_same && one.old.1 - one.old.0 > 2 * CONTEXT {
            let mut head = one;
            head.old.1 = one.old.0 + CONTEXT;
            head.new.1 = one.new.0 + CONTEXT;
            group.push(head);
            write_group(&group, &old, &new, &mut text);
            group.clear();
            one.old.0 = one.old.1 - CONTEXT;
            one.new.0 = one.new.1 - CONTEXT;
        }
        group.push(one);
    }
    if group.iter().any(|one| !one.is_same) {
        write_group(&group, &old, &new, &mut text);
    }
    text
}

fn write_group(group: &[Stretch], old: &[String], new: &[String], text: &mut String) {
    let (Some(first), Some(last)) = (group.first(), group.last()) else {
        return;
    };
    let range = |from: usize, to: usize| match to - from {
        1 => (from + 1).to_string(),
        0 => format!("{from},0"),
        length => format!("{},{length}", from + 1),
    };
    let (before, after) = (
        range(first.old.0, last.old.1),
        range(first.new.0, last.new.1),
    );
    let _ = writeln!(text, "@@ -{before} +{after} @@");
    let mut put = |sign: char, lines: &[String]| {
        for line in lines {
            let _ = writeln!(text, "{sign}{line}");
        }
    };
    for one in group {
        if one.is_same {
            put(' ', &old[one.old.0..one.old.1]);
        } else {
            put('-', &old[one.old.0..one.old.1]);
            put('+', &new[one.new.0..one.new.1]);
        }
    }
}

/// Returns the stretches of both, in order, those that are the same and those between.
fn stretches(old: &[String], new: &[String]) -> Vec<Stretch> {
    let mut same: Vec<(usize, usize, usize)> = Vec::new();
    let mut open = vec![(0, old.len(), 0, new.len())];
    while let Some((old_from, old_to, new_from, new_to)) = open.pop() {
        let (at, other, length) = longest(old, new, (old_from, old_to), (new_from, new_to));
        if length == 0 {
            continue;
        }
        same.push((at, other, length));
        if old_from < at && new_from < other {
            open.push((old_from, at, new_from, other));
        }
        if at + length < old_to && other + length < new_to {
            open.push((at + length, old_to, other + length, new_to));
        }
    }
    same.sort_unstable();
    same.push((old.len(), new.len(), 0));
    let mut all: Vec<Stretch> = Vec::new();
    let (mut at, mut other) = (0, 0);
    for (old_at, new_at, length) in same {
        if at < old_at || other < new_at {
            all.push(Stretch {
                is_same: false,
                old: (at, old_at),
                new: (other, new_at),
            });
        }
        (at, other) = (old_at + length, new_at + length);
        if length == 0 {
            continue;
        }
        match all.last_mut().filter(|last| last.is_same) {
            Some(last) => (last.old.1, last.new.1) = (at, other),
            None => all.push(Stretch {
                is_same: true,
                old: (old_at, at),
                new: (new_at, other),
            }),
        }
    }
    all
}

/// Returns the longest run of lines that both have, the earliest of several.
fn longest(
    old: &[String],
    new: &[String],
    within: (usize, usize),
    other: (usize, usize),
) -> (usize, usize, usize) {
    let mut best = (within.0, other.0, 0);
    // How long the run is that ends at each line of the other text.
    let mut runs = vec![0; other.1 + 1];
    for (at, line) in old.iter().enumerate().take(within.1).skip(within.0) {
        let mut next = vec![0; other.1 + 1];
        for to in other.0..other.1 {
            if *line == new[to] {
                let length = runs[to] + 1;
                next[to + 1] = length;
                if length > best.2 {
                    best = (at + 1 - length, to + 1 - length, length);
                }
            }
        }
        runs = next;
    }
    best
}

/// Returns the lines of a value as Go's `MarshalIndent` prints them.
fn lines(value: &Value) -> Vec<String> {
    let mut text = String::new();
    pretty(value, 0, &mut text);
    text.split('\n').map(str::to_owned).collect()
}

fn pretty(value: &Value, depth: usize, text: &mut String) {
    let compact = |value: &Value, text: &mut String| {
        let mut bytes = Vec::new();
        json::write(value, &mut bytes);
        text.push_str(&String::from_utf8_lossy(&bytes));
    };
    let next = |depth: usize, text: &mut String| {
        text.push('\n');
        text.extend(std::iter::repeat_n(' ', depth));
    };
    match value {
        Value::Object(object) if !object.is_empty() => {
            text.push('{');
            for (index, (name, value)) in object.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                next(depth + 1, text);
                compact(&name.into(), text);
                text.push_str(": ");
                pretty(value, depth + 1, text);
            }
            next(depth, text);
            text.push('}');
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('[');
            for (index, value) in items.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                next(depth + 1, text);
                pretty(value, depth + 1, text);
            }
            next(depth, text);
            text.push(']');
        }
        value => compact(value, text),
    }
}

#[cfg(test)]
mod tests {
    use api::value;

    use super::diff;

    #[track_caller]
    fn check(old: &api::Value, new: &api::Value, expected: &str) {
        assert_eq!(diff(old, new), expected);
    }

    #[test]
    fn shows_what_changed_and_what_is_around() {
        check(&value!({"a": 1}), &value!({"a": 1}), "");
        check(
            &value!({"A": ["x"], "B": null, "C": {}, "D": 1, "E": 2, "F": 3}),
            &value!({"A": ["x"], "B": null, "C": {}, "D": 4, "E": 2, "F": 3}),
            "@@ -4,7 +4,7 @@\n  ],\n  \"B\": null,\n  \"C\": {},\n- \"D\": 1,\n+ \"D\": 4,\n  \"E\": 2,\n  \"F\": 3\n }\n",
        );
    }
}

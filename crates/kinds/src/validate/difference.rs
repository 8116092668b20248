//! What changed between two values, told line by line as `diff -u` does.
//!
//! Source: k8s.io/apimachinery v0.37.1, pkg/util/diff, which prints both as JSON, and
//! github.com/pmezard/go-difflib, whose choice of lines is that of Python's difflib.

use std::collections::HashMap;

use api::{Value, json};

/// How many lines around a change are shown.
const CONTEXT: usize = 3;
/// From how many lines on those that stand in many places are no landmarks.
const POPULAR_FROM: usize = 200;
/// Values with more lines are not compared: that takes a time that grows with their square.
const LINES_MAX: usize = 20_000;

/// Lines of both values that are the same.
#[derive(Clone, Copy)]
struct Match {
    old: usize,
    new: usize,
    count: usize,
}

/// What became of some lines, from and to in each value.
#[derive(Clone, Copy)]
struct Step {
    is_same: bool,
    old: (usize, usize),
    new: (usize, usize),
}

/// Returns what changed, for people.
pub(crate) fn difference(old: &Value, new: &Value) -> String {
    let (mut old_lines, mut new_lines) = (Vec::new(), Vec::new());
    print(old, 0, "", "", &mut old_lines);
    print(new, 0, "", "", &mut new_lines);
    if old_lines.len().max(new_lines.len()) > LINES_MAX {
        return String::new();
    }
    let mut told = String::new();
    for group in groups(steps(&old_lines, &new_lines)) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        told.push_str(&format!(
            "@@ -{} +{} @@\n",
            range(first.old.0, last.old.1),
            range(first.new.0, last.new.1)
        ));
        for step in group {
            let mut tell = |mark: char, lines: &[String]| {
                for line in lines {
                    told.push(mark);
                    told.push_str(line);
                    told.push('\n');
                }
            };
            if step.is_same {
                tell(' ', &old_lines[step.old.0..step.old.1]);
            } else {
                tell('-', &old_lines[step.old.0..step.old.1]);
                tell('+', &new_lines[step.new.0..step.new.1]);
            }
        }
    }
    told
}

/// Writes a value over several lines, one blank per level.
fn print(value: &Value, level: usize, head: &str, tail: &str, lines: &mut Vec<String>) {
    let pad = " ".repeat(level);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            lines.push(format!("{pad}{head}{{"));
            let last = fields.len() - 1;
            for (at, (name, field)) in fields.iter().enumerate() {
                let head = format!("{}: ", text(&Value::from(name)));
                let tail = if at == last { "" } else { "," };
                print(field, level + 1, &head, tail, lines);
            }
            lines.push(format!("{pad}}}{tail}"));
        }
        Value::Array(items) if !items.is_empty() => {
            lines.push(format!("{pad}{head}["));
            let last = items.len() - 1;
            for (at, item) in items.iter().enumerate() {
                let tail = if at == last { "" } else { "," };
                print(item, level + 1, "", tail, lines);
            }
            lines.push(format!("{pad}]{tail}"));
        }
        other => lines.push(format!("{pad}{head}{}{tail}", text(other))),
    }
}

fn text(value: &Value) -> String {
    let mut out = Vec::new();
    json::write(value, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn range(start: usize, end: usize) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        length => format!("{},{length}", start + 1),
    }
}

/// Returns what became of all lines, in order.
fn steps(old: &[String], new: &[String]) -> Vec<Step> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, line) in new.iter().enumerate() {
        places.entry(line).or_default().push(at);
    }
    if new.len() >= POPULAR_FROM {
        let many = new.len() / 100 + 1;
        places.retain(|_, places| places.len() <= many);
    }
    let mut found = Vec::new();
    let mut open = vec![((0, old.len()), (0, new.len()))];
    while let Some((from_old, from_new)) = open.pop() {
        let best = longest((old, new), &places, from_old, from_new);
        if best.count == 0 {
            continue;
        }
        found.push(best);
        if from_old.0 < best.old && from_new.0 < best.new {
            open.push(((from_old.0, best.old), (from_new.0, best.new)));
        }
        let (old_end, new_end) = (best.old + best.count, best.new + best.count);
        if old_end < from_old.1 && new_end < from_new.1 {
            open.push(((old_end, from_old.1), (new_end, from_new.1)));
        }
    }
    found.sort_unstable_by_key(|one| one.old);
    found.push(Match {
        old: old.len(),
        new: new.len(),
        count: 0,
    });
    let mut steps: Vec<Step> = Vec::new();
    let (mut old_at, mut new_at) = (0, 0);
    for one in found {
        if old_at < one.old || new_at < one.new {
            steps.push(Step {
                is_same: false,
                old: (old_at, one.old),
                new: (new_at, one.new),
            });
        }
        (old_at, new_at) = (one.old + one.count, one.new + one.count);
        if one.count == 0 {
            continue;
        }
        match steps.last_mut() {
            Some(last) if last.is_same => {
                last.old.1 = old_at;
                last.new.1 = new_at;
            }
            _ => steps.push(Step {
                is_same: true,
                old: (one.old, old_at),
                new: (one.new, new_at),
            }),
        }
    }
    steps
}

/// Returns the longest run of lines that stands in both parts, and of several the first.
fn longest(
    (old, new): (&[String], &[String]),
    places: &HashMap<&str, Vec<usize>>,
    from_old: (usize, usize),
    from_new: (usize, usize),
) -> Match {
    let mut best = Match {
        old: from_old.0,
        new: from_new.0,
        count: 0,
    };
    let mut runs: HashMap<usize, usize> = HashMap::new();
    for (at, line) in old.iter().enumerate().take(from_old.1).skip(from_old.0) {
        let mut next = HashMap::new();
        for &place in places
            .get(line.as_str())
            .map(Vec::as_slice)
            .unwrap_or_default()
        {
            if place < from_new.0 {
                continue;
            }
            if place >= from_new.1 {
                break;
            }
            let before = place.checked_sub(1).and_then(|before| runs.get(&before));
            let count = before.copied().unwrap_or(0) + 1;
            next.insert(place, count);
            if count > best.count {
                best = Match {
                    old: at + 1 - count,
                    new: place + 1 - count,
                    count,
                };
            }
        }
        runs = next;
    }
    while best.old > from_old.0 && best.new > from_new.0 && old[best.old - 1] == new[best.new - 1] {
        best.old -= 1;
        best.new -= 1;
        best.count += 1;
    }
    let is_same = |best: &Match| {
        let (old_at, new_at) = (best.old + best.count, best.new + best.count);
        old_at < from_old.1 && new_at < from_new.1 && old[old_at] == new[new_at]
    };
    while is_same(&best) {
        best.count += 1;
    }
    best
}

/// Parts the steps into groups, with a few lines that are the same around each.
fn groups(mut steps: Vec<Step>) -> Vec<Vec<Step>> {
    if let Some(first) = steps.first_mut().filter(|first| first.is_same) {
        first.old.0 = first.old.0.max(first.old.1.saturating_sub(CONTEXT));
        first.new.0 = first.new.0.max(first.new.1.saturating_sub(CONTEXT));
    }
    if let Some(last) = steps.last_mut().filter(|last| last.is_same) {
        last.old.1 = last.old.1.min(last.old.0 + CONTEXT);
        last.new.1 = last.new.1.min(last.new.0 + CONTEXT);
    }
    let mut groups = Vec::new();
    let mut group = Vec::new();
    for mut step in steps {
        if step.is_same && step.old.1 - step.old.0 > 2 * CONTEXT {
            group.push(Step {
                is_same: true,
                old: (step.old.0, step.old.0 + CONTEXT),
                new: (step.new.0, step.new.0 + CONTEXT),
            });
            groups.push(std::mem::take(&mut group));
            step.old.0 = step.old.1 - CONTEXT;
            step.new.0 = step.new.1 - CONTEXT;
        }
        group.push(step);
    }
    if group.iter().any(|step| !step.is_same) {
        groups.push(group);
    }
    groups
}

#[cfg(test)]
mod tests {
    use api::json;

    use super::difference;

    #[track_caller]
    fn check(old: &str, new: &str, expected: &str) {
        let read = |text: &str| json::read(text.as_bytes()).expect("it is JSON").value;
        assert_eq!(difference(&read(old), &read(new)), expected);
    }

    #[test]
    fn changes_are_told_with_what_is_around() {
        check(r#"{"a":1}"#, r#"{"a":1}"#, "");
        check(
            r#"{"a":1,"b":2,"c":3,"d":4,"e":5,"f":[],"g":{}}"#,
            r#"{"a":1,"b":2,"c":3,"d":4,"e":6,"f":[],"g":{}}"#,
            "@@ -3,7 +3,7 @@\n  \"b\": 2,\n  \"c\": 3,\n  \"d\": 4,\n- \"e\": 5,\n+ \"e\": 6,\n  \"f\": [],\n  \"g\": {}\n }\n",
        );
    }

    #[test]
    fn changes_far_apart_are_told_apart() {
        let list = |first: i32, last: i32| {
            let middle: Vec<String> = (10..20).map(|number| number.to_string()).collect();
            format!("[{first},{},{last}]", middle.join(","))
        };
        check(
            &list(1, 2),
            &list(3, 4),
            "@@ -1,5 +1,5 @@\n [\n- 1,\n+ 3,\n  10,\n  11,\n  12,\n@@ -10,5 +10,5 @@\n  17,\n  18,\n  19,\n- 2\n+ 4\n ]\n",
        );
    }
}

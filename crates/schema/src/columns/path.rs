//! The part of JSONPath that printer columns use.

use api::{Text, Value};

/// How many results one path may have at any step.
const RESULTS_MAX: usize = 10_000;

/// How deeply `..` looks.
const DEPTH_MAX: usize = api::json::DEPTH_MAX + 100;

/// A parsed path: `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unrecognized column definition {0:?}")]
pub struct PathError(String);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(Text),
    Wildcard,
    /// From, to, step.
    Slice(Option<i64>, Option<i64>, i64),
    Index(i64),
    Descend,
    Filter(Operand, Option<(Comparison, Operand)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    /// A path from the item.
    Here(Vec<Step>),
    Literal(Value),
}

impl JsonPath {
    /// Reads a path, with or without braces around it.
    ///
    /// # Errors
    /// [`PathError`] when it is none, or uses what columns cannot.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let bare = text.trim();
        let bare = bare
            .strip_prefix('{')
            .and_then(|inner| inner.strip_suffix('}'))
            .unwrap_or(bare);
        let bare = bare.strip_prefix('$').unwrap_or(bare);
        let mut parser = Parser { rest: bare };
        let steps = parser.steps(0).ok_or_else(|| PathError(text.to_owned()))?;
        if !parser.rest.is_empty() {
            return Err(PathError(text.to_owned()));
        }
        Ok(Self { steps })
    }

    /// Returns the first value that the path leads to.
    #[must_use]
    pub fn first<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        // Most paths are plain fields, for which nothing needs to be collected.
        if self.steps.iter().all(|step| matches!(step, Step::Field(_))) {
            return self.steps.iter().try_fold(value, |value, step| match step {
                Step::Field(name) => value.get(name),
                _ => None,
            });
        }
        follow(&self.steps, value).first().copied()
    }
}

fn follow<'v>(steps: &[Step], value: &'v Value) -> Vec<&'v Value> {
    let mut found = vec![value];
    for step in steps {
        let mut next = Vec::new();
        for value in found {
            take(step, value, &mut next);
            if next.len() > RESULTS_MAX {
                return Vec::new();
            }
        }
        found = next;
    }
    found
}

fn take<'v>(step: &Step, value: &'v Value, out: &mut Vec<&'v Value>) {
    match step {
        Step::Field(name) => out.extend(value.get(name)),
        Step::Wildcard => match value {
            Value::Array(items) => out.extend(items),
            Value::Object(object) => out.extend(object.iter().map(|(_, value)| value)),
            _ => {}
        },
        Step::Index(index) => {
            let items = value.as_array().unwrap_or_default();
            out.extend(place(*index, items.len()).and_then(|place| items.get(place)));
        }
        Step::Slice(from, to, by) => {
            let items = value.as_array().unwrap_or_default();
            let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
            let clamp = |index: i64| {
                let index = if index < 0 {
                    index.saturating_add(length)
                } else {
                    index
                };
                usize::try_from(index.clamp(0, length)).unwrap_or_default()
            };
            let (from, to) = (clamp(from.unwrap_or(0)), clamp(to.unwrap_or(length)));
            let by = usize::try_from(*by).unwrap_or(1).max(1);
            out.extend(items.iter().take(to).skip(from).step_by(by));
        }
        Step::Descend => descend(value, out, 0),
        Step::Filter(left, right) => {
            let items = value.as_array().unwrap_or_default();
            out.extend(
                items
                    .iter()
                    .filter(|item| holds(left, right.as_ref(), item)),
            );
        }
    }
}

fn place(index: i64, length: usize) -> Option<usize> {
    if index < 0 {
        length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
    } else {
        usize::try_from(index).ok()
    }
}

fn descend<'v>(value: &'v Value, out: &mut Vec<&'v Value>, depth: usize) {
    if depth > DEPTH_MAX || out.len() > RESULTS_MAX {
        return;
    }
    out.push(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| descend(item, out, depth + 1)),
        Value::Object(object) => object
            .iter()
            .for_each(|(_, value)| descend(value, out, depth + 1)),
        _ => {}
    }
}

fn holds(left: &Operand, right: Option<&(Comparison, Operand)>, item: &Value) -> bool {
    let value = |operand: &Operand| match operand {
        Operand::Literal(value) => Some(value.clone()),
        Operand::Here(steps) => follow(steps, item).first().map(|value| (*value).clone()),
    };
    let Some(left) = value(left) else {
        return false;
    };
    let Some((comparison, right)) = right else {
        return true;
    };
    let Some(right) = value(right) else {
        return false;
    };
    let order = match (&left, &right) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => number(&left).partial_cmp(&number(&right)),
    };
    match comparison {
        Comparison::Equal => order.is_some_and(std::cmp::Ordering::is_eq),
        Comparison::Unequal => order.is_some_and(std::cmp::Ordering::is_ne),
        Comparison::Less => order.is_some_and(std::cmp::Ordering::is_lt),
        Comparison::LessOrEqual => order.is_some_and(std::cmp::Ordering::is_le),
        Comparison::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
        Comparison::GreaterOrEqual => order.is_some_and(std::cmp::Ordering::is_ge),
    }
}

#[allow(clippy::cast_precision_loss, reason = "filters compare small numbers")]
fn number(value: &Value) -> f64 {
    match value {
        Value::Int(number) => *number as f64,
        Value::Float(number) => *number,
        _ => f64::NAN,
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn steps(&mut self, depth: usize) -> Option<Vec<Step>> {
        // Filters hold paths, and those could hold filters for ever.
        if depth > 4 {
            return None;
        }
        let mut steps = Vec::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix("..") {
                steps.push(Step::Descend);
                self.rest = rest;
                if !rest.starts_with(['[', '*']) {
                    steps.push(Step::Field(self.name()?));
                }
            } else if let Some(rest) = self.rest.strip_prefix('.') {
                self.rest = rest;
                if rest.starts_with('[') || (rest.is_empty() && steps.is_empty()) {
                    continue;
                }
                let name = self.name()?;
                steps.push(if name == "*" {
                    Step::Wildcard
                } else {
                    Step::Field(name)
                });
            } else if let Some(rest) = self.rest.strip_prefix('[') {
                self.rest = rest;
                steps.push(self.bracket(depth)?);
            } else {
                return Some(steps);
            }
        }
    }

    /// Reads a name up to the next special character; a backslash takes the special out of one.
    fn name(&mut self) -> Option<Text> {
        let mut name = Text::default();
        let mut letters = self.rest.char_indices();
        let mut end = self.rest.len();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' => name.push(letters.next()?.1),
                '.' | '[' | ']' | '}' | '{' | ' ' | '=' | '!' | '<' | '>' | ')' | '(' => {
                    end = at;
                    break;
                }
                other => name.push(other),
            }
        }
        self.rest = &self.rest[end..];
        (!name.is_empty()).then_some(name)
    }

    fn bracket(&mut self, depth: usize) -> Option<Step> {
        if let Some(rest) = self.rest.strip_prefix("?(") {
            self.rest = rest;
            let left = self.operand(depth)?;
            let right = match self.comparison() {
                None => None,
                Some(comparison) => Some((comparison, self.operand(depth)?)),
            };
            self.skip_spaces();
            self.rest = self.rest.strip_prefix(")]")?;
            return Some(Step::Filter(left, right));
        }
        if self.rest.starts_with(['\'', '"']) {
            let name = self.quoted()?;
            self.rest = self.rest.strip_prefix(']')?;
            return Some(Step::Field(name));
        }
        let (inner, rest) = self.rest.split_once(']')?;
        self.rest = rest;
        let number = |text: &str| -> Option<Option<i64>> {
            let text = text.trim();
            if text.is_empty() {
                Some(None)
            } else {
                text.parse().ok().map(Some)
            }
        };
        match inner.trim() {
            "*" => Some(Step::Wildcard),
            inner if inner.contains(':') => {
                let mut parts = inner.splitn(3, ':');
                let from = number(parts.next()?)?;
                let to = number(parts.next()?)?;
                let by = number(parts.next().unwrap_or_default())?.unwrap_or(1);
                (by > 0).then_some(Step::Slice(from, to, by))
            }
            inner => Some(Step::Index(inner.parse().ok()?)),
        }
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn quoted(&mut self) -> Option<Text> {
        let quote = self.rest.chars().next()?;
        let (inner, rest) = self.rest[1..].split_once(quote)?;
        self.rest = rest;
        Some(Text::new(inner))
    }

    fn operand(&mut self, depth: usize) -> Option<Operand> {
        self.skip_spaces();
        if let Some(rest) = self.rest.strip_prefix('@') {
            self.rest = rest;
            return Some(Operand::Here(self.steps(depth + 1)?));
        }
        if self.rest.starts_with(['\'', '"']) {
            return Some(Operand::Literal(Value::String(self.quoted()?)));
        }
        let end = self
            .rest
            .find(|letter: char| !(letter.is_ascii_alphanumeric() || "+-.".contains(letter)))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        let value = match word {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            word => match word.parse::<i64>() {
                Ok(number) => Value::Int(number),
                Err(_) => Value::Float(word.parse().ok().filter(|float: &f64| float.is_finite())?),
            },
        };
        Some(Operand::Literal(value))
    }

    fn comparison(&mut self) -> Option<Comparison> {
        self.skip_spaces();
        let all = [
            ("==", Comparison::Equal),
            ("!=", Comparison::Unequal),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        let (word, comparison) = all.iter().find(|(word, _)| self.rest.starts_with(word))?;
        self.rest = &self.rest[word.len()..];
        Some(*comparison)
    }
}

//! Label selectors.

use std::fmt;

use super::lex::{Token, words};
use crate::{
    Text, Value,
    field::{self, Path, Shown},
    meta::label_mark,
    names::validate,
    quote::quote,
};

/// Longest text that is read; a query line is never longer.
const REQUIREMENTS_MAX: usize = 100_000;

/// Which labels an object must have.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LabelSelector {
    /// All must hold; sorted by key.
    requirements: Vec<Requirement>,
    /// Nothing matches, whatever the requirements.
    nothing: bool,
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: Text,
    /// How its value is compared.
    pub operator: Operator,
    /// What it is compared with.
    pub values: Vec<Text>,
}

/// How a label's value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `key in (a,b)`
    In,
    /// `key notin (a,b)`
    NotIn,
    /// `key=a`
    Equals,
    /// `key==a`
    DoubleEquals,
    /// `key!=a`
    NotEquals,
    /// `key`
    Exists,
    /// `!key`
    DoesNotExist,
    /// `key>1`
    GreaterThan,
    /// `key<1`
    LessThan,
}

/// Why a text or an object is no label selector; answer 400 or 422 with the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// The text is not in the grammar.
    #[error("{0}")]
    Grammar(String),
    /// A key or a value may not look so.
    #[error("{0}")]
    Requirement(String),
    /// An expression's operator is unknown.
    #[error("{} is not a valid label selector operator", quote(.0))]
    Operator(String),
}

impl LabelSelector {
    /// Returns the selector that matches everything.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Returns the selector that matches nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            requirements: Vec::new(),
            nothing: true,
        }
    }

    /// Reads the text of a query: `a=b,c in (d,e),!f`.
    ///
    /// # Errors
    /// [`SelectorError`] with upstream's text.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut parser = Parser {
            words: words(text),
            at: 0,
        };
        let requirements = parser.requirements()?;
        Ok(Self::of(requirements))
    }

    /// Reads a `LabelSelector` object. None and null match nothing, an empty object everything.
    ///
    /// # Errors
    /// [`SelectorError`] with upstream's text.
    pub fn from_value(value: Option<&Value>) -> Result<Self, SelectorError> {
        let Some(Value::Object(object)) = value else {
            return Ok(Self::nothing());
        };
        let mut requirements = Vec::new();
        if let Some(labels) = object.get("matchLabels").and_then(Value::as_object) {
            for (key, value) in labels.iter() {
                let values = vec![Text::new(value.as_str().unwrap_or_default())];
                requirements.push(Requirement::new(key, Operator::Equals, values)?);
            }
        }
        let expressions = object.get("matchExpressions").and_then(Value::as_array);
        for expression in expressions.unwrap_or_default() {
            let text = |name| {
                expression
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let operator = match text("operator") {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => return Err(SelectorError::Operator(other.to_owned())),
            };
            let values = expression.get("values").and_then(Value::as_array);
            let values = values.unwrap_or_default().iter();
            let values = values.map(|value| Text::new(value.as_str().unwrap_or_default()));
            requirements.push(Requirement::new(text("key"), operator, values.collect())?);
        }
        Ok(Self::of(requirements))
    }

    /// Returns the selector that wants all of these labels as they are, unchecked.
    #[must_use]
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let requirements = labels.into_iter().map(|(key, value)| Requirement {
            key: Text::new(key),
            operator: Operator::Equals,
            values: vec![Text::new(value)],
        });
        Self::of(requirements.collect())
    }

    /// Returns the selector with these requirements.
    #[must_use]
    pub fn of(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self {
            requirements,
            nothing: false,
        }
    }

    /// Returns whether every object matches.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        !self.nothing && self.requirements.is_empty()
    }

    /// Returns whether surely no object matches.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.nothing
    }

    /// Returns the requirements, sorted by key.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Returns the only value the selector allows for a label, if there is just one.
    #[must_use]
    pub fn exact(&self, key: &str) -> Option<&str> {
        let found = self.requirements.iter().find(|one| one.key == key)?;
        let exact = matches!(
            found.operator,
            Operator::Equals | Operator::DoubleEquals | Operator::In
        );
        match found.values.as_slice() {
            [value] if exact => Some(value),
            _ => None,
        }
    }

    /// Returns the mark that the labels of every object that matches have in theirs; see
    /// [`Labels::mark`](crate::meta::Labels::mark).
    #[must_use]
    pub fn mark(&self) -> u64 {
        let exact = self.requirements.iter().filter_map(|one| {
            let is_exact = matches!(
                one.operator,
                Operator::Equals | Operator::DoubleEquals | Operator::In
            );
            match one.values.as_slice() {
                [value] if is_exact => Some(label_mark(&one.key, value)),
                _ => None,
            }
        });
        exact.fold(0, |all, mark| all | mark)
    }

    /// Returns whether an object matches; `label` finds the value of its label.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        let fits = |one: &Requirement| one.matches(label(&one.key));
        !self.nothing && self.requirements.iter().all(fits)
    }

    /// Returns whether an object with these labels matches.
    #[must_use]
    pub fn matches_value(&self, labels: Option<&Value>) -> bool {
        let labels = labels.and_then(Value::as_object);
        self.matches(|key| labels?.get(key)?.as_str())
    }
}

impl Requirement {
    /// Returns a checked requirement.
    ///
    /// # Errors
    /// [`SelectorError::Requirement`] with the sentences of all fields that are wrong.
    pub fn new(key: &str, operator: Operator, values: Vec<Text>) -> Result<Self, SelectorError> {
        let mut errors = Vec::new();
        errors.extend(check_key(&Path::new("key"), key));
        let path = Path::new("values");
        let listed = || {
            let texts: Vec<&str> = values.iter().map(Text::as_str).collect();
            Shown::from(texts.as_slice())
        };
        if let Some(rule) = operator.count_rule(values.len()) {
            errors.push(field::Error::invalid(&path, listed(), rule));
        }
        let numeric = matches!(operator, Operator::GreaterThan | Operator::LessThan);
        for (place, value) in values.iter().enumerate() {
            if numeric && value.parse::<i64>().is_err() {
                errors.push(field::Error::invalid(
                    &path.index(place),
                    value,
                    "for 'Gt', 'Lt' operators, the value must be an integer",
                ));
            }
        }
        for (place, value) in values.iter().enumerate() {
            let sentences = validate::label_value(value);
            if !sentences.is_empty() {
                let place = path.index(place);
                let error = field::Error::invalid(&place.key(key), value, sentences.join("; "));
                errors.push(error);
            }
        }
        if !errors.is_empty() {
            return Err(SelectorError::Requirement(field::aggregate(&errors)));
        }
        Ok(Self {
            key: Text::new(key),
            operator,
            values,
        })
    }

    /// Returns whether a label with this value, or a missing one, is right.
    #[must_use]
    pub fn matches(&self, value: Option<&str>) -> bool {
        let among = |value: &str| self.values.iter().any(|one| one == value);
        match self.operator {
            Operator::In | Operator::Equals | Operator::DoubleEquals => value.is_some_and(among),
            Operator::NotIn | Operator::NotEquals => !value.is_some_and(among),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => self.compare(value, |found, bound| found > bound),
            Operator::LessThan => self.compare(value, |found, bound| found < bound),
        }
    }

    fn compare(&self, value: Option<&str>, rule: impl Fn(i64, i64) -> bool) -> bool {
        let found = value.and_then(|value| value.parse().ok());
        let bound = self.values.first().and_then(|value| value.parse().ok());
        matches!((found, bound), (Some(found), Some(bound)) if rule(found, bound))
    }
}

impl Operator {
    /// Returns what is wrong with this many values.
    fn count_rule(self, count: usize) -> Option<&'static str> {
        match self {
            Self::In | Self::NotIn => {
                (count == 0).then_some("for 'in', 'notin' operators, values set can't be empty")
            }
            Self::Equals | Self::DoubleEquals | Self::NotEquals => {
                (count != 1).then_some("exact-match compatibility requires one single value")
            }
            Self::Exists | Self::DoesNotExist => {
                (count != 0).then_some("values set must be empty for exists and does not exist")
            }
            Self::GreaterThan | Self::LessThan => {
                (count != 1).then_some("for 'Gt', 'Lt' operators, exactly one value is required")
            }
        }
    }
}

fn check_key(path: &Path<'_>, key: &str) -> Option<field::Error> {
    let sentences = validate::qualified_name(key);
    (!sentences.is_empty()).then(|| field::Error::invalid(path, key, sentences.join("; ")))
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, requirement) in self.requirements.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        let mut values: Vec<&str> = self.values.iter().map(Text::as_str).collect();
        values.sort_unstable();
        let values = values.join(",");
        match self.operator {
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

struct Parser<'a> {
    words: Vec<(Token, &'a str)>,
    at: usize,
}

fn wrong<T>(text: String) -> Result<T, SelectorError> {
    Err(SelectorError::Grammar(text))
}

impl<'a> Parser<'a> {
    /// Returns the next word; `in` and `notin` are names here.
    fn peek(&self) -> (Token, &'a str) {
        match self.peek_operator() {
            (Token::In | Token::NotIn, word) => (Token::Identifier, word),
            other => other,
        }
    }

    fn peek_operator(&self) -> (Token, &'a str) {
        self.words.get(self.at).copied().unwrap_or((Token::End, ""))
    }

    fn next(&mut self) -> (Token, &'a str) {
        let word = self.peek();
        self.at += 1;
        word
    }

    fn requirements(&mut self) -> Result<Vec<Requirement>, SelectorError> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                (Token::Identifier | Token::Not, _) => {}
                (Token::End, _) => return Ok(requirements),
                (_, word) => {
                    return wrong(format!(
                        "found '{word}', expected: !, identifier, or 'end of string'"
                    ));
                }
            }
            let requirement = self.requirement().map_err(|error| {
                SelectorError::Requirement(format!("unable to parse requirement: {error}"))
            })?;
            requirements.push(requirement);
            match self.next() {
                (Token::End, _) => return Ok(requirements),
                (Token::Comma, _) => {
                    let (token, word) = self.peek();
                    if !matches!(token, Token::Identifier | Token::Not) {
                        return wrong(format!("found '{word}', expected: identifier after ','"));
                    }
                }
                (_, word) => {
                    return wrong(format!("found '{word}', expected: ',' or 'end of string'"));
                }
            }
            if requirements.len() > REQUIREMENTS_MAX {
                return wrong("too many requirements".to_owned());
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let (mut token, mut key) = self.next();
        let negated = token == Token::Not;
        if negated {
            (token, key) = self.next();
        }
        if token != Token::Identifier {
            return wrong(format!("found '{key}', expected: identifier"));
        }
        if let Some(mut error) = check_key(&Path::ROOT, key) {
            // Upstream prints its missing path so.
            error.field = "<nil>".to_owned();
            return Err(SelectorError::Requirement(error.to_string()));
        }
        if negated {
            return Requirement::new(key, Operator::DoesNotExist, Vec::new());
        }
        if let (Token::End | Token::Comma, _) = self.peek() {
            return Requirement::new(key, Operator::Exists, Vec::new());
        }
        let operator = self.operator()?;
        let mut values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => self.exact_value()?,
        };
        values.sort_unstable();
        values.dedup();
        Requirement::new(key, operator, values.into_iter().map(Text::new).collect())
    }

    fn operator(&mut self) -> Result<Operator, SelectorError> {
        let (token, word) = self.peek_operator();
        self.at += 1;
        Ok(match token {
            Token::In => Operator::In,
            Token::NotIn => Operator::NotIn,
            Token::Equals => Operator::Equals,
            Token::DoubleEquals => Operator::DoubleEquals,
            Token::NotEquals => Operator::NotEquals,
            Token::Greater => Operator::GreaterThan,
            Token::Less => Operator::LessThan,
            _ => {
                return wrong(format!(
                    "found '{word}', expected: in, notin, =, ==, !=, gt, lt"
                ));
            }
        })
    }

    fn exact_value(&mut self) -> Result<Vec<&'a str>, SelectorError> {
        if let (Token::End | Token::Comma, _) = self.peek() {
            return Ok(vec![""]);
        }
        match self.next() {
            (Token::Identifier, word) => Ok(vec![word]),
            (_, word) => wrong(format!("found '{word}', expected: identifier")),
        }
    }

    /// Reads `(a,b)`; empty places are the empty value.
    fn values(&mut self) -> Result<Vec<&'a str>, SelectorError> {
        let (token, word) = self.next();
        if token != Token::Open {
            return wrong(format!("found '{word}' expected: '('"));
        }
        match self.peek() {
            (Token::Identifier | Token::Comma, _) => {
                let values = self.list()?;
                self.at += 1;
                Ok(values)
            }
            (Token::Close, _) => {
                self.at += 1;
                Ok(vec![""])
            }
            (_, word) => wrong(format!("found '{word}', expected: ',', ')' or identifier")),
        }
    }

    fn list(&mut self) -> Result<Vec<&'a str>, SelectorError> {
        let mut values = Vec::new();
        loop {
            match self.next() {
                (Token::Identifier, value) => {
                    values.push(value);
                    match self.peek() {
                        (Token::Comma, _) => {}
                        (Token::Close, _) => return Ok(values),
                        (_, word) => {
                            return wrong(format!("found '{word}', expected: ',' or ')'"));
                        }
                    }
                }
                (Token::Comma, _) => {
                    if values.is_empty() {
                        values.push("");
                    }
                    match self.peek() {
                        (Token::Close, _) => {
                            values.push("");
                            return Ok(values);
                        }
                        (Token::Comma, _) => values.push(""),
                        _ => {}
                    }
                }
                (_, word) => {
                    return wrong(format!("found '{word}', expected: ',', or identifier"));
                }
            }
        }
    }
}

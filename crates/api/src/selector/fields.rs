//! Field selectors.

use std::fmt;

use crate::Text;

/// Which fields an object must have, and with which values.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FieldSelector {
    requirements: Vec<FieldRequirement>,
}

/// One condition on one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRequirement {
    /// The field's path: `metadata.name`, `status.phase`.
    pub field: Text,
    /// Whether the value must be the one given, or must not.
    pub equal: bool,
    /// The value; empty stands for a missing field too.
    pub value: Text,
}

/// Why a text is no field selector; answer 400 with the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldSelectorError {
    /// A term has no operator.
    #[error("invalid selector: '{selector}'; can't understand '{term}'")]
    Term {
        /// The whole text.
        selector: String,
        /// The term.
        term: String,
    },
    /// A backslash stands before a letter that needs none.
    #[error("invalid field selector: invalid escape sequence: {0}")]
    Escape(String),
    /// A comma or an equals sign stands in a value without a backslash.
    #[error("invalid field selector: unescaped character in value: {}", u32::from(*.0))]
    Unescaped(char),
}

impl FieldSelector {
    /// Reads the text of a query: `metadata.name=a,status.phase!=Running`.
    ///
    /// # Errors
    /// [`FieldSelectorError`] with upstream's text.
    pub fn parse(text: &str) -> Result<Self, FieldSelectorError> {
        let mut terms = split(text);
        terms.sort_unstable();
        let mut requirements = Vec::new();
        for term in terms.into_iter().filter(|term| !term.is_empty()) {
            let Some((field, operator, value)) = operator(term) else {
                return Err(FieldSelectorError::Term {
                    selector: text.to_owned(),
                    term: term.to_owned(),
                });
            };
            let value = unescape(value)?;
            // Upstream drops a term that says nothing.
            if field.is_empty() && value.is_empty() {
                continue;
            }
            requirements.push(FieldRequirement {
                field: Text::new(field),
                equal: operator != "!=",
                value,
            });
        }
        Ok(Self { requirements })
    }

    /// Returns the selector that wants one field to have one value.
    #[must_use]
    pub fn one(field: &str, value: &str) -> Self {
        let requirement = FieldRequirement {
            field: Text::new(field),
            equal: true,
            value: Text::new(value),
        };
        Self {
            requirements: vec![requirement],
        }
    }

    /// Returns whether every object matches.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Returns the requirements, in the order of their texts.
    #[must_use]
    pub fn requirements(&self) -> &[FieldRequirement] {
        &self.requirements
    }

    /// Returns the only value the selector allows for a field, if there is just one.
    #[must_use]
    pub fn exact(&self, field: &str) -> Option<&str> {
        let mut equal = self.requirements.iter().filter(|one| one.equal);
        equal
            .find(|one| one.field == field)
            .map(|one| one.value.as_str())
    }

    /// Returns whether an object matches; `field` finds the value of its field, empty if missing.
    pub fn matches<'a>(&self, field: impl Fn(&str) -> &'a str) -> bool {
        let fits = |one: &FieldRequirement| (field(&one.field) == one.value) == one.equal;
        self.requirements.iter().all(fits)
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, one) in self.requirements.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            let operator = if one.equal { "=" } else { "!=" };
            write!(f, "{}{operator}{}", one.field, escape_value(&one.value))?;
        }
        Ok(())
    }
}

/// Returns a value with backslashes where the grammar needs them.
#[must_use]
pub fn escape_value(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for letter in value.chars() {
        if matches!(letter, '\\' | ',' | '=') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

fn unescape(value: &str) -> Result<Text, FieldSelectorError> {
    let mut text = Text::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some(next @ ('\\' | ',' | '=')) => text.push(next),
                Some(next) => return Err(FieldSelectorError::Escape(format!("\\{next}"))),
                None => return Err(FieldSelectorError::Escape("\\".to_owned())),
            },
            ',' | '=' => return Err(FieldSelectorError::Unescaped(letter)),
            _ => text.push(letter),
        }
    }
    Ok(text)
}

/// Splits at commas that have no backslash.
fn split(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b',' => {
                terms.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

fn operator(term: &str) -> Option<(&str, &'static str, &str)> {
    let mut places = term.match_indices(['=', '!']).map(|(at, _)| at);
    places.find_map(|at| {
        let operators = ["!=", "==", "="];
        let found = operators
            .into_iter()
            .find(|one| term[at..].starts_with(one))?;
        Some((&term[..at], found, &term[at + found.len()..]))
    })
}

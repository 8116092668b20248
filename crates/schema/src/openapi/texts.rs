//! Descriptions of types and fields, read from the text that whoever serves documents hands over.

use std::{borrow::Cow, collections::HashMap};

use api::Text;

/// Descriptions of definitions and their fields.
///
/// Read from lines: `DEFINITION⇥DESCRIPTION`, and below it one `⇥FIELD⇥DESCRIPTION` for each field
/// that is described. A line feed, a tab and a backslash are written `\n`, `\t` and `\\`. Lines
/// that are not of this form describe nothing.
#[derive(Debug, Default)]
pub struct Texts {
    text: String,
    /// Where the line of a definition begins.
    places: HashMap<Text, usize>,
}

impl Texts {
    /// Reads the lines.
    #[must_use]
    pub fn read(text: String) -> Self {
        let mut places = HashMap::new();
        let mut place = 0;
        for line in text.split_inclusive('\n') {
            if !line.starts_with('\t') {
                let name = line.trim_end().split('\t').next().unwrap_or_default();
                places.insert(Text::new(name), place);
            }
            place += line.len();
        }
        Self { text, places }
    }

    /// Returns whether nothing is described.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns what is said of a definition.
    pub(super) fn of(&self, name: &str) -> About<'_> {
        let Some(place) = self.places.get(name) else {
            return About {
                is_told: !self.is_empty(),
                ..About::default()
            };
        };
        let mut lines = self.text[*place..].lines();
        let whole = lines.next().and_then(|line| line.split_once('\t'));
        let fields = lines
            .take_while(|line| line.starts_with('\t'))
            .filter_map(|line| line[1..].split_once('\t'))
            .collect();
        About {
            whole: whole.map(|(_, text)| text),
            fields,
            is_told: true,
        }
    }
}

/// What is said of one definition.
#[derive(Default)]
pub(super) struct About<'a> {
    whole: Option<&'a str>,
    fields: HashMap<&'a str, &'a str>,
    is_told: bool,
}

impl About<'_> {
    /// Returns whether there are descriptions at all, so that what is not described never is.
    pub(super) fn is_told(&self) -> bool {
        self.is_told
    }

    /// Returns what is said of the whole.
    pub(super) fn whole(&self) -> Option<Cow<'_, str>> {
        self.whole.map(plain)
    }

    /// Returns what is said of a field.
    pub(super) fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        self.fields.get(name).map(|text| plain(text))
    }
}

fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        out.push(match letter {
            '\\' => match letters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::Texts;

    #[track_caller]
    fn check(name: &str, field: &str, expected: Option<&str>) {
        let texts = Texts::read(
            "a.A\tAn A.\n\tone\tOf\\n\\ttwo \\\\ lines.\n\ttwo\nb.B\n\tone\tOther.\n".to_owned(),
        );
        let about = texts.of(name);
        let found = match field {
            "" => about.whole(),
            field => about.field(field),
        };
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn finds_what_is_described() {
        check("a.A", "", Some("An A."));
        check("a.A", "one", Some("Of\n\ttwo \\ lines."));
        check("b.B", "one", Some("Other."));
    }

    #[test]
    fn knows_nothing_of_the_rest() {
        check("a.A", "two", None);
        check("b.B", "", None);
        check("c.C", "one", None);
    }
}

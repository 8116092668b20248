//! Finds a number as it was written: a tree keeps its value only.

use super::{read, scan};

/// One step from a value to one of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// To the field with this name.
    Name(&'a str),
    /// To the item at this place.
    Item(usize),
}

/// Returns the text of the value at the end of these steps, of a body that [`super::read`] reads.
///
/// Of fields with one name the last counts, as for the reader.
#[must_use]
pub fn written<'b>(bytes: &'b [u8], steps: &[Step<'_>]) -> Option<&'b str> {
    let mut at = scan::space(bytes, 0);
    for step in steps {
        at = match step {
            Step::Name(name) => {
                let fields = scan::fields_at(bytes, at)?;
                fields.filter(|(raw, _)| is_name(raw, name)).last()?.1.start
            }
            Step::Item(place) => scan::items_at(bytes, at)?.nth(*place)?.start,
        };
    }
    std::str::from_utf8(bytes.get(at..scan::skip(bytes, at)?)?).ok()
}

/// Returns whether a name as it stands between its quotes is this name.
fn is_name(raw: &[u8], name: &str) -> bool {
    if !raw.contains(&b'\\') {
        return raw == name.as_bytes();
    }
    let quoted = [b"\"", raw, b"\""].concat();
    read(&quoted).is_ok_and(|parsed| parsed.value.as_str() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::{Step, written};

    #[track_caller]
    fn check(bytes: &str, steps: &[Step<'_>], expected: &str) {
        let found = written(bytes.as_bytes(), steps);
        assert_eq!(found.unwrap_or("-"), expected);
    }

    #[test]
    fn finds_numbers_as_they_were_written() {
        let body = r#" { "a" : [ 1e2 , {"b": 99999999999999999999 , "b" : 1.0}], "\u0063" : -0 } "#;
        check(body, &[Step::Name("a"), Step::Item(0)], "1e2");
        let second = [Step::Name("a"), Step::Item(1), Step::Name("b")];
        check(body, &second, "1.0");
        check(body, &[Step::Name("c")], "-0");
        check(body, &[Step::Name("d")], "-");
        check(body, &[Step::Name("a"), Step::Item(2)], "-");
        check(body, &[Step::Item(0)], "-");
        check("7", &[], "7");
        check("", &[], "-");
    }
}

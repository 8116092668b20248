//! Takes the descriptions out of a source file of `k8s-openapi`.
//!
//! Each of its types has a function that returns its JSON schema, and its sources are generated,
//! so their lines are regular: the name of the definition, its description, its fields with
//! theirs. What comes out is text, a line for a type and below it one for each described field:
//!
//! ```text
//! DEFINITION⇥DESCRIPTION
//! ⇥FIELD⇥DESCRIPTION
//! ```
//!
//! A line feed, a tab and a backslash inside a description are `\n`, `\t` and `\\`.

/// How far the generator indents what belongs to the definition itself, its fields, and what
/// belongs to a field.
const DEFINITION: usize = 12;
const FIELD: usize = 16;
const WITHIN: usize = 20;

/// Appends what the file describes to `out`; returns whether it defines a type.
pub(crate) fn file(source: &str, out: &mut String) -> bool {
    let mut lines = source.lines();
    if !lines.any(|line| line.trim_start().starts_with("fn schema_name()")) {
        return false;
    }
    let Some((name, _)) = lines.next().and_then(literal) else {
        return false;
    };
    out.push_str(&name);
    // An enumeration there, whose description holds that of its field.
    let of_field = name.ends_with(".WatchEvent").then_some("\n\nObject is:");
    let mut described = false;
    let mut field = None;
    for line in lines {
        let text = line.trim_start();
        let depth = line.len() - text.len();
        let value = text
            .strip_prefix("\"description\": ")
            .or_else(|| {
                let (_, value) = text.split_once(".insert(\"description\".into(), ")?;
                Some(value)
            })
            .and_then(literal);
        match (depth, value) {
            (DEFINITION, Some((about, _))) if !described => {
                described = true;
                out.push('\t');
                match of_field.and_then(|begin| Some((about.find(begin)?, begin))) {
                    Some((place, begin)) => {
                        push(out, &about[..place]);
                        out.push_str("\n\tobject\t");
                        let begin = place + begin.len() - "Object is:".len();
                        push(out, about[begin..].trim_end());
                    }
                    None => push(out, &about),
                }
            }
            (FIELD, _) => field = literal(text).map(|(name, _)| name),
            (WITHIN, Some((about, _))) => {
                if let Some(field) = field.take() {
                    out.push_str("\n\t");
                    out.push_str(&field);
                    out.push('\t');
                    push(out, &about);
                }
            }
            _ => {}
        }
    }
    out.push('\n');
    true
}

fn push(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            other => out.push(other),
        }
    }
}

/// Reads the Rust string literal at the beginning of `text`; returns it and what follows.
fn literal(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start().strip_prefix('"')?;
    let mut out = String::new();
    let mut letters = text.char_indices();
    while let Some((place, letter)) = letters.next() {
        match letter {
            '"' => return Some((out, &text[place + 1..])),
            '\\' => match letters.next()?.1 {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                '0' => out.push('\0'),
                'u' => {
                    let digits: String = letters
                        .by_ref()
                        .map(|(_, letter)| letter)
                        .skip_while(|letter| *letter == '{')
                        .take_while(|letter| *letter != '}')
                        .collect();
                    out.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
                }
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
    None
}

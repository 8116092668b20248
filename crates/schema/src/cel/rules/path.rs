//! The `fieldPath` of a rule: names of fields below the place of the rule.

use api::Value;

use crate::{Form, Others, ShapeId, Shapes};

/// Returns the path as errors print it; none if it does not lead to a field of the schema.
pub(super) fn normalized(shapes: &Shapes, root: ShapeId, path: &str) -> Option<String> {
    let mut at = root;
    let mut out = String::new();
    for name in steps(path)? {
        match &shapes.node(at).form {
            Form::Struct(shape) if !shape.fields.is_empty() => {
                at = shape.field(&name)?.shape;
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&name);
            }
            Form::Map { value, .. } => {
                at = *value;
                out.push_str(&format!("[{name}]"));
            }
            Form::Struct(shape) => {
                let Others::Shaped(part) = shape.others else {
                    return None;
                };
                at = part;
                out.push_str(&format!("[{name}]"));
            }
            _ => return None,
        }
    }
    Some(out)
}

/// Returns whether a path leads to a field of a schema as it is written.
pub(crate) fn leads_to_field(schema: &Value, path: &str) -> bool {
    let Some(steps) = steps(path) else {
        return false;
    };
    let mut at = schema;
    for name in steps {
        let below = match at.get("properties") {
            Some(properties) => properties.get(&name),
            None => at.get("additionalProperties"),
        };
        match below {
            Some(below @ Value::Object(_)) => at = below,
            _ => return false,
        }
    }
    true
}

/// Takes a path apart: `.name` and `['name']`.
fn steps(path: &str) -> Option<Vec<String>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let name;
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[', ']']).unwrap_or(after.len());
            name = after[..end].to_owned();
            rest = &after[end..];
        } else {
            let after = rest.strip_prefix("['")?;
            let end = closing(after)?;
            name = unescaped(&after[..end])?;
            rest = after[end + 1..].strip_prefix(']')?;
        }
        if name.is_empty() {
            return None;
        }
        steps.push(name);
    }
    Some(steps)
}

/// Returns the place of the quote that closes a string.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..bytes.len()).find(|at| bytes[*at] == b'\'' && (*at == 0 || bytes[at - 1] != b'\\'))
}

fn unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        out.push(match letters.next()? {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\'' => '\'',
            '\\' => '\\',
            _ => return None,
        });
    }
    Some(out)
}

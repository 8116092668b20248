//! Nodes to tree: aliases, merge keys, tags and the two steps of upstream (YAML to JSON to value).

use hashbrown::HashMap;

use super::{
    YamlError, YamlParsed,
    read::{Nodes, What},
    resolve::{Scalar, resolve},
};
use crate::{
    Object, Text, Value,
    json::{self, DEPTH_MAX, JsonError},
    quote,
};

/// Below this many decoded nodes nothing is said about aliases.
const ALIAS_CHECK_FROM: usize = 1_000;
const ALIAS_RANGE_LOW: f64 = 400_000.0;
const ALIAS_RANGE_HIGH: f64 = 4_000_000.0;
/// How many repeated keys are reported at most.
const REPEATED_MAX: usize = 100;
/// How many aliases may be followed within each other. Upstream has no such bound; its stack grows.
const ALIASES_OPEN_MAX: usize = 1_000;
/// From this many fields on, keys of one map are hashed.
const HASH_FROM: usize = 24;

/// Makes a tree of the nodes of a document.
pub(super) fn decode(nodes: &Nodes<'_>) -> Result<YamlParsed, YamlError> {
    let Some(root) = nodes.root else {
        return Ok(YamlParsed {
            value: Value::Null,
            strict: None,
        });
    };
    let mut decoder = Decoder {
        nodes,
        open: Vec::new(),
        decoded: 0,
        by_alias: 0,
        repeated: Vec::new(),
    };
    let value = decoder.value(root, 0)?;
    let strict = (!decoder.repeated.is_empty()).then(|| {
        let lines = decoder.repeated.join("\n  ");
        format!("yaml: unmarshal errors:\n  {lines}")
    });
    Ok(YamlParsed { value, strict })
}

struct Decoder<'a> {
    nodes: &'a Nodes<'a>,
    /// Aliases that are being followed.
    open: Vec<usize>,
    decoded: usize,
    by_alias: usize,
    repeated: Vec<String>,
}

impl Decoder<'_> {
    fn value(&mut self, place: usize, depth: usize) -> Result<Value, YamlError> {
        self.count()?;
        let nodes = self.nodes;
        let what = &nodes.all[place].what;
        check_depth(what, depth)?;
        match what {
            What::Alias { target, name } => {
                self.follow(*target, name)?;
                let value = self.value(*target, depth);
                self.open.pop();
                value
            }
            What::Scalar { text, plain, tag } => scalar(text, *plain, tag.as_deref()),
            What::List(children) => {
                let items = children.iter().map(|child| self.value(*child, depth + 1));
                Ok(Value::Array(items.collect::<Result<_, _>>()?))
            }
            What::Map(children) => {
                let mut fields = Fields::default();
                self.map(children, &mut fields, depth)?;
                Ok(Value::Object(Object::from_unique(fields.fields)))
            }
        }
    }

    fn map(
        &mut self,
        children: &[usize],
        fields: &mut Fields,
        depth: usize,
    ) -> Result<(), YamlError> {
        for pair in children.chunks_exact(2) {
            let [key, value] = [pair[0], pair[1]];
            if self.is_merge(key) {
                self.merge(value, fields, depth + 1)?;
                continue;
            }
            let key_value = match self.boundless(key) {
                Some(name) => Value::from(name),
                None => self.value(key, depth + 1)?,
            };
            let decoded = self.value(value, depth + 1)?;
            if key_value.is_null() {
                let mut shown = String::new();
                go_syntax(&decoded, &mut shown);
                return Err(YamlError::NullKey(shown));
            }
            let (name, shown) = key_name(key_value)?;
            if fields.set(name, decoded) && self.repeated.len() < REPEATED_MAX {
                let line = self.nodes.all[value].line;
                self.repeated
                    .push(format!("line {line}: key {shown} already set in map"));
            }
        }
        Ok(())
    }

    /// Returns the name of a key that is a number without bounds, which a value may not be.
    fn boundless(&self, place: usize) -> Option<&'static str> {
        match &self.nodes.all[place].what {
            What::Scalar {
                text,
                plain: true,
                tag: None,
            } => match resolve(text) {
                Scalar::Float(number) if number.is_nan() => Some(".nan"),
                Scalar::Float(f64::INFINITY) => Some(".inf"),
                Scalar::Float(f64::NEG_INFINITY) => Some("-.inf"),
                _ => None,
            },
            _ => None,
        }
    }

    fn is_merge(&self, place: usize) -> bool {
        match &self.nodes.all[place].what {
            What::Scalar { text, plain, tag } => {
                text == "<<" && (*plain && tag.is_none() || tag.as_deref() == Some("!!merge"))
            }
            _ => false,
        }
    }

    /// Adds the fields of one map or of a list of maps, whose earlier ones win.
    fn merge(&mut self, place: usize, fields: &mut Fields, depth: usize) -> Result<(), YamlError> {
        self.count()?;
        let nodes = self.nodes;
        check_depth(&nodes.all[place].what, depth)?;
        match &nodes.all[place].what {
            What::Map(children) => self.map(children, fields, depth),
            What::Alias { target, name } if matches!(nodes.all[*target].what, What::Map(_)) => {
                self.follow(*target, name)?;
                let done = self.merge(*target, fields, depth + 1);
                self.open.pop();
                done
            }
            What::List(children) => {
                for child in children.iter().rev() {
                    if matches!(nodes.all[*child].what, What::List(_)) {
                        return Err(YamlError::Merge);
                    }
                    self.merge(*child, fields, depth + 1)?;
                }
                Ok(())
            }
            _ => Err(YamlError::Merge),
        }
    }

    /// Begins to follow an alias; the caller ends it.
    fn follow(&mut self, target: usize, name: &str) -> Result<(), YamlError> {
        if self.open.contains(&target) {
            return Err(YamlError::Cycle(name.to_owned()));
        }
        // An alias takes no level of the tree, so their chains have a bound of their own.
        if self.open.len() >= ALIASES_OPEN_MAX {
            return Err(YamlError::Aliases);
        }
        self.open.push(target);
        Ok(())
    }

    /// Counts a node, and refuses a document most of which comes from aliases.
    fn count(&mut self) -> Result<(), YamlError> {
        self.decoded += 1;
        self.by_alias += usize::from(!self.open.is_empty());
        if self.by_alias <= 100 || self.decoded <= ALIAS_CHECK_FROM {
            return Ok(());
        }
        let decoded = self.decoded as f64;
        let along = (decoded - ALIAS_RANGE_LOW) / (ALIAS_RANGE_HIGH - ALIAS_RANGE_LOW);
        let allowed = 0.99 - 0.89 * along.clamp(0.0, 1.0);
        if self.by_alias as f64 / decoded > allowed {
            return Err(YamlError::Aliases);
        }
        Ok(())
    }
}

/// Refuses a list or map for which the JSON that upstream makes of it would be too deep.
fn check_depth(what: &What<'_>, depth: usize) -> Result<(), YamlError> {
    let byte = match what {
        What::List(_) => b'[',
        What::Map(_) => b'{',
        What::Scalar { .. } | What::Alias { .. } => return Ok(()),
    };
    if depth < DEPTH_MAX {
        return Ok(());
    }
    Err(YamlError::Json(JsonError::Character {
        byte,
        context: "exceeded max depth",
        offset: 0,
    }))
}

/// Fields of one map in the order in which they came.
#[derive(Default)]
struct Fields {
    fields: Vec<(Text, Value)>,
    places: HashMap<Text, usize>,
}

impl Fields {
    /// Sets a field and returns whether it was there.
    fn set(&mut self, name: Text, value: Value) -> bool {
        let place = if self.fields.len() < HASH_FROM {
            self.fields.iter().position(|(known, _)| *known == name)
        } else {
            if self.places.is_empty() {
                let known = self.fields.iter().enumerate();
                self.places = known.map(|(at, (name, _))| (name.clone(), at)).collect();
            }
            self.places.get(&name).copied()
        };
        if let Some(place) = place {
            self.fields[place].1 = value;
            return true;
        }
        if !self.places.is_empty() {
            self.places.insert(name.clone(), self.fields.len());
        }
        self.fields.push((name, value));
        false
    }
}

/// Returns a key as a name, and as upstream prints it.
fn key_name(key: Value) -> Result<(Text, String), YamlError> {
    match key {
        Value::String(text) => {
            let shown = quote::quote(&text);
            Ok((text, shown))
        }
        Value::Bool(flag) => Ok((
            Text::new(if flag { "true" } else { "false" }),
            flag.to_string(),
        )),
        Value::Int(number) => Ok((Text::from(number.to_string()), number.to_string())),
        Value::Float(number) => {
            // Upstream prints keys with the digits of 32 bits.
            let short: f64 = (number as f32).to_string().parse().unwrap_or(number);
            Ok((Text::from(quote::float(short)), quote::float(number)))
        }
        list_or_map => {
            let mut shown = String::new();
            go_syntax(&list_or_map, &mut shown);
            Err(YamlError::Key(shown))
        }
    }
}

/// Prints a value as Go's `%#v` does: `[]interface {}{"a", 1}`.
fn go_syntax(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("interface {}(nil)"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(&quote::float(*number)),
        Value::String(text) => out.push_str(&quote::quote(text)),
        Value::Array(items) => {
            out.push_str("[]interface {}{");
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push_str(", ");
                }
                go_syntax(item, out);
            }
            out.push('}');
        }
        Value::Object(object) => {
            out.push_str("map[interface {}]interface {}{");
            let mut fields: Vec<_> = object.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            for (place, (name, field)) in fields.into_iter().enumerate() {
                if place > 0 {
                    out.push_str(", ");
                }
                out.push_str(&quote::quote(name));
                out.push(':');
                go_syntax(field, out);
            }
            out.push('}');
        }
    }
}

fn scalar(text: &str, plain: bool, tag: Option<&str>) -> Result<Value, YamlError> {
    let text_value = || Ok(Value::string(text));
    match tag {
        None if !plain => text_value(),
        None => value_of(resolve(text)),
        Some("!!str" | "!") => text_value(),
        Some("!!binary") => binary(text),
        Some(tag @ ("!!bool" | "!!int" | "!!float" | "!!null" | "!!timestamp")) => {
            let scalar = resolve(text);
            let found = kind(scalar);
            match scalar {
                Scalar::Int(number) if tag == "!!float" => Ok(from_float(number as f64)),
                scalar if found == tag => value_of(scalar),
                _ => Err(YamlError::Tag {
                    found,
                    text: text.to_owned(),
                    wanted: tag.to_owned(),
                }),
            }
        }
        Some(_) => text_value(),
    }
}

fn kind(scalar: Scalar<'_>) -> &'static str {
    match scalar {
        Scalar::Null => "!!null",
        Scalar::Bool(_) => "!!bool",
        Scalar::Int(_) | Scalar::Large(_) => "!!int",
        Scalar::Float(_) => "!!float",
        Scalar::Timestamp(_) => "!!timestamp",
        Scalar::Text(_) => "!!str",
    }
}

fn value_of(scalar: Scalar<'_>) -> Result<Value, YamlError> {
    Ok(match scalar {
        Scalar::Null => Value::Null,
        Scalar::Bool(flag) => Value::Bool(flag),
        Scalar::Int(number) => Value::Int(number),
        Scalar::Large(number) => Value::Float(number as f64),
        Scalar::Float(number) if number.is_nan() => return Err(YamlError::Number("NaN")),
        Scalar::Float(f64::INFINITY) => return Err(YamlError::Number("+Inf")),
        Scalar::Float(f64::NEG_INFINITY) => return Err(YamlError::Number("-Inf")),
        Scalar::Float(number) => from_float(number),
        Scalar::Timestamp(text) | Scalar::Text(text) => Value::string(text),
    })
}

/// Returns a float as it comes out of JSON: whole ones that fit are integers.
fn from_float(number: f64) -> Value {
    let mut text = Vec::new();
    json::write_float(number, &mut text);
    json::read(&text).map_or(Value::Float(number), |parsed| parsed.value)
}

/// Reads base64 and keeps what is UTF-8 of it.
fn binary(text: &str) -> Result<Value, YamlError> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count, mut padding) = (0_u32, 0, 0);
    for byte in text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                0
            }
            _ => return Err(YamlError::Binary),
        };
        if padding > 2 || (padding > 0 && byte != b'=') {
            return Err(YamlError::Binary);
        }
        bits = bits << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            bytes.extend_from_slice(&bits.to_be_bytes()[1..4 - padding]);
            (bits, count) = (0, 0);
        }
    }
    if count != 0 {
        return Err(YamlError::Binary);
    }
    Ok(Value::string(String::from_utf8_lossy(&bytes).as_ref()))
}

//! Bytes to tree, by way of the parser's events and a table of nodes.

use std::borrow::Cow;

use hashbrown::HashMap;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{
    YamlError, YamlParsed,
    resolve::{Scalar, resolve},
};
use crate::{
    Object, Text, Value,
    json::{self, DEPTH_MAX},
    quote,
};

/// Below this many decoded nodes nothing is said about aliases.
const ALIAS_CHECK_FROM: usize = 1_000;
const ALIAS_RANGE_LOW: f64 = 400_000.0;
const ALIAS_RANGE_HIGH: f64 = 4_000_000.0;
/// How many repeated keys are reported at most.
const REPEATED_MAX: usize = 100;
/// From this many fields on, keys of one map are hashed.
const HASH_FROM: usize = 24;

/// Reads the first document.
///
/// # Errors
/// [`YamlError`]; the text begins as upstream's does.
pub fn read(bytes: &[u8]) -> Result<YamlParsed, YamlError> {
    let text = std::str::from_utf8(bytes).map_err(|_| YamlError::Encoding)?;
    let nodes = Nodes::read(text)?;
    let Some(root) = nodes.root else {
        return Ok(YamlParsed {
            value: Value::Null,
            strict: None,
        });
    };
    let mut decoder = Decoder {
        nodes: &nodes,
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

struct Node<'a> {
    line: usize,
    what: What<'a>,
}

enum What<'a> {
    Scalar {
        text: Cow<'a, str>,
        plain: bool,
        tag: Option<String>,
    },
    List(Vec<usize>),
    /// Keys and values in turn.
    Map(Vec<usize>),
    Alias(usize),
}

struct Nodes<'a> {
    all: Vec<Node<'a>>,
    root: Option<usize>,
}

impl<'a> Nodes<'a> {
    fn read(text: &'a str) -> Result<Self, YamlError> {
        let mut nodes = Self {
            all: Vec::new(),
            root: None,
        };
        let mut open: Vec<usize> = Vec::new();
        let mut anchors: HashMap<usize, usize> = HashMap::new();
        let mut parser = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| YamlError::Grammar {
                line: error.marker().line(),
                what: error.info().to_owned(),
            })?;
            let (what, anchor) = match event {
                Event::DocumentEnd | Event::StreamEnd => break,
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => continue,
                Event::SequenceEnd | Event::MappingEnd => {
                    open.pop();
                    continue;
                }
                Event::Alias(anchor) => (What::Alias(alias(&anchors, anchor, span)?), 0),
                Event::Scalar(text, style, anchor, tag) => {
                    let plain = style == ScalarStyle::Plain;
                    let tag = tag.map(|tag| tag_name(&tag));
                    (What::Scalar { text, plain, tag }, anchor)
                }
                Event::SequenceStart(anchor, _) => (What::List(Vec::new()), anchor),
                Event::MappingStart(anchor, _) => (What::Map(Vec::new()), anchor),
            };
            let opens = matches!(what, What::List(_) | What::Map(_));
            let place = nodes.all.len();
            nodes.all.push(Node {
                line: span.start.line(),
                what,
            });
            match open.last() {
                None => nodes.root = Some(place),
                Some(parent) => nodes.add(*parent, place),
            }
            if anchor > 0 {
                anchors.insert(anchor, place);
            }
            if opens {
                if open.len() >= DEPTH_MAX {
                    return Err(YamlError::TooDeep(DEPTH_MAX));
                }
                open.push(place);
            }
        }
        Ok(nodes)
    }

    fn add(&mut self, parent: usize, child: usize) {
        if let What::List(children) | What::Map(children) = &mut self.all[parent].what {
            children.push(child);
        }
    }
}

fn alias(anchors: &HashMap<usize, usize>, anchor: usize, span: Span) -> Result<usize, YamlError> {
    let place = anchors.get(&anchor).copied();
    place.ok_or_else(|| YamlError::Grammar {
        line: span.start.line(),
        what: "unknown anchor referenced".to_owned(),
    })
}

/// Returns `!!str` for tags of YAML itself, and others as they are written.
fn tag_name(tag: &Tag) -> String {
    if tag.is_yaml_core_schema() {
        return format!("!!{}", tag.suffix);
    }
    format!("{}{}", tag.handle, tag.suffix)
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
        if depth > DEPTH_MAX {
            return Err(YamlError::TooDeep(DEPTH_MAX));
        }
        let nodes = self.nodes;
        match &nodes.all[place].what {
            What::Alias(target) => {
                if self.open.contains(target) {
                    return Err(YamlError::Cycle);
                }
                self.open.push(*target);
                let value = self.value(*target, depth + 1);
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
            let (name, shown) = key_name(self.value(key, depth + 1)?)?;
            let decoded = self.value(value, depth + 1)?;
            if fields.set(name, decoded) && self.repeated.len() < REPEATED_MAX {
                let line = self.nodes.all[value].line;
                self.repeated
                    .push(format!("line {line}: key {shown} already set in map"));
            }
        }
        Ok(())
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
        if depth > DEPTH_MAX {
            return Err(YamlError::TooDeep(DEPTH_MAX));
        }
        let nodes = self.nodes;
        match &nodes.all[place].what {
            What::Map(children) => self.map(children, fields, depth),
            What::Alias(target) if matches!(nodes.all[*target].what, What::Map(_)) => {
                if self.open.contains(target) {
                    return Err(YamlError::Cycle);
                }
                self.open.push(*target);
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
        Value::Null => Err(YamlError::NullKey),
        Value::Array(_) | Value::Object(_) => Err(YamlError::Key),
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

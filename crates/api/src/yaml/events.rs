//! The events of the first document, by either of two parsers, in one form.

use std::borrow::Cow;

use libyaml_safer::{EventData, SequenceStyle};
use saphyr_parser::ScalarStyle;

use super::{YamlError, read::What};

/// What a document consists of, in order.
pub(super) enum Event<'a> {
    /// A scalar, or the beginning of a list or map.
    Node {
        /// Line, from 1.
        line: usize,
        what: What<'a>,
        anchor: Option<String>,
    },
    /// Another place of a node.
    Alias { line: usize, name: String },
    /// The innermost list or map ends.
    End,
}

type Next<'a> = Option<Result<Event<'a>, YamlError>>;

/// The quick parser. It numbers anchors and forgets their names, and its sentences are its own.
pub(super) struct Quick<'a> {
    parser: saphyr_parser::Parser<'a, saphyr_parser::StrInput<'a>>,
    over: bool,
}

impl<'a> Quick<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            parser: saphyr_parser::Parser::new_from_str(text),
            over: false,
        }
    }
}

impl<'a> Iterator for Quick<'a> {
    type Item = Result<Event<'a>, YamlError>;

    fn next(&mut self) -> Next<'a> {
        use saphyr_parser::Event as Parsed;
        while !self.over {
            let (event, span) = match self.parser.next_event()? {
                Ok(pair) => pair,
                Err(error) => {
                    self.over = true;
                    return Some(Err(YamlError::Grammar {
                        line: error.marker().line(),
                        what: error.info().to_owned(),
                    }));
                }
            };
            let line = span.start.line();
            let name = |anchor: usize| (anchor > 0).then(|| anchor.to_string());
            let (what, anchor) = match event {
                Parsed::DocumentEnd | Parsed::StreamEnd => {
                    self.over = true;
                    return None;
                }
                Parsed::Nothing | Parsed::StreamStart | Parsed::DocumentStart(_) => continue,
                Parsed::SequenceEnd | Parsed::MappingEnd => return Some(Ok(Event::End)),
                Parsed::Alias(anchor) => {
                    let name = anchor.to_string();
                    return Some(Ok(Event::Alias { line, name }));
                }
                Parsed::Scalar(text, style, anchor, tag) => {
                    let plain = style == ScalarStyle::Plain;
                    let tag = tag.map(|tag| quick_tag(&tag));
                    (What::Scalar { text, plain, tag }, anchor)
                }
                Parsed::SequenceStart(anchor, _) => (What::List(Vec::new()), anchor),
                Parsed::MappingStart(anchor, _) => (What::Map(Vec::new()), anchor),
            };
            let anchor = name(anchor);
            return Some(Ok(Event::Node { line, what, anchor }));
        }
        None
    }
}

/// Returns `!!str` for tags of YAML itself, and others as they are written.
fn quick_tag(tag: &saphyr_parser::Tag) -> String {
    if tag.is_yaml_core_schema() {
        return format!("!!{}", tag.suffix);
    }
    format!("{}{}", tag.handle, tag.suffix)
}

/// How much the exact parser may do: it looks at every open bracket for every token, which only a
/// document made for it turns into more than this.
const WORK_MAX: usize = 150_000_000;

/// A port of libyaml, as upstream's parser is one.
pub(super) struct Exact<'a> {
    parser: libyaml_safer::Parser<&'a [u8]>,
    brackets: usize,
    /// Which open lists and maps are in brackets.
    open: Vec<bool>,
    work: usize,
    over: bool,
}

impl<'a> Exact<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut parser = libyaml_safer::Parser::new();
        parser.set_input(text.as_bytes());
        Self {
            parser,
            brackets: 0,
            open: Vec::new(),
            work: 0,
            over: false,
        }
    }

    fn opens(&mut self, brackets: bool) {
        self.open.push(brackets);
        self.brackets += usize::from(brackets);
    }

    fn event(&mut self, data: EventData, line: usize) -> Option<Event<'static>> {
        let (what, anchor) = match data {
            EventData::StreamStart { .. } | EventData::DocumentStart { .. } => return None,
            EventData::StreamEnd | EventData::DocumentEnd { .. } => {
                self.over = true;
                return None;
            }
            EventData::SequenceEnd | EventData::MappingEnd => {
                self.brackets -= usize::from(self.open.pop() == Some(true));
                return Some(Event::End);
            }
            EventData::Alias { anchor } => return Some(Event::Alias { line, name: anchor }),
            EventData::Scalar {
                anchor,
                tag,
                value,
                style,
                ..
            } => {
                let plain = style == libyaml_safer::ScalarStyle::Plain;
                let tag = tag.map(exact_tag);
                let text = Cow::Owned(value);
                (What::Scalar { text, plain, tag }, anchor)
            }
            EventData::SequenceStart { anchor, style, .. } => {
                self.opens(style == SequenceStyle::Flow);
                (What::List(Vec::new()), anchor)
            }
            EventData::MappingStart { anchor, style, .. } => {
                self.opens(style == libyaml_safer::MappingStyle::Flow);
                (What::Map(Vec::new()), anchor)
            }
        };
        Some(Event::Node { line, what, anchor })
    }
}

impl<'a> Iterator for Exact<'a> {
    type Item = Result<Event<'a>, YamlError>;

    fn next(&mut self) -> Next<'a> {
        while !self.over {
            self.work += self.brackets + 1;
            if self.work > WORK_MAX {
                self.over = true;
                return Some(Err(YamlError::Aliases));
            }
            match self.parser.next()? {
                Ok(event) => {
                    let line = usize::try_from(event.start_mark.line).unwrap_or(0) + 1;
                    if let Some(event) = self.event(event.data, line) {
                        return Some(Ok(event));
                    }
                }
                Err(error) => {
                    self.over = true;
                    return Some(Err(grammar(&error)));
                }
            }
        }
        None
    }
}

fn exact_tag(tag: String) -> String {
    match tag.strip_prefix("tag:yaml.org,2002:") {
        Some(suffix) => format!("!!{suffix}"),
        None => tag,
    }
}

/// Returns an error with the line that upstream names: lines count from 0, which is not named, but
/// where a scanner stops they count from 1.
fn grammar(error: &libyaml_safer::Error) -> YamlError {
    let line = |mark: Option<libyaml_safer::Mark>| mark.map_or(0, |mark| mark.line);
    let line = match line(error.problem_mark()) {
        0 => line(error.context_mark()),
        problem => problem + u64::from(error.kind() == libyaml_safer::ErrorKind::Scanner),
    };
    YamlError::Grammar {
        line: usize::try_from(line).unwrap_or(0),
        what: error.problem().to_owned(),
    }
}

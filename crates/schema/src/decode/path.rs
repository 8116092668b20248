//! Where in an object decoding stands: a chain of steps on the stack, printed only on demand.

use std::fmt::Write as _;

use api::json;

use crate::Struct;

/// One step and the way to it.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

/// How to get from a value to one of its parts.
#[derive(Clone, Copy)]
pub(crate) enum Step<'a> {
    /// The object itself.
    Root,
    /// A named field of a struct.
    Field(&'a str, &'a Struct),
    /// A key of a map.
    Key(&'a str),
    /// An item of a list.
    Index(usize),
}

impl<'a> Path<'a> {
    pub(crate) fn root() -> Self {
        Self {
            parent: None,
            step: Step::Root,
        }
    }

    pub(crate) fn then(&'a self, step: Step<'a>) -> Self {
        Self {
            parent: Some(self),
            step,
        }
    }

    pub(crate) fn is_root(&self) -> bool {
        self.parent.is_none()
    }

    fn steps(&self) -> Vec<Step<'a>> {
        let mut steps = vec![self.step];
        let mut place = self.parent;
        while let Some(path) = place {
            steps.push(path.step);
            place = path.parent;
        }
        steps.reverse();
        steps
    }

    /// Returns the value here as it was written in the body that is decoded.
    pub(crate) fn written<'b>(&self, body: &'b [u8]) -> Option<&'b str> {
        let steps = self.steps();
        let steps = steps.iter().filter_map(|step| match step {
            Step::Root => None,
            Step::Field(name, _) | Step::Key(name) => Some(json::Step::Name(name)),
            Step::Index(place) => Some(json::Step::Item(*place)),
        });
        json::written(body, &steps.collect::<Vec<_>>())
    }

    /// Prints the path of a field of the value here as strict decoding does: `a.b[0].name`.
    pub(crate) fn field_path(&self, name: &str) -> String {
        let mut text = self.to_text();
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(name);
        text
    }

    /// Prints the path of the value here: `a.b[0]`.
    pub(crate) fn to_text(self) -> String {
        let mut text = String::new();
        for step in self.steps() {
            match step {
                Step::Root => {}
                Step::Index(place) => {
                    let _ = write!(text, "[{place}]");
                }
                Step::Field(name, _) | Step::Key(name) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(name);
                }
            }
        }
        text
    }

    /// Says where this is as Go's decoder does: the innermost struct's name and all field names;
    /// list items and map keys do not show.
    pub(crate) fn go_place(&self) -> String {
        let mut owner = None;
        let mut text = String::new();
        for step in self.steps() {
            if let Step::Field(name, shape) = step {
                text.push('.');
                text.push_str(name);
                owner = Some(shape);
            }
        }
        match owner {
            None => "value".to_owned(),
            Some(shape) => {
                let name = shape.name.as_deref().unwrap_or_default();
                let short = name.rsplit('.').next().unwrap_or_default();
                format!("struct field {short}{text}")
            }
        }
    }
}

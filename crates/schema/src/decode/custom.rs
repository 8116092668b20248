//! Prunes custom resources as structural schemas ask, and decodes the `metadata` inside them.

use api::{Object, Value};

use super::{DecodeError, Path, Step, Unknown, go};
use crate::{Form, Node, Others, Shape, ShapeId, Shapes, Struct};

/// Walks one custom resource.
pub(super) struct Pruner<'a> {
    shapes: &'a Shapes,
    meta: &'a Shape,
    unknown: &'a mut Unknown,
}

impl<'a> Pruner<'a> {
    pub(super) fn new(shapes: &'a Shapes, meta: &'a Shape, unknown: &'a mut Unknown) -> Self {
        Self {
            shapes,
            meta,
            unknown,
        }
    }

    /// Prunes a whole object, which has metadata of its own whatever its schema says.
    pub(super) fn object(&mut self, id: ShapeId, value: &mut Value) -> Result<(), DecodeError> {
        self.value(id, value, &Path::root())
    }

    /// Prunes a part of an object, which is no object of its own.
    pub(super) fn part(&mut self, id: ShapeId, value: &mut Value) -> Result<(), DecodeError> {
        let root = Path::root();
        self.value(id, value, &root.then(Step::Key("")))
    }

    fn value(
        &mut self,
        id: ShapeId,
        value: &mut Value,
        path: &Path<'_>,
    ) -> Result<(), DecodeError> {
        let shapes = self.shapes;
        let node = shapes.node(id);
        match (&node.form, value) {
            (Form::Struct(shape), Value::Object(object)) => self.fields(node, shape, object, path),
            (Form::Map { value: item, .. }, Value::Object(object)) => {
                self.map(node, *item, object, path)
            }
            (Form::List { item, .. }, Value::Array(items)) => {
                for (place, value) in items.iter_mut().enumerate() {
                    self.value(*item, value, &path.then(Step::Index(place)))?;
                }
                Ok(())
            }
            (Form::Any, Value::Object(object)) => self.anything(node, object, path),
            (_, value) => {
                go::sort_deep(value);
                Ok(())
            }
        }
    }

    fn fields(
        &mut self,
        node: &Node,
        shape: &Struct,
        object: &mut Object,
        path: &Path<'_>,
    ) -> Result<(), DecodeError> {
        let whole = node.embedded || path.is_root();
        let mut refused = None;
        object.fields_mut().retain_mut(|(name, value)| {
            if refused.is_some() {
                return false;
            }
            if whole && is_head(name) {
                return match self.head(name, value, shape, path) {
                    Ok(()) => true,
                    Err(error) => {
                        refused = Some(error);
                        false
                    }
                };
            }
            let (part, default) = match (shape.field(name), shape.others) {
                (Some(field), _) => (field.shape, field.default.is_some()),
                (None, Others::Shaped(part)) => (part, false),
                (None, Others::Keep) => {
                    go::sort_deep(value);
                    return true;
                }
                (None, Others::Drop) => {
                    self.unknown.note(path, name);
                    return false;
                }
            };
            if value.is_null() && !self.shapes.node(part).nullable && !default {
                return false;
            }
            match self.value(part, value, &path.then(Step::Key(name))) {
                Ok(()) => true,
                Err(error) => {
                    refused = Some(error);
                    false
                }
            }
        });
        go::sort(object);
        refused.map_or(Ok(()), Err)
    }

    fn map(
        &mut self,
        node: &Node,
        item: ShapeId,
        object: &mut Object,
        path: &Path<'_>,
    ) -> Result<(), DecodeError> {
        let whole = node.embedded || path.is_root();
        let nullable = self.shapes.node(item).nullable;
        let nothing = Struct::default();
        let mut refused = None;
        object.fields_mut().retain_mut(|(name, value)| {
            if refused.is_some() || (value.is_null() && !nullable) {
                return false;
            }
            let done = if whole && is_head(name) {
                self.head(name, value, &nothing, path)
            } else {
                self.value(item, value, &path.then(Step::Key(name)))
            };
            match done {
                Ok(()) => true,
                Err(error) => {
                    refused = Some(error);
                    false
                }
            }
        });
        go::sort(object);
        refused.map_or(Ok(()), Err)
    }

    fn anything(
        &mut self,
        node: &Node,
        object: &mut Object,
        path: &Path<'_>,
    ) -> Result<(), DecodeError> {
        if node.embedded || path.is_root() {
            let nothing = Struct::default();
            for (name, value) in object.fields_mut() {
                if is_head(name) {
                    self.head(name, value, &nothing, path)?;
                }
            }
        }
        object
            .iter_mut()
            .for_each(|(_, value)| go::sort_deep(value));
        go::sort(object);
        Ok(())
    }

    /// Decodes `apiVersion`, `kind` or `metadata` of a whole object.
    fn head(
        &mut self,
        name: &str,
        value: &mut Value,
        owner: &Struct,
        path: &Path<'_>,
    ) -> Result<(), DecodeError> {
        let here = path.then(Step::Field(name, owner));
        if name != "metadata" {
            if value.as_str().is_some() {
                return Ok(());
            }
            return Err(embedded(&here, value, "must be a string".to_owned()));
        }
        let given = value.clone();
        let (shapes, root) = (self.meta.table(), self.meta.root());
        match go::decode(shapes, root, value, &here, None, self.unknown) {
            Ok(()) => {
                go::sort_deep(value);
                Ok(())
            }
            Err(error) => Err(embedded(&here, &given, error.to_string())),
        }
    }
}

fn is_head(name: &str) -> bool {
    matches!(name, "apiVersion" | "kind" | "metadata")
}

fn embedded(path: &Path<'_>, value: &Value, reason: String) -> DecodeError {
    DecodeError::Embedded {
        path: path.to_text(),
        value: super::json_text(value),
        reason,
    }
}

//! Strategic merge patch: a merge patch that merges lists by the shape's merge keys, with
//! directives (`$patch`, `$retainKeys`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`).
//!
//! Source of the rules: apimachinery's util/strategicpatch, called as the server calls it (lists
//! are merged in place, nulls that match nothing are dropped).

use api::{Object, Text, Value};

use super::PatchError;
use crate::{Field, Form, Patch, Shape, ShapeId, Shapes};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList";
const ELEMENT_ORDER: &str = "$setElementOrder";

/// Applies a strategic merge patch to an object of this shape.
///
/// # Errors
/// [`PatchError`]; the document is then in no defined state.
pub fn apply(shape: &Shape, document: &mut Value, patch: Value) -> Result<(), PatchError> {
    let patch = match patch {
        Value::Object(patch) => patch,
        Value::Null => Object::default(),
        other => {
            return Err(PatchError::Malformed(format!(
                "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                other.go_type_name()
            )));
        }
    };
    let merger = Merger {
        shapes: shape.table(),
    };
    let original = std::mem::take(document.make_object());
    *document = Value::Object(merger.map(original, patch, Some(shape.root()))?);
    Ok(())
}

struct Merger<'a> {
    shapes: &'a Shapes,
}

/// What the shape says of one field.
struct Place<'a> {
    /// Shape of the field's value; nothing is known inside values that keep anything.
    shape: Option<ShapeId>,
    patch: Option<&'a Patch>,
}

impl Place<'_> {
    fn merge_key(&self) -> &str {
        let key = self.patch.and_then(|patch| patch.merge_key.as_deref());
        key.unwrap_or_default()
    }

    fn merges(&self) -> bool {
        self.patch.is_some_and(|patch| patch.merge)
    }

    fn replaces(&self) -> bool {
        self.patch.is_some_and(|patch| patch.replace)
    }
}

impl<'a> Merger<'a> {
    fn map(
        &self,
        mut original: Object,
        mut patch: Object,
        shape: Option<ShapeId>,
    ) -> Result<Object, PatchError> {
        if let Some(directive) = patch.get(DIRECTIVE) {
            return match directive.as_str() {
                Some("replace") => {
                    patch.remove(DIRECTIVE);
                    Ok(patch)
                }
                Some("delete") => Ok(Object::default()),
                _ => Err(bad_patch_type(directive, &patch)),
            };
        }
        retain_keys(&mut original, &mut patch)?;
        self.ordered_lists(&mut original, &mut patch, shape)?;
        for (key, value) in patch {
            let (name, is_delete_list) = match key.strip_prefix(DELETE_FROM) {
                Some(_) => (
                    after_prefix(&key, "invalid patch format of primitive list")?,
                    true,
                ),
                None => (key.clone(), false),
            };
            self.field(&mut original, name, value, is_delete_list, shape)?;
        }
        Ok(original)
    }

    fn field(
        &self,
        original: &mut Object,
        name: Text,
        value: Value,
        is_delete_list: bool,
        shape: Option<ShapeId>,
    ) -> Result<(), PatchError> {
        if value.is_null() {
            original.remove(&name);
            return Ok(());
        }
        let Some(old) = original.get_mut(&name) else {
            if !is_delete_list && let Some(value) = cleaned(value) {
                original.push(name, value);
            }
            return Ok(());
        };
        match (std::mem::take(old), value) {
            (Value::Object(old_map), Value::Object(new_map)) => {
                let place = self.place(shape, &name)?;
                *old = Value::Object(if place.replaces() {
                    new_map
                } else {
                    self.map(old_map, new_map, place.shape)?
                });
            }
            (Value::Array(old_list), Value::Array(new_list)) => {
                let place = self.list_place(shape, &name)?;
                *old = Value::Array(if place.merges() || is_delete_list {
                    self.list(old_list, new_list, &place, is_delete_list)?
                } else {
                    new_list
                });
            }
            (old_value, _) if is_delete_list => *old = old_value,
            (_, new_value) => match cleaned(new_value) {
                Some(value) => *old = value,
                None => {
                    original.remove(&name);
                }
            },
        }
        Ok(())
    }

    /// Carries out `$setElementOrder` directives together with the lists they are about.
    fn ordered_lists(
        &self,
        original: &mut Object,
        patch: &mut Object,
        shape: Option<ShapeId>,
    ) -> Result<(), PatchError> {
        let keys: Vec<Text> = patch
            .iter()
            .filter(|(key, _)| key.starts_with(ELEMENT_ORDER))
            .map(|(key, _)| Text::new(key))
            .collect();
        for key in keys {
            let order = match patch.remove(&key) {
                Some(Value::Array(order)) => order,
                other => return Err(bad_type("[]interface {}", &other.unwrap_or_default())),
            };
            let name = after_prefix(&key, "invalid patch format of setElementOrder list")?;
            let of_original = take_list(original, &name)?;
            let of_patch = take_list(patch, &name)?;
            let place = self.list_place(shape, &name)?;
            let merge_key = place.merge_key();
            check_order(of_patch.as_deref().unwrap_or_default(), &order, merge_key)?;
            let is_map = of_original
                .iter()
                .chain(&of_patch)
                .flatten()
                .next()
                .is_some_and(|item| matches!(item, Value::Object(_)));
            let server_order = of_original.clone().unwrap_or_default();
            let merged = match (of_original, of_patch) {
                (None, None) => continue,
                (Some(items), None) => items,
                (None, Some(items)) => items.into_iter().filter_map(without_directives).collect(),
                (Some(old), Some(new)) if place.merges() => self.list(old, new, &place, false)?,
                (Some(_), Some(new)) => new,
            };
            same_types([server_order.as_slice(), merged.as_slice()])?;
            let (mine, theirs) = partition(merged, &order, merge_key)?;
            let both = arrange(mine, theirs, &order, &server_order, merge_key, is_map)?;
            // The list keeps its place among the fields; decoding puts them in order anyway.
            original.insert(name, Value::Array(both));
        }
        Ok(())
    }

    fn list(
        &self,
        original: Vec<Value>,
        patch: Vec<Value>,
        place: &Place<'a>,
        is_delete_list: bool,
    ) -> Result<Vec<Value>, PatchError> {
        if original.is_empty() && patch.is_empty() {
            return Ok(original);
        }
        let is_map = same_types([original.as_slice(), patch.as_slice()])?;
        if !is_map {
            if is_delete_list {
                let gone: Vec<Value> = patch;
                let kept = original.into_iter().filter(|item| !gone.contains(item));
                return Ok(kept.collect());
            }
            let server_order = original.clone();
            let mut merged = original;
            merged.extend(patch.iter().cloned());
            let merged = without_repeats(merged);
            let (mine, theirs) = partition(merged, &patch, "")?;
            return arrange(mine, theirs, &patch, &server_order, "", false);
        }
        let merge_key = place.merge_key();
        if merge_key.is_empty() {
            let name = self.type_name(place.shape);
            return Err(PatchError::Broken(format!(
                "cannot merge lists without merge key for {name}"
            )));
        }
        let (original, patch) = special_items(original, patch, merge_key)?;
        let server_order = original.clone();
        let mut merged = original;
        for item in &patch {
            let Value::Object(new) = item else {
                return Err(bad_type("map[string]interface {}", item));
            };
            let key = key_of(new, merge_key)?;
            match position(&merged, merge_key, key)? {
                Some(at) => {
                    let old = std::mem::take(merged[at].make_object());
                    merged[at] = Value::Object(self.map(old, new.clone(), place.shape)?);
                }
                // As upstream: a new item is taken as it is, directives further in included.
                None => merged.push(item.clone()),
            }
        }
        let (mine, theirs) = partition(merged, &patch, merge_key)?;
        arrange(mine, theirs, &patch, &server_order, merge_key, true)
    }

    fn place(&self, shape: Option<ShapeId>, name: &str) -> Result<Place<'a>, PatchError> {
        let nothing = Place {
            shape: None,
            patch: None,
        };
        let Some(id) = shape else {
            return Ok(nothing);
        };
        match &self.shapes.node(id).form {
            Form::Struct(shape) => match shape.field(name) {
                Some(field) => Ok(of_field(field)),
                None => Err(PatchError::Broken(format!(
                    "unable to find api field in struct {} for the json field {}",
                    short_name(shape.name.as_deref()),
                    api::quote::quote(name)
                ))),
            },
            Form::Map { value, .. } => Ok(Place {
                shape: Some(*value),
                patch: None,
            }),
            Form::Any | Form::Scalar(_) | Form::List { .. } => Ok(nothing),
        }
    }

    /// Returns what is known of a list, with the shape of its items.
    fn list_place(&self, shape: Option<ShapeId>, name: &str) -> Result<Place<'a>, PatchError> {
        let place = self.place(shape, name)?;
        let item = place.shape.and_then(|id| match &self.shapes.node(id).form {
            Form::List { item, .. } => Some(*item),
            _ => None,
        });
        Ok(Place {
            shape: item,
            patch: place.patch,
        })
    }

    fn type_name(&self, shape: Option<ShapeId>) -> String {
        match shape.map(|id| &self.shapes.node(id).form) {
            Some(Form::Struct(shape)) => short_name(shape.name.as_deref()).to_owned(),
            _ => String::new(),
        }
    }
}

fn of_field(field: &Field) -> Place<'_> {
    Place {
        shape: Some(field.shape),
        patch: field.patch.as_deref(),
    }
}

fn short_name(name: Option<&str>) -> &str {
    name.unwrap_or_default()
        .rsplit('.')
        .next()
        .unwrap_or_default()
}

fn after_prefix(key: &str, malformed: &str) -> Result<Text, PatchError> {
    match key.split_once('/') {
        Some((DELETE_FROM | ELEMENT_ORDER, name)) => Ok(Text::new(name)),
        _ => Err(PatchError::Malformed(malformed.to_owned())),
    }
}

/// Clears the fields that a `$retainKeys` list does not name.
fn retain_keys(original: &mut Object, patch: &mut Object) -> Result<(), PatchError> {
    let Some(keys) = patch.remove(RETAIN_KEYS) else {
        return Ok(());
    };
    let malformed = || PatchError::Malformed("invalid patch format of retainKeys".to_owned());
    let keys = keys.as_array().ok_or_else(malformed)?;
    let kept = |name: &str| keys.iter().any(|key| key.as_str() == Some(name));
    for (name, value) in patch.iter() {
        let directive = name.starts_with(DELETE_FROM) || name.starts_with(ELEMENT_ORDER);
        if !value.is_null() && !directive && !kept(name) {
            return Err(malformed());
        }
    }
    original.retain(|name, _| kept(name));
    Ok(())
}

fn take_list(object: &mut Object, name: &str) -> Result<Option<Vec<Value>>, PatchError> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::Array(_)) => match object.get_mut(name).map(std::mem::take) {
            Some(Value::Array(items)) => {
                object.remove(name);
                Ok(Some(items))
            }
            _ => Ok(None),
        },
        Some(other) => Err(bad_type("[]interface {}", other)),
    }
}

/// Takes directives and nulls out of a value that is new; nothing is left of one that is a directive.
fn cleaned(mut value: Value) -> Option<Value> {
    drop_nulls(&mut value);
    without_directives(value)
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => object.retain(|_, value| {
            drop_nulls(value);
            !value.is_null()
        }),
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(object) => {
            if object.contains(DIRECTIVE) {
                return None;
            }
            let mut left = Object::with_capacity(object.len());
            for (name, value) in object {
                if let Some(value) = without_directives(value) {
                    left.push(name, value);
                }
            }
            Some(Value::Object(left))
        }
        Value::Array(items) => Some(Value::Array(
            items.into_iter().filter_map(without_directives).collect(),
        )),
        other => Some(other),
    }
}

/// Carries out the items that are directives; returns both lists without them.
fn special_items(
    mut original: Vec<Value>,
    patch: Vec<Value>,
    merge_key: &str,
) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    let mut plain = Vec::with_capacity(patch.len());
    let mut replace = false;
    for item in patch {
        let Value::Object(object) = &item else {
            return Err(bad_type("map[string]interface {}", &item));
        };
        match object.get(DIRECTIVE) {
            None => plain.push(item),
            Some(Value::String(word)) if word == "delete" => {
                let key = key_of(object, merge_key)?;
                while let Some(at) = position(&original, merge_key, key)? {
                    original.remove(at);
                }
            }
            Some(Value::String(word)) if word == "replace" => replace = true,
            Some(Value::String(word)) if word == "merge" => {
                return Err(PatchError::Broken(
                    "merging lists cannot yet be specified in the patch".to_owned(),
                ));
            }
            Some(other) => return Err(bad_patch_type(other, object)),
        }
    }
    if replace {
        return Ok((plain, Vec::new()));
    }
    Ok((original, plain))
}

fn key_of<'v>(object: &'v Object, merge_key: &str) -> Result<&'v Value, PatchError> {
    object.get(merge_key).ok_or_else(|| {
        let shown = go_text(&Value::Object(object.clone()));
        PatchError::Broken(format!(
            "map: {shown} does not contain declared merge key: {merge_key}"
        ))
    })
}

fn position(items: &[Value], merge_key: &str, key: &Value) -> Result<Option<usize>, PatchError> {
    for (place, item) in items.iter().enumerate() {
        let Value::Object(object) = item else {
            return Err(PatchError::Broken(format!(
                "value for key {place} is not a map"
            )));
        };
        if object.get(merge_key) == Some(key) {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Checks that all items are of one type, which is no list; answers whether they are maps.
fn same_types(lists: [&[Value]; 2]) -> Result<bool, PatchError> {
    let mut first: Option<&Value> = None;
    for item in lists.into_iter().flatten() {
        match first {
            None if matches!(item, Value::Array(_)) => {
                return Err(PatchError::Unfit(
                    "lists of lists are not supported".to_owned(),
                ));
            }
            None => first = Some(item),
            Some(first) if std::mem::discriminant(first) != std::mem::discriminant(item) => {
                let shown: Vec<String> = lists
                    .iter()
                    .map(|list| go_text(&Value::Array(list.to_vec())))
                    .collect();
                return Err(PatchError::Broken(format!(
                    "list element types are not identical: [{}]",
                    shown.join(" ")
                )));
            }
            Some(_) => {}
        }
    }
    match first {
        Some(item) => Ok(matches!(item, Value::Object(_))),
        None => Err(PatchError::Broken(
            "no elements in any of the given slices".to_owned(),
        )),
    }
}

fn without_repeats(items: Vec<Value>) -> Vec<Value> {
    // Order is restored afterwards, so the first of equal ones may stay.
    let mut seen: Vec<Value> = Vec::with_capacity(items.len());
    let mut texts = std::collections::HashSet::new();
    for item in items {
        let new = match &item {
            Value::String(text) => texts.insert(text.clone()),
            other => !seen.contains(other),
        };
        if new {
            seen.push(item);
        }
    }
    seen
}

/// Splits items into those that `by` names and the others.
fn partition(
    items: Vec<Value>,
    by: &[Value],
    merge_key: &str,
) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    for item in items {
        let named = if merge_key.is_empty() {
            by.contains(&item)
        } else {
            let Value::Object(object) = &item else {
                return Err(bad_type("map[string]interface {}", &item));
            };
            position(by, merge_key, key_of(object, merge_key)?)?.is_some()
        };
        if named {
            mine.push(item)
        } else {
            theirs.push(item)
        }
    }
    Ok((mine, theirs))
}

/// Puts the patch's items in the patch's order and the server's in the server's, and joins them so
/// that both orders hold.
fn arrange(
    mine: Vec<Value>,
    theirs: Vec<Value>,
    patch_order: &[Value],
    server_order: &[Value],
    merge_key: &str,
    is_map: bool,
) -> Result<Vec<Value>, PatchError> {
    let mine = ordered(mine, patch_order, merge_key, is_map)?;
    let theirs = ordered(theirs, server_order, merge_key, is_map)?;
    let rank = |item: &Value| rank(server_order, item, merge_key, is_map);
    let mut all = Vec::with_capacity(mine.len() + theirs.len());
    let mut mine = mine.into_iter().peekable();
    for item in theirs {
        let at = rank(&item);
        while let Some(next) = mine.peek() {
            match (at, rank(next)) {
                (Some(left), Some(right)) if left < right => break,
                _ => all.extend(mine.next()),
            }
        }
        all.push(item);
    }
    all.extend(mine);
    Ok(all)
}

fn ordered(
    items: Vec<Value>,
    order: &[Value],
    merge_key: &str,
    is_map: bool,
) -> Result<Vec<Value>, PatchError> {
    if !is_map {
        let mut items = items;
        items.sort_by_cached_key(|item| rank(order, item, merge_key, is_map).unwrap_or(usize::MAX));
        return Ok(items);
    }
    for item in items.iter().chain(order) {
        let Value::Object(object) = item else {
            return Err(bad_type("map[string]interface {}", item));
        };
        key_of(object, merge_key)?;
    }
    let (gone, mut left): (Vec<Value>, Vec<Value>) = items.into_iter().partition(is_deletion);
    left.sort_by_cached_key(|item| rank(order, item, merge_key, is_map).unwrap_or(usize::MAX));
    left.extend(gone);
    Ok(left)
}

fn is_deletion(item: &Value) -> bool {
    item.str_at(&[DIRECTIVE]) == Some("delete")
}

fn rank(order: &[Value], item: &Value, merge_key: &str, is_map: bool) -> Option<usize> {
    if is_map {
        let key = item.get(merge_key);
        order.iter().position(|other| other.get(merge_key) == key)
    } else {
        order
            .contains(item)
            .then(|| order.iter().position(|other| other == item))?
    }
}

/// Checks that the items of a patch's list stand in the order that it asks for.
fn check_order(patch: &[Value], order: &[Value], merge_key: &str) -> Result<(), PatchError> {
    if order.is_empty() || patch.is_empty() {
        return Ok(());
    }
    let mut wanted = order.iter();
    for item in patch {
        if !merge_key.is_empty() && !matches!(item, Value::Object(_)) {
            return Err(bad_type("map[string]interface {}", item));
        }
        if item.get(DIRECTIVE).is_some() {
            continue;
        }
        let found = wanted.any(|other| {
            if merge_key.is_empty() {
                other == item
            } else {
                other.get(merge_key) == item.get(merge_key)
            }
        });
        if !found {
            let (patch, order) = (Value::Array(patch.to_vec()), Value::Array(order.to_vec()));
            return Err(PatchError::Broken(format!(
                "The order in patch list:\n{}\n doesn't match {ELEMENT_ORDER} list:\n{}\n",
                go_text(&patch),
                go_text(&order)
            )));
        }
    }
    Ok(())
}

fn bad_patch_type(directive: &Value, patch: &Object) -> PatchError {
    let map = go_text(&Value::Object(patch.clone()));
    PatchError::Broken(format!(
        "unknown patch type: {} in map: {map}",
        go_text(directive)
    ))
}

fn bad_type(expected: &str, found: &Value) -> PatchError {
    let found = match found {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    PatchError::Broken(format!("expected a {expected}, but received a {found}"))
}

/// Prints a value as Go's `%v` does: `map[a:1 b:[x y]]`.
fn go_text(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_text).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(object) => {
            let mut fields: Vec<(&str, &Value)> = object.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            let fields: Vec<String> = fields
                .into_iter()
                .map(|(name, value)| format!("{name}:{}", go_text(value)))
                .collect();
            format!("map[{}]", fields.join(" "))
        }
        other => crate::decode::json_text(other),
    }
}

//! Which objects of a collection a list, a watch or a deletecollection means.

use api::{
    Status, Text,
    selector::{FieldSelector, LabelSelector},
};
use schema::Scope;

use crate::{
    Options, ResourcePath,
    collection::{Interest, Stored, place_of},
    convert,
    registry::Resource,
    render,
};

/// A selection: a place in the keys, and conditions on labels and fields.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    /// Namespace; empty for all.
    namespace: Text,
    /// Name, if just one is meant.
    name: Option<Text>,
    labels: LabelSelector,
    /// What the mark of an object's labels must hold, which is cheaper to look at than they are.
    mark: u64,
    tests: Vec<Test>,
    /// A condition contradicts the place: nothing matches.
    nothing: bool,
}

/// A condition on one field.
#[derive(Clone, Debug)]
struct Test {
    field: Field,
    equal: bool,
    value: Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Name,
    Namespace,
    /// Place in the version's selectable fields.
    Selectable(usize),
}

impl Selection {
    /// Reads the selectors of a request on a collection.
    ///
    /// # Errors
    /// 400 with upstream's text.
    pub(crate) fn read(
        resource: &Resource,
        path: &ResourcePath,
        options: &Options,
    ) -> Result<Self, Status> {
        let labels = LabelSelector::parse(&options.label_selector)
            .map_err(|error| Status::bad_request(error.to_string()))?;
        let fields = FieldSelector::parse(&options.field_selector)
            .map_err(|error| Status::bad_request(error.to_string()))?;
        let namespaced = resource.kind().scope == Scope::Namespaced;
        let mut selection = Self {
            namespace: Text::default(),
            name: None,
            mark: labels.mark(),
            labels,
            tests: Vec::new(),
            nothing: false,
        };
        if namespaced {
            selection.namespace = path.namespace.clone();
        }
        if path.is_named() {
            // A watch of one object by its path.
            let selected = fields.exact("metadata.name");
            if !fields.is_everything() && selected != Some(path.name.as_str()) {
                return Err(Status::bad_request(
                    "fieldSelector metadata.name doesn't match requested name",
                ));
            }
            selection.name = Some(path.name.clone());
        }
        for requirement in fields.requirements() {
            let field = find(resource, &requirement.field)?;
            match (field, requirement.equal) {
                (Field::Name, true) => selection.want_name(&requirement.value),
                (Field::Namespace, true) => {
                    selection.want_namespace(namespaced, &requirement.value);
                }
                _ => selection.tests.push(Test {
                    field,
                    equal: requirement.equal,
                    value: requirement.value.clone(),
                }),
            }
        }
        Ok(selection)
    }

    fn want_name(&mut self, name: &Text) {
        match &self.name {
            Some(known) if known != name => self.nothing = true,
            _ => self.name = Some(name.clone()),
        }
    }

    fn want_namespace(&mut self, namespaced: bool, namespace: &Text) {
        if !namespaced {
            // Cluster-scoped objects have the empty namespace.
            self.nothing |= !namespace.is_empty();
        } else if self.namespace.is_empty() {
            self.namespace = namespace.clone();
            self.nothing |= namespace.is_empty();
        } else {
            self.nothing |= self.namespace != *namespace;
        }
    }

    /// Returns the place of the one object that can match.
    pub(crate) fn single(&self, resource: &Resource) -> Option<Text> {
        let name = self.name.as_ref()?;
        match resource.kind().scope {
            Scope::Cluster => Some(name.clone()),
            Scope::Namespaced if self.namespace.is_empty() => None,
            Scope::Namespaced => Some(place_of(&self.namespace, name)),
        }
    }

    /// Returns the beginning of the places that can match: a namespace with a slash, or nothing.
    pub(crate) fn prefix(&self) -> Text {
        if self.namespace.is_empty() {
            return Text::default();
        }
        let mut prefix = self.namespace.clone();
        prefix.push('/');
        prefix
    }

    /// Returns whether every object of the prefix matches, so that those left out can be counted.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.tests.is_empty() && self.name.is_none() && !self.nothing
    }

    /// Returns which changes a watch of this selection waits for.
    pub(crate) fn interest(&self, resource: &Resource) -> Interest {
        match self.single(resource) {
            Some(place) => Interest::At(place),
            None if self.namespace.is_empty() => Interest::All,
            None => Interest::Under(self.prefix()),
        }
    }

    /// Returns whether fields of the version asked for are looked at.
    pub(crate) fn looks_at_fields(&self) -> bool {
        let mut tests = self.tests.iter();
        tests.any(|test| matches!(test.field, Field::Selectable(_)))
    }

    /// Returns the same selection without conditions on fields that versions may keep elsewhere.
    pub(crate) fn without_fields(&self) -> Self {
        let mut wider = self.clone();
        wider
            .tests
            .retain(|test| !matches!(test.field, Field::Selectable(_)));
        wider
    }

    /// Returns whether an object matches.
    pub(crate) fn matches(&self, resource: &Resource, place: &str, object: &Stored) -> bool {
        if self.nothing || (self.mark != 0 && object.mark() & self.mark != self.mark) {
            return false;
        }
        let (namespace, name) = place.rsplit_once('/').unwrap_or(("", place));
        let fits_place = (self.namespace.is_empty() || self.namespace == namespace)
            && self.name.as_ref().is_none_or(|wanted| wanted == name);
        fits_place
            && (self.labels.is_everything() || self.labels.matches(|key| object.label(key)))
            && self.tests.iter().all(|test| {
                let value = match test.field {
                    Field::Name => name,
                    Field::Namespace => namespace,
                    Field::Selectable(at) => {
                        return (field_value(resource, object, at) == test.value) == test.equal;
                    }
                };
                (value == test.value) == test.equal
            })
    }
}

/// Returns what the selectable field at place `at` holds in the version asked for.
fn field_value(resource: &Resource, object: &Stored, at: usize) -> Text {
    let selectable = &resource.version().selectable;
    // An object that was converted already stands in the version asked for.
    let is_there = convert::has_webhook(resource.kind())
        && convert::is_in(&object.bytes, &resource.version().group_version);
    if resource.is_stored() || is_there {
        return object.fields(selectable)[at].clone();
    }
    // The other version may keep the field elsewhere.
    match render::json(resource, object) {
        Ok(bytes) => Stored::new(bytes, object.revision).fields(selectable)[at].clone(),
        Err(_) => selectable[at].absent.clone(),
    }
}

fn find(resource: &Resource, label: &str) -> Result<Field, Status> {
    match label {
        "metadata.name" => return Ok(Field::Name),
        "metadata.namespace" => return Ok(Field::Namespace),
        _ => {}
    }
    let selectable = &resource.version().selectable;
    if let Some(at) = selectable.iter().position(|field| field.label == label) {
        return Ok(Field::Selectable(at));
    }
    let message = if resource.kind().traits.custom || !selectable.is_empty() {
        format!("field label not supported: {label}")
    } else {
        format!(
            "{} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
            api::quote::quote(label)
        )
    };
    Err(Status::bad_request(message))
}

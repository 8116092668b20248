//! Sets of paths: which fields somebody owns, or which ones changed.
//!
//! A set is a tree like the object it speaks of. A node may be a member, have members below it, or
//! both; what lies below a member is not in the set for that.

use api::{Object, Value};

use super::element::{Element, ElementError};

/// A set of paths. Nodes are sorted, and each is a member or has members below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    pub(super) nodes: Vec<Node>,
}

/// One element of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) element: Element,
    pub(super) member: bool,
    pub(super) below: Set,
}

/// What a walk finds of one value: whether it is a member itself, and what lies below it.
#[derive(Clone, Debug, Default)]
pub(super) struct Branch {
    pub(super) member: bool,
    pub(super) below: Set,
}

impl Branch {
    pub(super) fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }

    /// Adds what another walk over the same value found.
    pub(super) fn join(&mut self, other: Self) {
        self.member |= other.member;
        if !other.below.is_empty() {
            self.below = self.below.union(&other.below);
        }
    }
}

/// Why a tree is no `FieldsV1`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// A name inside is no element.
    #[error("parsing key as path element: {0}")]
    Element(#[from] ElementError),
    /// There is something else than an object.
    #[error("expect {{ or n, but found {0}")]
    NoObject(&'static str),
}

impl Set {
    /// Returns the empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { nodes: Vec::new() }
    }

    /// Returns the set of these paths of fields.
    #[must_use]
    pub fn of_fields(paths: &[&[&str]]) -> Self {
        let mut set = Self::new();
        for path in paths {
            let path: Vec<Element> = path
                .iter()
                .map(|name| Element::Field((*name).into()))
                .collect();
            set.insert(&path);
        }
        set
    }

    /// Returns whether nothing is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Returns the number of paths.
    #[must_use]
    pub fn len(&self) -> usize {
        let counts = self.nodes.iter();
        counts
            .map(|node| usize::from(node.member) + node.below.len())
            .sum()
    }

    /// Adds a path; nothing above it becomes a member. The empty path is no member of any set.
    pub fn insert(&mut self, path: &[Element]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let place = match self.find(first) {
            Ok(place) => place,
            Err(place) => {
                self.nodes.insert(
                    place,
                    Node {
                        element: first.clone(),
                        member: false,
                        below: Self::new(),
                    },
                );
                place
            }
        };
        let node = &mut self.nodes[place];
        if rest.is_empty() {
            node.member = true;
        } else {
            node.below.insert(rest);
        }
    }

    /// Returns whether the path is a member.
    #[must_use]
    pub fn has(&self, path: &[Element]) -> bool {
        match path {
            [] => false,
            [last] => self.get(last).is_some_and(|node| node.member),
            [first, rest @ ..] => self.get(first).is_some_and(|node| node.below.has(rest)),
        }
    }

    fn find(&self, element: &Element) -> Result<usize, usize> {
        self.nodes
            .binary_search_by(|node| node.element.cmp(element))
    }

    pub(super) fn get(&self, element: &Element) -> Option<&Node> {
        self.find(element).ok().map(|place| &self.nodes[place])
    }

    /// Makes room for this many more nodes.
    pub(super) fn reserve(&mut self, more: usize) {
        self.nodes.reserve_exact(more);
    }

    /// Adds a node to a set that is being built; [`Self::sort`] must follow.
    pub(super) fn push(&mut self, element: Element, branch: Branch) {
        if !branch.is_empty() {
            self.nodes.push(Node {
                element,
                member: branch.member,
                below: branch.below,
            });
        }
    }

    /// Brings pushed nodes into order; equal elements become one.
    pub(super) fn sort(&mut self) {
        if self.nodes.is_sorted_by(|a, b| a.element < b.element) {
            return;
        }
        self.nodes.sort_by(|a, b| a.element.cmp(&b.element));
        self.nodes.dedup_by(|later, kept| {
            let equal = later.element == kept.element;
            if equal {
                kept.member |= later.member;
                kept.below = kept.below.union(&later.below);
            }
            equal
        });
    }

    /// Returns what is in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if self.is_empty() || other.is_empty() {
            return if self.is_empty() {
                other.clone()
            } else {
                self.clone()
            };
        }
        self.zip(other, |left, right| match (left, right) {
            (Some(left), Some(right)) => {
                (left.member || right.member, left.below.union(&right.below))
            }
            (Some(only), None) | (None, Some(only)) => (only.member, only.below.clone()),
            (None, None) => (false, Self::new()),
        })
    }

    /// Returns what is in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.zip(other, |left, right| match (left, right) {
            (Some(left), Some(right)) => (
                left.member && right.member,
                left.below.intersection(&right.below),
            ),
            _ => (false, Self::new()),
        })
    }

    /// Returns whether the other set has all that this one has.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.nodes.iter().all(|node| {
            other.get(&node.element).is_some_and(|found| {
                (found.member || !node.member) && node.below.is_within(&found.below)
            })
        })
    }

    /// Returns what is in this set and not in the other. What lies below a member of the other
    /// stays.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.zip(other, |left, right| match (left, right) {
            (Some(left), Some(right)) => (
                left.member && !right.member,
                left.below.difference(&right.below),
            ),
            (Some(left), None) => (left.member, left.below.clone()),
            _ => (false, Self::new()),
        })
    }

    /// Returns what is in this set and neither in the other nor below a member of it.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        let mut left = self.clone();
        left.take_out(other);
        left
    }

    /// Takes out what is in the other set or below a member of it.
    pub fn take_out(&mut self, other: &Self) {
        for gone in &other.nodes {
            let Ok(place) = self.find(&gone.element) else {
                continue;
            };
            let node = &mut self.nodes[place];
            if !gone.member {
                node.below.take_out(&gone.below);
            }
            if gone.member || (!node.member && node.below.is_empty()) {
                self.nodes.remove(place);
            }
        }
    }

    /// Returns the members that have no members below them.
    #[must_use]
    pub fn leaves(&self) -> Self {
        let nodes = self.nodes.iter().map(|node| Node {
            element: node.element.clone(),
            member: node.member && node.below.is_empty(),
            below: node.below.leaves(),
        });
        Self {
            nodes: nodes.collect(),
        }
    }

    /// Joins two sorted lists of nodes.
    fn zip(
        &self,
        other: &Self,
        mut join: impl FnMut(Option<&Node>, Option<&Node>) -> (bool, Self),
    ) -> Self {
        let mut nodes = Vec::with_capacity(self.nodes.len());
        let mut left = self.nodes.iter().peekable();
        let mut right = other.nodes.iter().peekable();
        loop {
            let (a, b) = match (left.peek(), right.peek()) {
                (None, None) => return Self { nodes },
                (Some(_), None) => (left.next(), None),
                (None, Some(_)) => (None, right.next()),
                (Some(a), Some(b)) => match a.element.cmp(&b.element) {
                    std::cmp::Ordering::Less => (left.next(), None),
                    std::cmp::Ordering::Greater => (None, right.next()),
                    std::cmp::Ordering::Equal => (left.next(), right.next()),
                },
            };
            let (member, below) = join(a, b);
            if let (true, Some(node)) = (member || !below.is_empty(), a.or(b)) {
                nodes.push(Node {
                    element: node.element.clone(),
                    member,
                    below,
                });
            }
        }
    }

    /// Calls `visit` with every path: members of one level first, as upstream lists them.
    pub fn for_each(&self, visit: &mut impl FnMut(&[Element])) {
        self.walk(&mut Vec::new(), visit);
    }

    fn walk(&self, path: &mut Vec<Element>, visit: &mut impl FnMut(&[Element])) {
        for node in self.nodes.iter().filter(|node| node.member) {
            path.push(node.element.clone());
            visit(path);
            path.pop();
        }
        for node in self.nodes.iter().filter(|node| !node.below.is_empty()) {
            path.push(node.element.clone());
            node.below.walk(path, visit);
            path.pop();
        }
    }

    /// Returns every path as messages show it.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.for_each(&mut |path| all.push(path.iter().map(ToString::to_string).collect()));
        all
    }

    /// Reads `FieldsV1`.
    ///
    /// # Errors
    /// [`FieldsError`]; unknown sorts of elements are skipped, as upstream does.
    pub fn from_value(value: &Value) -> Result<Self, FieldsError> {
        Ok(Self::read(value)?.below)
    }

    fn read(value: &Value) -> Result<Branch, FieldsError> {
        let nothing = Object::default();
        let object = match value {
            Value::Object(object) => object,
            Value::Null => &nothing,
            other => return Err(FieldsError::NoObject(other.type_name())),
        };
        let mut branch = Branch::default();
        branch.below.nodes.reserve_exact(object.len());
        for (name, value) in object.iter() {
            if name == "." {
                branch.member = true;
                continue;
            }
            match Element::parse(name) {
                Ok(element) => branch.below.push(element, Self::read(value)?),
                Err(ElementError::Unknown) => {}
                Err(error) => return Err(error.into()),
            }
        }
        branch.below.sort();
        branch.member |= branch.below.is_empty();
        Ok(branch)
    }

    /// Writes `FieldsV1`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Self::write(self, false)
    }

    fn write(below: &Self, member: bool) -> Value {
        let mut fields = Vec::with_capacity(below.nodes.len() + 1);
        if member && !below.is_empty() {
            fields.push((".".into(), Value::object()));
        }
        for node in &below.nodes {
            fields.push((
                node.element.to_text(),
                Self::write(&node.below, node.member),
            ));
        }
        Value::Object(Object::from_unique(fields))
    }
}

impl Set {
    /// Lets `change` take fields of this level out; nodes of which nothing stays go.
    pub(super) fn retain_fields(&mut self, mut change: impl FnMut(&str, &mut bool, &mut Self)) {
        self.nodes.retain_mut(|node| {
            if let Element::Field(name) = &node.element {
                change(name, &mut node.member, &mut node.below);
            }
            node.member || !node.below.is_empty()
        });
    }
}

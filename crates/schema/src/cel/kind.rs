//! The types of the language, and how types with parameters are unified.
//!
//! Which type may stand for which, in which order parameters are bound and when the more general
//! of two types wins follows upstream's checker step by step: the result decides which overloads a
//! call has, and with them its cost.

use std::{fmt, sync::Arc};

/// A type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the language's own")]
pub enum Type {
    Error,
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Duration,
    Timestamp,
    List(Arc<Type>),
    Map(Arc<(Type, Type)>),
    /// A named type that is compared by name and parameters: `optional_type(T)`, `net.IP`.
    Opaque(Arc<(String, Vec<Type>)>),
    /// An object with fields, or a library's type that has none.
    Object(Object),
    /// The type of types.
    Type(Option<Arc<Type>>),
    /// A parameter of a signature, or what is not known yet.
    Param(u32),
}

/// An object type: its name, and where its fields are declared, if it has any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Name of the type.
    pub name: Arc<str>,
    /// Place of its declaration in the declarations of the variables.
    pub decl: Option<u32>,
}

/// Name of the type of optional values.
pub(super) const OPTIONAL: &str = "optional_type";

impl Type {
    /// Returns the type of lists of these.
    #[must_use]
    pub fn list(item: Type) -> Self {
        Self::List(Arc::new(item))
    }

    /// Returns the type of maps of these.
    #[must_use]
    pub fn map(key: Type, value: Type) -> Self {
        Self::Map(Arc::new((key, value)))
    }

    /// Returns the type of optional values of this one.
    #[must_use]
    pub fn optional(inner: Type) -> Self {
        Self::opaque(OPTIONAL, vec![inner])
    }

    /// Returns a type that is compared by name.
    #[must_use]
    pub fn opaque(name: &str, parameters: Vec<Type>) -> Self {
        Self::Opaque(Arc::new((name.to_owned(), parameters)))
    }

    /// Returns an object type without fields.
    #[must_use]
    pub fn object(name: &str) -> Self {
        Self::Object(Object {
            name: Arc::from(name),
            decl: None,
        })
    }

    /// Returns what an optional type is of.
    #[must_use]
    pub fn as_optional(&self) -> Option<&Type> {
        match self {
            Self::Opaque(named) if named.0 == OPTIONAL => named.1.first(),
            _ => None,
        }
    }

    /// Returns the parameters in order.
    #[must_use]
    pub fn parameters(&self) -> Vec<&Type> {
        match self {
            Self::List(item) => vec![item],
            Self::Map(parts) => vec![&parts.0, &parts.1],
            Self::Opaque(named) => named.1.iter().collect(),
            Self::Type(Some(inner)) => vec![inner],
            _ => Vec::new(),
        }
    }

    pub(super) fn is_dyn(&self) -> bool {
        matches!(self, Self::Dyn)
    }

    pub(super) fn is_dyn_or_error(&self) -> bool {
        matches!(self, Self::Dyn | Self::Error)
    }

    /// Returns whether the size of every value of the type is known.
    pub(super) fn is_scalar(&self) -> bool {
        match self {
            Self::Bool
            | Self::Double
            | Self::Duration
            | Self::Int
            | Self::Timestamp
            | Self::Uint => true,
            _ => self.as_optional().is_some_and(Self::is_scalar),
        }
    }

    /// Returns the name of the type as a value has it, without parameters.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Error => "!error!",
            Self::Dyn => "dyn",
            Self::Null => "null_type",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Duration => "google.protobuf.Duration",
            Self::Timestamp => "google.protobuf.Timestamp",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Opaque(named) => &named.0,
            Self::Object(object) => &object.name,
            Self::Type(_) => "type",
            Self::Param(_) => "_var",
        }
    }

    fn is_nullable(&self) -> bool {
        matches!(
            self,
            Self::Null | Self::Opaque(_) | Self::Object(_) | Self::Duration | Self::Timestamp
        )
    }

    /// Returns whether the type is equal to another one or says less, by `dyn`.
    fn says_no_more_than(&self, other: &Self) -> bool {
        if matches!(self, Self::Dyn | Self::Param(_)) {
            return true;
        }
        if matches!(other, Self::Dyn | Self::Param(_)) {
            return false;
        }
        match (self, other) {
            (Self::Opaque(a), Self::Opaque(b)) => {
                a.0 == b.0
                    && a.1.len() == b.1.len()
                    && (a.1.iter().zip(&b.1)).all(|(a, b)| a.says_no_more_than(b))
            }
            (Self::List(a), Self::List(b)) => a.says_no_more_than(b),
            (Self::Map(a), Self::Map(b)) => {
                a.0.says_no_more_than(&b.0) && a.1.says_no_more_than(&b.1)
            }
            (Self::Type(_), Self::Type(_)) => true,
            _ => self == other,
        }
    }

    /// Returns whether two types are the same where neither says `dyn`.
    pub(super) fn is_equivalent(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Opaque(a), Self::Opaque(b)) => {
                a.0 == b.0
                    && a.1.len() == b.1.len()
                    && (a.1.iter().zip(&b.1)).all(|(a, b)| a.is_equivalent(b))
            }
            (Self::List(a), Self::List(b)) => a.is_equivalent(b),
            (Self::Map(a), Self::Map(b)) => a.0.is_equivalent(&b.0) && a.1.is_equivalent(&b.1),
            (Self::Type(_), Self::Type(_)) => true,
            _ => self == other,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => return f.write_str("null"),
            Self::Duration => return f.write_str("duration"),
            Self::Timestamp => return f.write_str("timestamp"),
            Self::Param(number) => return write!(f, "_var{number}"),
            _ => f.write_str(self.name())?,
        }
        let parameters = self.parameters();
        if parameters.is_empty() {
            return Ok(());
        }
        f.write_str("(")?;
        for (place, parameter) in parameters.iter().enumerate() {
            if place > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{parameter}")?;
        }
        f.write_str(")")
    }
}

/// What the unknown types of one expression were found to be.
#[derive(Debug, Default)]
pub(super) struct Unifier {
    found: Vec<Option<Type>>,
    /// What to put back when an attempt fails.
    undo: Vec<(u32, Option<Type>)>,
}

impl Unifier {
    /// Returns a type that is not known yet.
    pub(super) fn fresh(&mut self) -> Type {
        let number = u32::try_from(self.found.len()).unwrap_or(u32::MAX);
        self.found.push(None);
        Type::Param(number)
    }

    /// Returns a type of a signature with `count` parameters, which become unknown types from
    /// `first` on.
    pub(super) fn instantiate(of: &Type, first: u32) -> Type {
        map(of, &mut |number| Type::Param(first + number))
    }

    /// Makes `count` unknown types and returns the number of the first.
    pub(super) fn reserve(&mut self, count: u32) -> u32 {
        let first = u32::try_from(self.found.len()).unwrap_or(u32::MAX);
        self.found.resize(self.found.len() + count as usize, None);
        first
    }

    fn bind(&mut self, number: u32, to: Type) {
        let before = self.found[number as usize].replace(to);
        self.undo.push((number, before));
    }

    fn find(&self, of: &Type) -> Option<&Type> {
        match of {
            Type::Param(number) => self.found[*number as usize].as_ref(),
            _ => None,
        }
    }

    /// Runs an attempt; what it bound stays bound only if it answers true.
    fn attempt(&mut self, attempt: impl FnOnce(&mut Self) -> bool) -> bool {
        let before = self.undo.len();
        let works = attempt(self);
        if !works {
            while self.undo.len() > before {
                let (number, old) = self.undo.pop().expect("the length has been looked at");
                self.found[number as usize] = old;
            }
        }
        works
    }

    /// Returns whether `from` may stand for `to`, and binds what that takes.
    pub(super) fn assignable(&mut self, from: &Type, to: &Type) -> bool {
        self.attempt(|unifier| unifier.assign(from, to))
    }

    /// Returns whether each of these may stand for its counterpart, and binds what that takes.
    pub(super) fn all_assignable(&mut self, from: &[Type], to: &[Type]) -> bool {
        self.attempt(|unifier| unifier.assign_all(from.iter(), to.iter()))
    }

    fn assign_all<'a>(
        &mut self,
        from: impl ExactSizeIterator<Item = &'a Type>,
        to: impl ExactSizeIterator<Item = &'a Type>,
    ) -> bool {
        from.len() == to.len() && from.zip(to).all(|(from, to)| self.assign(from, to))
    }

    fn assign(&mut self, from: &Type, to: &Type) -> bool {
        if let Type::Param(number) = to {
            match self.substitutes(from, *number) {
                (true, _) => return true,
                (false, true) => return false,
                (false, false) => {}
            }
        }
        if let Type::Param(number) = from {
            return self.substitutes(to, *number).0;
        }
        if from.is_dyn_or_error() || to.is_dyn_or_error() {
            return true;
        }
        if *from == Type::Null {
            return to.is_nullable();
        }
        if *to == Type::Null {
            return from.is_nullable();
        }
        match (from, to) {
            (Type::Type(_), Type::Type(_)) => true,
            (Type::List(a), Type::List(b)) => self.assign(a, b),
            (Type::Map(a), Type::Map(b)) => self.assign(&a.0, &b.0) && self.assign(&a.1, &b.1),
            (Type::Opaque(a), Type::Opaque(b)) => {
                a.0 == b.0 && self.assign_all(a.1.iter(), b.1.iter())
            }
            _ => from == to,
        }
    }

    /// Returns whether the unknown type `number` can be `other`, and whether it was bound before.
    fn substitutes(&mut self, other: &Type, number: u32) -> (bool, bool) {
        if *other == Type::Param(number) {
            return (true, true);
        }
        if let Some(bound) = self.found[number as usize].clone() {
            if *other == bound {
                return (true, true);
            }
            if self.assign(other, &bound) {
                let general = most_general(other, &bound).clone();
                if !self.occurs(number, &general) {
                    self.bind(number, general);
                }
                return (true, true);
            }
            return (false, true);
        }
        if !self.occurs(number, other) {
            self.bind(number, other.clone());
            return (true, false);
        }
        (false, false)
    }

    /// Returns whether the unknown type `number` occurs in `within`.
    fn occurs(&self, number: u32, within: &Type) -> bool {
        match within {
            Type::Param(other) if *other == number => true,
            Type::Param(_) => self
                .find(within)
                .is_some_and(|bound| self.occurs(number, bound)),
            _ => (within.parameters().iter()).any(|part| self.occurs(number, part)),
        }
    }

    /// Returns the type with everything put in that was found; what is unknown stays.
    pub(super) fn resolve(&self, of: &Type) -> Type {
        map(of, &mut |number| match &self.found[number as usize] {
            Some(bound) => self.resolve(bound),
            None => Type::Param(number),
        })
    }

    /// Returns the type with everything put in that was found; what is unknown becomes `dyn`.
    pub(super) fn finish(&self, of: &Type) -> Type {
        map(of, &mut |number| match &self.found[number as usize] {
            Some(bound) => self.finish(bound),
            None => Type::Dyn,
        })
    }
}

/// Returns a type with its parameters replaced.
fn map(of: &Type, replace: &mut dyn FnMut(u32) -> Type) -> Type {
    match of {
        Type::Param(number) => replace(*number),
        Type::List(item) => Type::list(map(item, replace)),
        Type::Map(parts) => {
            let key = map(&parts.0, replace);
            Type::map(key, map(&parts.1, replace))
        }
        Type::Opaque(named) if !named.1.is_empty() => {
            let parameters = named.1.iter().map(|part| map(part, replace)).collect();
            Type::opaque(&named.0, parameters)
        }
        Type::Type(Some(inner)) => Type::Type(Some(Arc::new(map(inner, replace)))),
        _ => of.clone(),
    }
}

/// Returns the type of the two that says less; they are known to unify.
pub(super) fn most_general<'a>(a: &'a Type, b: &'a Type) -> &'a Type {
    if a.says_no_more_than(b) { a } else { b }
}

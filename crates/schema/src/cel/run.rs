//! Runs a program and counts what it costs.

use std::rc::Rc;

use super::{
    charge::Charge,
    plan::{
        Attribute, CallNode, Fold, FoldKind, ListNode, MapEntry, Node, Qualifier, QualifierKind,
        Root,
    },
    value::{
        Declared, Fault, List, Made, Map, Outcome, VISITS_MAX, Val, equal, equal_within, show,
    },
};

/// The state of one run.
pub(super) struct Machine<'a, 'v> {
    variables: &'v [Option<Val<'a>>],
    slots: Vec<Slot<'a>>,
    /// What was spent so far.
    pub(super) cost: u64,
    limit: u64,
    /// How many values were gone through beyond what is counted as cost.
    visits: u64,
}

/// A variable of a comprehension.
#[derive(Clone)]
enum Slot<'a> {
    /// Reckoned when it is first read.
    Lazy(&'a Node),
    Ready(Outcome<'a>),
}

impl<'a, 'v> Machine<'a, 'v> {
    pub(super) fn new(variables: &'v [Option<Val<'a>>], slots: usize, limit: u64) -> Self {
        Self {
            variables,
            slots: vec![Slot::Ready(Ok(Val::Null)); slots],
            cost: 0,
            limit,
            visits: 0,
        }
    }

    fn charge(&mut self, cost: u64) -> Result<(), Fault> {
        self.cost = self.cost.saturating_add(cost);
        if self.cost > self.limit {
            return Err(Fault::Budget);
        }
        Ok(())
    }

    /// Refuses a comparison that would look at too much, before it begins.
    fn may_compare(&self, left: Option<&Val<'a>>, right: Option<&Val<'a>>) -> Result<(), Fault> {
        let weight = |side: Option<&Val<'a>>| side.map_or(0, Val::weight);
        let least = weight(left).min(weight(right));
        if self.visits.saturating_add(least) > VISITS_MAX {
            return Err(Fault::Budget);
        }
        Ok(())
    }

    /// Notes that a function goes through its arguments.
    fn visit(&mut self, args: &[Val<'a>]) -> Result<(), Fault> {
        for arg in args {
            self.visits = self.visits.saturating_add(arg.weight());
        }
        if self.visits > VISITS_MAX {
            return Err(Fault::Budget);
        }
        Ok(())
    }

    pub(super) fn run(&mut self, node: &'a Node) -> Outcome<'a> {
        match node {
            Node::Const(value) => Ok(Val::from(value)),
            Node::Slot(place) => {
                let value = self.slot(*place);
                self.charge(1)?;
                value
            }
            Node::Variable(place) => {
                self.charge(1)?;
                self.variable(*place)
            }
            Node::Attribute(attribute) => self.attribute(attribute, true),
            Node::Conditional(parts) => self.conditional(parts),
            Node::And(parts) => self.logical(&parts[0], &parts[1], false),
            Node::Or(parts) => self.logical(&parts[0], &parts[1], true),
            Node::Equal(parts) => self.equality(parts).map(Val::Bool),
            Node::NotEqual(parts) => self.inequality(parts),
            Node::NotStrictlyFalse(inner) => {
                let value = self.absorbed(inner)?;
                self.charge(1)?;
                Ok(Val::Bool(!matches!(value, Ok(Val::Bool(false)))))
            }
            Node::Call(call) => self.call(call),
            Node::InSet(parts) => {
                let value = self.run(&parts.0)?;
                for item in &parts.1 {
                    if equal(&Val::from(item), &value)? {
                        return Ok(Val::Bool(true));
                    }
                }
                Ok(Val::Bool(false))
            }
            Node::List(list) => self.list(list),
            Node::Map(entries) => self.map(entries),
            Node::Append(parts) => self.append(parts.0, &parts.1),
            Node::Fold(fold) => self.fold(fold),
            Node::OptionalOr(parts) => self.optional_or(&parts.0, &parts.1, parts.2),
        }
    }

    /// Runs a node; failures are values, except that of the budget.
    fn absorbed(&mut self, node: &'a Node) -> Result<Outcome<'a>, Fault> {
        match self.run(node) {
            Err(Fault::Budget) => Err(Fault::Budget),
            other => Ok(other),
        }
    }

    fn slot(&mut self, place: usize) -> Outcome<'a> {
        if let Slot::Lazy(node) = self.slots[place] {
            let value = self.run(node);
            if matches!(value, Err(Fault::Budget)) {
                return value;
            }
            self.slots[place] = Slot::Ready(value);
        }
        match &self.slots[place] {
            Slot::Ready(value) => value.clone(),
            Slot::Lazy(_) => Err(Fault::new("no such attribute")),
        }
    }

    fn variable(&self, place: usize) -> Outcome<'a> {
        match self.variables.get(place) {
            Some(Some(value)) => Ok(value.clone()),
            _ => Err(Fault::new("no such attribute(s)")),
        }
    }

    /// Reads an attribute; `counted` as a step of its own, not as part of another.
    fn attribute(&mut self, attribute: &'a Attribute, counted: bool) -> Outcome<'a> {
        let (root, counted) = match &attribute.root {
            Root::Slot(place) => (self.slot(*place), counted),
            Root::Variable(place) => (self.variable(*place), counted),
            Root::Node(node) => (self.run(node), counted),
            Root::Conditional(parts) => (self.conditional(parts), false),
        };
        let value = match root {
            Ok(root) => self.qualify_all(root, attribute),
            fault => fault,
        };
        if matches!(value, Err(Fault::Budget)) {
            return value;
        }
        if counted && !attribute.test_only {
            self.charge(1)?;
        }
        value
    }

    fn qualify_all(&mut self, root: Val<'a>, attribute: &'a Attribute) -> Outcome<'a> {
        let (mut value, mut optional) = match root {
            Val::Optional(None) if attribute.test_only => return Ok(Val::Bool(false)),
            Val::Optional(None) => return Ok(Val::Optional(None)),
            Val::Optional(Some(inner)) => ((*inner).clone(), true),
            other => (other, false),
        };
        let last = attribute.qualifiers.len().wrapping_sub(1);
        for (place, qualifier) in attribute.qualifiers.iter().enumerate() {
            optional |= qualifier.optional;
            let tests = attribute.test_only && place == last;
            let found = self.qualify(&value, qualifier);
            if matches!(found, Err(Fault::Budget)) {
                return Err(Fault::Budget);
            }
            if !optional || !matches!(found, Ok(Found::Missing(_))) {
                self.charge(1)?;
            }
            match found? {
                found if tests && !optional => {
                    return Ok(Val::Bool(matches!(found, Found::Value(_))));
                }
                Found::Value(found) => value = found,
                Found::Missing(_) if tests || (optional && attribute.test_only) => {
                    return Ok(Val::Bool(false));
                }
                Found::Missing(_) if optional => return Ok(Val::Optional(None)),
                Found::Missing(fault) => return Err(fault),
            }
            if tests {
                return Ok(Val::Bool(true));
            }
        }
        Ok(if optional { Val::some(value) } else { value })
    }

    fn qualify(&mut self, value: &Val<'a>, qualifier: &'a Qualifier) -> Result<Found<'a>, Fault> {
        match &qualifier.kind {
            QualifierKind::Field(name, known) => {
                if let (Val::Map(Map::Node(object, Some(declared))), Some(known)) = (value, known)
                    && declared.id == known.object
                {
                    let found = object.get(&known.name).filter(|value| !value.is_null());
                    let Some(found) = found else {
                        return Ok(missing(value, &Val::from(name)));
                    };
                    let place = Declared {
                        decls: declared.decls,
                        id: known.field,
                    };
                    return Val::declared(found, place).map(Found::Value);
                }
                find(value, &Val::from(name))
            }
            QualifierKind::Key(key) => find(value, &Val::from(key)),
            QualifierKind::Node(node) => {
                let key = match node {
                    Node::Slot(place) => self.slot(*place)?,
                    Node::Variable(place) => self.variable(*place)?,
                    Node::Attribute(attribute) => self.attribute(attribute, false)?,
                    other => self.run(other)?,
                };
                find(value, &key)
            }
        }
    }

    /// Runs a branch of a conditional, which does not count as a step if it is an attribute.
    fn branch(&mut self, node: &'a Node) -> Outcome<'a> {
        match node {
            Node::Slot(place) => self.slot(*place),
            Node::Variable(place) => self.variable(*place),
            Node::Attribute(attribute) => self.attribute(attribute, false),
            other => self.run(other),
        }
    }

    fn conditional(&mut self, parts: &'a [Node; 3]) -> Outcome<'a> {
        match self.run(&parts[0])? {
            Val::Bool(true) => self.branch(&parts[1]),
            Val::Bool(false) => self.branch(&parts[2]),
            _ => Err(Fault::no_overload()),
        }
    }

    /// `&&` and `||`: what `decides` on one side decides, whatever the other side is.
    fn logical(&mut self, left: &'a Node, right: &'a Node, decides: bool) -> Outcome<'a> {
        let mut fault = None;
        for side in [left, right] {
            match self.absorbed(side)? {
                Ok(Val::Bool(value)) if value == decides => return Ok(Val::Bool(decides)),
                Ok(Val::Bool(_)) => {}
                Ok(_) => fault = fault.or_else(|| Some(Fault::no_overload())),
                Err(found) => fault = fault.or(Some(found)),
            }
        }
        fault.map_or(Ok(Val::Bool(!decides)), Err)
    }

    fn equality(&mut self, parts: &'a [Node; 2]) -> Result<bool, Fault> {
        let left = self.absorbed(&parts[0])?;
        let right = self.absorbed(&parts[1])?;
        let args = [left.as_ref().ok(), right.as_ref().ok()];
        self.charge(Charge::Equality.cost(&args, None))?;
        self.may_compare(args[0], args[1])?;
        equal_within(&left?, &right?, &mut self.visits)
    }

    fn inequality(&mut self, parts: &'a [Node; 2]) -> Outcome<'a> {
        let left = self.absorbed(&parts[0])?;
        let right = self.absorbed(&parts[1])?;
        let args = [left.as_ref().ok(), right.as_ref().ok()];
        self.charge(Charge::Shorter.cost(&args, None))?;
        self.may_compare(args[0], args[1])?;
        // What cannot be compared is not equal.
        match equal_within(&left?, &right?, &mut self.visits) {
            Err(Fault::Budget) => Err(Fault::Budget),
            found => Ok(Val::Bool(!found.unwrap_or(false))),
        }
    }

    fn call(&mut self, call: &'a CallNode) -> Outcome<'a> {
        match call.args.as_slice() {
            [arg] => {
                let arg = self.absorbed(arg)?;
                match arg {
                    Ok(arg) => self.apply(call, &[Some(&arg)], std::slice::from_ref(&arg)),
                    Err(fault) => {
                        self.charge(call.charge.cost(&[None], None))?;
                        Err(fault)
                    }
                }
            }
            [left, right] => {
                let left = self.absorbed(left)?;
                let right = self.absorbed(right)?;
                match (left, right) {
                    (Ok(left), Ok(right)) => {
                        let args = [left, right];
                        let known = [Some(&args[0]), Some(&args[1])];
                        self.apply(call, &known, &args)
                    }
                    (left, right) => {
                        let args = [left.as_ref().ok(), right.as_ref().ok()];
                        self.charge(call.charge.cost(&args, None))?;
                        left?;
                        right
                    }
                }
            }
            args => self.call_many(call, args),
        }
    }

    fn call_many(&mut self, call: &'a CallNode, nodes: &'a [Node]) -> Outcome<'a> {
        let mut args = Vec::with_capacity(nodes.len());
        for (place, node) in nodes.iter().enumerate() {
            match self.absorbed(node)? {
                Ok(arg) => args.push(arg),
                Err(fault) => {
                    // Upstream counts a call only when all of its arguments were reckoned.
                    if place + 1 == nodes.len() {
                        let mut known: Vec<Option<&Val<'_>>> = args.iter().map(Some).collect();
                        known.push(None);
                        self.charge(call.charge.cost(&known, None))?;
                    }
                    return Err(fault);
                }
            }
        }
        let known: Vec<Option<&Val<'_>>> = args.iter().map(Some).collect();
        self.apply(call, &known, &args)
    }

    /// Applies a function, and counts it before if what it costs is known by then.
    fn apply(
        &mut self,
        call: &'a CallNode,
        known: &[Option<&Val<'a>>],
        args: &[Val<'a>],
    ) -> Outcome<'a> {
        if call.walks {
            self.visit(args)?;
        }
        if call.charge.is_known_before() {
            self.charge(call.charge.cost(known, None))?;
            return call.apply(args);
        }
        let result = call.apply(args);
        self.charge(call.charge.cost(known, result.as_ref().ok()))?;
        result
    }

    fn list(&mut self, list: &'a ListNode) -> Outcome<'a> {
        let mut items = Vec::with_capacity(list.elements.len());
        for (place, element) in (0_u32..).zip(&list.elements) {
            let value = match self.absorbed(element)? {
                Ok(value) => value,
                Err(fault) => {
                    self.charge(10)?;
                    return Err(fault);
                }
            };
            if !list.optional.contains(&place) {
                items.push(value);
                continue;
            }
            match value {
                Val::Optional(Some(inner)) => items.push((*inner).clone()),
                Val::Optional(None) => {}
                other => {
                    let shown = show(&other);
                    return Err(Fault::new(format!(
                        "cannot initialize optional list element from non-optional value {shown}"
                    )));
                }
            }
        }
        self.charge(10)?;
        Ok(Val::list(items))
    }

    fn map(&mut self, entries: &'a [MapEntry]) -> Outcome<'a> {
        let mut made = MapMaker::default();
        for entry in entries {
            let parts = match self.absorbed(&entry.key)? {
                Ok(key) => self.absorbed(&entry.value)?.map(|value| (key, value)),
                Err(fault) => Err(fault),
            };
            let (key, value) = match parts {
                Ok(parts) => parts,
                Err(fault) => {
                    self.charge(30)?;
                    return Err(fault);
                }
            };
            let value = match value {
                value if !entry.optional => value,
                Val::Optional(Some(inner)) => (*inner).clone(),
                Val::Optional(None) => {
                    made.remove(&key);
                    continue;
                }
                other => {
                    let (key, shown) = (show(&key), show(&other));
                    return Err(Fault::new(format!(
                        "cannot initialize optional entry '{key}' from non-optional value {shown}"
                    )));
                }
            };
            made.set(key, value)?;
        }
        self.charge(30)?;
        Ok(Val::map(made.entries))
    }

    /// Adds to the accumulator's list where it lies, with the cost of an addition of lists.
    fn append(&mut self, place: usize, element: &'a Node) -> Outcome<'a> {
        if let Slot::Lazy(_) = self.slots[place] {
            self.slot(place)?;
        }
        self.charge(1)?;
        let element = self.absorbed(element)?;
        self.charge(10 + 1)?;
        let slot = std::mem::replace(&mut self.slots[place], Slot::Ready(Ok(Val::Null)));
        let Slot::Ready(Ok(Val::List(list))) = slot else {
            let Slot::Ready(other) = slot else {
                return Err(Fault::no_overload());
            };
            return other.and(Err(Fault::no_overload()));
        };
        let element = element?;
        let mut items = match list {
            List::Made(items) => items,
            other => Rc::new(Made::list(other.to_vec()?)),
        };
        Rc::make_mut(&mut items).push(element);
        Ok(Val::List(List::Made(items)))
    }

    fn fold(&mut self, fold: &'a Fold) -> Outcome<'a> {
        let range = self.run(&fold.range)?;
        self.slots[fold.accumulator] = match &fold.init {
            Node::Const(value) => Slot::Ready(Ok(Val::from(value))),
            node => Slot::Lazy(node),
        };
        let keys;
        let source = match &range {
            Val::List(list) => Source::List(list),
            Val::Map(map) => {
                keys = map.keys();
                Source::Map(map, &keys)
            }
            other => {
                let name = other.type_name();
                return Err(Fault::new(format!("got '{name}', expected iterable type")));
            }
        };
        match fold.kind {
            FoldKind::All => return self.quantified(fold, &source, true),
            FoldKind::Exists => return self.quantified(fold, &source, false),
            FoldKind::Other => {}
        }
        for place in 0..source.len() {
            self.set(fold, &source, place);
            if !matches!(fold.condition, Node::Const(_)) || is_false(&fold.condition) {
                let goes_on = self.absorbed(&fold.condition)?;
                if matches!(goes_on, Ok(Val::Bool(false))) {
                    break;
                }
            }
            let value = self.absorbed(&fold.step)?;
            self.slots[fold.accumulator] = Slot::Ready(value);
        }
        self.run(&fold.result)
    }

    /// Sets the variables of a round.
    fn set(&mut self, fold: &Fold, source: &Source<'_, 'a>, place: usize) {
        let (first, second) = match (source, fold.variable2) {
            (Source::List(list), None) => (list.get(place), None),
            (Source::List(list), Some(_)) => {
                let place_value = i64::try_from(place).unwrap_or(i64::MAX);
                (Ok(Val::Int(place_value)), Some(list.get(place)))
            }
            (Source::Map(_, keys), None) => (Ok(keys[place].clone()), None),
            (Source::Map(map, keys), Some(_)) => {
                let value = map.find(&keys[place]);
                let value = value.map(|value| value.unwrap_or(Val::Null));
                (Ok(keys[place].clone()), Some(value))
            }
        };
        self.slots[fold.variable] = Slot::Ready(first);
        if let (Some(slot), Some(value)) = (fold.variable2, second) {
            self.slots[slot] = Slot::Ready(value);
        }
    }

    /// `all` (which goes on while true) and `exists` (while false), failures kept for the end.
    fn quantified(&mut self, fold: &'a Fold, source: &Source<'_, 'a>, all: bool) -> Outcome<'a> {
        // Asking whether to go on costs two steps, and one more for the negation of `exists`.
        let asking = if all { 2 } else { 3 };
        let mut fault: Option<Fault> = None;
        let mut decided = false;
        for place in 0..source.len() {
            self.set(fold, source, place);
            self.charge(asking)?;
            if decided {
                break;
            }
            self.charge(1)?;
            match self.absorbed(&fold.step)? {
                Ok(Val::Bool(value)) if value != all => {
                    decided = true;
                    fault = None;
                }
                Ok(Val::Bool(_)) => {}
                Ok(_) => fault = fault.or_else(|| Some(Fault::no_overload())),
                Err(found) => fault = fault.or(Some(found)),
            }
        }
        self.charge(1)?;
        match fault {
            Some(fault) => Err(fault),
            None => Ok(Val::Bool(all != decided)),
        }
    }

    fn optional_or(&mut self, target: &'a Node, other: &'a Node, value: bool) -> Outcome<'a> {
        match self.run(target)? {
            Val::Optional(Some(inner)) if value => Ok((*inner).clone()),
            Val::Optional(None) => self.run(other),
            some => Ok(some),
        }
    }
}

fn is_false(node: &Node) -> bool {
    matches!(node, Node::Const(super::value::Const::Bool(false)))
}

/// What a fold goes over.
enum Source<'s, 'a> {
    List(&'s List<'a>),
    Map(&'s Map<'a>, &'s [Val<'a>]),
}

impl Source<'_, '_> {
    fn len(&self) -> usize {
        match self {
            Self::List(list) => list.len(),
            Self::Map(_, keys) => keys.len(),
        }
    }
}

/// What a selection found.
enum Found<'a> {
    Value(Val<'a>),
    /// Nothing, which is this fault unless it was only asked for.
    Missing(Fault),
}

fn missing<'a>(value: &Val<'_>, key: &Val<'_>) -> Found<'a> {
    let shown = show(key);
    Found::Missing(Fault::new(match value {
        Val::List(_) => format!("index out of bounds: {shown}"),
        _ => format!("no such key: {shown}"),
    }))
}

fn find<'a>(value: &Val<'a>, key: &Val<'_>) -> Result<Found<'a>, Fault> {
    match value {
        Val::Map(map) => {
            let found = map.find(key)?;
            Ok(found.map_or_else(|| missing(value, key), Found::Value))
        }
        Val::List(list) => {
            let place = place_of(key)?;
            match usize::try_from(place) {
                Ok(place) if place < list.len() => list.get(place).map(Found::Value),
                _ => Ok(missing(value, key)),
            }
        }
        _ => Ok(missing(value, key)),
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the float was found to be whole"
)]
fn place_of(key: &Val<'_>) -> Result<i64, Fault> {
    match key {
        Val::Int(place) => Ok(*place),
        Val::Uint(place) => Ok(i64::try_from(*place).unwrap_or(i64::MAX)),
        Val::Double(place) if place.fract() == 0.0 => Ok(*place as i64),
        Val::Double(_) => Err(Fault::new(format!(
            "unsupported index value {} in list",
            show(key)
        ))),
        other => {
            let name = other.type_name();
            Err(Fault::new(format!(
                "unsupported index type '{name}' in list"
            )))
        }
    }
}

impl CallNode {
    fn apply<'a>(&'a self, args: &[Val<'a>]) -> Outcome<'a> {
        if let (Some(pattern), Some(Val::String(text))) = (&self.pattern, args.first()) {
            return super::library::regex::with(&self.name, pattern, text, args);
        }
        (self.function)(args).map_err(|fault| match fault {
            Fault::Error(text) if &*text == "?" => {
                Fault::new(format!("no such overload: {}", self.name))
            }
            other => other,
        })
    }
}

/// Makes a map, one entry after the other.
#[derive(Default)]
pub(super) struct MapMaker<'a> {
    pub(super) entries: Vec<(Val<'a>, Val<'a>)>,
    places: std::collections::HashMap<String, usize>,
}

impl<'a> MapMaker<'a> {
    /// Sets an entry.
    pub(super) fn set(&mut self, key: Val<'a>, value: Val<'a>) -> Result<(), Fault> {
        let Some(name) = key_name(&key) else {
            let name = key.type_name();
            return Err(Fault::new(format!("unsupported key type: {name}")));
        };
        match self.places.get(&name) {
            Some(place) => self.entries[*place] = (key, value),
            None => {
                self.places.insert(name, self.entries.len());
                self.entries.push((key, value));
            }
        }
        Ok(())
    }

    fn remove(&mut self, key: &Val<'a>) {
        if let Some(place) = key_name(key).and_then(|name| self.places.remove(&name)) {
            self.entries.remove(place);
            for other in self.places.values_mut().filter(|other| **other > place) {
                *other -= 1;
            }
        }
    }
}

/// Returns a text that is the same for keys that are the same.
fn key_name(key: &Val<'_>) -> Option<String> {
    Some(match key {
        Val::String(text) => format!("s{}", text.as_str()),
        Val::Bool(value) => format!("b{value}"),
        Val::Int(value) => format!("n{value}"),
        Val::Uint(value) => format!("n{value}"),
        Val::Double(value) => format!("n{value}"),
        _ => return None,
    })
}

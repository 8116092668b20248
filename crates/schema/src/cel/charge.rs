//! What a call costs when it has run, with upstream's numbers.

use super::{
    estimate::{CHECK_COST, LIST_COST, REGEX_FACTOR, Range, STRING_FACTOR, scaled, selector_cost},
    extension::Extension,
    value::{List, Map, Val},
};

/// How the cost of a call follows from its arguments and its result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Charge {
    Fixed(u64),
    /// Going through the argument at this place, so many times.
    Scan(usize, f64),
    /// Making the result.
    Result(f64),
    /// Comparing the shorter of two.
    Shorter,
    /// Equality, which is cheap for values of the libraries.
    Equality,
    /// Putting two together.
    Both,
    /// Matching a pattern.
    Pattern,
    /// Looking for a text in a text.
    Search,
    /// Looking at every item of the second argument.
    Items,
    /// Looking at everything in the first argument.
    Traverse,
    /// Comparing networks: with a network rather than an address, written as a string.
    Network {
        network: bool,
        text: bool,
    },
    /// Matching a named format.
    Format,
    /// Reading a selector.
    Selector,
    /// Comparing every item of one set with every one of another.
    Sets(f64),
    /// Making a list of the result's size.
    Made,
    /// Making a list by going through one to a depth.
    Flatten,
    /// Comparing every item of the argument at this place with every other.
    Compare(usize),
}

impl Charge {
    /// Returns how a call is charged; `overload` is empty if there are several.
    pub(super) fn of(function: &str, overload: &str, args: usize) -> Self {
        Self::of_list(overload)
            .or_else(|| Self::of_library(function, overload, args))
            .unwrap_or_else(|| Self::of_standard(overload))
    }

    fn of_list(overload: &str) -> Option<Self> {
        Some(match overload {
            "list_sets_contains_list" | "list_sets_intersects_list" => Self::Sets(1.0),
            "list_sets_equivalent_list" => Self::Sets(2.0),
            "list_slice" | "lists_range" | "list_reverse" => Self::Made,
            "list_flatten" | "list_flatten_int" => Self::Flatten,
            "list_distinct" => Self::Compare(0),
            _ if overload.ends_with("_sortByAssociatedKeys") => Self::Compare(1),
            _ if overload.starts_with("list_") && overload.ends_with("_sort") => Self::Compare(0),
            _ => return None,
        })
    }

    fn of_library(function: &str, overload: &str, args: usize) -> Option<Self> {
        Some(match function {
            "check" => Self::Fixed(CHECK_COST),
            "serviceAccount"
            | "path"
            | "group"
            | "resource"
            | "subresource"
            | "namespace"
            | "name"
            | "allowed"
            | "reason"
            | "error"
            | "errored"
            | "masked"
            | "prefixLength"
            | "family"
            | "isUnspecified"
            | "isLoopback"
            | "isLinkLocalMulticast"
            | "isLinkLocalUnicast"
            | "isGlobalUnicast"
            | "format.named"
            | "sign"
            | "asInteger"
            | "isInteger"
            | "asApproximateFloat"
            | "isGreaterThan"
            | "isLessThan"
            | "compareTo"
            | "add"
            | "sub"
            | "major"
            | "minor"
            | "patch"
            | "getScheme"
            | "getHostname"
            | "getHost"
            | "getPort"
            | "getEscapedPath"
            | "getQuery" => Self::Fixed(1),
            "fieldSelector" | "labelSelector" if args >= 2 => Self::Selector,
            "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" | "includes" => {
                Self::Traverse
            }
            "replace" | "split" | "ip.isCanonical" => Self::Scan(0, 2.0 * STRING_FACTOR),
            "join" => Self::Result(2.0 * STRING_FACTOR),
            "find" | "findAll" => Self::Pattern,
            "ip" if overload == "cidr_ip" => Self::Fixed(1),
            "url" | "lowerAscii" | "upperAscii" | "substring" | "trim" | "cidr" | "isIP"
            | "isCIDR" | "ip" | "quantity" | "isQuantity" | "semver" | "isSemver" => {
                Self::Scan(0, STRING_FACTOR)
            }
            "containsIP" | "containsCIDR" => Self::Network {
                network: function == "containsCIDR",
                text: overload.ends_with("_string"),
            },
            "validate" => Self::Format,
            _ => return None,
        })
    }

    fn of_standard(overload: &str) -> Self {
        match overload {
            "starts_with_string" | "ends_with_string" => Self::Scan(1, STRING_FACTOR),
            "string_to_bytes" | "bytes_to_string" | "strings_quote" | "string_format" => {
                Self::Scan(0, STRING_FACTOR)
            }
            "in_list" => Self::Items,
            "less_string"
            | "greater_string"
            | "less_equals_string"
            | "greater_equals_string"
            | "less_bytes"
            | "greater_bytes"
            | "less_equals_bytes"
            | "greater_equals_bytes" => Self::Shorter,
            "add_string" | "add_bytes" => Self::Both,
            "matches" | "matches_string" => Self::Pattern,
            "contains_string" => Self::Search,
            _ => Self::Fixed(1),
        }
    }

    /// Returns whether the cost is known before the function runs, and can stop it.
    pub(super) fn is_known_before(self) -> bool {
        !matches!(self, Self::Result(_) | Self::Made)
    }

    /// Returns the cost of a call; arguments and results that failed have the size one.
    pub(super) fn cost(self, args: &[Option<&Val<'_>>], result: Option<&Val<'_>>) -> u64 {
        let of = |value: Option<&Val<'_>>| value.map_or(1, Val::size);
        let size = |place: usize| of(args.get(place).copied().flatten());
        match self {
            Self::Fixed(cost) => cost,
            Self::Scan(place, factor) => scaled(size(place), factor),
            Self::Result(factor) => scaled(of(result), factor),
            Self::Equality => match args.first().copied().flatten() {
                Some(Val::Extension(_)) => 1,
                _ => scaled(size(0).min(size(1)), STRING_FACTOR),
            },
            Self::Shorter => scaled(size(0).min(size(1)), STRING_FACTOR),
            Self::Both => scaled(size(0).saturating_add(size(1)), STRING_FACTOR),
            Self::Pattern => {
                let text = scaled(size(0).saturating_add(1), STRING_FACTOR);
                text.saturating_mul(scaled(size(1), REGEX_FACTOR))
            }
            Self::Search => {
                let text = scaled(size(0), STRING_FACTOR);
                text.saturating_mul(scaled(size(1), STRING_FACTOR))
            }
            Self::Items => size(1),
            Self::Traverse => args.first().copied().flatten().map_or(1, traversal),
            Self::Network { network, text } => {
                let mut cost = scaled(size(0).saturating_mul(2), STRING_FACTOR);
                if network {
                    cost = cost.saturating_add(scaled(size(0), STRING_FACTOR) + 1);
                }
                if text {
                    cost = cost.saturating_add(scaled(size(1), STRING_FACTOR));
                }
                cost
            }
            Self::Format => {
                let Some(Val::Extension(extension)) = args.first().copied().flatten() else {
                    return 1;
                };
                let Extension::Format(format) = &**extension else {
                    return 1;
                };
                let text = scaled(size(1).saturating_add(1), STRING_FACTOR);
                text.saturating_mul(scaled(format.pattern_length, REGEX_FACTOR))
            }
            Self::Selector => selector_cost(Range::fixed(size(1))).max,
            Self::Sets(factor) => 1 + floored(size(0).saturating_mul(size(1)), factor),
            Self::Made => making(of(result), 1.0),
            Self::Flatten => {
                #[allow(clippy::cast_precision_loss, reason = "upstream reckons in floats")]
                let depth = match args.get(1).copied().flatten() {
                    Some(Val::Int(depth)) => *depth as f64,
                    _ => 1.0,
                };
                making(size(0), depth)
            }
            Self::Compare(place) => {
                let texts = match args.get(place).copied().flatten() {
                    Some(Val::List(list)) if list.len() > 0 => {
                        matches!(list.get(0), Ok(Val::String(_) | Val::Bytes(_)))
                    }
                    _ => false,
                };
                let factor = if texts { 2.0 + STRING_FACTOR } else { 2.0 };
                making(size(place).saturating_mul(size(place)), factor)
            }
        }
    }
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "upstream reckons in floats, and conversions stop at the bounds"
)]
fn floored(value: u64, factor: f64) -> u64 {
    (value as f64 * factor) as u64
}

fn making(size: u64, factor: f64) -> u64 {
    let factor = if factor < 0.0 { 1.0 } else { factor };
    floored(size, factor).saturating_add(1 + LIST_COST)
}

/// Returns the cost of looking at everything in a value.
fn traversal(value: &Val<'_>) -> u64 {
    match value {
        Val::String(text) => floored(text.as_str().len() as u64, STRING_FACTOR),
        Val::Bytes(bytes) => floored(bytes.as_slice().len() as u64, STRING_FACTOR),
        Val::List(list) => list_traversal(list),
        Val::Map(map) => map_traversal(map),
        _ => 1,
    }
}

fn list_traversal(list: &List<'_>) -> u64 {
    let costs = list
        .items()
        .map(|item| item.map_or(1, |item| traversal(&item)));
    costs.fold(0, u64::saturating_add)
}

fn map_traversal(map: &Map<'_>) -> u64 {
    let mut cost: u64 = 0;
    for key in map.keys() {
        cost = cost.saturating_add(traversal(&key));
        let value = map.find(&key).ok().flatten();
        cost = cost.saturating_add(value.map_or(1, |value| traversal(&value)));
    }
    cost
}

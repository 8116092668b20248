//! What each function costs at most.

use super::{
    super::{
        ast::{Expr, ExprKind, Literal},
        kind::Type,
    },
    Arg, Coster, Entries, Estimate, LIST_COST, REGEX_FACTOR, Range, STRING_FACTOR, STRUCT_COST,
};

/// Cost of asking an authorizer; an expression may do so twice.
pub(in super::super) const CHECK_COST: u64 = 350_000;

/// How long a pattern of a named format is thought to be.
const FORMAT_PATTERN_LENGTH: f64 = 128.0;

/// Greatest size of a named format.
const FORMAT_SIZE_MAX: u64 = 64;

/// Returns the cost of reading a label or field selector of this length.
pub(in super::super) fn selector_cost(length: Range) -> Range {
    let requirements = length.scaled(0.5).scaled((LIST_COST + STRUCT_COST) as f64);
    Range::fixed(LIST_COST)
        .plus(length.scaled(STRING_FACTOR))
        .plus(requirements)
}

impl<'a> Coster<'a> {
    /// Estimates one overload; the costs of the arguments are part of it.
    pub(super) fn overload(
        &mut self,
        expr: &Expr,
        function: &str,
        id: &str,
        target: Option<Arg<'a>>,
        args: &[Arg<'a>],
        costs: &[Range],
    ) -> Estimate {
        let sum = costs.iter().copied().fold(Range::ZERO, Range::plus);
        let found = self
            .list_function(id, target, args)
            .or_else(|| self.library(function, id, target, args));
        if let Some(found) = found {
            return Estimate {
                cost: found.cost.plus(sum),
                size: found.size,
            };
        }
        self.standard(expr, id, target, args, costs)
            .unwrap_or_else(|| Estimate::cost(Range::ONE.plus(sum)))
    }

    fn of(&self, arg: Arg<'_>) -> Range {
        arg.size
            .or_else(|| self.declared(arg.path))
            .unwrap_or(Range::UNKNOWN)
    }

    /// Functions on lists and sets that bring estimates of their own.
    fn list_function(
        &self,
        id: &str,
        target: Option<Arg<'_>>,
        args: &[Arg<'_>],
    ) -> Option<Estimate> {
        let making = |factor: f64, size: Range| {
            let cost = size.scaled(factor).plus(Range::fixed(1 + LIST_COST));
            Some(Estimate {
                cost,
                size: Some(size),
            })
        };
        let sets = |factor: f64| {
            let [a, b] = args else { return None };
            let product = self.of(*a).times(self.of(*b));
            Some(Estimate::cost(product.scaled(factor).plus(Range::ONE)))
        };
        match id {
            "list_sets_contains_list" | "list_sets_intersects_list" => sets(1.0),
            "list_sets_equivalent_list" => sets(2.0),
            "list_slice" => {
                let [start, end] = args else { return None };
                let size = self.of(target?);
                let (start, end) = (number(*start, 0), number(*end, size.max));
                making(1.0, Range::fixed(end.wrapping_sub(start)))
            }
            "lists_range" => making(1.0, Range::fixed(number(*args.first()?, u64::MAX))),
            "list_reverse" => making(1.0, self.of(target?)),
            "list_flatten" => making(1.0, self.of(target?)),
            "list_flatten_int" => {
                let depth = number(*args.first()?, u64::MAX);
                making(depth as f64, self.of(target?))
            }
            "list_distinct" => {
                let size = self.of(target?);
                making(2.0, size.times(size))
            }
            _ if id.ends_with("_sort") || id.ends_with("_sortByAssociatedKeys") => {
                let keys = if id.ends_with("_sort") {
                    target?
                } else {
                    *args.first()?
                };
                let texts = id.starts_with("list_string_") || id.starts_with("list_bytes_");
                let factor = if texts { 2.0 + STRING_FACTOR } else { 2.0 };
                let size = self.of(keys);
                making(factor, size.times(size))
            }
            _ => None,
        }
    }

    /// Functions of Kubernetes' libraries.
    #[allow(clippy::too_many_lines, reason = "a table of functions, one arm each")]
    fn library(
        &self,
        function: &str,
        id: &str,
        target: Option<Arg<'_>>,
        args: &[Arg<'_>],
    ) -> Option<Estimate> {
        let one = || Some(Estimate::cost(Range::ONE));
        let first = args.first().copied();
        let read = |factor: f64| Some(Estimate::cost(self.of(first?).scaled(factor)));
        match function {
            "check" => Some(Estimate::cost(Range::fixed(CHECK_COST))),
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
            | "getQuery" => one(),
            "fieldSelector" | "labelSelector" => {
                Some(Estimate::cost(selector_cost(self.of(first?))))
            }
            "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" | "includes" => {
                self.traversal(function, target?)
            }
            "url" => {
                let size = self.of(first?);
                Some(Estimate {
                    cost: size.scaled(STRING_FACTOR),
                    size: Some(size),
                })
            }
            "lowerAscii" | "upperAscii" | "substring" | "trim" => {
                let size = self.of(target?);
                Some(Estimate {
                    cost: size.scaled(STRING_FACTOR),
                    size: Some(size),
                })
            }
            "replace" => self.replace(target?, args),
            "split" => {
                let size = self.of(target?);
                let most = match args.get(1).map(|arg| &arg.expr.kind) {
                    #[allow(clippy::cast_sign_loss, reason = "so does upstream")]
                    Some(ExprKind::Literal(Literal::Int(most))) => *most as u64,
                    _ => size.max,
                };
                Some(Estimate {
                    cost: size.scaled(2.0 * STRING_FACTOR),
                    size: Some(Range::new(0, most)),
                })
            }
            "join" => self.join(target?, args),
            "find" | "findAll" => {
                let size = self.of(target?);
                let text = size.plus(Range::ONE).scaled(STRING_FACTOR);
                let pattern = self.of(first?).scaled(REGEX_FACTOR);
                Some(Estimate {
                    cost: text.times(pattern),
                    size: Some(Range::new(0, size.max)),
                })
            }
            "ip" if id == "cidr_ip" => one(),
            "cidr" | "isIP" | "isCIDR" | "ip" | "quantity" | "isQuantity" | "semver"
            | "isSemver" => read(STRING_FACTOR),
            "ip.isCanonical" => read(2.0 * STRING_FACTOR),
            "containsIP" | "containsCIDR" => self.contains(function, id, first?),
            "validate" => {
                let cost = self.of(first?).scaled(STRING_FACTOR);
                Some(Estimate::cost(
                    cost.scaled(FORMAT_PATTERN_LENGTH * REGEX_FACTOR),
                ))
            }
            "_==_" => equality(args),
            _ => None,
        }
    }

    /// Functions that go through a list or a string once.
    fn traversal(&self, function: &str, target: Arg<'_>) -> Option<Estimate> {
        let size = self.of(target);
        if let Some(item) = target.kind.parameters().first() {
            let mut each = Range::ONE;
            if matches!(item, Type::String | Type::Bytes) {
                each = each.plus(self.item_size(target).scaled(STRING_FACTOR));
            }
            return Some(Estimate::cost(size.times(each)));
        }
        if function == "includes" {
            return Some(Estimate::cost(size));
        }
        Some(Estimate::cost(size.scaled(STRING_FACTOR)))
    }

    /// Returns the declared size of the items of a list.
    fn item_size(&self, list: Arg<'_>) -> Range {
        let path = match list.path {
            super::Path::Empty => super::Path::Empty,
            path => self.step(path, "@items"),
        };
        self.declared(path).unwrap_or(Range::UNKNOWN)
    }

    fn replace(&self, target: Arg<'_>, args: &[Arg<'_>]) -> Option<Estimate> {
        let (from, to) = (self.of(*args.first()?), self.of(*args.get(1)?));
        let size = self.of(target);
        let (mut count, mut kept) = (Range::ZERO, Range::ZERO);
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "upstream reckons in floats"
        )]
        let times = |size: u64, part: u64| (size as f64 / part as f64).ceil() as u64;
        if from.min == 0 {
            (count.max, kept.max) = (size.max.saturating_add(1), size.max);
        } else if to.max <= from.min {
            kept.max = size.max;
        } else {
            count.max = times(size.max, from.min);
        }
        if from.max == 0 {
            (count.min, kept.min) = (size.min.saturating_add(1), size.min);
        } else if from.max <= to.min {
            kept.min = size.min;
        } else {
            count.min = times(size.min, from.max);
        }
        Some(Estimate {
            cost: size.scaled(2.0 * STRING_FACTOR),
            size: Some(count.times(to).plus(kept)),
        })
    }

    fn join(&self, target: Arg<'_>, args: &[Arg<'_>]) -> Option<Estimate> {
        let list = self.of(target);
        let mut size = Range::ZERO;
        if !target.kind.parameters().is_empty() {
            size = list.times(self.item_size(target));
        }
        if let Some(separator) = args.first() {
            let count = Range::new(list.min.saturating_sub(1), list.max.saturating_sub(1));
            size = size.plus(self.of(*separator).times(count));
        }
        Some(Estimate {
            cost: size.scaled(STRING_FACTOR),
            size: Some(size),
        })
    }

    fn contains(&self, function: &str, id: &str, other: Arg<'_>) -> Option<Estimate> {
        let address = Range::new(4, 16);
        let mut cost = address.plus(address).scaled(STRING_FACTOR);
        if function == "containsCIDR" {
            cost = cost.plus(address.scaled(STRING_FACTOR)).plus(Range::ONE);
        }
        if id.ends_with("_string") {
            cost = cost.plus(self.of(other).scaled(STRING_FACTOR));
        }
        Some(Estimate::cost(cost))
    }

    /// Functions of the language; none for those that cost one.
    #[allow(clippy::too_many_lines, reason = "a table of functions, one arm each")]
    fn standard(
        &mut self,
        expr: &Expr,
        id: &str,
        target: Option<Arg<'a>>,
        args: &[Arg<'a>],
        costs: &[Range],
    ) -> Option<Estimate> {
        let sum = costs.iter().copied().fold(Range::ZERO, Range::plus);
        let of = |arg: Option<Arg<'_>>| arg?.size.or(Some(Range::UNKNOWN));
        let first = of(args.first().copied());
        let cost = |cost: Range| Some(Estimate::cost(cost.plus(sum)));
        let sized = |cost: Range, size: Range| {
            Some(Estimate {
                cost: cost.plus(sum),
                size: Some(size),
            })
        };
        match id {
            "string_format" => cost(of(target)?.scaled(STRING_FACTOR)),
            "string_to_bytes" => {
                let size = first?;
                let result = Range::new(size.min, size.max.wrapping_mul(4));
                sized(size.scaled(STRING_FACTOR), result)
            }
            "bytes_to_string" => {
                let size = first?;
                sized(
                    size.scaled(STRING_FACTOR),
                    Range::new(size.min / 4, size.max),
                )
            }
            "strings_quote" => {
                let size = first?;
                let most = size.max.wrapping_mul(2).wrapping_add(2);
                sized(
                    size.scaled(STRING_FACTOR),
                    Range::new(size.min.wrapping_add(2), most),
                )
            }
            "starts_with_string" | "ends_with_string" => cost(first?.scaled(STRING_FACTOR)),
            "in_list" => cost(of(args.get(1).copied())?),
            "matches" | "matches_string" => {
                let (text, pattern) = match (target, args) {
                    (Some(text), [pattern]) => (text, *pattern),
                    (None, [text, pattern]) => (*text, *pattern),
                    _ => return None,
                };
                let text = of(Some(text))?.plus(Range::ONE).scaled(STRING_FACTOR);
                cost(text.times(of(Some(pattern))?.scaled(REGEX_FACTOR)))
            }
            "contains_string" => {
                let text = of(target)?.scaled(STRING_FACTOR);
                cost(text.times(first?.scaled(STRING_FACTOR)))
            }
            "logical_or" | "logical_and" => {
                let [left, right] = costs else { return None };
                Some(Estimate::cost(Range::new(left.min, left.plus(*right).max)))
            }
            "conditional" => {
                let ([_, yes, no], [condition, yes_cost, no_cost]) = (args, costs) else {
                    return None;
                };
                let made = Entries::union(self.entries(yes.expr), self.entries(no.expr));
                self.entries.extend(made.map(|made| (expr.id, made)));
                Some(Estimate {
                    cost: condition.plus(yes_cost.union(*no_cost)),
                    size: Some(of(Some(*yes))?.union(of(Some(*no))?)),
                })
            }
            "add_string" | "add_bytes" | "add_list" => {
                let [left, right] = args else { return None };
                let size = of(Some(*left))?.plus(of(Some(*right))?);
                let made = Entries::union(self.entries(left.expr), self.entries(right.expr));
                self.entries.extend(made.map(|made| (expr.id, made)));
                if id == "add_list" {
                    return sized(Range::ONE, size);
                }
                sized(size.scaled(STRING_FACTOR), size)
            }
            "less_string"
            | "greater_string"
            | "less_equals_string"
            | "greater_equals_string"
            | "less_bytes"
            | "greater_bytes"
            | "less_equals_bytes"
            | "greater_equals_bytes"
            | "equals"
            | "not_equals" => {
                let most = first?.max.min(of(args.get(1).copied())?.max);
                let range = Range::new(u64::from(most > 0), most);
                cost(range.scaled(STRING_FACTOR))
            }
            _ => None,
        }
    }
}

/// Returns the number that an argument is, if it is written in the expression.
fn number(arg: Arg<'_>, otherwise: u64) -> u64 {
    match &arg.expr.kind {
        ExprKind::Literal(Literal::Int(number)) => u64::try_from(*number).unwrap_or(0),
        _ => otherwise,
    }
}

fn equality(args: &[Arg<'_>]) -> Option<Estimate> {
    let [left, right] = args else { return None };
    if left.kind != right.kind {
        return None;
    }
    let cost = match (left.kind, left.kind.name()) {
        (Type::Opaque(_), "net.IP" | "net.CIDR") => Range::ONE,
        (Type::Object(_), "kubernetes.NamedFormat") => {
            Range::new(1, FORMAT_SIZE_MAX).scaled(STRING_FACTOR)
        }
        (Type::Object(_), "kubernetes.URL") => {
            let most = right.size.map_or(1, |size| size.max);
            Range::new(1, most).scaled(STRING_FACTOR)
        }
        (Type::Object(object), name)
            if object.decl.is_none()
                && (name.starts_with("kubernetes.authorization.")
                    || matches!(name, "kubernetes.Quantity" | "kubernetes.Semver")) =>
        {
            Range::ONE
        }
        _ => return None,
    };
    Some(Estimate::cost(cost))
}

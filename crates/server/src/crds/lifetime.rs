//! How long custom resources stay, as their definition says in an annotation of our own.
//!
//! `pintle.dev/ttl` holds a duration counted from creation (`24h`), the path of a field (`.spec.ttl`:
//! a time, a duration or whole seconds from creation), or a path and a duration more
//! (`.status.completionTime+1h`). Without it objects stay. No other server knows it.

use std::time::Duration;

use api::{
    Text, Value,
    field::{Error, Path},
    meta::Meta,
    time::parse_duration,
};
use schema::Lifetime;

/// The annotation of a definition.
pub(super) const TTL: &str = "pintle.dev/ttl";

/// Returns what a definition says.
pub(super) fn of(definition: &Value) -> Lifetime {
    let text = Meta::of(definition).annotation(TTL);
    text.and_then(parse).unwrap_or_default()
}

/// Returns what is wrong with the annotation of a definition.
pub(super) fn wrong(definition: &Value) -> Option<Error> {
    let text = Meta::of(definition).annotation(TTL)?;
    if parse(text).is_some() {
        return None;
    }
    let metadata = Path::new("metadata");
    let annotations = metadata.child("annotations");
    let why = "must be a duration like 24h, the path of a field like .spec.ttl, or a path and a duration like .status.completionTime+1h";
    Some(Error::invalid(&annotations.key(TTL), text, why))
}

fn parse(text: &str) -> Option<Lifetime> {
    let span = |text: &str| {
        let nanos = u64::try_from(parse_duration(text).ok()?).ok()?;
        Some(Duration::from_nanos(nanos))
    };
    let Some(path) = text.strip_prefix('.') else {
        return Some(Lifetime::Own {
            path: ["metadata", "creationTimestamp"].map(Text::new).into(),
            more: span(text)?,
        });
    };
    let (path, more) = match path.split_once('+') {
        Some((path, more)) => (path, span(more)?),
        None => (path, Duration::ZERO),
    };
    let path: Vec<Text> = path.split('.').map(Text::new).collect();
    let is_whole = path.iter().all(|name| !name.is_empty());
    is_whole.then_some(Lifetime::Own { path, more })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use api::{Text, value};
    use schema::Lifetime;

    use super::{of, wrong};

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, u64)>) {
        let definition = value!({"metadata": {"annotations": {"pintle.dev/ttl": text}}});
        let expected = expected.map_or(Lifetime::Endless, |(path, seconds)| Lifetime::Own {
            path: path.split('.').map(Text::new).collect(),
            more: Duration::from_secs(seconds),
        });
        assert_eq!(wrong(&definition).is_some(), expected == Lifetime::Endless);
        assert_eq!(of(&definition), expected, "{text}");
    }

    #[test]
    fn reads_durations_and_paths() {
        check("24h", Some(("metadata.creationTimestamp", 86_400)));
        check(".spec.ttl", Some(("spec.ttl", 0)));
        check(
            ".status.completionTime+1m",
            Some(("status.completionTime", 60)),
        );
        for text in ["", "soon", "-1h", ".", ".spec..ttl", ".spec+", ".spec+soon"] {
            check(text, None);
        }
    }

    #[test]
    fn without_it_objects_stay() {
        let definition = value!({"metadata": {}});
        assert_eq!(of(&definition), Lifetime::Endless);
        assert_eq!(wrong(&definition), None);
    }
}

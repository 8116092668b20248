//! One rule of a role.

use api::{Object, Text, Value, quote::quote};

/// What a rule grants: verbs on resources, or on paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rule {
    /// `verbs`
    pub verbs: Vec<Text>,
    /// `apiGroups`
    pub groups: Vec<Text>,
    /// `resources`
    pub resources: Vec<Text>,
    /// `resourceNames`; empty means all.
    pub names: Vec<Text>,
    /// `nonResourceURLs`
    pub paths: Vec<Text>,
}

const ALL: &str = "*";

impl Rule {
    /// Reads one entry of `rules`.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        let texts = |name| {
            let items = value.get(name).and_then(Value::as_array);
            let items = items.unwrap_or_default().iter();
            items
                .map(|item| Text::new(item.as_str().unwrap_or_default()))
                .collect()
        };
        Self {
            verbs: texts("verbs"),
            groups: texts("apiGroups"),
            resources: texts("resources"),
            names: texts("resourceNames"),
            paths: texts("nonResourceURLs"),
        }
    }

    /// Reads the rules of a role.
    #[must_use]
    pub fn all_of(role: &Value) -> Vec<Self> {
        let rules = role.get("rules").and_then(Value::as_array);
        rules.unwrap_or_default().iter().map(Self::of).collect()
    }

    /// Returns the rule as an entry of `rules`, empty lists left out.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let lists = [
            ("verbs", &self.verbs),
            ("apiGroups", &self.groups),
            ("resources", &self.resources),
            ("resourceNames", &self.names),
            ("nonResourceURLs", &self.paths),
        ];
        let mut object = Object::default();
        for (name, texts) in lists {
            if !texts.is_empty() {
                let texts = texts.iter().cloned().map(Value::String).collect();
                object.push(Text::const_new(name), Value::Array(texts));
            }
        }
        Value::Object(object)
    }

    /// Returns whether the rule grants a verb on a resource.
    #[must_use]
    pub fn allows_resource(
        &self,
        verb: &str,
        group: &str,
        resource: &str,
        subresource: &str,
        name: &str,
    ) -> bool {
        has_or_all(&self.verbs, verb)
            && has_or_all(&self.groups, group)
            && self.has_resource(resource, subresource)
            && (self.names.is_empty() || has(&self.names, name))
    }

    /// Returns whether the rule grants a verb on a path.
    #[must_use]
    pub fn allows_path(&self, verb: &str, path: &str) -> bool {
        has_or_all(&self.verbs, verb) && self.paths.iter().any(|known| covers_path(known, path))
    }

    fn has_resource(&self, resource: &str, subresource: &str) -> bool {
        self.resources.iter().any(|known| {
            if known == ALL {
                return true;
            }
            if subresource.is_empty() {
                return known == resource;
            }
            let parent = known.strip_suffix(subresource);
            let parent = parent.and_then(|parent| parent.strip_suffix('/'));
            parent.is_some_and(|parent| parent == resource || parent == ALL)
        })
    }

    /// Splits the rule into rules of one verb, one group, one resource and one name at most.
    #[must_use]
    pub fn atoms(&self) -> Vec<Self> {
        let mut atoms = Vec::new();
        for group in &self.groups {
            for resource in &self.resources {
                for verb in &self.verbs {
                    let atom = Self {
                        verbs: vec![verb.clone()],
                        groups: vec![group.clone()],
                        resources: vec![resource.clone()],
                        ..Self::default()
                    };
                    if self.names.is_empty() {
                        atoms.push(atom.clone());
                    }
                    atoms.extend(self.names.iter().map(|name| Self {
                        names: vec![name.clone()],
                        ..atom.clone()
                    }));
                }
            }
        }
        for path in &self.paths {
            atoms.extend(self.verbs.iter().map(|verb| Self {
                verbs: vec![verb.clone()],
                paths: vec![path.clone()],
                ..Self::default()
            }));
        }
        atoms
    }

    /// Returns whether whoever holds this rule holds `atom` too.
    #[must_use]
    pub fn covers(&self, atom: &Self) -> bool {
        let all =
            |own: &[Text], wanted: &[Text]| has(own, ALL) || wanted.iter().all(|one| has(own, one));
        let names = self.names.is_empty()
            || (!atom.names.is_empty() && atom.names.iter().all(|name| has(&self.names, name)));
        let paths = atom.paths.iter().all(|path| {
            self.paths
                .iter()
                .any(|own| own == path || is_prefix(own, path))
        });
        all(&self.verbs, &atom.verbs)
            && all(&self.groups, &atom.groups)
            && self.covers_resources(&atom.resources)
            && names
            && paths
    }

    fn covers_resources(&self, wanted: &[Text]) -> bool {
        has(&self.resources, ALL)
            || wanted.iter().all(|resource| {
                let below = |(_, subresource): (&str, &str)| {
                    let known = |known: &Text| known.strip_prefix("*/") == Some(subresource);
                    self.resources.iter().any(known)
                };
                has(&self.resources, resource) || resource.split_once('/').is_some_and(below)
            })
    }

    /// Returns the rule as upstream prints it in refusals: `{APIGroups:["a"], Verbs:["b"]}`.
    #[must_use]
    pub fn compact(&self) -> String {
        let lists = [
            ("APIGroups", &self.groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.paths),
            ("ResourceNames", &self.names),
            ("Verbs", &self.verbs),
        ];
        let parts: Vec<String> = lists
            .iter()
            .filter(|(_, texts)| !texts.is_empty())
            .map(|(name, texts)| format!("{name}:{}", quoted(texts)))
            .collect();
        format!("{{{}}}", parts.join(", "))
    }
}

/// Returns texts as Go prints a slice with `%q`: `["a" "b"]`.
pub(super) fn quoted(texts: &[Text]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quote(text)).collect();
    format!("[{}]", texts.join(" "))
}

fn has(texts: &[Text], wanted: &str) -> bool {
    texts.iter().any(|text| text == wanted)
}

fn has_or_all(texts: &[Text], wanted: &str) -> bool {
    texts.iter().any(|text| text == wanted || text == ALL)
}

fn covers_path(known: &str, path: &str) -> bool {
    known == path || is_prefix(known, path)
}

/// Returns whether `known` ends with `*` and `path` begins with what stands before.
fn is_prefix(known: &str, path: &str) -> bool {
    known.ends_with(ALL) && path.starts_with(known.trim_end_matches('*'))
}

//! Makes kinds of the lines that describe resources.

use std::{collections::HashMap, sync::Arc};

use api::{GroupVersion, Gvk, Text};
use schema::{
    Column, Conversion, Generation, Kind, KindVersion, Lifetime, Names, ScalePaths, Scope,
    Selectable, Shape, Subresource, Traits, View, kind::Verbs,
};

use crate::{
    EVENT_LIFE, Facts, behavior,
    data::{DataError, Line},
    defaults::Plan,
    folds, names,
    prepare::Owned,
};

/// The resources of the data file, in the order of their lines.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    version: Option<GroupVersion>,
    all: Vec<Resource>,
}

/// One resource in one version.
#[derive(Debug)]
struct Resource {
    line: usize,
    group_version: GroupVersion,
    names: Names,
    scope: Scope,
    verbs: Verbs,
    /// Empty for those that are never stored.
    key: Text,
    hash: Text,
    stored: Option<GroupVersion>,
    traits: Traits,
    facts: Facts,
    deprecation: Option<Text>,
    columns: Vec<Column>,
    selectable: Vec<Selectable>,
    subresources: Vec<Sub>,
}

#[derive(Debug)]
struct Sub {
    line: usize,
    name: Text,
    group_version: GroupVersion,
    kind: Text,
    verbs: Verbs,
}

impl Resources {
    pub(crate) fn version(&mut self, version: GroupVersion) {
        self.version = Some(version);
    }

    pub(crate) fn open(&mut self, mut line: Line<'_>) -> Result<(), DataError> {
        let number = line.number;
        let group_version = self
            .version
            .clone()
            .ok_or(DataError::Stray { line: number })?;
        let mut made = Resource {
            line: number,
            group_version,
            names: Names {
                plural: line.word("the resource")?.into(),
                kind: line.word("its kind")?.into(),
                ..Names::default()
            },
            scope: match line.word("its scope")? {
                "namespaced" => Scope::Namespaced,
                "cluster" => Scope::Cluster,
                other => return Err(line.unknown(other)),
            },
            verbs: Vec::new(),
            key: Text::default(),
            hash: Text::default(),
            stored: None,
            traits: Traits::default(),
            facts: Facts::default(),
            deprecation: None,
            columns: Vec::new(),
            selectable: Vec::new(),
            subresources: Vec::new(),
        };
        made.traits.name_rule = names::rule(&made.group_version.group, &made.names.kind);
        for (option, value) in line.clone().options() {
            made.option(option, value)
                .ok_or_else(|| line.unknown(option))?;
        }
        self.all.push(made);
        Ok(())
    }

    /// Reads a line that belongs to the resource above it.
    pub(crate) fn below(&mut self, mut line: Line<'_>) -> Result<(), DataError> {
        let number = line.number;
        let last = self.all.last_mut();
        let resource = last.ok_or(DataError::Stray { line: number })?;
        match line.word("a word")? {
            "select" => resource.select(line)?,
            "column" => {
                let heading = line.tail(5);
                resource.columns.push(Column {
                    kind: line.word("the type")?.into(),
                    format: line.word("the format")?.trim_matches('-').into(),
                    priority: line.number("the priority")?,
                    name: heading.into(),
                    description: Text::default(),
                    path: Text::default(),
                    expression: None,
                });
            }
            "deprecated" => resource.deprecation = Some(line.tail(1).into()),
            "sub" => resource.sub(line)?,
            other => return Err(line.unknown(other)),
        }
        Ok(())
    }

    /// Makes the kinds. Resources that lie under the same keys are versions of one kind.
    pub(crate) fn finish(
        self,
        shapes: &HashMap<Gvk, Shape>,
        plan: &Arc<Plan>,
    ) -> Result<(Vec<Kind>, Vec<Facts>), DataError> {
        let mut made: Vec<(Kind, Facts)> = Vec::with_capacity(self.all.len());
        let mut places: HashMap<Text, usize> = HashMap::new();
        for resource in self.all {
            let known = places.get(&resource.key).copied();
            let is_stored = resource.stored.is_none();
            let (key, facts) = (resource.key.clone(), resource.facts.clone());
            let (mut kind, version) = resource.kind(shapes, plan)?;
            let Some(place) = known else {
                if !key.is_empty() {
                    places.insert(key, made.len());
                }
                kind.versions.push(version);
                made.push((kind, facts));
                continue;
            };
            let (first, first_facts) = &mut made[place];
            first.conversion = Conversion::Behavior;
            if is_stored {
                // The stored version is the preferred one, and gives the kind its names and traits.
                kind.versions.push(version);
                kind.versions.append(&mut first.versions);
                kind.conversion = Conversion::Behavior;
                (*first, *first_facts) = (kind, facts);
            } else {
                first.versions.push(version);
            }
        }
        made.sort_by(|(a, _), (b, _)| {
            (a.group(), &a.names.plural).cmp(&(b.group(), &b.names.plural))
        });
        Ok(made.into_iter().unzip())
    }
}

impl Resource {
    /// Takes in one word of the line; `None` if nobody knows it.
    fn option(&mut self, option: &str, value: &str) -> Option<()> {
        match option {
            "verbs" => self.verbs = list(value),
            "singular" => self.names.singular = value.into(),
            "short" => self.names.short_names = list(value),
            "categories" => self.names.categories = list(value),
            "list" => self.names.list_kind = value.into(),
            "key" => self.key = value.into(),
            "hash" => self.hash = value.into(),
            "stored" => self.stored = Some(GroupVersion::parse(value)?),
            "virtual" => self.traits.virtual_kind = true,
            "unconditionalUpdate" => self.traits.unconditional_update = true,
            "createOnUpdate" => self.traits.create_on_update = true,
            "returnsDeleted" => self.traits.returns_deleted = true,
            "graceful" => self.facts.graceful = true,
            "gc" if value == "OrphanDependents" => self.facts.orphans_by_default = true,
            "gc" if value == "Unsupported" => self.facts.uncollected = true,
            "ttl" if value == "1h0m0s" => self.facts.ttl_seconds = Some(3600),
            "resets" => self.facts.resets.push((Text::default(), list(value))),
            "createIgnores" => self.facts.create_ignores = list(value),
            "updateIgnores" => {
                let ignored = (Text::default(), list(value));
                self.facts.update_ignores.push(ignored);
            }
            "generation" => {
                self.facts.generation = list(value);
                self.traits.generation = generation(&self.facts.generation);
            }
            _ => return None,
        }
        Some(())
    }

    fn select(&mut self, mut line: Line<'_>) -> Result<(), DataError> {
        let label = line.word("the label")?;
        let (mut path, mut otherwise, mut absent) = (label, "", "");
        for (option, value) in line.clone().options() {
            match option {
                "path" => path = value,
                "otherwise" => otherwise = value,
                "absent" => absent = value,
                _ => return Err(line.unknown(option)),
            }
        }
        self.selectable.push(Selectable {
            label: label.into(),
            path: path.split('.').map(Text::from).collect(),
            otherwise: otherwise.split_terminator('.').map(Text::from).collect(),
            absent: absent.into(),
        });
        Ok(())
    }

    fn sub(&mut self, mut line: Line<'_>) -> Result<(), DataError> {
        let mut made = Sub {
            line: line.number,
            name: line.word("the subresource")?.into(),
            group_version: line.version()?,
            kind: line.word("its kind")?.into(),
            verbs: Vec::new(),
        };
        for (option, value) in line.clone().options() {
            let door = made.name.clone();
            match option {
                "verbs" => made.verbs = list(value),
                "resets" => self.facts.resets.push((door, list(value))),
                "updateIgnores" => self.facts.update_ignores.push((door, list(value))),
                // The same paths as through the main door, or fewer; and what a query looks like
                // is for whoever serves it.
                "generation" | "options" => {}
                _ => return Err(line.unknown(option)),
            }
        }
        self.subresources.push(made);
        Ok(())
    }

    fn kind(
        self,
        shapes: &HashMap<Gvk, Shape>,
        plan: &Arc<Plan>,
    ) -> Result<(Kind, KindVersion), DataError> {
        let owned = Owned {
            // Texts of secrets are no less the client's for being moved.
            create: self
                .facts
                .create_ignores
                .iter()
                .filter(|path| *path != "stringData")
                .cloned()
                .collect(),
            update: self.facts.update_ignores.clone(),
        };
        let (group, name) = (&self.group_version.group, &self.names.kind);
        let behavior = behavior::of(group, name, owned, plan);
        let mut traits = self.traits;
        traits.orphans_by_default = self.facts.orphans_by_default;
        traits.uncollected = self.facts.uncollected;
        traits.spec_finalizers = group.is_empty() && name == "Namespace";
        if group.is_empty() && name == "Binding" {
            traits.stands_for = Some((("", "pods"), "binding"));
        }
        traits.relaxed = matches!(name.as_str(), "Event" | "Lease");
        if name == "Event" {
            traits.lifetime = Lifetime::AfterWrite(EVENT_LIFE);
        }
        let shape = shape(shapes, &self.group_version, &self.names.kind, self.line)?;
        let mut subresources = Vec::with_capacity(self.subresources.len());
        for sub in self.subresources {
            subresources.push(Subresource {
                view: view(&sub.name),
                shape: shape_of_sub(shapes, &sub)?,
                name: sub.name,
                kind: sub.kind,
                group_version: sub.group_version,
                verbs: sub.verbs,
            });
        }
        let mut facts = self.facts;
        facts.stored_upstream = self.stored;
        let version = KindVersion {
            group_version: self.group_version,
            served: true,
            shape,
            verbs: self.verbs,
            subresources,
            columns: self.columns,
            deprecation: self.deprecation,
            selectable: self.selectable,
            storage_hash: self.hash,
        };
        let kind = Kind {
            names: self.names,
            scope: self.scope,
            versions: Vec::new(),
            storage: 0,
            key_prefix: self.key,
            conversion: Conversion::None,
            behavior,
            traits,
        };
        Ok((kind, version))
    }
}

fn shape_of_sub(shapes: &HashMap<Gvk, Shape>, sub: &Sub) -> Result<Shape, DataError> {
    shape(shapes, &sub.group_version, &sub.kind, sub.line)
}

fn shape(
    shapes: &HashMap<Gvk, Shape>,
    group_version: &GroupVersion,
    kind: &Text,
    line: usize,
) -> Result<Shape, DataError> {
    let gvk = Gvk {
        group_version: group_version.clone(),
        kind: kind.clone(),
    };
    let found = shapes.get(&gvk).cloned();
    found.ok_or_else(|| DataError::NoType {
        line,
        name: gvk.to_string(),
    })
}

fn list(words: &str) -> Vec<Text> {
    words.split(',').map(Text::from).collect()
}

/// Returns the rule that comes nearest to upstream's paths; [`Facts::generation`] has them all.
fn generation(paths: &[Text]) -> Generation {
    let moves = |path: &str| paths.iter().any(|known| known == path);
    if moves("never") {
        Generation::Constant
    } else if moves("spec") && moves("metadata.annotations") {
        Generation::SpecAndAnnotations
    } else if moves("metadata.labels") {
        Generation::AllButStatusAndLabels
    } else if moves("spec") {
        Generation::Spec
    } else {
        Generation::AllButStatus
    }
}

fn view(name: &str) -> View {
    let path = |path: &str| path.split('.').map(Text::from).collect();
    match name {
        "status" => View::Status,
        // Every built-in that scales does it by the same three paths.
        "scale" => View::Scale(ScalePaths {
            spec: path("spec.replicas"),
            status: path("status.replicas"),
            selector: path("spec.selector"),
        }),
        name => folds::of(name).unwrap_or(View::Service),
    }
}

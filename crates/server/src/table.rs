//! Tables: what `kubectl get` prints.
//!
//! A kind's behaviour makes the cells, or its columns say where each cell lies; a kind that has
//! neither shows name and age.

use api::{Status, Text, Value, json, value};
use schema::{Column, Occasion};

use crate::{
    collection::Stored,
    media::MetaVersion,
    registry::Resource,
    render::{self, Include, Showing},
};

const NAME_DESCRIPTION: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const CREATED_DESCRIPTION: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

const DESIRED_DESCRIPTION: &str =
    "replicas is the desired number of instances for the scaled object.";
const AVAILABLE_DESCRIPTION: &str =
    "replicas is the actual number of observed instances of the scaled object.";

/// Appends a table up to the bracket that opens its rows.
pub(crate) fn put_start(
    showing: &Showing,
    version: MetaVersion,
    revision: &str,
    continue_token: &str,
    remaining: Option<usize>,
    out: &mut Vec<u8>,
) {
    put_head(version, revision, continue_token, remaining, out);
    json::write(&definitions(&showing.resource), out);
    out.extend_from_slice(br#","rows":["#);
}

/// Appends a table up to the definitions of its columns.
fn put_head(
    version: MetaVersion,
    revision: &str,
    continue_token: &str,
    remaining: Option<usize>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(br#"{"kind":"Table","apiVersion":"meta.k8s.io/"#);
    out.extend_from_slice(version.as_str().as_bytes());
    out.extend_from_slice(br#"","metadata":"#);
    put_list_meta(revision, continue_token, remaining, out);
    out.extend_from_slice(br#","columnDefinitions":"#);
}

/// Appends the start of a table whose columns the client knows already (later events of a watch).
pub(crate) fn put_start_bare(version: MetaVersion, revision: &str, out: &mut Vec<u8>) {
    put_head(version, revision, "", None, out);
    out.extend_from_slice(br#"null,"rows":["#);
}

/// Appends the metadata of a list.
pub(crate) fn put_list_meta(
    revision: &str,
    continue_token: &str,
    remaining: Option<usize>,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    if !revision.is_empty() {
        out.extend_from_slice(br#""resourceVersion":"#);
        json::write_string(revision, out);
    }
    if !continue_token.is_empty() {
        out.extend_from_slice(br#","continue":"#);
        json::write_string(continue_token, out);
    }
    if let Some(remaining) = remaining.filter(|count| *count > 0) {
        out.extend_from_slice(br#","remainingItemCount":"#);
        out.extend_from_slice(itoa::Buffer::new().format(remaining).as_bytes());
    }
    out.push(b'}');
}

/// Appends one row.
///
/// # Errors
/// The refusal of a conversion that fails.
pub(crate) fn put_row(
    showing: &Showing,
    version: MetaVersion,
    object: &Stored,
    out: &mut Vec<u8>,
) -> Result<(), Status> {
    let resource = &showing.resource;
    let tree = tree(resource, object)?;
    out.extend_from_slice(br#"{"cells":["#);
    for (place, cell) in cells(showing, &tree).iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        json::write(cell, out);
    }
    out.extend_from_slice(br#"],"object":"#);
    match showing.include {
        Include::None => out.extend_from_slice(b"null"),
        Include::Metadata => render::put_partial(resource, object, version, out)?,
        Include::Object => out.extend_from_slice(&render::json(resource, object)?),
    }
    out.push(b'}');
    Ok(())
}

/// Returns what of an object its cells may be made from.
fn tree(resource: &Resource, object: &Stored) -> Result<Value, Status> {
    let parts = resource.kind().behavior.table_parts();
    if !parts.is_empty()
        && resource.is_stored()
        && let Some(partial) = json::read_parts(&object.bytes, parts)
    {
        return Ok(partial);
    }
    render::tree(resource, object)
}

fn cells(showing: &Showing, tree: &Value) -> Vec<Value> {
    let resource = &showing.resource;
    let occasion = Occasion {
        now: showing.now,
        group_version: &resource.version().group_version,
        asked: &resource.version().group_version,
        subresource: "",
        asker: schema::Asker::NOBODY,
    };
    if let Some(cells) = resource.kind().behavior.table(occasion, tree) {
        return cells;
    }
    if let Some(columns) = &showing.columns {
        return columns.cells(tree, showing.now);
    }
    let name = tree.str_at(&["metadata", "name"]).unwrap_or_default();
    let created = tree.at(&["metadata", "creationTimestamp"]).cloned();
    vec![Value::from(name), created.unwrap_or_default()]
}

/// Returns a scale as a table.
///
/// Source: k8s.io/kubernetes, pkg/printers/internalversion/printers.go (`printScale`).
pub(crate) fn of_scale(scale: &Value, version: MetaVersion, showing: &Showing) -> Vec<u8> {
    let number = |part: &str| {
        let found = scale.at(&[part, "replicas"]).and_then(Value::as_int);
        Value::Int(found.unwrap_or(0))
    };
    let text = |name: &str| scale.str_at(&["metadata", name]).unwrap_or_default();
    let created = api::time::parse(text("creationTimestamp")).ok();
    let columns = [
        ("Name", "string", NAME_DESCRIPTION),
        ("Desired", "integer", DESIRED_DESCRIPTION),
        ("Available", "integer", AVAILABLE_DESCRIPTION),
        ("Age", "string", CREATED_DESCRIPTION),
    ];
    let columns = columns.map(|(name, kind, text)| definition(&column(name, kind, "", text)));
    let cells = value!([
        (text("name")),
        (number("spec")),
        (number("status")),
        (Value::string(schema::columns::age(created, showing.now))),
    ]);
    let mut bytes = Vec::new();
    put_head(version, text("resourceVersion"), "", None, &mut bytes);
    json::write(&Value::Array(columns.into()), &mut bytes);
    bytes.extend_from_slice(br#","rows":[{"cells":"#);
    json::write(&cells, &mut bytes);
    bytes.extend_from_slice(br#","object":"#);
    match showing.include {
        Include::None => bytes.extend_from_slice(b"null"),
        Include::Metadata => put_partial_scale(scale, version, &mut bytes),
        Include::Object => json::write(scale, &mut bytes),
    }
    bytes.extend_from_slice(b"}]}");
    bytes
}

/// Appends the metadata of a scale alone.
pub(crate) fn put_partial_scale(scale: &Value, version: MetaVersion, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/"#);
    out.extend_from_slice(version.as_str().as_bytes());
    out.extend_from_slice(br#"","metadata":"#);
    json::write(scale.get("metadata").unwrap_or(&Value::Null), out);
    out.push(b'}');
}

/// Returns the definitions of a version's columns.
fn definitions(resource: &Resource) -> Value {
    let columns = &resource.version().columns;
    if !columns.is_empty() {
        return Value::Array(columns.iter().map(definition).collect());
    }
    Value::Array(vec![
        definition(&column("Name", "string", "name", NAME_DESCRIPTION)),
        definition(&column("Created At", "date", "", CREATED_DESCRIPTION)),
    ])
}

fn column(
    name: &'static str,
    kind: &'static str,
    format: &'static str,
    description: &str,
) -> Column {
    Column {
        name: Text::const_new(name),
        kind: Text::const_new(kind),
        format: Text::const_new(format),
        description: Text::new(description),
        priority: 0,
        path: Text::default(),
        expression: None,
    }
}

fn definition(column: &Column) -> Value {
    value!({
        "name": (column.name.clone()),
        "type": (column.kind.clone()),
        "format": (column.format.clone()),
        "description": (column.description.clone()),
        "priority": (i64::from(column.priority)),
    })
}

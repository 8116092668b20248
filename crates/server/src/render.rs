//! The forms in which an object is shown: versions, media types, metadata alone.
//!
//! What is shown most often, the stored version as JSON, is handed out as it lies. Everything else
//! is made from it on demand.

use api::{Gvk, Status, Value, json};
use base::WallTime;
use bytes::Bytes;
use schema::{Conversion, Kind, Unknown, columns::Columns, proto};

use crate::{
    Accepted, Answer, Call, Content, Form, Media, collection::Stored, convert, media::MetaVersion,
    registry::Resource, table,
};

/// Returns an object as JSON in the version asked for.
///
/// # Errors
/// The refusal of a conversion that fails.
pub(crate) fn json(resource: &Resource, object: &Stored) -> Result<Bytes, Status> {
    let as_it_lies = if resource.kind().traits.custom {
        !object.loaded && convert::is_in(&object.bytes, &resource.version().group_version)
    } else {
        resource.is_stored()
    };
    if as_it_lies {
        return Ok(object.bytes.clone());
    }
    let mut bytes = Vec::with_capacity(object.bytes.len() + 64);
    json::write(&tree(resource, object)?, &mut bytes);
    Ok(Bytes::from(bytes))
}

/// Returns an object as a tree in the version asked for.
///
/// # Errors
/// The refusal of a conversion that fails.
pub(crate) fn tree(resource: &Resource, object: &Stored) -> Result<Value, Status> {
    let value = parse(&object.bytes)?;
    if resource.is_stored() && !resource.kind().traits.custom {
        return Ok(value);
    }
    let from = standing(resource.kind(), &value)?;
    convert(resource, from, resource.place, value)
}

/// Returns the place of the version in which an object from the store stands. Of a custom resource
/// the definition may have changed since it was written.
///
/// # Errors
/// 500 for a version that is no longer defined.
pub(crate) fn standing(kind: &Kind, value: &Value) -> Result<usize, Status> {
    if kind.traits.custom {
        return convert::standing(kind, value);
    }
    Ok(kind.storage)
}

/// Returns canonical bytes of the store as a tree.
///
/// # Errors
/// 500: bytes in the store are always JSON.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Status> {
    json::read(bytes)
        .map(|parsed| parsed.value)
        .map_err(Status::internal)
}

/// Turns an object of the version at place `from` into the one at place `to`.
///
/// Custom resources are pruned and defaulted by the new version's schema, also when it is the same
/// one: the schema may have changed since the object was written.
///
/// # Errors
/// The refusal of a conversion that fails.
pub(crate) fn convert(
    resource: &Resource,
    from: usize,
    to: usize,
    value: Value,
) -> Result<Value, Status> {
    convert_as(resource.kind(), from, to, value)
}

/// Returns an object of a kind in another of its versions.
///
/// # Errors
/// The refusal of a conversion that fails.
pub(crate) fn convert_as(
    kind: &Kind,
    from: usize,
    to: usize,
    mut value: Value,
) -> Result<Value, Status> {
    let target = &kind.versions[to];
    if from != to {
        match &kind.conversion {
            Conversion::Behavior => {
                value = kind.behavior.convert(value, &target.group_version)?;
            }
            // Whoever comes here has asked the webhook before.
            Conversion::Webhook(_) => return Err(Status::internal("it is not converted yet")),
            Conversion::None => {
                let api_version = target.group_version.to_string();
                value.set_at(&["apiVersion"], Value::string(api_version));
            }
        }
    }
    if from != to || kind.traits.custom {
        schema::decode(&target.shape, &mut value, &mut Unknown::ignore())
            .map_err(Status::internal)?;
        schema::default(&target.shape, &mut value);
    }
    Ok(value)
}

/// Returns the protobuf message of an object in the version asked for, without envelope.
///
/// # Errors
/// The refusal of a conversion that fails.
pub(crate) fn message(resource: &Resource, object: &Stored) -> Result<Bytes, Status> {
    let shape = &resource.version().shape;
    if resource.is_stored() {
        return object.protobuf(|bytes| Ok(Bytes::from(proto::object(shape, &parse(bytes)?))));
    }
    Ok(Bytes::from(proto::object(shape, &tree(resource, object)?)))
}

/// Appends an object's metadata as a `PartialObjectMetadata`.
///
/// # Errors
/// The refusal of a conversion that fails.
pub(crate) fn put_partial(
    resource: &Resource,
    object: &Stored,
    version: MetaVersion,
    out: &mut Vec<u8>,
) -> Result<(), Status> {
    out.extend_from_slice(br#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/"#);
    out.extend_from_slice(version.as_str().as_bytes());
    out.extend_from_slice(br#"","metadata":"#);
    if resource.is_stored() || resource.kind().traits.custom {
        put_metadata(resource, object, out)?;
    } else {
        let tree = tree(resource, object)?;
        match tree.get("metadata") {
            Some(metadata) => json::write(metadata, out),
            None => out.extend_from_slice(b"{}"),
        }
    }
    out.push(b'}');
    Ok(())
}

/// Appends metadata in the order of a built-in's fields; custom resources keep theirs sorted.
fn put_metadata(resource: &Resource, object: &Stored, out: &mut Vec<u8>) -> Result<(), Status> {
    let Some(shape) = partial_shape(resource) else {
        out.extend_from_slice(object.metadata());
        return Ok(());
    };
    let mut metadata = parse(object.metadata())?;
    schema::decode(&shape, &mut metadata, &mut Unknown::ignore()).map_err(Status::internal)?;
    json::write(&metadata, out);
    Ok(())
}

/// Returns the shape of `ObjectMeta` for kinds whose own metadata is written in another order.
fn partial_shape(resource: &Resource) -> Option<schema::Shape> {
    resource.version().shape.table().meta().cloned()
}

/// Returns an object's metadata as the protobuf message of a `PartialObjectMetadata`.
///
/// # Errors
/// The refusal of a conversion that fails.
pub(crate) fn partial_message(resource: &Resource, object: &Stored) -> Result<Vec<u8>, Status> {
    let value = parse(object.metadata())?;
    let shape = meta_shape(resource).ok_or_else(|| Status::internal("the kind has no metadata"))?;
    let metadata = proto::object(&shape, &value);
    // `PartialObjectMetadata` has the metadata in field 1.
    let mut message = Vec::with_capacity(metadata.len() + 4);
    put_bytes_field(1, &metadata, &mut message);
    Ok(message)
}

/// Returns the shape of the version's `metadata`.
pub(crate) fn meta_shape(resource: &Resource) -> Option<schema::Shape> {
    let shape = &resource.version().shape;
    if let Some(meta) = shape.table().meta() {
        return Some(meta.clone());
    }
    match &shape.node().form {
        schema::Form::Struct(fields) => fields
            .field("metadata")
            .map(|field| shape.part(field.shape)),
        _ => None,
    }
}

/// Appends a length-delimited protobuf field.
pub(crate) fn put_bytes_field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}

/// How a client wants objects to be shown.
#[derive(Clone)]
pub(crate) struct Showing {
    /// What is asked for, in which version.
    pub(crate) resource: Resource,
    /// What was agreed.
    pub(crate) accepted: Accepted,
    /// What the rows of a table carry.
    pub(crate) include: Include,
    /// Date and time of the request: tables show ages.
    pub(crate) now: WallTime,
    /// Columns of a table that say themselves where their cells lie.
    pub(crate) columns: Option<Columns>,
}

/// What the rows of a table carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Include {
    /// Nothing beside the cells.
    None,
    /// The object's metadata.
    #[default]
    Metadata,
    /// The object.
    Object,
}

impl Include {
    /// Reads `includeObject`.
    ///
    /// # Errors
    /// 400 for another word.
    pub(crate) fn read(text: &str) -> Result<Self, Status> {
        match text {
            "None" => Ok(Self::None),
            "" | "Metadata" => Ok(Self::Metadata),
            "Object" => Ok(Self::Object),
            other => Err(Status::bad_request(format!(
                "unrecognized includeObject value: {}",
                api::quote::quote(other)
            ))),
        }
    }
}

impl Showing {
    /// Returns how this request's objects are to be shown.
    ///
    /// # Errors
    /// 400 for options that cannot be read.
    pub(crate) fn of(call: &Call, resource: &Resource) -> Result<Self, Status> {
        let mut include = Include::default();
        let mut columns = None;
        if let Form::Table(_) = call.accepted.form {
            include = Include::read(&call.options.include_object)?;
            let given = &resource.version().columns;
            columns = (!given.is_empty()).then(|| Columns::new(given));
        }
        Ok(Self {
            resource: resource.clone(),
            accepted: call.accepted,
            include,
            now: call.received,
            columns,
        })
    }

    /// Returns the answer that shows one object.
    ///
    /// # Errors
    /// The refusal of a conversion that fails.
    pub(crate) fn answer(&self, code: u16, object: &Stored) -> Result<Answer, Status> {
        let resource = &self.resource;
        let content = match self.accepted.form {
            Form::Object if self.accepted.media == Media::Protobuf => {
                Content::Encoded(enveloped(resource, object)?)
            }
            Form::Object => Content::Bytes {
                json: json(resource, object)?,
                gvk: resource.gvk(),
                shape: resource.version().shape.clone(),
            },
            Form::PartialObjectMetadata(version) | Form::PartialObjectMetadataList(version) => {
                partial_content(resource, self.accepted.media, version, object)?
            }
            Form::Table(version) => {
                let revision = object.revision.to_string();
                let mut bytes = Vec::new();
                table::put_start(self, version, &revision, "", None, &mut bytes);
                table::put_row(self, version, object, &mut bytes)?;
                bytes.extend_from_slice(b"]}");
                Content::Bytes {
                    json: Bytes::from(bytes),
                    gvk: Gvk::new("meta.k8s.io", version.as_str(), "Table"),
                    shape: schema::Shape::any(),
                }
            }
        };
        Ok(Answer::Object {
            code,
            accepted: self.accepted,
            content,
        })
    }
}

/// Returns an object as enveloped protobuf in the version asked for.
///
/// # Errors
/// The refusal of a conversion that fails.
pub(crate) fn enveloped(resource: &Resource, object: &Stored) -> Result<Bytes, Status> {
    let message = message(resource, object)?;
    let api_version = resource.version().group_version.to_string();
    let kind = &resource.kind().names.kind;
    Ok(Bytes::from(proto::envelope(&api_version, kind, &message)))
}

fn partial_content(
    resource: &Resource,
    media: Media,
    version: MetaVersion,
    object: &Stored,
) -> Result<Content, Status> {
    if media == Media::Protobuf {
        let message = partial_message(resource, object)?;
        let api_version = format!("meta.k8s.io/{}", version.as_str());
        let bytes = proto::envelope(&api_version, "PartialObjectMetadata", &message);
        return Ok(Content::Encoded(Bytes::from(bytes)));
    }
    let mut bytes = Vec::new();
    put_partial(resource, object, version, &mut bytes)?;
    Ok(Content::Bytes {
        json: Bytes::from(bytes),
        gvk: Gvk::new("meta.k8s.io", version.as_str(), "PartialObjectMetadata"),
        shape: schema::Shape::any(),
    })
}

//! The frames of a watch: lines of JSON, or length-prefixed protobuf.

use api::{Gvk, Status, Value, json, value};
use bytes::Bytes;
use schema::proto;
use store::Revision;

use crate::{
    Form, Media,
    collection::{Change, FrameKey, Stored},
    media::MetaVersion,
    registry::Resource,
    render::{self, Include, Showing},
    table,
};

/// Room for what a frame says around its object.
const FRAME_BYTES: usize = 48;

/// Marks the bookmark after the initial objects.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Added,
    Modified,
    Deleted,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// Makes the frames of one watch.
pub(crate) struct Framer {
    showing: Showing,
    /// The client of a table has not been told the columns yet.
    tells_columns: bool,
}

impl Framer {
    pub(crate) fn new(showing: Showing) -> Self {
        Self {
            showing,
            tells_columns: true,
        }
    }

    pub(crate) fn resource(&self) -> &Resource {
        &self.showing.resource
    }

    /// Returns the frame of a change, which all watchers share who want it in this form.
    ///
    /// `converted` is the object to show where it had to be converted first: that after the change,
    /// or for a deletion that before it.
    pub(crate) fn shared(
        &mut self,
        kind: Kind,
        change: &Change,
        converted: Option<&Stored>,
    ) -> Result<Bytes, Status> {
        let key = FrameKey {
            place: self.showing.resource.place,
            form: self.form_bits(kind),
        };
        let frame = change.frame(key, || {
            // Frames are kept, so they take no more than they need.
            let mut frame = Vec::with_capacity(change.object.bytes.len() + FRAME_BYTES);
            // A deletion shows the last state with the deletion's revision, whether the object is
            // gone or only out of the selection.
            let stamped = change.deleted && change.object.revision == change.revision;
            let gone = match (kind, converted.or(change.before.as_deref())) {
                (Kind::Deleted, Some(before)) if !stamped => {
                    Some(Stored::new(before.at(change.revision), change.revision))
                }
                _ => None,
            };
            let object = gone.as_ref().or(converted).unwrap_or(&change.object);
            self.write(kind, object, &mut frame)?;
            frame.shrink_to_fit();
            Ok(Bytes::from(frame))
        });
        self.tells_columns = false;
        frame
    }

    /// Appends the frame of an object.
    pub(crate) fn put(
        &mut self,
        kind: Kind,
        object: &Stored,
        out: &mut Vec<u8>,
    ) -> Result<(), Status> {
        self.write(kind, object, out)?;
        self.tells_columns = false;
        Ok(())
    }

    /// Returns the frame that says: everything up to `revision` was sent.
    pub(crate) fn bookmark(&self, revision: Revision, ends_initial: bool) -> Bytes {
        let resource = &self.showing.resource;
        let form = self.showing.accepted.form;
        let gvk = match form {
            Form::Object => resource.gvk(),
            Form::Table(version) => Gvk::new("meta.k8s.io", version.as_str(), "Table"),
            Form::PartialObjectMetadata(version) | Form::PartialObjectMetadataList(version) => {
                Gvk::new("meta.k8s.io", version.as_str(), "PartialObjectMetadata")
            }
        };
        let is_table = matches!(form, Form::Table(_));
        let mut metadata = value!({"resourceVersion": (Value::string(revision.to_string()))});
        if ends_initial && !is_table {
            metadata.set_at(&["annotations", INITIAL_EVENTS_END], Value::from("true"));
        }
        let api_version = gvk.group_version.to_string();
        if self.showing.accepted.media == Media::Protobuf && !is_table {
            // Every object has its metadata in field 1.
            let mut message = Vec::new();
            if let Some(shape) = render::meta_shape(resource) {
                render::put_bytes_field(1, &proto::object(&shape, &metadata), &mut message);
            }
            let enveloped = proto::envelope(&api_version, &gvk.kind, &message);
            return Bytes::from(proto::watch_frame("BOOKMARK", &enveloped));
        }
        let mut object = value!({
            "kind": (gvk.kind.clone()),
            "apiVersion": (Value::string(api_version)),
            "metadata": (metadata),
        });
        if is_table {
            object.set_at(&["columnDefinitions"], Value::Null);
            object.set_at(&["rows"], Value::Array(Vec::new()));
        }
        let mut frame = br#"{"type":"BOOKMARK","object":"#.to_vec();
        json::write(&object, &mut frame);
        frame.extend_from_slice(b"}\n");
        Bytes::from(frame)
    }

    /// Returns the frame of a refusal.
    pub(crate) fn error(&self, status: &Status) -> Bytes {
        if self.showing.accepted.media == Media::Protobuf {
            let enveloped = crate::status_proto::enveloped(status);
            return Bytes::from(proto::watch_frame("ERROR", &enveloped));
        }
        let mut frame = br#"{"type":"ERROR","object":"#.to_vec();
        json::write(&status.to_value(), &mut frame);
        frame.extend_from_slice(b"}\n");
        Bytes::from(frame)
    }

    fn write(&self, kind: Kind, object: &Stored, out: &mut Vec<u8>) -> Result<(), Status> {
        let resource = &self.showing.resource;
        let form = self.showing.accepted.form;
        if self.showing.accepted.media == Media::Protobuf {
            let enveloped = match form {
                Form::PartialObjectMetadata(version) | Form::PartialObjectMetadataList(version) => {
                    let message = render::partial_message(resource, object)?;
                    let api_version = format!("meta.k8s.io/{}", version.as_str());
                    proto::envelope(&api_version, "PartialObjectMetadata", &message).into()
                }
                _ => render::enveloped(resource, object)?,
            };
            out.extend_from_slice(&proto::watch_frame(kind.as_str(), &enveloped));
            return Ok(());
        }
        out.extend_from_slice(br#"{"type":""#);
        out.extend_from_slice(kind.as_str().as_bytes());
        out.extend_from_slice(br#"","object":"#);
        match form {
            Form::Object => out.extend_from_slice(&render::json(resource, object)?),
            Form::PartialObjectMetadata(version) | Form::PartialObjectMetadataList(version) => {
                render::put_partial(resource, object, version, out)?;
            }
            Form::Table(version) => self.put_table(version, object, out)?,
        }
        out.extend_from_slice(b"}\n");
        Ok(())
    }

    fn put_table(
        &self,
        version: MetaVersion,
        object: &Stored,
        out: &mut Vec<u8>,
    ) -> Result<(), Status> {
        let revision = object.revision.to_string();
        if self.tells_columns {
            table::put_start(&self.showing, version, &revision, "", None, out);
        } else {
            table::put_start_bare(version, &revision, out);
        }
        table::put_row(&self.showing, version, object, out)?;
        out.extend_from_slice(b"]}");
        Ok(())
    }

    /// Packs what makes frames of one change differ.
    fn form_bits(&self, kind: Kind) -> u32 {
        let version = |version: MetaVersion| match version {
            MetaVersion::V1 => 0,
            MetaVersion::V1Beta1 => 1,
        };
        let form = match self.showing.accepted.form {
            Form::Object => 0,
            Form::PartialObjectMetadata(v) | Form::PartialObjectMetadataList(v) => {
                1 << 1 | version(v)
            }
            Form::Table(v) => {
                let include = match self.showing.include {
                    Include::None => 0,
                    Include::Metadata => 1,
                    Include::Object => 2,
                };
                2 << 1 | version(v) | include << 4 | u32::from(self.tells_columns) << 6
            }
        };
        let media = match self.showing.accepted.media {
            Media::Json | Media::Yaml => 0,
            Media::Protobuf => 1,
        };
        let kind = match kind {
            Kind::Added => 0,
            Kind::Modified => 1,
            Kind::Deleted => 2,
        };
        form | media << 8 | kind << 10
    }
}

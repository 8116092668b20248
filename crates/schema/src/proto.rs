//! Protobuf in both directions, from the shape.
//!
//! Upstream's messages are written by gogo's generator: fields ascend by number, values that Go
//! does not hold by pointer are always written, lists are never packed, maps are sorted by key.
//! The same object therefore always has the same bytes.
//!
//! A request or answer is `k8s\0` and a `runtime.Unknown` that names the kind and holds the
//! message ([`read_envelope`], [`envelope`]). A list is made of its items' messages, which can be
//! kept per object ([`object`], [`ListFrame`]). A watch is a row of length-prefixed `WatchEvent`s
//! without envelope, each holding an enveloped object ([`watch_frame`]).

mod read;
mod transcode;
mod wire;
mod write;

use api::{Text, Value};

use crate::{Shape, Shapes, Struct};

use wire::Cursor;
pub use wire::ProtoError;

/// The four bytes before every enveloped message.
pub const MAGIC: [u8; 4] = *b"k8s\0";

/// Fields 3 and 4 of the envelope, contentEncoding and contentType: always there, always empty.
const ENVELOPE_END: [u8; 4] = [0x1a, 0, 0x22, 0];

/// What the envelope of a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// `apps/v1`; may be empty.
    pub api_version: Text,
    /// `Deployment`; may be empty.
    pub kind: Text,
    /// The message itself.
    pub raw: &'a [u8],
}

/// Opens an envelope.
///
/// # Errors
/// [`ProtoError::Magic`] when the bytes do not begin with [`MAGIC`], others when they are damaged.
pub fn read_envelope(bytes: &[u8]) -> Result<Envelope<'_>, ProtoError> {
    if bytes.is_empty() {
        return Err(ProtoError::Empty);
    }
    let body = bytes.strip_prefix(&MAGIC).ok_or(ProtoError::Magic)?;
    if body.is_empty() {
        return Err(ProtoError::EmptyBody);
    }
    let mut envelope = Envelope {
        api_version: Text::default(),
        kind: Text::default(),
        raw: &[],
    };
    let mut cursor = Cursor::new(body);
    while let Some(tag) = cursor.tag().map_err(|error| error.of_message("Unknown"))? {
        let named =
            |name: &'static str| move |error: ProtoError| error.of_field(tag, || name.to_owned());
        match tag.number {
            1 => {
                let inner = cursor.bytes(tag).map_err(named("TypeMeta"))?;
                read_type(inner, &mut envelope)?;
            }
            2 => envelope.raw = cursor.bytes(tag).map_err(named("Raw"))?,
            3 => drop(cursor.bytes(tag).map_err(named("ContentEncoding"))?),
            4 => drop(cursor.bytes(tag).map_err(named("ContentType"))?),
            _ => cursor.skip(tag)?,
        }
    }
    Ok(envelope)
}

fn read_type(bytes: &[u8], envelope: &mut Envelope<'_>) -> Result<(), ProtoError> {
    let mut cursor = Cursor::new(bytes);
    while let Some(tag) = cursor.tag().map_err(|error| error.of_message("TypeMeta"))? {
        let named =
            |name: &'static str| move |error: ProtoError| error.of_field(tag, || name.to_owned());
        match tag.number {
            1 => envelope.api_version = cursor.text(tag).map_err(named("APIVersion"))?,
            2 => envelope.kind = cursor.text(tag).map_err(named("Kind"))?,
            _ => cursor.skip(tag)?,
        }
    }
    Ok(())
}

/// Reads a message into a tree in normal form. `apiVersion` and `kind` are not in it.
///
/// # Errors
/// [`ProtoError`] when the bytes are damaged or a value in them cannot be.
pub fn read(shape: &Shape, message: &[u8]) -> Result<Value, ProtoError> {
    read::message(shape.table(), shape.root(), message)
}

/// Reads an enveloped object into a tree in normal form, `kind` and `apiVersion` included.
///
/// # Errors
/// As [`read`].
pub fn read_object(shape: &Shape, envelope: &Envelope<'_>) -> Result<Value, ProtoError> {
    let mut value = read(shape, envelope.raw)?;
    if let Value::Object(object) = &mut value {
        let fields = object.fields_mut();
        for (name, text) in [
            ("apiVersion", &envelope.api_version),
            ("kind", &envelope.kind),
        ] {
            if !text.is_empty() {
                fields.retain(|(other, _)| other != name);
                fields.insert(0, (Text::const_new(name), Value::String(text.clone())));
            }
        }
    }
    Ok(value)
}

/// Writes the message of an object, without envelope.
#[must_use]
pub fn object(shape: &Shape, value: &Value) -> Vec<u8> {
    write::message(shape.table(), shape.root(), value)
}

/// Writes the message of an object whose canonical JSON is at hand, faster than through a tree.
///
/// # Errors
/// When the bytes are no JSON.
pub fn transcode(shape: &Shape, json: &[u8]) -> Result<Vec<u8>, api::json::JsonError> {
    match transcode::message(shape.table(), shape.root(), json) {
        Ok(message) => Ok(message),
        Err(transcode::NotCanonical) => {
            let parsed = api::json::read(json)?;
            Ok(object(shape, &parsed.value))
        }
    }
}

/// Returns what is written for each absent field of a struct, in the order of the wire.
pub(crate) fn zeros(shapes: &Shapes, shape: &Struct) -> Box<[Box<[u8]>]> {
    write::zeros(shapes, shape)
}

/// Puts a message into its envelope.
#[must_use]
pub fn envelope(api_version: &str, kind: &str, message: &[u8]) -> Vec<u8> {
    let room = message.len() + ENVELOPE_END.len();
    let mut out = envelope_start(api_version, kind, message.len(), room);
    out.extend_from_slice(message);
    out.extend_from_slice(&ENVELOPE_END);
    out
}

/// Returns what stands before a message of this length, in a buffer with room for more.
fn envelope_start(api_version: &str, kind: &str, length: usize, room: usize) -> Vec<u8> {
    let mut type_meta = Vec::with_capacity(64);
    wire::put_bytes(1, api_version.as_bytes(), &mut type_meta);
    wire::put_bytes(2, kind.as_bytes(), &mut type_meta);
    let mut out = Vec::with_capacity(type_meta.len() + 32 + room);
    out.extend_from_slice(&MAGIC);
    wire::put_bytes(1, &type_meta, &mut out);
    wire::put_head(2, length, &mut out);
    out
}

/// What stands in the `metadata` of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListMeta<'a> {
    /// Revision of the list.
    pub resource_version: &'a str,
    /// Token for the next page; empty for the last.
    pub continue_token: &'a str,
    /// How many objects are left after this page, if known.
    pub remaining: Option<i64>,
}

/// The bytes around the items of an enveloped list: [`start`](Self::start), then for each item
/// [`item_head`] and its message, then [`end`](Self::end).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFrame {
    /// Before the first item.
    pub start: Vec<u8>,
    /// After the last item.
    pub end: &'static [u8],
}

impl ListFrame {
    /// Returns the frame of a list whose items, heads included, take `items_bytes` in all;
    /// [`item_bytes`] says what one takes.
    #[must_use]
    pub fn new(api_version: &str, kind: &str, meta: ListMeta<'_>, items_bytes: usize) -> Self {
        let mut list_meta = Vec::with_capacity(64);
        // selfLink is a relic that gogo writes all the same.
        wire::put_bytes(1, b"", &mut list_meta);
        wire::put_bytes(2, meta.resource_version.as_bytes(), &mut list_meta);
        wire::put_bytes(3, meta.continue_token.as_bytes(), &mut list_meta);
        if let Some(remaining) = meta.remaining {
            wire::put_number(4, remaining, &mut list_meta);
        }
        let mut head = Vec::with_capacity(list_meta.len() + 8);
        wire::put_bytes(1, &list_meta, &mut head);
        let mut start = envelope_start(api_version, kind, head.len() + items_bytes, head.len());
        start.extend_from_slice(&head);
        Self {
            start,
            end: &ENVELOPE_END,
        }
    }
}

/// Appends what stands before an item of `length` bytes in a list.
pub fn item_head(length: usize, out: &mut Vec<u8>) {
    wire::put_head(2, length, out);
}

/// Returns how many bytes an item of `length` bytes takes in a list, its head included.
#[must_use]
pub fn item_bytes(length: usize) -> usize {
    1 + wire::varint_bytes(length as u64) + length
}

/// Writes an enveloped list of messages.
#[must_use]
pub fn write_list<'a>(
    api_version: &str,
    kind: &str,
    meta: ListMeta<'_>,
    items: impl Iterator<Item = &'a [u8]> + Clone,
) -> Vec<u8> {
    let length = items.clone().map(|item| item_bytes(item.len())).sum();
    let frame = ListFrame::new(api_version, kind, meta, length);
    let mut out = frame.start;
    out.reserve(length + frame.end.len());
    for item in items {
        item_head(item.len(), &mut out);
        out.extend_from_slice(item);
    }
    out.extend_from_slice(frame.end);
    out
}

/// Writes one frame of a watch: the length, and a `WatchEvent` with this type and enveloped object.
#[must_use]
pub fn watch_frame(event: &str, enveloped: &[u8]) -> Vec<u8> {
    let object_bytes = 1 + wire::varint_bytes(enveloped.len() as u64) + enveloped.len();
    let mut out = Vec::with_capacity(enveloped.len() + event.len() + 32);
    out.extend_from_slice(&[0; 4]);
    wire::put_bytes(1, event.as_bytes(), &mut out);
    wire::put_head(2, object_bytes, &mut out);
    wire::put_bytes(1, enveloped, &mut out);
    let length = u32::try_from(out.len() - 4).unwrap_or(u32::MAX);
    out[..4].copy_from_slice(&length.to_be_bytes());
    out
}

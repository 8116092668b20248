//! Objects, lists and statuses in the media type that was agreed on.

use std::collections::VecDeque;

use api::{Gvk, Status, Value, json, yaml};
use bytes::Bytes;
use schema::{Shape, proto};

use crate::{
    Body, Content,
    body::Chunks,
    media::{Accepted, Media},
    status_proto,
};

/// Ends every JSON answer that is not indented, as Go's encoder does.
const LINE_FEED: Bytes = Bytes::from_static(b"\n");

/// Writes one object.
pub(super) fn object(accepted: Accepted, content: Content) -> Body {
    match content {
        Content::Encoded(bytes) => Body::Full(bytes),
        Content::Bytes { json, .. } if accepted.media == Media::Json && !accepted.pretty => {
            Body::Chunks(Chunks::new(VecDeque::from([json, LINE_FEED])))
        }
        Content::Bytes { json, gvk, shape } => match json::read(&json) {
            Ok(parsed) => tree(accepted, &parsed.value, &gvk, &shape),
            // What lies in the store was written by us; if it is damaged the client may still read it.
            Err(_) => Body::Full(json),
        },
        Content::Tree { value, gvk, shape } => tree(accepted, &value, &gvk, &shape),
    }
}

/// Writes a list. Its pieces are handed on unless they must be printed anew.
pub(super) fn list(accepted: Accepted, encoded: Media, pieces: VecDeque<Bytes>) -> Body {
    let chunks = Chunks::new(pieces);
    let is_anew = encoded == Media::Json && (accepted.media == Media::Yaml || accepted.pretty);
    if !is_anew {
        return Body::Chunks(chunks);
    }
    let bytes = chunks.into_bytes();
    match json::read(&bytes) {
        Ok(parsed) => text(accepted, &parsed.value),
        Err(_) => Body::Full(bytes),
    }
}

/// Writes a status.
pub(super) fn status(accepted: Accepted, status: &Status) -> Body {
    match accepted.media {
        Media::Protobuf => Body::from(status_proto::enveloped(status)),
        Media::Json | Media::Yaml => text(accepted, &status.to_value()),
    }
}

fn tree(accepted: Accepted, value: &Value, gvk: &Gvk, shape: &Shape) -> Body {
    if accepted.media != Media::Protobuf {
        return text(accepted, value);
    }
    let message = proto::object(shape, value);
    let api_version = gvk.group_version.to_string();
    Body::from(proto::envelope(&api_version, &gvk.kind, &message))
}

/// Writes a tree as JSON or YAML.
pub(super) fn text(accepted: Accepted, value: &Value) -> Body {
    let mut out = Vec::with_capacity(1024);
    if accepted.media == Media::Yaml {
        yaml::write(value, &mut out);
    } else if accepted.pretty {
        json::write_pretty(value, &mut out);
    } else {
        json::write(value, &mut out);
        out.push(b'\n');
    }
    Body::from(out)
}

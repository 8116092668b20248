//! A refusal as protobuf.
//!
//! Source: k8s.io/apimachinery, pkg/apis/meta/v1/generated.proto (`Status`).

use api::{Cause, Status, status::Details};
use schema::proto;

use crate::render::put_bytes_field;

/// Returns the status as enveloped protobuf.
#[must_use]
pub(crate) fn enveloped(status: &Status) -> Vec<u8> {
    proto::envelope("v1", "Status", &message(status))
}

fn message(status: &Status) -> Vec<u8> {
    let mut meta = Vec::new();
    put_bytes_field(1, b"", &mut meta);
    put_bytes_field(2, b"", &mut meta);
    let token = status.continue_token.as_deref().unwrap_or_default();
    put_bytes_field(3, token.as_bytes(), &mut meta);
    let outcome: &[u8] = if status.code >= 400 {
        b"Failure"
    } else {
        b"Success"
    };
    let mut out = Vec::with_capacity(128);
    put_bytes_field(1, &meta, &mut out);
    put_bytes_field(2, outcome, &mut out);
    put_bytes_field(3, status.message.as_bytes(), &mut out);
    put_bytes_field(4, status.reason.as_str().as_bytes(), &mut out);
    if let Some(details) = &status.details {
        put_bytes_field(5, &details_message(details), &mut out);
    }
    put_number_field(6, u32::from(status.code), &mut out);
    out
}

fn details_message(details: &Details) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes_field(1, details.name.as_bytes(), &mut out);
    put_bytes_field(2, details.group.as_bytes(), &mut out);
    put_bytes_field(3, details.kind.as_bytes(), &mut out);
    for cause in &details.causes {
        put_bytes_field(4, &cause_message(cause), &mut out);
    }
    put_number_field(5, details.retry_after_seconds, &mut out);
    put_bytes_field(6, details.uid.as_bytes(), &mut out);
    out
}

fn cause_message(cause: &Cause) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes_field(1, cause.reason.as_bytes(), &mut out);
    put_bytes_field(2, cause.message.as_bytes(), &mut out);
    put_bytes_field(3, cause.field.as_bytes(), &mut out);
    out
}

fn put_number_field(number: u8, mut value: u32, out: &mut Vec<u8>) {
    out.push(number << 3);
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

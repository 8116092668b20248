//! Frames around protobuf messages, and messages nobody should send.

use schema::proto::{self, ListMeta, ProtoError};

use crate::{compact, read, shapes};

#[test]
fn a_list_of_kept_items_is_the_list_written_whole() {
    let shapes = shapes();
    let list = read(
        br#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":"c","remainingItemCount":2},"items":[{"metadata":{"name":"a"},"spec":{"containers":null},"status":{}},{"metadata":{"name":"b"},"spec":{"containers":null},"status":{}}]}"#,
    );
    let whole = proto::object(&shapes["v1 PodList"], &list);
    let items: Vec<Vec<u8>> = list
        .get("items")
        .and_then(api::Value::as_array)
        .expect("it has items")
        .iter()
        .map(|item| proto::object(&shapes["v1 Pod"], item))
        .collect();
    let meta = ListMeta {
        resource_version: "7",
        continue_token: "c",
        remaining: Some(2),
    };
    let joined = proto::write_list("v1", "PodList", meta, items.iter().map(Vec::as_slice));
    assert_eq!(joined, proto::envelope("v1", "PodList", &whole));
    let envelope = proto::read_envelope(&joined).expect("it has an envelope");
    let back = proto::read_object(&shapes["v1 PodList"], &envelope).expect("it reads");
    assert_eq!(compact(&back), compact(&list));
}

#[test]
fn a_watch_frame_holds_the_event() {
    let shapes = shapes();
    let enveloped = proto::envelope("v1", "Pod", b"xyz");
    let frame = proto::watch_frame("ADDED", &enveloped);
    let length = u32::from_be_bytes(frame[..4].try_into().expect("four bytes"));
    assert_eq!(length as usize, frame.len() - 4);
    // Read as the message it is; the object inside is no JSON, which its reader says.
    let error = proto::read(&shapes["v1 WatchEvent"], &frame[4..]).expect_err("no JSON inside");
    assert!(matches!(error, ProtoError::Value(_)), "{error}");
}

#[test]
fn refuses_damaged_messages() {
    let shapes = shapes();
    let check = |bytes: &[u8], expected: ProtoError| {
        let done = proto::read(&shapes["v1 Pod"], bytes);
        assert_eq!(done.expect_err("it is damaged"), expected);
    };
    check(&[0x0a], ProtoError::End);
    check(&[0x0a, 5, 0], ProtoError::End);
    check(
        &[0x08, 1],
        ProtoError::WireType {
            wire: 0,
            field: "ObjectMeta".to_owned(),
        },
    );
    check(
        &[0x0c],
        ProtoError::Tag {
            message: "Pod".into(),
            number: 1,
            wire: 4,
        },
    );
    check(&[0xff; 12], ProtoError::Overflow);
    let groups = [0x7b; 200];
    check(&groups, ProtoError::Depth);
    assert_eq!(proto::read_envelope(b"{}"), Err(ProtoError::Magic));
    assert_eq!(proto::read_envelope(b""), Err(ProtoError::Empty));
    assert_eq!(proto::read_envelope(b"k8s\0"), Err(ProtoError::EmptyBody));
}

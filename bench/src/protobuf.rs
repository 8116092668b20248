//! Just enough protobuf to turn a pod that a server sent into one that can be created.

/// First bytes of a Kubernetes protobuf body.
const MAGIC: &[u8] = b"k8s\0";

/// Fields of ObjectMeta that the server owns: uid, resourceVersion, generation, creationTimestamp,
/// managedFields.
const SERVER_OWNED: [u64; 5] = [5, 6, 7, 8, 17];

/// Returns the body of a create request for the pod in `sent`, with `name` for its own.
///
/// `None` if `sent` is not a protobuf object, or `name` is not exactly as long as the old name;
/// equal length keeps every length in front of it valid.
pub(crate) fn as_new_pod(sent: &[u8]) -> Option<Vec<u8>> {
    let envelope = sent.strip_prefix(MAGIC)?;
    // runtime.Unknown: 1 typeMeta, 2 raw.
    let unknown = rewrite(envelope, &|number, value| match number {
        2 => Some(Some(stripped_pod(value)?)),
        _ => Some(None),
    })?;
    Some([MAGIC, &unknown].concat())
}

/// Pod: 1 metadata, 2 spec, 3 status.
fn stripped_pod(pod: &[u8]) -> Option<Vec<u8>> {
    rewrite(pod, &|number, value| match number {
        1 => Some(Some(rewrite(value, &|number, _| {
            Some(SERVER_OWNED.contains(&number).then(Vec::new))
        })?)),
        3 => Some(Some(Vec::new())),
        _ => Some(None),
    })
}

/// Decides what becomes of a field: kept (`None`), replaced, or dropped if replaced by nothing.
/// The outer `None` says that its content could not be read.
type Decide<'a> = &'a dyn Fn(u64, &[u8]) -> Option<Option<Vec<u8>>>;

/// Copies a message field by field.
fn rewrite(mut message: &[u8], decide: Decide<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(message.len());
    while !message.is_empty() {
        let start = message;
        let tag = varint(&mut message)?;
        let value = match tag & 7 {
            0 => {
                varint(&mut message)?;
                &[]
            }
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                let (value, rest) = message.split_at_checked(length)?;
                message = rest;
                value
            }
            // Kubernetes objects hold no fixed-width numbers where pods and metadata are concerned.
            _ => return None,
        };
        match decide(tag >> 3, value)? {
            None => out.extend_from_slice(&start[..start.len() - message.len()]),
            Some(replaced) if replaced.is_empty() => {}
            Some(replaced) => {
                put_varint(&mut out, tag);
                put_varint(&mut out, replaced.len() as u64);
                out.extend_from_slice(&replaced);
            }
        }
    }
    Some(out)
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::as_new_pod;

    #[test]
    fn drops_what_the_server_owns() {
        // Unknown{2: Pod{1: Meta{1:"n", 5:"u", 7: 3}, 2: "s", 3: "t"}}
        let metadata = [0x0a, 1, b'n', 0x2a, 1, b'u', 0x38, 3];
        let mut pod = vec![0x0a, metadata.len() as u8];
        pod.extend(metadata);
        pod.extend([0x12, 1, b's', 0x1a, 1, b't']);
        let mut sent = b"k8s\0".to_vec();
        sent.extend([0x12, pod.len() as u8]);
        sent.extend(&pod);
        let expected = [
            b"k8s\0".as_slice(),
            &[0x12, 8, 0x0a, 3, 0x0a, 1, b'n', 0x12, 1, b's'],
        ]
        .concat();
        assert_eq!(as_new_pod(&sent), Some(expected));
    }

    #[test]
    fn refuses_what_is_no_object() {
        assert_eq!(as_new_pod(b"{}"), None);
        assert_eq!(as_new_pod(b"k8s\0\x12\x05a"), None);
        assert_eq!(as_new_pod(b"k8s\0\x0d"), None);
        assert_eq!(
            as_new_pod(b"k8s\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
            None
        );
    }
}

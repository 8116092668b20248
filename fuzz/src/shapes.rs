//! The shapes that targets choose from: between them they have every form a field can take.

use schema::Shape;

/// API version and kind of each, in the order in which a target's first byte chooses.
const KINDS: [(&str, &str); 8] = [
    ("v1", "Pod"),
    ("apps/v1", "Deployment"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("events.k8s.io/v1", "Event"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("meta.k8s.io/v1", "DeleteOptions"),
];

/// Returns the shapes.
pub fn several() -> Vec<Shape> {
    let builtins = kinds::load();
    let shape = |(version, kind): (&str, &str)| {
        let group_version = api::GroupVersion::parse(version).expect("it is well formed");
        let gvk = api::Gvk {
            group_version,
            kind: kind.into(),
        };
        builtins.shape(&gvk).expect("it is built in")
    };
    KINDS.map(shape).into()
}

//! Looks at what an offer wants to see of the cluster.

use api::{Status, Text, Value};
use schema::way::Sight;

use crate::{
    collection::{Stored, place_of},
    faults,
    registry::{ClusterId, Resource},
    render,
    serving::Serving,
};

/// Returns a resource by its group and plural.
///
/// # Errors
/// 500 for one that is not served.
pub(crate) fn find(
    serving: &Serving,
    (group, plural): schema::ResourceName,
) -> Result<Resource, Status> {
    let table = serving.registry.table();
    let found = table.find_any(ClusterId::ONLY, group, plural);
    found.ok_or_else(|| Status::internal(format!("{plural} are not served")))
}

/// Returns the objects that are meant, as they are now.
///
/// # Errors
/// 404 where there must be one; faults.
pub(crate) async fn look(serving: &Serving, sight: &Sight) -> Result<Vec<Value>, Status> {
    let (group, plural) = sight.resource();
    let resource = find(serving, (group, plural))?;
    let collection = &resource.served.collection;
    match sight {
        Sight::Object {
            namespace, name, ..
        }
        | Sight::Perhaps {
            namespace, name, ..
        } => {
            let stored = collection.get(&place_of(namespace, name)).await;
            match stored.map_err(|error| faults::read(&error))? {
                Some(stored) => Ok(vec![render::parse(&stored.bytes)?]),
                None if matches!(sight, Sight::Perhaps { .. }) => Ok(Vec::new()),
                None => Err(Status::not_found(group, plural, name)),
            }
        }
        Sight::Within { namespace, .. } | Sight::Labelled { namespace, .. } => {
            let view = collection.view().await;
            let view = view.map_err(|error| faults::read(&error))?;
            let within = |place: &Text| {
                let found = place.split_once('/');
                found.is_some_and(|(within, _)| within == namespace)
            };
            let is_meant = |one: &Stored| match sight {
                Sight::Labelled { label, .. } => one.label(label.0) == Some(label.1.as_str()),
                _ => true,
            };
            let objects = view.objects.iter();
            let meant = objects.filter(|(place, one)| within(place) && is_meant(one));
            meant.map(|(_, one)| render::parse(&one.bytes)).collect()
        }
    }
}

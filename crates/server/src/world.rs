//! What `access` may know of the cluster, out of the live collections.

use std::sync::Arc;

use access::{Resource as Wanted, World};
use bytes::Bytes;
use hashbrown::HashMap;
use store::StoreError;

use crate::{
    collection::{Collection, place_of},
    registry::ClusterId,
    serving::Serving,
};

/// The collections that configure `access`, each read once and live from then on.
///
/// A kind that is not served reads as empty.
pub struct LiveWorld(HashMap<Wanted, Collection>);

impl LiveWorld {
    /// Reads the collections from the store, so that later reads need not wait.
    ///
    /// # Errors
    /// Faults of the store.
    pub async fn open(serving: &Arc<Serving>) -> Result<Self, StoreError> {
        let mut collections = HashMap::new();
        for wanted in Wanted::ALL {
            let table = serving.registry().table();
            let found = table.find_any(ClusterId::ONLY, wanted.group, wanted.plural);
            drop(table);
            if let Some(resource) = found {
                let collection = resource.served.collection.clone();
                collection.view().await?;
                collections.insert(wanted, collection);
            }
        }
        Ok(Self(collections))
    }
}

impl World for LiveWorld {
    fn revision(&self, resource: Wanted) -> u64 {
        let view = self.0.get(&resource).and_then(Collection::peek);
        view.map_or(0, |view| view.changed.0)
    }

    fn list(&self, resource: Wanted) -> Vec<Bytes> {
        let view = self.0.get(&resource).and_then(Collection::peek);
        let objects = view.map(|view| view.objects).unwrap_or_default();
        objects.values().map(|one| one.bytes.clone()).collect()
    }

    fn get(&self, resource: Wanted, namespace: &str, name: &str) -> Option<Bytes> {
        let view = self.0.get(&resource)?.peek()?;
        let object = view.objects.get(&place_of(namespace, name))?;
        Some(object.bytes.clone())
    }
}

//! Carries steps out, with the types of kube-rs.

use std::sync::Arc;

use base::WallTime;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::ConfigMap};
use kit::{After, Cache, Controller, Error, Key};
use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::{
    plan::{PAGE, Step, plan},
    site::Site,
};

/// The operator.
pub struct Operator {
    client: kube::Client,
    sites: Cache<Site>,
    pages: Cache<ConfigMap>,
    servers: Cache<Deployment>,
}

/// What was seen of one Site.
pub struct Seen {
    site: Arc<Site>,
    page: Option<Arc<ConfigMap>>,
    servers: Option<Arc<Deployment>>,
}

impl Operator {
    /// Returns an operator that reads these caches and writes with this client.
    #[must_use]
    pub fn new(
        client: kube::Client,
        sites: Cache<Site>,
        pages: Cache<ConfigMap>,
        servers: Cache<Deployment>,
    ) -> Self {
        Self {
            client,
            sites,
            pages,
            servers,
        }
    }
}

impl Controller for Operator {
    type Key = Key;
    type Seen = Seen;
    type Plan = Vec<Step>;

    fn name(&self) -> &'static str {
        "site"
    }

    fn observe(&self, key: &Key) -> Option<Seen> {
        Some(Seen {
            site: self.sites.get(key)?,
            page: self.pages.get(key),
            servers: self.servers.get(key),
        })
    }

    fn plan(&self, seen: &Seen, _now: WallTime) -> Vec<Step> {
        plan(&seen.site, seen.page.as_deref(), seen.servers.as_deref())
    }

    async fn act(&self, key: &Key, seen: Seen, steps: Vec<Step>) -> Result<After, Error> {
        for step in steps {
            let done = match step {
                Step::WritePage => self.write_page(key, &seen).await,
                Step::WriteServers => self.write_servers(key, &seen).await,
                Step::WriteStatus(status) => {
                    let sites: Api<Site> = Api::namespaced(self.client.clone(), key.namespace());
                    let patch = Patch::Merge(json!({"status": status}));
                    let parameters = PatchParams::default();
                    let patched = sites.patch_status(key.name(), &parameters, &patch);
                    patched.await.map(drop)
                }
            };
            done.map_err(refused)?;
        }
        Ok(After::Done)
    }
}

impl Operator {
    async fn write_page(&self, key: &Key, seen: &Seen) -> Result<(), kube::Error> {
        let pages: Api<ConfigMap> = Api::namespaced(self.client.clone(), key.namespace());
        let data = json!({PAGE: seen.site.spec.page});
        if seen.page.is_some() {
            let patch = Patch::Merge(json!({"data": data}));
            let parameters = PatchParams::default();
            return pages.patch(key.name(), &parameters, &patch).await.map(drop);
        }
        let page = object(json!({"metadata": self.owned(seen), "data": data}))?;
        pages.create(&PostParams::default(), &page).await.map(drop)
    }

    async fn write_servers(&self, key: &Key, seen: &Seen) -> Result<(), kube::Error> {
        let servers: Api<Deployment> = Api::namespaced(self.client.clone(), key.namespace());
        let replicas = seen.site.spec.replicas;
        if seen.servers.is_some() {
            let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
            let parameters = PatchParams::default();
            return servers
                .patch(key.name(), &parameters, &patch)
                .await
                .map(drop);
        }
        let labels = json!({"site": key.name()});
        let deployment = object(json!({
            "metadata": self.owned(seen),
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "containers": [{
                            "name": "web",
                            "image": "nginx:1.29",
                            "volumeMounts": [{"name": "page", "mountPath": "/usr/share/nginx/html"}],
                        }],
                        "volumes": [{"name": "page", "configMap": {"name": key.name()}}],
                    },
                },
            },
        }))?;
        servers
            .create(&PostParams::default(), &deployment)
            .await
            .map(drop)
    }

    /// Returns the metadata of something that belongs to a Site: its name, and whose it is.
    fn owned(&self, seen: &Seen) -> serde_json::Value {
        json!({
            "name": seen.site.name_any(),
            "ownerReferences": seen.site.controller_owner_ref(&()).into_iter().collect::<Vec<_>>(),
        })
    }
}

fn object<T: serde::de::DeserializeOwned>(json: serde_json::Value) -> Result<T, kube::Error> {
    serde_json::from_value(json).map_err(kube::Error::SerdeError)
}

/// Turns an error of kube-rs into one of kit, which knows which of them are news.
fn refused(error: kube::Error) -> Error {
    match error {
        kube::Error::Api(status) => Error::Refused(status),
        other => Error::Transport(Box::new(other)),
    }
}

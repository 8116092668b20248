//! The operator in a fresh cluster of its own, without a socket.

use base::{Clock, Rng, Tasks};
use k8s_openapi::{
    api::{apps::v1::Deployment, core::v1::ConfigMap},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kit::{
    Client, Extent, Object, Resource, Scope,
    watch::{Event, Watch},
};
use kube::{Api, api::PostParams};
use serde::de::DeserializeOwned;
use serde_json::json;
use site_operator::{Site, site::DEFINITION};

/// Waits until the objects of a resource in `default` pass a test, by watching them.
async fn until<T: Object + DeserializeOwned>(
    client: &Client,
    resource: Resource,
    test: impl Fn(Option<&T>) -> bool,
) {
    let mut watch: Watch<T> = Watch::new(
        client.clone(),
        resource.path_in("default"),
        "fieldSelector=metadata.name%3Dhome".to_owned(),
        Extent::Whole,
        Clock::system(),
        Rng::from_seed(1),
    );
    let mut there = false;
    loop {
        let passed = match watch.next().await {
            Event::Seen(object) => {
                there = true;
                test(Some(&object))
            }
            Event::Gone(_) => test(None),
            Event::Complete(_) => !there && test(None),
            Event::Begin | Event::Progress(_) => false,
        };
        if passed {
            return;
        }
    }
}

async fn install_definition(client: &Client) {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.kube());
    let definition = serde_json::from_str(DEFINITION).expect("it is JSON");
    let parameters = PostParams::default();
    let created = definitions.create(&parameters, &definition).await;
    created.expect("the definition is taken");
    let resource = Resource::of::<CustomResourceDefinition>(Scope::Cluster);
    let mut watch: Watch<CustomResourceDefinition> = Watch::new(
        client.clone(),
        resource.path(),
        String::new(),
        Extent::Whole,
        Clock::system(),
        Rng::from_seed(1),
    );
    loop {
        let Event::Seen(definition) = watch.next().await else {
            continue;
        };
        let conditions = definition.status.and_then(|status| status.conditions);
        let mut conditions = conditions.into_iter().flatten();
        if conditions.any(|held| held.type_ == "Established" && held.status == "True") {
            return;
        }
    }
}

#[tokio::test]
async fn a_site_gets_its_page_and_its_servers_and_takes_them_with_it() {
    let cluster = testkit::Cluster::start().await;
    let client = cluster.client();
    install_definition(&client).await;
    let (tasks, clock) = (Tasks::new(), Clock::system());
    let rounds = site_operator::start(&client, &tasks, &clock, Rng::from_seed(1)).await;

    let sites: Api<Site> = Api::namespaced(client.kube(), "default");
    let site: Site = serde_json::from_value(json!({
        "apiVersion": "example.pintle.dev/v1", "kind": "Site",
        "metadata": {"name": "home"}, "spec": {"page": "hello", "replicas": 2}}))
    .expect("it is a Site");
    let created = sites.create(&PostParams::default(), &site).await;
    created.expect("the Site is taken");

    let pages = || Resource::of::<ConfigMap>(Scope::Namespaced);
    until(&client, pages(), |page: Option<&ConfigMap>| {
        let data = page.and_then(|page| page.data.as_ref());
        data.is_some_and(|data| data["index.html"] == "hello")
    })
    .await;
    let servers = || Resource::of::<Deployment>(Scope::Namespaced);
    until(&client, servers(), |servers: Option<&Deployment>| {
        // The cluster's own controllers have rolled it out.
        let status = servers.and_then(|servers| servers.status.as_ref());
        status.and_then(|status| status.replicas) == Some(2)
    })
    .await;

    let parameters = kube::api::DeleteParams::default();
    let deleted = sites.delete("home", &parameters);
    deleted.await.expect("the Site goes");
    until(&client, pages(), |page: Option<&ConfigMap>| page.is_none()).await;

    assert_eq!(rounds.panicked(), 0);
    tasks
        .drain(&clock, std::time::Duration::from_secs(10))
        .await;
    cluster.stop().await;
}

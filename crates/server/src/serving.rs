//! Everything a request on a resource is served from, and who serves it.

use std::sync::{Arc, OnceLock};

use access::{Admit, Attributes, World};
use api::{Status, Text, Value};
use base::{Clock, Rng, Tasks};
use hashbrown::HashMap;
use parking_lot::Mutex;
use schema::{Allot, Kind, Scope, Subresource, View, way::Way};
use store::{Prefix, Store, StoreError};

use crate::{
    Answer, Call, Content, User, Verb,
    admit::Terms,
    collection::Collection,
    convert::{self, Converter},
    crds, delete, expiry, list,
    mount::Point,
    read,
    registry::{ClusterId, Origin, Registry, Resource, Served},
    render::Showing,
    server::Access,
    services::Service,
    sharing::{Around, Sharing},
    virtuals, watch,
    write::{self, Door},
};

/// What serves resources: the registry, the store behind it, time and chance.
pub struct Serving {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) registry: Registry,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
    rng: Mutex<Rng>,
    /// On whose terms objects come in; set once the server is put together.
    terms: OnceLock<Terms>,
    /// In whose name the server writes of its own accord.
    pub(crate) own_user: Arc<User>,
    /// What is offered below objects.
    services: HashMap<Point, Service>,
    /// Up to which revision definitions are served, if anyone follows them.
    pub(crate) definitions: tokio::sync::watch::Sender<Option<u64>>,
    /// Asks webhooks for other versions of objects.
    pub(crate) converter: Converter,
    /// Which names definitions and built-in kinds have.
    pub(crate) names: crds::Names,
}

impl Serving {
    /// Returns what serves these kinds from this store.
    #[must_use]
    pub fn new(
        kinds: Vec<Kind>,
        store: Arc<dyn Store>,
        clock: Clock,
        tasks: Tasks,
        rng: Rng,
    ) -> Self {
        let own_rng = Rng::from_seed(rng.clone().next_u64());
        let serving = Self {
            converter: Converter::new(clock.clone(), tasks.clone(), own_rng),
            store,
            registry: Registry::new(),
            clock,
            tasks,
            rng: Mutex::new(rng),
            terms: OnceLock::new(),
            own_user: Arc::new(User {
                name: Text::const_new("system:apiserver"),
                groups: vec![Text::const_new("system:masters")],
                ..User::default()
            }),
            services: HashMap::new(),
            definitions: tokio::sync::watch::Sender::new(None),
            names: crds::Names::default(),
        };
        let served: Vec<Arc<Served>> = kinds
            .into_iter()
            .map(|mut kind| {
                if crds::is_definition(&kind) {
                    crds::equip(&mut kind);
                }
                serving.served(kind, Origin::BuiltIn)
            })
            .collect();
        serving.registry.put_all(&served);
        serving.converter.set_built_in(served);
        serving
    }

    /// Says how webhooks that stand behind Services are found, and which authorities (PEM) vouch
    /// for those that name none.
    #[must_use]
    pub fn calling(self, services: Arc<dyn Way>, authorities: Vec<u8>) -> Self {
        self.converter.set_outside(services, authorities);
        self
    }

    /// Offers services below objects.
    #[must_use]
    pub fn offering(mut self, services: Vec<(Point, Service)>) -> Self {
        self.services.extend(services);
        self
    }

    /// Returns the way at this place, if a request there is passed on.
    pub(crate) fn way(&self, path: &crate::ResourcePath) -> Option<Arc<dyn Way>> {
        if path.subresource.is_empty() {
            return None;
        }
        match self.services.get(&Point::of(path))? {
            Service::Way(way) => Some(Arc::clone(way)),
            Service::Credential(..) | Service::Leave(_) => None,
        }
    }

    /// Lets the objects of one kind take scarce values by these rules. Without the resources that
    /// the rules name, they do not apply.
    #[must_use]
    pub fn sharing(self, rules: Arc<dyn Allot>) -> Self {
        let table = self.registry.table();
        let find = |(group, plural)| table.find_any(ClusterId::ONLY, group, plural);
        let found = [rules.holders(), rules.deeds(), rules.ranges()].map(find);
        if let [Some(holders), Some(deeds), Some(ranges)] = &found {
            let around = Around {
                store: &self.store,
                clock: &self.clock,
                tasks: &self.tasks,
                rng: Rng::from_seed(self.random(Rng::next_u64)),
            };
            let sharing = Sharing::new(rules, [holders, deeds, ranges], around);
            holders.served.share(sharing);
        }
        drop(table);
        self
    }

    /// Serves what is defined in the store; definitions are followed from then on. What a crash
    /// left undone of scarce values is put right beside that.
    ///
    /// # Errors
    /// Faults of the store.
    pub async fn open(self: &Arc<Self>) -> Result<(), StoreError> {
        for served in self.registry.table().served(ClusterId::ONLY) {
            if let Some(sharing) = served.sharing().cloned() {
                let repair = async move {
                    if let Err(status) = sharing.repair().await {
                        tracing::error!(error = %status, "claims could not be put right");
                    }
                };
                drop(self.tasks.spawn("claims-repair", repair));
            }
            expiry::start(self, &served);
        }
        crds::open(self).await
    }

    /// Returns a kind with a collection that is not read yet.
    pub(crate) fn served(&self, kind: Kind, origin: Origin) -> Arc<Served> {
        let prefix = Prefix::new(format!("/registry/{}/", kind.key_prefix));
        let collection = Collection::new(
            Arc::clone(&self.store),
            prefix,
            self.clock.clone(),
            self.tasks.clone(),
        );
        Arc::new(Served::new(ClusterId::ONLY, kind, origin, collection))
    }

    /// Returns how many objects there are, by group and resource, of the resources that were read.
    #[must_use]
    pub fn object_counts(&self) -> Vec<(Text, Text, usize)> {
        let table = self.registry.table();
        let mut counts: Vec<(Text, Text, usize)> = table
            .served(ClusterId::ONLY)
            .filter_map(|served| {
                let view = served.collection.peek()?;
                let kind = &served.kind;
                let name = (kind.group().clone(), kind.names.plural.clone());
                Some((name.0, name.1, view.objects.len()))
            })
            .collect();
        counts.sort_unstable();
        counts
    }

    /// Returns the table of what is served.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Draws something by chance.
    pub(crate) fn random<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.rng.lock())
    }

    /// Says on whose terms objects come in. Only the first word counts.
    pub(crate) fn set_terms(&self, access: Arc<Access>, world: Arc<dyn World>) {
        let terms = Terms {
            admit: Admit::without(&access.rules_off),
            access,
            world,
        };
        // A second server over the same kinds would be a mistake of the program.
        let _ = self.terms.set(terms);
    }

    pub(crate) fn terms(&self) -> Option<&Terms> {
        self.terms.get()
    }

    /// Refuses a create by PUT unless the caller, who may update, may create as well.
    ///
    /// # Errors
    /// 403 in upstream's words.
    pub(crate) fn allow_create(&self, call: &Call) -> Result<(), Status> {
        let Some(terms) = self.terms() else {
            return Ok(());
        };
        let path = &call.path;
        let group_version = &path.group_version;
        let attributes = Attributes {
            version: &group_version.version,
            ..Attributes::resource(&call.user, "create", &group_version.group, &path.resource)
        };
        let attributes = attributes.within(&path.namespace).named(&path.name);
        let decision = terms.access.allow.decide(&attributes, &*terms.world);
        if decision.is_allowed() {
            return Ok(());
        }
        Err(access::allow::refusal(&attributes, &decision))
    }

    /// Returns the resource a request is about.
    #[must_use]
    pub fn find(&self, call_path: &crate::ResourcePath) -> Option<Resource> {
        let group_version = &call_path.group_version;
        self.registry.find(
            ClusterId::ONLY,
            &group_version.group,
            &group_version.version,
            &call_path.resource,
        )
    }

    /// Serves a request on a stored (or virtual) kind.
    ///
    /// # Errors
    /// The refusal to send.
    pub async fn serve(&self, call: &mut Call, resource: &Resource) -> Result<Answer, Status> {
        if let Some(warning) = &resource.version().deprecation {
            call.warnings.push(warning.to_string());
        }
        self.check_scope(call, resource)?;
        if !call.path.subresource.is_empty() {
            return self.subresource(call, resource).await;
        }
        if !allows(&resource.version().verbs, call.verb) {
            return Err(self.not_supported(call, resource));
        }
        let outcome = self.main(call, resource).await;
        if outcome.is_ok() && !call.verb.is_read() && crds::is_definition(resource.kind()) {
            crds::settled(self, resource).await;
        }
        outcome
    }

    /// Serves a request on objects themselves.
    async fn main(&self, call: &mut Call, resource: &Resource) -> Result<Answer, Status> {
        match call.verb {
            Verb::Get => read::get(self.around(), call, resource).await,
            Verb::List => list::list(self.around(), call, resource).await,
            Verb::Watch => {
                let chance = self.random(Rng::unit);
                watch::watch(self.around(), chance, call, resource).await
            }
            Verb::Create if resource.kind().traits.virtual_kind => {
                virtuals::answer(self, call, resource).await
            }
            Verb::Create => write::create(self, call, resource).await,
            Verb::Update => write::update(self, call, resource, Door::Main).await,
            Verb::Patch => write::patch(self, call, resource, Door::Main).await,
            Verb::Delete => delete::one(self, call, resource).await,
            Verb::DeleteCollection => delete::many(self, call, resource).await,
            _ => Err(self.not_supported(call, resource)),
        }
    }

    fn around(&self) -> (&Clock, &Converter) {
        (&self.clock, &self.converter)
    }

    /// A path with a namespace is not one of a cluster-scoped resource, and the other way round.
    fn check_scope(&self, call: &Call, resource: &Resource) -> Result<(), Status> {
        let path = &call.path;
        let needs_namespace = path.is_named() || call.verb == Verb::Create;
        match resource.kind().scope {
            Scope::Namespaced if path.namespace.is_empty() && needs_namespace => {
                Err(self.not_allowed())
            }
            // Of a namespace itself the namespace is its name.
            Scope::Cluster if !path.namespace.is_empty() && path.namespace != path.name => {
                Err(Status::no_such_page())
            }
            _ => Ok(()),
        }
    }

    async fn subresource(&self, call: &mut Call, resource: &Resource) -> Result<Answer, Status> {
        let version = resource.version();
        let sub: &Subresource = version
            .subresource(&call.path.subresource)
            .ok_or_else(Status::no_such_page)?;
        if !allows(&sub.verbs, call.verb) {
            return Err(self.not_supported(call, resource));
        }
        match (&sub.view, call.verb) {
            (View::Status, Verb::Get) => read::get(self.around(), call, resource).await,
            (View::Status, Verb::Update) => write::update(self, call, resource, Door::Status).await,
            (View::Status, Verb::Patch) => write::patch(self, call, resource, Door::Status).await,
            (View::Scale(_), Verb::Get) => {
                let mut object = read::stored(&self.clock, call, resource).await?;
                if convert::has_webhook(resource.kind()) {
                    object = self.converter.read(resource, object).await?;
                }
                write::scale::get(&Showing::of(call, resource)?, &object)
            }
            (View::Scale(_), Verb::Update) => {
                write::update(self, call, resource, Door::Scale).await
            }
            (View::Scale(_), Verb::Patch) => write::patch(self, call, resource, Door::Scale).await,
            (View::Part(_), Verb::Get) => read::get(self.around(), call, resource).await,
            (View::Part(path), Verb::Update) => {
                write::update(self, call, resource, Door::Part(path, &sub.name)).await
            }
            (View::Part(path), Verb::Patch) => {
                write::patch(self, call, resource, Door::Part(path, &sub.name)).await
            }
            (View::Action(action), Verb::Create) => {
                write::act(self, call, resource, sub, action).await
            }
            (View::Fold(fold), Verb::Get) => {
                let object = read::stored(&self.clock, call, resource).await?;
                let tree = crate::render::tree(resource, &object)?;
                let value: Value = fold.show(&tree)?;
                Ok(Answer::Object {
                    code: 200,
                    accepted: call.accepted,
                    content: Content::Tree {
                        value,
                        gvk: api::Gvk {
                            group_version: sub.group_version.clone(),
                            kind: sub.kind.clone(),
                        },
                        shape: sub.shape.clone(),
                    },
                })
            }
            (View::Fold(fold), Verb::Create | Verb::Update) => {
                write::fold(self, call, resource, &**fold, sub).await
            }
            (View::Fold(fold), Verb::Patch) => {
                let door = Door::Fold(&**fold, &sub.name);
                write::patch(self, call, resource, door).await
            }
            (View::Service, _) => match self.services.get(&Point::of(&call.path)) {
                Some(service) => service.answer(self, call, resource, sub).await,
                // A service is offered by whoever wires the server; this one is not.
                None => Err(Status::no_such_page()),
            },
            _ => Err(Status::no_such_page()),
        }
    }

    fn not_supported(&self, call: &Call, resource: &Resource) -> Status {
        let _ = (call, resource);
        self.not_allowed()
    }

    fn not_allowed(&self) -> Status {
        let mut status = Status::new(
            405,
            api::Reason::MethodNotAllowed,
            "the server does not allow this method on the requested resource",
        );
        status.details = Some(Box::default());
        status
    }
}

fn allows(verbs: &[api::Text], verb: Verb) -> bool {
    verbs.iter().any(|known| known == verb.as_str())
}

#[cfg(test)]
pub(crate) mod tests;

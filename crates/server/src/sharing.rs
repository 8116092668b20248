//! Who holds what of the scarce values of a kind, and the sure way to take and to give back.
//!
//! What is taken is read off the stored objects: the books follow the collections of the holders
//! and of the deeds (objects that stand for single claims). Beside that there is only what writes
//! on their way have picked, a [`Reservation`], which ends with the write. Nothing can leak, and a
//! start after a crash begins with true books.
//!
//! Deeds are written before the holder and struck after it, by a task of its own that no dropped
//! request can stop halfway; what a crash leaves undone, [`Sharing::repair`] does.

mod books;

use std::sync::Arc;

use api::{Status, Text, Value, json, meta::Uid};
use base::{Clock, Rng, Tasks};
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use schema::{Allot, Claim, Ledger, Unknown};
use store::{Expected, Key, Revision, Store, StoreError, Write, Written};

use crate::{
    collection::{Collection, Stored},
    faults,
    registry::{Resource, Served},
    write::{Encoded, meta},
};

use books::Books;

/// How often the books are opened for one reading. Their place is lost only when the history is
/// shorter than it takes to read the collections, or when these are served no more.
const OPENINGS_MAX: usize = 4;

/// After how many seconds whoever could not read the books may try again.
const RETRY_SECONDS: u32 = 1;

/// The scarce values of one kind.
pub(crate) struct Sharing {
    rules: Arc<dyn Allot>,
    store: Arc<dyn Store>,
    clock: Clock,
    tasks: Tasks,
    rng: Mutex<Rng>,
    holders: Collection,
    deeds: Arc<Served>,
    ranges: Collection,
    state: Mutex<State>,
    /// The ranges as of a revision.
    offered: Mutex<(Revision, Arc<[Value]>)>,
}

#[derive(Default)]
struct State {
    /// Picked by writes on their way.
    reserved: HashSet<Claim>,
    books: Option<Books>,
}

/// Claims that a write on its way has picked; given back when it is dropped.
pub(crate) struct Reservation {
    sharing: Arc<Sharing>,
    claims: Vec<Claim>,
    deeds: Vec<Value>,
}

/// Why a write that takes or gives back claims did not happen.
pub(crate) enum Failed {
    /// Another server was faster to take a claim.
    Taken,
    /// The object that stands for a claim cannot be written as one.
    Deed(Status),
    /// The store refused.
    Store(StoreError),
}

/// Where the pieces of a sharing come from.
pub(crate) struct Around<'a> {
    pub(crate) store: &'a Arc<dyn Store>,
    pub(crate) clock: &'a Clock,
    pub(crate) tasks: &'a Tasks,
    pub(crate) rng: Rng,
}

impl Sharing {
    pub(crate) fn new(
        rules: Arc<dyn Allot>,
        [holders, deeds, ranges]: [&Resource; 3],
        around: Around<'_>,
    ) -> Self {
        Self {
            rules,
            store: Arc::clone(around.store),
            clock: around.clock.clone(),
            tasks: around.tasks.clone(),
            rng: Mutex::new(around.rng),
            holders: holders.served.collection.clone(),
            deeds: Arc::clone(&deeds.served),
            ranges: ranges.served.collection.clone(),
            state: Mutex::default(),
            offered: Mutex::new((Revision(0), Arc::from([]))),
        }
    }

    /// Completes an object by what it needs, and holds that for it until the answer is dropped.
    ///
    /// # Errors
    /// The refusal of the rules; faults of the store.
    pub(crate) async fn allot(
        self: &Arc<Self>,
        object: &mut Value,
        old: Option<&Value>,
        is_dry: bool,
    ) -> Result<Option<Reservation>, Status> {
        let ranges = self.offered().await?;
        let seed = self.rng.lock().next_u64();
        let picked = self
            .with_books(|books, reserved| {
                let mut page = Page {
                    books,
                    reserved,
                    ranges: &ranges,
                    rng: Rng::from_seed(seed),
                    picked: Vec::new(),
                    is_dry,
                };
                self.rules.allot(object, old, &mut page)?;
                let picked = page.picked;
                if !is_dry {
                    reserved.extend(picked.iter().copied());
                }
                Ok(picked)
            })
            .await??;
        if is_dry || picked.is_empty() {
            return Ok(None);
        }
        let deeds = picked
            .iter()
            .filter_map(|one| self.rules.deed(*one, object));
        Ok(Some(Reservation {
            deeds: deeds.collect(),
            sharing: Arc::clone(self),
            claims: picked,
        }))
    }

    /// Returns what an object holds.
    pub(crate) fn held(&self, object: &Value) -> Vec<Claim> {
        self.rules.held(object)
    }

    /// Writes a holder, its new deeds before it, and strikes the deeds of what it gives back.
    ///
    /// Dropping the future leaves the work to its task.
    ///
    /// # Errors
    /// [`Failed`]; what was begun is undone then.
    pub(crate) async fn carry_out(
        self: &Arc<Self>,
        write: Write,
        taken: Option<Reservation>,
        released: Vec<Claim>,
        holder: Text,
    ) -> Result<Written, Failed> {
        let sharing = Arc::clone(self);
        let work = async move {
            let outcome = sharing
                .transfer(write, taken.as_ref(), released, &holder)
                .await;
            // Only now: what is stored is in the books before the reservation goes.
            drop(taken);
            outcome
        };
        let task = self.tasks.spawn("claims", work);
        task.await.unwrap_or(Err(Failed::Store(StoreError::Closed)))
    }

    async fn transfer(
        &self,
        write: Write,
        taken: Option<&Reservation>,
        released: Vec<Claim>,
        holder: &str,
    ) -> Result<Written, Failed> {
        let mut made = Vec::new();
        for deed in taken.iter().flat_map(|taken| &taken.deeds) {
            match self.register(deed.clone()).await {
                Ok(written) => made.push(written),
                Err(failed) => {
                    self.undo(made).await;
                    return Err(failed);
                }
            }
        }
        match self.store.write(write).await {
            Ok(written) => {
                for claim in released {
                    self.strike(claim, holder).await;
                }
                Ok(written)
            }
            Err(error) => {
                self.undo(made).await;
                Err(Failed::Store(error))
            }
        }
    }

    /// Writes a deed.
    async fn register(&self, mut deed: Value) -> Result<(Key, Revision), Failed> {
        let kind = &self.deeds.kind;
        let uid = Uid::random(&mut self.rng.lock()).to_string();
        meta::stamp(&mut deed, &uid, self.clock.wall(), kind.traits.generation);
        let name = meta::text(&deed, "name").to_owned();
        let shape = &kind.stored().shape;
        let encoded = schema::decode(shape, &mut deed, &mut Unknown::ignore())
            .map_err(Status::internal)
            .and_then(|()| Encoded::of(kind, kind.storage, &mut deed))
            .map_err(Failed::Deed)?;
        let key = self.deeds.collection.key(&name);
        match self
            .store
            .write(Write::create(key.clone(), encoded.stamped()))
            .await
        {
            Ok(written) => Ok((key, written.revision)),
            Err(StoreError::Changed { .. }) => Err(Failed::Taken),
            Err(error) => Err(Failed::Store(error)),
        }
    }

    /// Takes back deeds of a holder that was not written.
    async fn undo(&self, made: Vec<(Key, Revision)>) {
        for (key, revision) in made {
            let write = Write::delete(key, None, Expected::At(revision));
            match self.store.write(write).await {
                // Whoever changed it meanwhile has made it their own.
                Ok(_) | Err(StoreError::Changed { .. }) => {}
                Err(error) => tracing::error!(error = %base::Chain(&error), "a deed stays behind"),
            }
        }
    }

    /// Removes the deed of a claim that a holder has given back.
    async fn strike(&self, claim: Claim, holder: &str) {
        let found = self.with_books(|books, _| books.deed_of(claim)).await;
        let Ok(Some(place)) = found else { return };
        let Ok(Some(deed)) = self.deeds.collection.get(&place).await else {
            return;
        };
        let owner = parse(&deed).and_then(|deed| self.rules.holder_of(&deed));
        if owner.as_deref() == Some(holder) {
            self.remove(&place, &deed).await;
        }
    }

    async fn remove(&self, place: &str, deed: &Stored) {
        let key = self.deeds.collection.key(place);
        let write = Write::delete(key, deed.stamped(), Expected::At(deed.revision));
        match self.store.write(write).await {
            Ok(_) | Err(StoreError::Changed { .. }) => {}
            Err(error) => tracing::error!(error = %base::Chain(&error), "a deed stays behind"),
        }
    }

    /// Brings holders and deeds in step, as a crash between their writes may have left them.
    ///
    /// # Errors
    /// Faults of the store.
    pub(crate) async fn repair(&self) -> Result<(), Status> {
        let (stale, missing) = self
            .with_books(|books, reserved| books.differences(reserved))
            .await?;
        for place in stale {
            let deed = self.deeds.collection.get(&place).await;
            let Some(deed) = deed.map_err(|error| faults::read(&error))? else {
                continue;
            };
            let Some(value) = parse(&deed) else { continue };
            let Some(holder) = self.rules.holder_of(&value) else {
                continue;
            };
            let claim = self.rules.claim_of(&value);
            let is_held = self.with_books(|books, reserved| {
                claim.is_none_or(|claim| {
                    reserved.contains(&claim) || books.is_held_by(&holder, claim)
                })
            });
            if !is_held.await? {
                tracing::info!(address = %place, "a deed without its holder is removed");
                self.remove(&place, &deed).await;
            }
        }
        for (place, claim) in missing {
            let holder = self.holders.get(&place).await;
            let Some(holder) = holder.map_err(|error| faults::read(&error))? else {
                continue;
            };
            let deed = parse(&holder).and_then(|holder| self.rules.deed(claim, &holder));
            if let Some(deed) = deed {
                // Who has it already keeps it.
                let _ = self.register(deed).await;
            }
        }
        Ok(())
    }

    /// Returns the objects that say what there is to take.
    async fn offered(&self) -> Result<Arc<[Value]>, Status> {
        let view = self
            .ranges
            .view()
            .await
            .map_err(|error| faults::read(&error))?;
        let mut offered = self.offered.lock();
        if offered.0 != view.changed {
            let objects = view.objects.values().filter_map(|one| parse(one));
            *offered = (view.changed, objects.collect());
        }
        Ok(Arc::clone(&offered.1))
    }

    /// Reads the books as they are now.
    async fn with_books<T>(
        &self,
        read: impl FnOnce(&Books, &mut HashSet<Claim>) -> T,
    ) -> Result<T, Status> {
        for _ in 0..OPENINGS_MAX {
            {
                let State { reserved, books } = &mut *self.state.lock();
                if let Some(known) = books {
                    if known.catch_up(&*self.rules) {
                        return Ok(read(known, reserved));
                    }
                    *books = None;
                }
            }
            let opened = Books::open(&*self.rules, &self.holders, &self.deeds.collection).await;
            let opened = opened.map_err(|error| faults::read(&error))?;
            self.state.lock().books.get_or_insert(opened);
        }
        Err(Status::too_many_requests(
            "addresses and ports change faster than they can be read, please try again",
            RETRY_SECONDS,
        ))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.sharing.state.lock();
        for claim in &self.claims {
            state.reserved.remove(claim);
        }
    }
}

/// What one write sees of the books, and picks.
struct Page<'a> {
    books: &'a Books,
    reserved: &'a HashSet<Claim>,
    ranges: &'a [Value],
    rng: Rng,
    picked: Vec<Claim>,
    is_dry: bool,
}

impl Ledger for Page<'_> {
    fn ranges(&self) -> &[Value] {
        self.ranges
    }

    fn take(&mut self, claim: Claim) -> bool {
        let is_taken = self.books.is_taken(claim)
            || self.reserved.contains(&claim)
            || self.picked.contains(&claim);
        if !is_taken {
            self.picked.push(claim);
        }
        !is_taken
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.rng.below(bound)
    }

    fn is_dry(&self) -> bool {
        self.is_dry
    }
}

fn parse(stored: &Stored) -> Option<Value> {
    json::read(&stored.bytes).ok().map(|parsed| parsed.value)
}

/// Claims by the place of the object that has them.
type ByPlace = HashMap<Text, Vec<Claim>>;

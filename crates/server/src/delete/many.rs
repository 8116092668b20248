//! DELETE of a collection: a list, and a delete of each object in it. Not atomic.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use api::{Status, Text};

use super::options::DeleteOptions;
use crate::{
    Answer, Call,
    collection::Stored,
    list::{self, Page, Plan},
    registry::Resource,
    render::Showing,
    select::Selection,
    serving::Serving,
    write::{Door, Writer},
};

/// How many objects are listed at once, as upstream.
const PAGE: usize = 10_000;

/// How many deletes are on their way at once: enough for the store to sync many in one go.
const AT_ONCE: usize = 64;

/// Deletes the objects that the selectors mean, and answers with the list of them.
///
/// # Errors
/// The refusals of options and selectors; the first refusal of a delete, after which others may
/// have happened.
pub(crate) async fn many(
    serving: &Serving,
    call: &mut Call,
    resource: &Resource,
) -> Result<Answer, Status> {
    let options = DeleteOptions::read(call)?;
    let showing = Showing::of(call, resource)?;
    let selection = Selection::read(resource, &call.path, &call.options)?;
    options.check()?;
    call.options.dry_run = options.dry_run;
    let mut plan = Plan::read(&call.options, selection.single(resource).is_some())?;
    let is_limited = plan.limit > 0;
    if !is_limited {
        plan.limit = PAGE;
    }
    let around = (&serving.clock, &serving.converter);
    let mut page = list::page(around, &showing, &selection, &plan).await?;
    delete_all(serving, call, resource, &options, &page.items).await?;
    while !is_limited && !page.continue_token.is_empty() {
        let mut next = call.options.clone();
        next.continue_token = Text::from(std::mem::take(&mut page.continue_token));
        (next.resource_version, next.resource_version_match) = Default::default();
        let mut plan = Plan::read(&next, false)?;
        plan.limit = PAGE;
        let more = list::page(around, &showing, &selection, &plan).await?;
        delete_all(serving, call, resource, &options, &more.items).await?;
        page.items.extend(more.items);
        page.continue_token = more.continue_token;
    }
    if !is_limited {
        page.remaining = None;
    }
    answer(&showing, &page)
}

fn answer(showing: &Showing, page: &Page) -> Result<Answer, Status> {
    list::answer(showing, page)
}

/// Deletes these objects, many at once. What has gone meanwhile is no error.
///
/// # Errors
/// The first refusal; others may have been deleted.
pub(crate) async fn delete_all(
    serving: &Serving,
    call: &mut Call,
    resource: &Resource,
    options: &DeleteOptions,
    items: &[(Text, Arc<Stored>)],
) -> Result<(), Status> {
    for some in items.chunks(AT_ONCE) {
        let mut deletes: Vec<Delete<'_>> = some
            .iter()
            .map(|(place, _)| {
                let mut own = call.clone();
                let (namespace, name) = place.rsplit_once('/').unwrap_or(("", place));
                own.path.namespace = Text::new(namespace);
                own.path.name = Text::new(name);
                own.path.selected_by_name = false;
                let delete = async move {
                    let mut writer = Writer::new(serving, &mut own, resource, Door::Main);
                    match writer.delete(options).await {
                        // Someone else was faster.
                        Err(status) if status.code == 404 => Ok(()),
                        other => other.map(drop),
                    }
                };
                Some(Box::pin(delete) as Pin<Box<dyn Future<Output = _> + Send>>)
            })
            .collect();
        std::future::poll_fn(|ctx| poll_all(&mut deletes, ctx)).await?;
    }
    Ok(())
}

/// One delete on its way; none once it is done.
type Delete<'a> = Option<Pin<Box<dyn Future<Output = Result<(), Status>> + Send + 'a>>>;

/// Polls all of them; ready when all are done or one is refused.
fn poll_all(deletes: &mut [Delete<'_>], ctx: &mut Context<'_>) -> Poll<Result<(), Status>> {
    let mut is_waiting = false;
    for slot in deletes {
        let Some(delete) = slot else { continue };
        match delete.as_mut().poll(ctx) {
            Poll::Pending => is_waiting = true,
            Poll::Ready(outcome) => {
                *slot = None;
                outcome?;
            }
        }
    }
    if is_waiting {
        Poll::Pending
    } else {
        Poll::Ready(Ok(()))
    }
}

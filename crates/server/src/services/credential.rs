//! Signs a credential for whoever acts as an object ([`schema::Credential`]).

use access::identify::{
    ServiceAccounts,
    service_account::{Bound, Grant, Reference},
};
use api::{Meta, Status, Value};
use schema::{
    Credential,
    offer::{self, Named, Signing, Wish},
};

use super::Asked;
use crate::{
    Answer, Call, Content,
    admit::{Ask, Operation},
    sight,
    write::body,
};

/// How often may be looked before there must be something to sign.
const LOOKS_MAX: usize = 4;

/// Answers a request for a credential.
pub(super) async fn answer(
    asked: &Asked<'_>,
    call: &mut Call,
    rules: &dyn Credential,
    accounts: &ServiceAccounts,
) -> Result<Answer, Status> {
    let mut request = body::read(call, &asked.expected())?;
    let path = call.path.clone();
    let wish = Wish {
        namespace: &path.namespace,
        name: &path.name,
        audiences: accounts.audiences(),
        now: call.received,
    };
    rules.read(&wish, &mut request)?;
    let ask = Ask {
        serving: asked.serving,
        resource: asked.resource,
        operation: Operation::Create,
        subresource: &asked.sub.name,
    };
    ask.mutate(call, &mut request, None).await?;
    let (_, object) = asked.object(call).await?;
    rules.complete(&wish, &mut request, &object)?;
    ask.validate(call, Some(&request), None).await?;
    let grant = find(asked, rules, &wish, &request).await?;
    let signed = sign(asked, accounts, &wish, Meta::of(&object).uid(), grant)?;
    rules.show(&wish, &mut request, signed);
    show(asked, call, request)
}

/// Looks at what the rules want to see until there is something to sign.
async fn find(
    asked: &Asked<'_>,
    rules: &dyn Credential,
    wish: &Wish<'_>,
    request: &Value,
) -> Result<offer::Grant, Status> {
    let mut seen = Vec::new();
    for _ in 0..LOOKS_MAX {
        match rules.next(wish, request, &seen)? {
            Signing::Sign(grant) => return Ok(grant),
            Signing::Look(sight) => seen.push(sight::look(asked.serving, &sight).await?),
        }
    }
    Err(Status::internal("a credential is never signed"))
}

fn sign(
    asked: &Asked<'_>,
    accounts: &ServiceAccounts,
    wish: &Wish<'_>,
    uid: &str,
    grant: offer::Grant,
) -> Result<String, Status> {
    let bound = grant.bound.map(|(resource, named)| {
        let bound = Bound::to(resource, reference(named));
        bound.ok_or_else(|| Status::internal(format!("no token is bound to {}", resource.1)))
    });
    let grant = Grant {
        namespace: wish.namespace,
        name: wish.name,
        uid,
        bound: bound.transpose()?,
        node: grant.host.map(reference),
        audiences: grant.audiences,
        lifetime: grant.lifetime,
        warn_after: grant.warn_after,
    };
    let token = asked
        .serving
        .random(|rng| accounts.sign(&grant, wish.now, rng));
    let token = token.map_err(|error| {
        Status::internal(format!("failed to generate token: {}", base::Chain(&error)))
    })?;
    Ok(token.text)
}

fn reference(named: Named) -> Reference {
    Reference {
        name: named.name,
        uid: named.uid,
    }
}

/// Answers with the request as it has become.
fn show(asked: &Asked<'_>, call: &Call, mut request: Value) -> Result<Answer, Status> {
    schema::decode(
        &asked.sub.shape,
        &mut request,
        &mut schema::Unknown::ignore(),
    )
    .map_err(Status::internal)?;
    Ok(Answer::Object {
        code: 201,
        accepted: call.accepted,
        content: Content::Tree {
            value: request,
            gvk: api::Gvk {
                group_version: asked.sub.group_version.clone(),
                kind: asked.sub.kind.clone(),
            },
            shape: asked.sub.shape.clone(),
        },
    })
}

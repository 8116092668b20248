//! What is wrong with the conversion of a definition, and with the webhook that does it.

use api::{
    Value,
    field::{Error, Path},
    names::validate::dns1035_label,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use schema::webhook_client;

pub(super) fn wrong_conversion(
    spec: &Value,
    old: Option<&Value>,
    path: &Path<'_>,
    errors: &mut Vec<Error>,
) {
    let Some(conversion) = spec.get("conversion").filter(|one| !one.is_null()) else {
        return;
    };
    let place = path.child("conversion");
    let webhook = conversion.get("webhook").filter(|hook| !hook.is_null());
    let strategy = conversion.str_at(&["strategy"]).unwrap_or_default();
    let place_strategy = place.child("strategy");
    match strategy {
        "" => errors.push(Error::required(&place_strategy, "")),
        "None" | "Webhook" => {}
        other => errors.push(Error::not_supported(
            &place_strategy,
            other,
            &["None", "Webhook"],
        )),
    }
    let client = webhook.and_then(|hook| hook.get("clientConfig"));
    let client = client.filter(|client| !client.is_null());
    let reviews = webhook.and_then(|hook| hook.get("conversionReviewVersions"));
    let reviews = reviews.and_then(Value::as_array).unwrap_or_default();
    let place_client = place.child("webhookClientConfig");
    let place = place.child("conversionReviewVersions");
    if strategy != "Webhook" {
        let why = "should not be set when strategy is not set to Webhook";
        if client.is_some() {
            errors.push(Error::forbidden(&place_client, why));
        }
        if !reviews.is_empty() {
            errors.push(Error::forbidden(&place, why));
        }
        return;
    }
    match client {
        None => {
            let why = "required when strategy is set to Webhook";
            errors.push(Error::required(&place_client, why));
        }
        Some(client) => {
            errors.extend(webhook_client(client, &place_client));
            if !may_be_no_bundle(old) {
                errors.extend(wrong_bundle(client, &place_client.child("caBundle")));
            }
        }
    }
    let path = ["spec", "conversion", "webhook", "conversionReviewVersions"];
    let were = old.and_then(|old| old.at(&path)).and_then(Value::as_array);
    wrong_reviews(reviews, were.unwrap_or_default(), &place, errors);
}

/// Whether the certificates of a webhook may be none: of a definition that serves nothing yet, and
/// of one that was stored so.
fn may_be_no_bundle(old: Option<&Value>) -> bool {
    let Some(old) = old.filter(|old| super::super::status::is_true(old, "Established")) else {
        return true;
    };
    let client = old.at(&["spec", "conversion", "webhook", "clientConfig"]);
    client.is_some_and(|client| wrong_bundle(client, &Path::ROOT).is_some())
}

fn wrong_bundle(client: &Value, place: &Path<'_>) -> Option<Error> {
    let bundle = client
        .str_at(&["caBundle"])
        .filter(|text| !text.is_empty())?;
    let bytes = STANDARD.decode(bundle).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    // Like Go, content with one certificate in it is good enough.
    let body = text
        .split_once("-----BEGIN CERTIFICATE-----")
        .map(|(_, rest)| rest);
    let body = body.and_then(|rest| rest.split_once("-----END CERTIFICATE-----"));
    let is_certificate = body.is_some_and(|(body, _)| {
        let body: String = body.split_whitespace().collect();
        STANDARD.decode(body).is_ok_and(|der| !der.is_empty())
    });
    if is_certificate {
        return None;
    }
    let why = "unable to load root certificates: unable to parse bytes as PEM block";
    Some(Error::invalid(place, bundle, why))
}

fn wrong_reviews(reviews: &[Value], were: &[Value], place: &Path<'_>, errors: &mut Vec<Error>) {
    let is_known = |one: &Value| matches!(one.as_str(), Some("v1" | "v1beta1"));
    if reviews.is_empty() {
        errors.push(Error::required(place, ""));
        return;
    }
    for (at, review) in reviews.iter().enumerate() {
        let place = place.index(at);
        let text = review.as_str().unwrap_or_default();
        if reviews[..at].contains(review) {
            errors.push(Error::invalid(&place, text, "duplicate version"));
            continue;
        }
        for rule in dns1035_label(text) {
            errors.push(Error::invalid(&place, text, rule));
        }
    }
    let was_known = were.is_empty() || were.iter().any(is_known);
    if was_known && !reviews.iter().any(is_known) {
        let why = "must include at least one of v1, v1beta1";
        errors.push(Error::invalid(place, &Value::Array(reviews.to_vec()), why));
    }
}

use axum::{
    Json,
    http::{HeaderValue, Method, StatusCode},
    response::IntoResponse as _,
};
use sealock_core::Digest;
use serde_json::{Value, json};

use super::{Answer, Call, about, change, items, last, limit, order, page, time};
use crate::{Error, RepositoryName, Tag, manifests::TagRecord, order::Place, registry::Page};

/// `GET /acr/v1/{name}/_tags`
pub(in super::super) async fn list(call: Call, name: &RepositoryName) -> Answer {
    if !matches!(call.method, Method::GET | Method::HEAD) {
        return Err(call.method_not_allowed("GET, HEAD"));
    }
    call.registry.check_known(name).await?;
    let order = order(&call)?;
    let digest = call.query("digest").filter(|digest| !digest.is_empty());
    let digest: Option<Digest> = digest.map(str::parse).transpose()?;
    let tags = call.registry.repository_tags(name).await?.into_iter();
    let tags = tags.filter(|(_, record)| {
        record.attributes.list_enabled && digest.is_none_or(|digest| record.digest == digest)
    });
    let tags = tags.map(|(tag, record)| {
        let place = Place {
            time: record.updated,
            name: tag.to_string(),
        };
        (place, (tag, record))
    });
    let limit = limit(&call)?;
    let page = Page::first(limit, order.behind(last(&call), tags.collect())?);
    let next = page.next(|(place, _)| order.marker(place));
    let tags = page.items.iter();
    let tags = tags.map(|(_, (tag, record))| view(tag, record));
    let mut body = about(&call, name);
    body["tags"] = items(tags.collect());
    page::with_link(
        Json(body).into_response(),
        limit,
        order.as_str(),
        &format!("/acr/v1/{name}/_tags"),
        next,
    )
}

/// `GET`, `PATCH` and `DELETE` of `/acr/v1/{name}/_tags/{tag}`
pub(in super::super) async fn one(mut call: Call, name: &RepositoryName, tag: &Tag) -> Answer {
    let record = match call.method {
        Method::GET | Method::HEAD => call.registry.tag(name, tag).await?.value,
        Method::PATCH => {
            let change = change(&mut call).await?;
            call.registry.change_tag(name, tag, change).await?
        }
        Method::DELETE => {
            let digest = call.registry.delete_tag(name, tag).await?;
            let digest = HeaderValue::from_str(&digest.to_string())
                .map_err(|error| Error::Internal(error.to_string()))?;
            let header = [("x-ms-int-docker-content-digest", digest)];
            return Ok((StatusCode::ACCEPTED, header).into_response());
        }
        _ => return Err(call.method_not_allowed("GET, HEAD, PATCH, DELETE")),
    };
    let mut body = about(&call, name);
    body["tag"] = view(tag, &record);
    Ok(Json(body).into_response())
}

fn view(tag: &Tag, record: &TagRecord) -> Value {
    json!({
        "name": tag,
        "digest": record.digest,
        "createdTime": time(record.created.unwrap_or(record.updated)),
        "lastUpdateTime": time(record.updated),
        "signed": false,
        "changeableAttributes": record.attributes,
    })
}

use axum::{
    Json,
    http::{HeaderValue, Method, StatusCode},
    response::IntoResponse as _,
};
use sealock_core::Digest;
use serde_json::{Value, json};

use super::{Answer, Call, Order, about, change, limit, page, page_of, time};
use crate::{Error, RepositoryName, Tag, manifests::TagRecord};

/// `GET /acr/v1/{name}/_tags`
pub(in super::super) fn list(call: &Call, name: &RepositoryName) -> Answer {
    if !matches!(call.method, Method::GET | Method::HEAD) {
        return Err(call.method_not_allowed("GET, HEAD"));
    }
    call.registry.check_known(name)?;
    let order = Order::of(call)?;
    let digest = call.query("digest").filter(|digest| !digest.is_empty());
    let digest: Option<Digest> = digest.map(str::parse).transpose()?;
    let mut tags = call.registry.repository_tags(name)?;
    tags.retain(|(_, record)| {
        record.attributes.list_enabled && digest.is_none_or(|digest| record.digest == digest)
    });
    order.sort(&mut tags, |(_, record)| record.updated);
    let page = page_of(call, tags, |(tag, _)| tag.to_string())?;
    let next = page.next(|(tag, _)| tag.to_string());
    let tags = page.items.iter().map(|(tag, record)| view(tag, record));
    let mut body = about(call, name);
    body["tags"] = tags.collect();
    page::with_link(
        Json(body).into_response(),
        limit(call)?,
        Some(order.as_str()),
        &format!("/acr/v1/{name}/_tags"),
        next,
    )
}

/// `GET`, `PATCH` and `DELETE` of `/acr/v1/{name}/_tags/{tag}`
pub(in super::super) async fn one(mut call: Call, name: &RepositoryName, tag: &Tag) -> Answer {
    let record = match call.method {
        Method::GET | Method::HEAD => call.registry.tag(name, tag)?.value,
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

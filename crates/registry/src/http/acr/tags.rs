use axum::{
    Json,
    http::{HeaderValue, StatusCode},
    response::{IntoResponse as _, Response},
};
use sealock_core::Digest;
use sealock_http::Query;
use serde_json::{Value, json};

use super::{
    Answer, Call, FromQuery, PAGE_DEFAULT, PageQuery, about, attributes, items, page, time,
};
use crate::{
    Error, RepositoryName, Tag,
    manifests::order::{Order, Place},
    manifests::record::TagRecord,
    registry::Page,
};

/// The tags that a client asks for.
#[derive(Debug)]
pub(in crate::http) struct TagFilter {
    /// The manifest that they are on. An empty text asks for those on any.
    digest: Option<Digest>,
}

impl FromQuery for TagFilter {
    fn from_query(query: &Query) -> Result<Self, Error> {
        let digest = query.non_empty("digest").map(str::parse).transpose()?;
        Ok(Self { digest })
    }
}

/// `GET /acr/v1/{name}/_tags`
pub(in crate::http) async fn list(
    call: Call,
    name: &RepositoryName,
    order: Result<Order, Error>,
    filter: Result<TagFilter, Error>,
    asked: Result<PageQuery, Error>,
) -> Answer {
    call.registry.check_known(name).await?;
    let order = order?;
    let TagFilter { digest } = filter?;
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
    let asked = asked?;
    let limit = asked.limit.unwrap_or(PAGE_DEFAULT);
    let tags = order.behind(asked.last.as_deref(), tags.collect())?;
    let page = Page::first(limit, tags);
    let next = page.next(|(place, _)| order.marker(place));
    let tags = page.items.iter();
    let tags = tags.map(|(_, (tag, record))| view(tag, record));
    let mut body = about(&call, name);
    body["tags"] = items(tags.collect());
    Ok(page::with_link(
        Json(body).into_response(),
        limit,
        order.as_str(),
        &format!("/acr/v1/{name}/_tags"),
        next,
    ))
}

/// `GET /acr/v1/{name}/_tags/{tag}`
pub(in crate::http) async fn get(call: Call, name: &RepositoryName, tag: &Tag) -> Answer {
    let record = call.registry.tag(name, tag).await?.value;
    Ok(answer(&call, name, tag, &record))
}

/// `PATCH /acr/v1/{name}/_tags/{tag}`
pub(in crate::http) async fn change(mut call: Call, name: &RepositoryName, tag: &Tag) -> Answer {
    let change = attributes(&mut call).await?;
    let record = call.registry.change_tag(name, tag, change).await?;
    Ok(answer(&call, name, tag, &record))
}

/// `DELETE /acr/v1/{name}/_tags/{tag}`
pub(in crate::http) async fn delete(call: Call, name: &RepositoryName, tag: &Tag) -> Answer {
    let digest = call.registry.delete_tag(name, tag).await?;
    let digest = HeaderValue::from_str(&digest.to_string())
        .map_err(|error| Error::Internal(error.to_string()))?;
    let header = [("x-ms-int-docker-content-digest", digest)];
    Ok((StatusCode::ACCEPTED, header).into_response())
}

fn answer(call: &Call, name: &RepositoryName, tag: &Tag, record: &TagRecord) -> Response {
    let mut body = about(call, name);
    body["tag"] = view(tag, record);
    Json(body).into_response()
}

fn view(tag: &Tag, record: &TagRecord) -> Value {
    json!({
        "name": tag,
        "digest": record.digest,
        "createdTime": time(record.created),
        "lastUpdateTime": time(record.updated),
        "signed": false,
        "changeableAttributes": record.attributes,
    })
}

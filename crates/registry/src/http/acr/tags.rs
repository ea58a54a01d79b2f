use axum::{
    Json,
    http::{HeaderValue, StatusCode},
    response::{IntoResponse as _, Response},
};
use sealock_core::Digest;
use sealock_http::Query;
use serde_json::{Value, json};

use super::{
    Answer, Call, FromQuery, PAGE_DEFAULT, PageQuery, format_time, null_if_empty, page,
    read_change, repository_view,
};
use crate::{
    Error, RepositoryName, Tag,
    manifests::order::{Order, Position},
    manifests::record::TagRecord,
};

/// The filter of a list of tags.
#[derive(Debug)]
pub(in crate::http) struct TagFilter {
    /// The manifest that the tags are on. An empty parameter selects the tags of all manifests.
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
    page_query: Result<PageQuery, Error>,
) -> Answer {
    call.registry.check_exists(name).await?;
    let order = order?;
    let TagFilter { digest } = filter?;
    let page_query = page_query?;
    let limit = page_query.limit.unwrap_or(PAGE_DEFAULT);
    let (registry, last) = (&call.registry, page_query.last.as_deref());
    let page = match &digest {
        Some(digest) => {
            registry
                .list_tags_of(name, digest, order, last, limit)
                .await?
        }
        None => registry.list(name, order, last, limit).await?,
    };
    let next = page.next_marker(|(tag, record)| order.marker(&Position::of(tag, record)));
    let tags = page.items.iter();
    let tags = tags.map(|(tag, record)| view(tag, record));
    let mut body = repository_view(&call, name);
    body["tags"] = null_if_empty(tags.collect());
    Ok(page::with_next_link(
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
    let change = read_change(&mut call).await?;
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
    let mut body = repository_view(call, name);
    body["tag"] = view(tag, record);
    Json(body).into_response()
}

fn view(tag: &Tag, record: &TagRecord) -> Value {
    json!({
        "name": tag,
        "digest": record.digest,
        "createdTime": format_time(record.created),
        "lastUpdateTime": format_time(record.updated),
        "signed": false,
        "changeableAttributes": record.attributes,
    })
}

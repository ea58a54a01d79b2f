use axum::{Json, http::StatusCode, response::IntoResponse as _};
use serde_json::json;

use super::{
    Answer, Call, PAGE_DEFAULT, PageQuery, format_time, page, read_change, repository_view,
};
use crate::{Error, RepositoryName};

/// `GET /acr/v1/_catalog`
pub(in crate::http) async fn list(call: Call, page_query: Result<PageQuery, Error>) -> Answer {
    let page_query = page_query?;
    let limit = page_query.limit.unwrap_or(PAGE_DEFAULT);
    let last = page_query.last.as_deref();
    let repositories = call.registry.repositories(last, limit).await?;
    Ok(page::render(
        "/acr/v1/_catalog",
        limit,
        &repositories,
        |repositories| json!({ "repositories": repositories }),
    ))
}

/// `GET /acr/v1/{name}`
pub(in crate::http) async fn get(call: Call, name: &RepositoryName) -> Answer {
    let repository = call.registry.repository(name).await?;
    let mut view = repository_view(&call, name);
    view["createdTime"] = format_time(repository.created).into();
    view["lastUpdateTime"] = format_time(repository.updated).into();
    view["manifestCount"] = repository.manifests.into();
    view["tagCount"] = repository.tags.into();
    view["changeableAttributes"] = json!(repository.attributes);
    Ok(Json(view).into_response())
}

/// `PATCH /acr/v1/{name}`
pub(in crate::http) async fn change(mut call: Call, name: &RepositoryName) -> Answer {
    let change = read_change(&mut call).await?;
    call.registry.change_repository(name, change).await?;
    get(call, name).await
}

/// `DELETE /acr/v1/{name}`
pub(in crate::http) async fn delete(call: Call, name: &RepositoryName) -> Answer {
    let deleted = call.registry.delete_repository(name).await;
    let deleted = deleted.map_err(|error| match error {
        Error::NameUnknown(name) => Error::NameUnknownOnDeletion(name),
        error => error,
    })?;
    let deleted = json!({ "manifestsDeleted": deleted.manifests, "tagsDeleted": deleted.tags });
    Ok((StatusCode::ACCEPTED, Json(deleted)).into_response())
}

use axum::{
    Json,
    http::{Method, StatusCode},
    response::IntoResponse as _,
};
use serde_json::json;

use super::{Answer, Call, about, change, last, limit, page, time};
use crate::{Error, RepositoryName};

/// `GET /acr/v1/_catalog`
pub(in super::super) async fn list(call: Call) -> Answer {
    if !matches!(call.method, Method::GET | Method::HEAD) {
        return Err(call.method_not_allowed("GET, HEAD"));
    }
    let (limit, last) = (limit(&call)?, last(&call));
    let repositories = call.registry.repositories(last, limit).await?;
    page::answer(
        "/acr/v1/_catalog",
        limit,
        &repositories,
        |repositories| json!({ "repositories": repositories }),
    )
}

/// `GET`, `PATCH` and `DELETE` of `/acr/v1/{name}`
pub(in super::super) async fn one(mut call: Call, name: &RepositoryName) -> Answer {
    match call.method {
        Method::GET | Method::HEAD => {}
        Method::PATCH => {
            let change = change(&mut call).await?;
            call.registry.change_repository(name, change).await?;
        }
        Method::DELETE => {
            let deleted = call.registry.delete_repository(name).await;
            let deleted = deleted.map_err(|error| match error {
                Error::NameUnknown(name) => Error::NameUndeletable(name),
                error => error,
            })?;
            let deleted =
                json!({ "manifestsDeleted": deleted.manifests, "tagsDeleted": deleted.tags });
            return Ok((StatusCode::ACCEPTED, Json(deleted)).into_response());
        }
        _ => return Err(call.method_not_allowed("GET, HEAD, PATCH, DELETE")),
    }
    let repository = call.registry.repository(name).await?;
    let mut view = about(&call, name);
    view["createdTime"] = time(repository.created).into();
    view["lastUpdateTime"] = time(repository.updated).into();
    view["manifestCount"] = repository.manifests.into();
    view["tagCount"] = repository.tags.into();
    view["changeableAttributes"] = json!(repository.attributes);
    Ok(Json(view).into_response())
}

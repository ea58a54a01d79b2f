//! Microsoft Graph, as far as Azure's command line and Terraform ask it about principals.
//!
//! <https://learn.microsoft.com/graph/api/overview?view=graph-rest-1.0>

mod endpoint;
mod filter;
mod object;
mod render;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, header},
    response::Response,
};
use sealock_core::{PrincipalId, excerpt};
use sealock_http::{Credentials, Found, Query};
use serde::Deserialize;
use serde_json::{Value, json};

pub use self::endpoint::is_graph_path;
use self::{
    endpoint::GraphEndpoint,
    filter::Filter,
    object::{Kind, matches, view},
};
use crate::{Error, Principal, Result, TokenIssuer, tokens::scope::GRAPH};

/// The limit of ids in a request for objects.
///
/// <https://learn.microsoft.com/graph/api/directoryobject-getbyids#request-body>
const IDS_LIMIT: usize = 1000;

/// The limit of a body: as many ids, and what surrounds them.
const BODY_LIMIT: usize = 64 * 1024;

/// A request to Graph, with the caller that its token names.
struct Call<'a> {
    issuer: &'a TokenIssuer,
    caller: Principal,
    query: Query,
}

/// The body of `getByIds`.
#[derive(Deserialize)]
struct Ids {
    ids: Vec<String>,
    #[serde(default)]
    types: Vec<String>,
}

/// Answers a request to Graph. `origin` is the URL of the service, which is an audience of its tokens.
pub async fn graph(issuer: &TokenIssuer, origin: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let query = Query::from_uri(&parts.uri);
    let found = GraphEndpoint::TABLE.find(&parts.method, parts.uri.path(), &query);
    let answer = async {
        let caller = caller(issuer, origin, &parts.headers).await?;
        let call = Call {
            issuer,
            caller,
            query,
        };
        dispatch(&call, found?, body).await
    };
    let now = issuer.directory().now();
    match answer.await {
        Ok(value) => render::value(origin, value),
        Err(error) => render::error(&error, now, &parts.headers),
    }
}

/// Returns the principal of the request's token.
async fn caller(issuer: &TokenIssuer, origin: &str, headers: &HeaderMap) -> Result<Principal> {
    let authorization = headers.get(header::AUTHORIZATION);
    let Some(Credentials::Bearer(token)) = authorization.and_then(Credentials::parse) else {
        return Err(Error::TokenMissing);
    };
    let with_slash = format!("{origin}/");
    let audiences = [
        GRAPH,
        "https://graph.microsoft.com",
        "https://graph.microsoft.com/",
        origin,
        &with_slash,
    ];
    issuer.verify(token, &audiences).await
}

async fn dispatch(call: &Call<'_>, found: Found<GraphEndpoint>, body: Body) -> Result<Value> {
    found.allowed?;
    match found.endpoint {
        GraphEndpoint::ShowMe => match &call.caller {
            Principal::User(_) => Ok(entity(Kind::User, &call.caller)),
            _ => Err(Error::NotDelegated),
        },
        GraphEndpoint::ListOwnedObjects => Ok(collection("directoryObjects", &[])),
        GraphEndpoint::ListServicePrincipals => list(call, Kind::ServicePrincipal).await,
        GraphEndpoint::ShowServicePrincipal { id } => show(call, Kind::ServicePrincipal, &id).await,
        GraphEndpoint::ListApplications => list(call, Kind::Application).await,
        GraphEndpoint::ShowApplication { id } => show(call, Kind::Application, &id).await,
        GraphEndpoint::ListUsers => list(call, Kind::User).await,
        GraphEndpoint::ShowUser { id } => show(call, Kind::User, &id).await,
        // There are no groups.
        GraphEndpoint::ListGroups => Ok(collection("groups", &[])),
        GraphEndpoint::ShowGroup { id } => Err(Error::ObjectNotFound(excerpt(&id).to_owned())),
        GraphEndpoint::ShowObject { id } => show_object(call, &id).await,
        GraphEndpoint::ListObjectsByIds => objects_by_ids(call, body).await,
    }
}

/// `GET /v1.0/{collection}?$filter=...`
async fn list(call: &Call<'_>, kind: Kind) -> Result<Value> {
    let filter = match call.query.first("$filter") {
        Some(text) => Some(Filter::parse(text)?),
        None => None,
    };
    let mut found = Vec::new();
    for principal in call.issuer.directory().principals().await? {
        let Some(object) = view(kind, &principal) else {
            continue;
        };
        let is_match = match &filter {
            Some(filter) => filter.accepts(|condition| matches(&object, condition))?,
            None => true,
        };
        if is_match {
            found.push(object);
        }
    }
    Ok(collection(kind.collection(), &found))
}

/// `GET /v1.0/{collection}/{id}`: by the object id or, for a user, by the name.
async fn show(call: &Call<'_>, kind: Kind, id: &str) -> Result<Value> {
    let principals = call.issuer.directory().principals().await?;
    let mut objects = principals
        .iter()
        .filter_map(|it| Some((it, view(kind, it)?)));
    let is_named = |object: &Value, field: &str| {
        let value = object[field].as_str();
        value.is_some_and(|value| value.eq_ignore_ascii_case(id))
    };
    let found = objects.find(|(_, object)| {
        is_named(object, "id") || (kind == Kind::User && is_named(object, "userPrincipalName"))
    });
    let (principal, _) = found.ok_or_else(|| Error::ObjectNotFound(excerpt(id).to_owned()))?;
    Ok(entity(kind, principal))
}

/// `GET /v1.0/directoryObjects/{id}`
async fn show_object(call: &Call<'_>, id: &str) -> Result<Value> {
    let missing = || Error::ObjectNotFound(excerpt(id).to_owned());
    let id: PrincipalId = id.parse().map_err(|_| missing())?;
    let principal = call.issuer.directory().principal(id).await?;
    let principal = principal.ok_or_else(missing)?;
    let mut object = entity(Kind::of(&principal), &principal);
    object["@odata.type"] = Kind::of(&principal).odata_type().into();
    object["@odata.context"] = "directoryObjects/$entity".into();
    Ok(object)
}

/// `POST /v1.0/directoryObjects/getByIds`: leaves out what does not exist.
///
/// <https://learn.microsoft.com/graph/api/directoryobject-getbyids>
async fn objects_by_ids(call: &Call<'_>, body: Body) -> Result<Value> {
    let body = sealock_http::read_body(body, BODY_LIMIT).await;
    let body = body.map_err(|unread| Error::BodyIncomplete(unread.to_string()))?;
    let Ids { ids, types } =
        serde_json::from_slice(&body).map_err(|error| Error::BodyInvalid(error.to_string()))?;
    if ids.len() > IDS_LIMIT {
        return Err(Error::BodyInvalid(format!("more than {IDS_LIMIT} ids")));
    }
    let mut found = Vec::new();
    for principal in call.issuer.directory().principals().await? {
        let kind = Kind::of(&principal);
        let is_asked = ids
            .iter()
            .any(|id| id.parse() == Ok(principal.principal_id()));
        let has_type = types.is_empty()
            || types
                .iter()
                .any(|it| kind.odata_type().ends_with(it.as_str()));
        if is_asked
            && has_type
            && let Some(mut object) = view(kind, &principal)
        {
            object["@odata.type"] = kind.odata_type().into();
            found.push(object);
        }
    }
    Ok(collection("directoryObjects", &found))
}

/// Returns a list. The renderer completes its context.
fn collection(name: &str, objects: &[Value]) -> Value {
    json!({"@odata.context": name, "value": objects})
}

/// Returns a single object. The renderer completes its context.
fn entity(kind: Kind, principal: &Principal) -> Value {
    let mut object = view(kind, principal).unwrap_or_default();
    object["@odata.context"] = format!("{}/$entity", kind.collection()).into();
    object
}

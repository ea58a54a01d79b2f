//! Microsoft Graph, as far as `az` asks it about principals.

use sealock_tests::{Answer, Emulator};
use serde_json::{Value, json};

use crate::applications::post;

const TENANT: &str = "5ea10c00-0000-4000-8000-000000000000";
const CLIENT: &str = "5ea10c00-0000-4000-8000-000000000001";
const PRINCIPAL: &str = "5ea10c00-0000-4000-8000-000000000002";
const USER: &str = "developer@sealock.localhost";
const USER_ID: &str = "5ea10c00-0000-4000-8000-000000000003";
const SECRET: &str = "sealock-developer";
const GRAPH: &str = "https://graph.microsoft.com";

fn token(emulator: &Emulator, fields: &[(&str, &str)], resource: &str) -> String {
    let scope = format!("{resource}/.default");
    let fields = [fields, &[("scope", &scope)]].concat();
    let form: Vec<_> = fields
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    let answer = post(
        &emulator.client(),
        &format!("/{TENANT}/oauth2/v2.0/token"),
        &form,
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

fn application_token(emulator: &Emulator, resource: &str) -> String {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT),
        ("client_secret", SECRET),
    ];
    token(emulator, &form, resource)
}

fn user_token(emulator: &Emulator) -> String {
    let form = [
        ("grant_type", "password"),
        ("client_id", "04b07795-8ddb-461a-bbee-02f9e1bf7b46"),
        ("username", USER),
        ("password", SECRET),
    ];
    token(emulator, &form, GRAPH)
}

fn ask(emulator: &Emulator, token: &str, method: &str, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("host", "graph.localhost"),
        ("authorization", &bearer),
        ("content-type", "application/json"),
    ];
    let body = body.to_string();
    emulator
        .client()
        .send(method, path, &headers, body.as_bytes())
}

fn get(emulator: &Emulator, token: &str, path: &str) -> Answer {
    ask(emulator, token, "GET", path, &Value::Null)
}

fn filtered(emulator: &Emulator, token: &str, collection: &str, filter: &str) -> Vec<Value> {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("$filter", filter)
        .finish();
    let answer = get(emulator, token, &format!("/v1.0/{collection}?{query}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["value"].as_array().unwrap().clone()
}

#[test]
fn principals_are_found_by_the_filters_of_azures_command_line() {
    let emulator = Emulator::start();
    let token = application_token(&emulator, GRAPH);
    let identity = emulator.json(&["identity", "list"])["identities"][0].clone();
    let client = identity["client_id"].as_str().unwrap();
    let one = |collection: &str, filter: &str| {
        let mut found = filtered(&emulator, &token, collection, filter);
        assert_eq!(found.len(), 1, "{filter}");
        found.remove(0)
    };
    let by_name = format!("servicePrincipalNames/any(c:c eq '{CLIENT}')");
    let developer = one("servicePrincipals", &by_name);
    assert_eq!(developer["id"], PRINCIPAL);
    assert_eq!(developer["servicePrincipalType"], "Application");
    let found = one("servicePrincipals", &format!("appId eq '{client}'"));
    assert_eq!(found["id"], identity["principal_id"]);
    assert_eq!(found["servicePrincipalType"], "ManagedIdentity");
    assert_eq!(
        one("servicePrincipals", "displayName eq 'Developer'"),
        developer
    );
    assert_eq!(
        one("servicePrincipals", "startswith(displayName,'dev')"),
        developer
    );
    assert_eq!(
        one("users", &format!("userPrincipalName eq '{USER}'"))["id"],
        USER_ID
    );
    let application = one("applications", &format!("appId eq '{CLIENT}'"));
    let path = format!("/v1.0/applications/{}", application["id"].as_str().unwrap());
    assert_eq!(
        get(&emulator, &token, &path).json()["displayName"],
        "developer"
    );
    let nobody = "servicePrincipalNames/any(c:c eq 'nobody')";
    assert!(filtered(&emulator, &token, "servicePrincipals", nobody).is_empty());
    assert!(filtered(&emulator, &token, "groups", "displayName eq 'x'").is_empty());

    let ids = json!({
        "ids": [PRINCIPAL, USER_ID, identity["principal_id"], TENANT],
        "types": ["user", "group", "servicePrincipal", "directoryObjectPartnerReference"],
    });
    let path = "/v1.0/directoryObjects/getByIds";
    let answer = ask(&emulator, &token, "POST", path, &ids);
    assert_eq!(answer.status, 200, "{answer:?}");
    let found = answer.json()["value"].clone();
    assert_eq!(found.as_array().unwrap().len(), 3, "{found}");
    let user = found
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["id"] == USER_ID)
        .unwrap();
    assert_eq!(user["@odata.type"], "#microsoft.graph.user");
    let users = json!({"ids": [PRINCIPAL, USER_ID], "types": ["user"]});
    let found = ask(&emulator, &token, "POST", path, &users).json()["value"].clone();
    assert_eq!(found.as_array().unwrap().len(), 1);
}

#[test]
fn object_has_graphs_fields_and_context() {
    let emulator = Emulator::start();
    let token = user_token(&emulator);
    let answer = get(&emulator, &token, "/v1.0/me");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("odata-version"), "4.0");
    assert!(!answer.header("request-id").is_empty());
    let port = emulator.address().rsplit_once(':').unwrap().1.to_owned();
    assert_eq!(
        answer.json(),
        json!({
            "@odata.context": format!("https://graph.localhost:{port}/v1.0/$metadata#users/$entity"),
            "id": USER_ID,
            "businessPhones": [],
            "displayName": "Developer",
            "givenName": null,
            "jobTitle": null,
            "mail": null,
            "mobilePhone": null,
            "officeLocation": null,
            "preferredLanguage": null,
            "surname": null,
            "userPrincipalName": USER,
        })
    );
    for id in [USER_ID, USER] {
        let user = get(&emulator, &token, &format!("/v1.0/users/{id}"));
        assert_eq!(user.json()["id"], USER_ID, "{id}");
    }
    // A token for the emulator's own Graph, and the friendly door.
    let own = application_token(&emulator, &format!("https://graph.localhost:{port}/"));
    let bearer = format!("Bearer {own}");
    let headers = [("authorization", bearer.as_str())];
    let path = format!("/v1.0/servicePrincipals/{PRINCIPAL}");
    let answer = emulator.client().send("GET", &path, &headers, b"");
    assert_eq!(answer.json()["appId"], CLIENT, "{answer:?}");
}

#[test]
fn request_is_refused_in_graphs_form() {
    let emulator = Emulator::start();
    let token = application_token(&emulator, GRAPH);
    let other = application_token(&emulator, "https://vault.azure.net");
    let missing = "/v1.0/servicePrincipals/9b3f7a52-1a4e-4c0d-8f27-5f0f6c1d2e3a";
    for (token, path, status, code) in [
        ("", "/v1.0/me", 401, "InvalidAuthenticationToken"),
        (&*other, "/v1.0/me", 401, "InvalidAuthenticationToken"),
        (&*token, "/v1.0/me", 400, "BadRequest"),
        (&*token, missing, 404, "Request_ResourceNotFound"),
        (
            &*token,
            "/v1.0/users/nobody",
            404,
            "Request_ResourceNotFound",
        ),
        (&*token, "/v1.0/sites", 400, "BadRequest"),
        (
            &*token,
            "/v1.0/users?$filter=x",
            400,
            "Request_UnsupportedQuery",
        ),
        (
            &*token,
            "/v1.0/users?$filter=x%20eq%20'y'",
            400,
            "Request_UnsupportedQuery",
        ),
    ] {
        let answer = get(&emulator, token, path);
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        let error = answer.json()["error"].clone();
        assert_eq!(error["code"], code, "{path}");
        assert_eq!(
            error["innerError"]["request-id"],
            answer.header("request-id")
        );
    }
    let body = json!({"ids": "x"});
    let answer = ask(
        &emulator,
        &token,
        "POST",
        "/v1.0/directoryObjects/getByIds",
        &body,
    );
    assert_eq!(answer.status, 400, "{answer:?}");
}

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sealock_tests::{Answer, Emulator, Image};
use serde_json::{Value, json};

use crate::{
    entra::{part, token},
    tokens::Guest,
};

const ACR: &str = "&resource=https://containerregistry.azure.net";
const NULL_GUID: &str = "00000000-0000-0000-0000-000000000000";
const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-000000000000";

fn role(emulator: &Emulator, verb: &str, role: &str) {
    emulator.cli(&["role", verb, "--role", role]);
}

fn exchange(guest: &Guest, token: &str) -> Answer {
    let form = format!(
        "grant_type=access_token&service={}&access_token={token}",
        guest.host
    );
    let path = "/oauth2/exchange?api-version=2021-07-01";
    guest.send("POST", path, form.as_bytes())
}

fn refresh_token(guest: &Guest, token: &str) -> String {
    let answer = exchange(guest, token);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["refresh_token"].as_str().unwrap().to_owned()
}

fn refresh(guest: &Guest, refresh_token: &str, scope: &str) -> Answer {
    let form = format!(
        "grant_type=refresh_token&service={}&scope={scope}&refresh_token={refresh_token}",
        guest.host
    );
    guest.send("POST", "/oauth2/token", form.as_bytes())
}

fn refused(answer: &Answer) {
    assert_eq!(answer.status, 401, "{answer:?}");
    let error = &answer.json()["errors"][0];
    assert_eq!(error["code"], "UNAUTHORIZED");
    let id = answer.header("x-ms-correlation-request-id").to_owned();
    let message = error["message"].as_str().unwrap();
    assert!(
        message.ends_with(&format!("CorrelationId: {id}")),
        "{message}"
    );
}

fn pushed() -> (Emulator, Guest) {
    let emulator = Emulator::start();
    let image = Image::random(&[500]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    let guest = Guest::of(&emulator);
    (emulator, guest)
}

#[test]
fn identity_with_a_role_logs_in_by_token_exchange() {
    let (emulator, guest) = pushed();
    role(&emulator, "assign", "AcrPull");
    let entra = token(&emulator, ACR);
    let refresh_token = refresh_token(&guest, &entra);
    let claims = part(&refresh_token, 1);
    let registry = emulator.json(&["registry", "list"])["registries"][0].clone();
    let now = claims["iat"].as_i64().unwrap();
    assert_eq!(
        claims,
        json!({
            "jti": claims["jti"],
            "sub": part(&entra, 1)["appid"],
            "nbf": now,
            "iat": now,
            "exp": now + 11_700,
            "iss": "Azure Container Registry",
            "aud": guest.host,
            "version": "1.0",
            "rid": registry["id"].as_str().unwrap().replace('-', ""),
            "grant_type": "refresh_token",
            "appid": part(&entra, 1)["appid"],
            "tenant": part(&entra, 1)["tid"],
            "permissions": {"actions": ["read", "metadata/read"]},
            "roles": [],
        })
    );

    let answer = refresh(
        &guest,
        &refresh_token,
        "repository:app:pull,push,metadata_read",
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    let access = answer.json()["access_token"].as_str().unwrap().to_owned();
    let claims = part(&access, 1);
    assert_eq!(
        claims["access"][0]["actions"],
        json!(["pull", "metadata_read"])
    );
    assert_eq!(claims["appid"], part(&entra, 1)["appid"]);
    let bearer = guest.with(&format!("Bearer {access}"));
    assert_eq!(bearer.get("/v2/app/manifests/v1").status, 200);
    assert_eq!(
        bearer.send("POST", "/v2/app/blobs/uploads/", b"").status,
        401
    );

    // As docker does after `az acr login`, and as a client that never asks for a token.
    let docker = guest.basic(NULL_GUID, &refresh_token);
    let bearer = docker.bearer(&["repository:app:pull"]);
    assert_eq!(bearer.get("/v2/app/manifests/v1").status, 200);
    assert_eq!(docker.get("/v2/app/manifests/v1").status, 200);
    assert_eq!(docker.get("/v2/_catalog").status, 200);
    assert_eq!(
        docker.send("DELETE", "/v2/app/manifests/v1", b"").status,
        401
    );

    let logged = emulator.logged();
    for secret in [&entra, &refresh_token, &access] {
        assert!(!logged.contains(secret.as_str()));
    }
}

#[test]
fn each_role_permits_what_azures_does() {
    let (emulator, guest) = pushed();
    let entra = token(&emulator, ACR);
    for (name, statuses) in [
        ("AcrPull", [200, 401, 401, 401, 200]),
        ("Reader", [200, 401, 401, 401, 200]),
        ("AcrPush", [200, 202, 401, 401, 200]),
        ("AcrDelete", [401, 401, 404, 401, 401]),
        ("Contributor", [200, 202, 404, 200, 200]),
        ("owner", [200, 202, 404, 200, 200]),
    ] {
        role(&emulator, "assign", name);
        let docker = guest.basic(NULL_GUID, &refresh_token(&guest, &entra));
        for ((method, path, body), status) in [
            ("GET", "/v2/app/manifests/v1", ""),
            ("POST", "/v2/app/blobs/uploads/", ""),
            ("DELETE", "/v2/app/manifests/none", ""),
            ("PATCH", "/acr/v1/app", "{\"listEnabled\":true}"),
            ("GET", "/acr/v1/_catalog", ""),
        ]
        .into_iter()
        .zip(statuses)
        {
            let answer = docker.send(method, path, body.as_bytes());
            assert_eq!(answer.status, status, "{name}: {method} {path}");
        }
        role(&emulator, "remove", name);
    }
}

#[test]
fn removed_role_ends_with_the_next_token() {
    let (emulator, guest) = pushed();
    let entra = token(&emulator, ACR);
    refused(&exchange(&guest, &entra));
    role(&emulator, "assign", "AcrPush");
    let token = refresh_token(&guest, &entra);
    let docker = guest.basic(NULL_GUID, &token);
    let bearer = docker.bearer(&["repository:app:pull"]);
    role(&emulator, "assign", "AcrPull");
    role(&emulator, "remove", "AcrPush");
    let answer = refresh(&guest, &token, "repository:app:pull,push").json();
    let claims = part(answer["access_token"].as_str().unwrap(), 1);
    assert_eq!(claims["access"][0]["actions"], json!(["pull"]));
    role(&emulator, "remove", "AcrPull");
    refused(&refresh(&guest, &token, "repository:app:pull"));
    refused(&docker.token(&["repository:app:pull"]));
    refused(&exchange(&guest, &entra));
    assert_eq!(docker.get("/v2/app/manifests/v1").status, 401);
    // Issued tokens are valid until they expire, as in Azure.
    assert_eq!(bearer.get("/v2/app/manifests/v1").status, 200);

    // A parent's role applies. A deleted identity has none, even if its name is used again.
    let group = format!("{SUBSCRIPTION}/resourceGroups/SEALOCK");
    emulator.cli(&["role", "assign", "--role", "AcrPull", "--scope", &group]);
    assert_eq!(refresh(&guest, &token, "").status, 200);
    emulator.cli(&["identity", "delete"]);
    refused(&refresh(&guest, &token, ""));
    refused(&exchange(&guest, &entra));
    emulator.cli(&["identity", "create"]);
    refused(&exchange(&guest, &entra));
    let listed = role_assignments(&emulator);
    assert_eq!(listed[0]["identity"], Value::Null);
    assert_eq!(listed[0]["scope"], group);
}

#[test]
fn tokens_not_for_this_registry_are_refused() {
    let (emulator, guest) = pushed();
    role(&emulator, "assign", "AcrPull");
    for resource in [
        "https://containerregistry.azure.net/",
        "https://management.azure.com/",
        "https://management.core.windows.net/",
    ] {
        let entra = token(&emulator, &format!("&resource={resource}"));
        assert_eq!(exchange(&guest, &entra).status, 200, "{resource}");
    }
    for resource in [
        "https://vault.azure.net",
        "https://containerregistry.azure.com",
        "x",
    ] {
        let entra = token(&emulator, &format!("&resource={resource}"));
        refused(&exchange(&guest, &entra));
    }
    let entra = token(&emulator, ACR);
    let refresh_token = refresh_token(&guest, &entra);
    for token in [&entra, &refresh_token] {
        let parts: Vec<&str> = token.split('.').collect();
        let mut claims = part(token, 1);
        claims["exp"] = json!(4_000_000_000_i64);
        let forged = URL_SAFE_NO_PAD.encode(claims.to_string());
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let hmac = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        for bad in [
            format!("{}.{forged}.{}", parts[0], parts[2]),
            format!("{none}.{}.", parts[1]),
            format!("{hmac}.{}.{}", parts[1], parts[2]),
            format!("{}.{}", parts[0], parts[1]),
            format!("{}.{}.{}AA", parts[0], parts[1], parts[2]),
            "a.b.c".to_owned(),
            String::new(),
        ] {
            refused(&exchange(&guest, &bad));
            refused(&refresh(&guest, &bad, ""));
            refused(&guest.basic(NULL_GUID, &bad).token(&[]));
        }
    }
    // Each kind of token is accepted in its own place only.
    let access = refresh(&guest, &refresh_token, "repository:app:pull").json();
    let access = access["access_token"].as_str().unwrap();
    refused(&exchange(&guest, &refresh_token));
    refused(&exchange(&guest, access));
    refused(&refresh(&guest, &entra, ""));
    refused(&refresh(&guest, access, ""));
    for token in [&entra, &refresh_token] {
        let bearer = guest.with(&format!("Bearer {token}"));
        assert_eq!(bearer.get("/v2/").status, 401);
    }

    let post = |form: &str| guest.send("POST", "/oauth2/exchange", form.as_bytes());
    let tenant = part(&entra, 1)["tid"].clone();
    let tenant = tenant.as_str().unwrap();
    let with = |rest: &str| format!("grant_type=access_token&access_token={entra}{rest}");
    assert_eq!(post(&with(&format!("&tenant={tenant}"))).status, 200);
    assert_eq!(post(&with("")).status, 200);
    let both =
        format!("grant_type=access_token_refresh_token&access_token={entra}&refresh_token=x");
    assert_eq!(post(&both).status, 200);
    refused(&post(&with(&format!("&tenant={NULL_GUID}"))));
    refused(&post(&format!(
        "grant_type=refresh_token&tenant={tenant}&refresh_token=x"
    )));
    refused(&post("grant_type=access_token"));
    for form in [
        "",
        "grant_type=password",
        &with("&service=elsewhere.azurecr.io"),
        &"x".repeat(70_000),
    ] {
        assert_eq!(post(form).status, 400, "{}", form.len());
    }
    assert_eq!(guest.get("/oauth2/exchange").status, 405);

    // Roles and tokens of another registry do not apply.
    emulator.cli(&["registry", "create", "another"]);
    let mut another = Guest::of(&emulator);
    another.host = another.host.replace("sealock", "another");
    refused(&exchange(&another, &entra));
    refused(&refresh(&another, &refresh_token, ""));
    emulator.cli(&[
        "role",
        "assign",
        "--role",
        "AcrPull",
        "--registry",
        "another",
    ]);
    assert_eq!(exchange(&another, &entra).status, 200);
    refused(&refresh(&another, &refresh_token, ""));
}

#[test]
fn tokens_expire_by_the_emulators_clock() {
    let (mut emulator, guest) = pushed();
    emulator.cli(&["clock", "freeze"]);
    role(&emulator, "assign", "AcrPull");
    let entra = token(&emulator, ACR);
    let refresh_token = refresh_token(&guest, &entra);
    emulator.cli(&["clock", "advance", "3h 14m"]);
    assert_eq!(refresh(&guest, &refresh_token, "").status, 200);
    emulator.cli(&["clock", "advance", "1m"]);
    refused(&refresh(&guest, &refresh_token, ""));
    refused(&guest.basic(NULL_GUID, &refresh_token).token(&[]));
    emulator.cli(&["clock", "advance", "20h 44m"]);
    emulator.restart();
    let guest = Guest::of(&emulator);
    assert_eq!(
        exchange(&guest, &entra).status,
        200,
        "its key outlives a restart"
    );
    emulator.cli(&["clock", "advance", "1m"]);
    refused(&exchange(&guest, &entra));
    assert_eq!(exchange(&guest, &token(&emulator, ACR)).status, 200);
}

/// Returns the role assignments, except for those that exist from the first start.
pub(crate) fn role_assignments(emulator: &Emulator) -> Value {
    let mut listed = emulator.json(&["role", "list"])["role_assignments"].take();
    let all = listed.as_array_mut().unwrap();
    all.retain(|assignment| assignment["role"] != "Owner");
    listed
}

#[test]
fn roles_are_assigned_listed_and_removed() {
    let emulator = Emulator::start();
    let assign = ["role", "assign", "--role", "acrpull"];
    let said = emulator.cli(&assign);
    assert!(
        said.starts_with("registry-identity now has role AcrPull at /subscriptions/"),
        "{said}"
    );
    assert!(emulator.cli(&assign).contains("already"));
    let listed = role_assignments(&emulator);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["identity"], "registry-identity");
    assert_eq!(listed[0]["role"], "AcrPull");
    assert_eq!(
        listed[0]["role_definition_id"],
        "7f951dda-4ed3-4680-a7ca-43fe172d538d"
    );
    let scope = listed[0]["scope"].as_str().unwrap();
    assert!(emulator.cli(&["role", "list", "--wide"]).contains(scope));
    for (arguments, said) in [
        (
            &["--role", "AcrPull", "--identity", "nobody"][..],
            "'nobody' was not found",
        ),
        (&["--role", "Pull"], "'Pull' is not a role"),
        (
            &["--role", "AcrPull", "--registry", "nothere"],
            "there is no registry nothere",
        ),
        (&["--role", "AcrPull", "--scope", "/"], "'/' is not a scope"),
        (
            &[
                "--role",
                "AcrPull",
                "--scope",
                scope,
                "--registry",
                "sealock",
            ],
            "cannot be used with",
        ),
    ] {
        let output = emulator.run(&[&["role", "assign"], arguments].concat());
        assert_ne!(output.code, 0);
        assert!(output.stderr.contains(said), "{}", output.stderr);
    }
    // A role is accepted in the form in which it is shown.
    for role in ["Key Vault Crypto Officer", "KeyVaultSecretsUser"] {
        let said = emulator.cli(&["role", "assign", "--role", role, "--vault", "sealock"]);
        let listed = role_assignments(&emulator);
        let mut shown = listed.as_array().unwrap().iter();
        let shown = shown.find_map(|one| one["role"].as_str().filter(|role| role.contains(' ')));
        let shown = shown.expect("a role by Azure's name");
        assert!(said.contains(&format!("has role {shown} at")), "{said}");
        emulator.cli(&["role", "remove", "--role", shown, "--vault", "sealock"]);
    }
    let remove = ["role", "remove", "--role", "AcrPull", "--scope", scope];
    emulator.cli(&remove);
    let again = emulator.run(&remove);
    assert!(
        again.stderr.contains("has no role AcrPull assigned at"),
        "{}",
        again.stderr
    );
    assert_eq!(role_assignments(&emulator), json!([]));
}

#[test]
fn role_assignment_requires_an_existing_principal_and_scope() {
    let emulator = Emulator::start();
    emulator.cli(&["vault", "create", "gone"]);
    emulator.cli(&["vault", "delete", "gone"]);
    let at = |group: &str, resource: &str| {
        format!(
            "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/{group}{resource}"
        )
    };
    let provider = |resource: &str| at("sealock", &format!("/providers/Microsoft.{resource}"));
    let registry = |rest: &str| provider(&format!("ContainerRegistry/registries/sealock{rest}"));
    let vault = |name: &str| provider(&format!("KeyVault/vaults/{name}"));
    let identity = |name: &str| provider(&format!("ManagedIdentity/userAssignedIdentities/{name}"));
    let role = |verb: &'static str, scope: &str| {
        emulator.run(&["role", verb, "--role", "Owner", "--scope", scope])
    };
    for scope in [
        at("SEALOCK", ""),
        registry(""),
        identity("registry-identity"),
        vault("sealock"),
        vault("sealock/Keys/no-key-yet").to_uppercase(),
    ] {
        for verb in ["assign", "remove"] {
            let output = role(verb, &scope);
            assert_eq!(output.code, 0, "{scope}: {output:?}");
        }
    }
    for (scope, said) in [
        (at("another", ""), "is not a scope"),
        (at("sealock", "/."), "is not a scope"),
        (registry("?x=1"), "is not a registry name"),
        (registry("/tokens/x"), "is not a scope"),
        (registry("/../../.."), "is not a scope"),
        (identity("nobody"), "'nobody' was not found"),
        (vault("nosuch"), "'nosuch' does not exist"),
        (vault("gone"), "in a deleted but recoverable state"),
        (vault("gone/keys/k"), "in a deleted but recoverable state"),
        (vault("sealock%2Fkeys"), "is not a vault name"),
        (vault("sealock/keys/a_b"), "is not a key name"),
        (vault("sealock/keys/k/abc"), "is not a scope"),
        (vault("sealock/secrets/x"), "is not a scope"),
    ] {
        let output = role("assign", &scope);
        assert_ne!(output.code, 0, "{scope}");
        assert!(output.stderr.contains(said), "{scope}: {}", output.stderr);
    }
}

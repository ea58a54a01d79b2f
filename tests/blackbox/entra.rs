use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use sealock_tests::{Answer, Emulator, Options};
use serde_json::{Value, json};

const IMDS: &str = "/metadata/identity/oauth2/token?api-version=2018-02-01";
const APP_SERVICE: &str = "/msi/token?api-version=2019-08-01";
const RESOURCE: &str = "&resource=https://containerregistry.azure.net";
const METADATA: (&str, &str) = ("metadata", "true");
const SECRET: (&str, &str) = ("x-identity-header", "any");

fn ask(emulator: &Emulator, path: &str, headers: &[(&str, &str)]) -> Answer {
    emulator.client().send("GET", path, headers, b"")
}

/// Returns a token of the only identity.
pub(crate) fn token(emulator: &Emulator, query: &str) -> String {
    let answer = ask(emulator, &format!("{IMDS}{query}"), &[METADATA]);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

/// Decodes one of a token's two JSON parts.
pub(crate) fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn identity(emulator: &Emulator) -> Value {
    emulator.json(&["identity", "list"])["identities"][0].clone()
}

#[test]
fn managed_identity_token_identifies_its_identity() {
    let emulator = Emulator::start();
    emulator.cli(&["clock", "freeze"]);
    let identity = identity(&emulator);
    let answer = ask(&emulator, &format!("{IMDS}{RESOURCE}"), &[METADATA]);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let body = answer.json();
    let claims = part(body["access_token"].as_str().unwrap(), 1);
    let now = claims["iat"].as_i64().unwrap();
    let tenant = identity["tenant_id"].as_str().unwrap();
    let issuer = format!("https://sts.windows.net/{tenant}/");
    assert_eq!(
        claims,
        json!({
            "aud": "https://containerregistry.azure.net",
            "iss": issuer,
            "idp": issuer,
            "iat": now,
            "nbf": now,
            "exp": now + 86_400,
            "appid": identity["client_id"],
            "appidacr": "2",
            "idtyp": "app",
            "oid": identity["principal_id"],
            "sub": identity["principal_id"],
            "tid": tenant,
            "ver": "1.0",
            "xms_mirid": "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/sealock/providers/Microsoft.ManagedIdentity/userAssignedIdentities/registry-identity",
        })
    );
    assert_eq!(
        body,
        json!({
            "access_token": body["access_token"],
            "client_id": identity["client_id"],
            "expires_in": "86400",
            "expires_on": (now + 86_400).to_string(),
            "ext_expires_in": "86400",
            "not_before": now.to_string(),
            "resource": "https://containerregistry.azure.net",
            "token_type": "Bearer",
        })
    );
    let with_slash = IMDS.replace('?', "/?");
    let answer = ask(&emulator, &format!("{with_slash}{RESOURCE}"), &[METADATA]);
    assert_eq!(answer.json(), body, "as JavaScript's client asks");
    let answer = ask(&emulator, &format!("{APP_SERVICE}{RESOURCE}"), &[SECRET]);
    let body = answer.json();
    assert_eq!(body["expires_on"], (now + 86_400).to_string());
    assert_eq!(part(body["access_token"].as_str().unwrap(), 1), claims);
    let logged = emulator.logged();
    assert!(!logged.contains(body["access_token"].as_str().unwrap()));
}

#[test]
fn identity_must_be_named_if_there_are_several() {
    let emulator = Emulator::start();
    let first = identity(&emulator);
    emulator.cli(&["identity", "create", "another"]);
    let resource_id = part(
        &token(
            &emulator,
            &format!(
                "{RESOURCE}&client_id={}",
                first["client_id"].as_str().unwrap()
            ),
        ),
        1,
    )["xms_mirid"]
        .as_str()
        .unwrap()
        .to_owned();
    for (parameter, value) in [
        ("client_id", first["client_id"].as_str().unwrap()),
        ("object_id", first["principal_id"].as_str().unwrap()),
        ("principal_id", first["principal_id"].as_str().unwrap()),
        ("msi_res_id", &resource_id),
        ("mi_res_id", &resource_id.to_ascii_uppercase()),
    ] {
        let query = format!("{RESOURCE}&{parameter}={value}");
        let claims = part(&token(&emulator, &query), 1);
        assert_eq!(claims["appid"], first["client_id"], "{parameter}");
    }
    let nobody = format!("{RESOURCE}&client_id={}", uuid());
    let twice = format!("{nobody}&object_id={}", uuid());
    for (query, said, said_by_app_service) in [
        (
            RESOURCE,
            "Multiple user assigned identities exist",
            "Unable to load",
        ),
        (&nobody, "Identity not found", "No User Assigned"),
        (&twice, "more than once", "more than once"),
    ] {
        let answer = ask(&emulator, &format!("{IMDS}{query}"), &[METADATA]);
        assert_eq!(answer.status, 400, "{query}");
        let body = answer.json();
        assert_eq!(body["error"], "invalid_request");
        let description = body["error_description"].as_str().unwrap();
        assert!(description.contains(said), "{description}");

        let answer = ask(&emulator, &format!("{APP_SERVICE}{query}"), &[SECRET]);
        assert_eq!(answer.status, 400, "{query}");
        let body = answer.json();
        assert_eq!(body["statusCode"], 400);
        let message = body["message"].as_str().unwrap();
        assert!(message.contains(said_by_app_service), "{body}");
    }
}

fn uuid() -> &'static str {
    "9b3f7a52-1a4e-4c0d-8f27-5f0f6c1d2e3a"
}

/// The Java SDK doubles the slash before its path, and MSAL for JavaScript appends one.
#[test]
fn managed_identity_endpoint_tolerates_extra_slashes() {
    let emulator = Emulator::start();
    for path in [
        format!("/{IMDS}{RESOURCE}"),
        format!("//{IMDS}{RESOURCE}"),
        format!("{IMDS}{RESOURCE}").replace("token?", "token/?"),
    ] {
        assert_eq!(ask(&emulator, &path, &[METADATA]).status, 200, "{path}");
    }
}

#[test]
fn app_service_endpoint_refuses_with_app_services_errors() {
    let emulator = Emulator::start();
    emulator.cli(&["identity", "create", "another"]);
    let header = ("x-identity-header", "any");
    let endpoint = format!("http://{}/msi/token", emulator.address());
    let unsupported = format!(
        "The HTTP resource that matches the request URI '{endpoint}' does not support the API version '2018-02-01'."
    );
    let nobodys = format!("{APP_SERVICE}{RESOURCE}&client_id=00000000-0000-0000-0000-000000000000");
    for (path, pointer, said) in [
        (
            &format!("/msi/token?{}", &RESOURCE[1..]),
            "/error/message",
            "An API version is required, but was not specified.",
        ),
        (
            &format!("/msi/token?api-version=2018-02-01{RESOURCE}"),
            "/error/message",
            unsupported.as_str(),
        ),
        (
            &nobodys,
            "/message",
            "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
        ),
        (
            &format!("{APP_SERVICE}{RESOURCE}"),
            "/message",
            "Unable to load the proper Managed Identity.",
        ),
    ] {
        let refused = ask(&emulator, path, &[header]);
        assert_eq!(refused.status, 400, "{path}");
        let body = refused.json();
        assert_eq!(body.pointer(pointer).unwrap(), said, "{path}");
        assert_eq!(pointer == "/message", body.get("correlationId").is_some());
    }
}

#[test]
fn managed_identity_endpoint_refuses_with_imds_errors() {
    let emulator = Emulator::start();
    let long = format!("{IMDS}&resource={}", "x".repeat(300));
    let good = format!("{IMDS}{RESOURCE}");
    for (path, headers, status, said) in [
        (good.as_str(), &[][..], 400, "Required metadata header"),
        (
            &good,
            &[("metadata", "false")],
            400,
            "Required metadata header",
        ),
        (
            IMDS,
            &[METADATA],
            400,
            "Required query variable 'resource' is missing",
        ),
        (&long, &[METADATA], 400, "resource"),
        (
            "/metadata/identity/oauth2/token?resource=x",
            &[METADATA],
            400,
            "api-version was not",
        ),
        (
            "/metadata/identity/oauth2/token?api-version=2017-04-02&resource=x",
            &[METADATA],
            400,
            "2018-02-01",
        ),
        (
            "/metadata/identity/oauth2/token?api-version=latest&resource=x",
            &[METADATA],
            400,
            "2018-02-01",
        ),
        (
            "/metadata/attested/document?api-version=2021-02-01",
            &[METADATA],
            404,
            "/metadata/attested",
        ),
    ] {
        let answer = ask(&emulator, path, headers);
        assert_eq!(answer.status, status, "{path}");
        let description = answer.json()["error_description"].clone();
        assert!(
            description.as_str().unwrap().contains(said),
            "{description}"
        );
    }
    // The only answer in XML.
    let forwarded = [METADATA, ("x-forwarded-for", "192.0.2.1")];
    let refused = ask(&emulator, &good, &forwarded);
    assert_eq!(refused.status, 400);
    assert!(
        refused
            .header("content-type")
            .starts_with("application/xml")
    );
    let said = String::from_utf8(refused.body).unwrap();
    assert!(said.contains("<Code>InvalidHeaderValue</Code>"), "{said}");
    let app_service = format!("{APP_SERVICE}{RESOURCE}");
    assert_eq!(ask(&emulator, &app_service, &[METADATA]).status, 400);
    let posted = emulator.client().send("POST", &good, &[METADATA], b"");
    assert_eq!((posted.status, posted.header("allow")), (405, "GET"));
    // The authority's own host name has no such endpoint.
    let host = [METADATA, ("host", "login.localhost")];
    assert_eq!(ask(&emulator, &good, &host).status, 404);
}

#[test]
fn managed_identity_endpoints_refuse_other_machines() {
    let address = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        // Sends no packet: this only asks for the address that would be used.
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    let Some(address) = address.ok().filter(|address| !address.ip().is_loopback()) else {
        return;
    };
    let emulator = Emulator::start_with(Options {
        listen: Some("0.0.0.0:0".to_owned()),
        environment: vec![(
            "SEALOCK_SERVER__OPEN_TO_NETWORK".to_owned(),
            "true".to_owned(),
        )],
        ..Options::default()
    });
    let port = emulator.address().rsplit_once(':').unwrap().1.to_owned();
    let outside = sealock_tests::Client::new(&format!("http://{}:{port}", address.ip()));
    let host = format!("localhost:{port}");
    let headers = [METADATA, SECRET, ("host", host.as_str())];
    for path in [IMDS, APP_SERVICE] {
        let answer = outside.send("GET", &format!("{path}{RESOURCE}"), &headers, b"");
        assert_eq!(answer.status, 403, "{answer:?}");
    }
}

#[test]
fn token_is_verifiable_with_the_published_keys() {
    let mut emulator = Emulator::start();
    let identity = identity(&emulator);
    let tenant = identity["tenant_id"].as_str().unwrap().to_owned();
    let token = token(&emulator, RESOURCE);
    emulator.restart();
    for (host, path, keys) in [
        (
            "login.localhost:1",
            format!("/{tenant}/v2.0"),
            "discovery/v2.0/keys",
        ),
        ("login.localhost:1", format!("/{tenant}"), "discovery/keys"),
        (
            "localhost:1",
            format!("/{tenant}/v2.0"),
            "discovery/v2.0/keys",
        ),
        ("localhost:1", "/common".to_owned(), "discovery/keys"),
    ] {
        let asked = format!("{path}/.well-known/openid-configuration");
        let answer = ask(&emulator, &asked, &[("host", host)]);
        assert_eq!(answer.status, 200, "{answer:?}");
        let found = answer.json();
        let tenant = path.split('/').nth(1).unwrap();
        let origin = format!("http://{host}");
        assert_eq!(found["jwks_uri"], format!("{origin}/{tenant}/{keys}"));
        let endpoint = found["token_endpoint"].as_str().unwrap();
        assert!(endpoint.starts_with(&format!("{origin}/{tenant}/oauth2")));
        if !path.ends_with("v2.0") {
            assert_eq!(found["issuer"], part(&token, 1)["iss"]);
        }

        let keys = ask(&emulator, &format!("/{tenant}/{keys}"), &[("host", host)]).json();
        let key = &keys["keys"][0];
        assert_eq!(key["kid"], part(&token, 0)["kid"]);
        let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
        let public = RsaPublicKeyComponents {
            n: number("n"),
            e: number("e"),
        };
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let verified = public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature);
        assert!(verified.is_ok());
    }
    for (_, content) in emulator.files() {
        // The beginning of PKCS#1 with a modulus of 2048 bits.
        let begins = [0x30, 0x82, 0x04];
        assert!(
            !content
                .windows(15)
                .any(|found| found.starts_with(&begins) && found[4..7] == [2, 1, 0]),
            "a private key lies in the clear"
        );
    }
}

#[test]
fn unsupported_grants_are_refused_with_entras_errors() {
    let emulator = Emulator::start();
    let identity = identity(&emulator);
    let tenant = identity["tenant_id"].as_str().unwrap();
    let client = emulator.client();
    let ours = format!("/{tenant}/oauth2/v2.0/token");
    let theirs = format!("/{}/oauth2/v2.0/token", uuid());
    let users = "grant_type=implicit".to_owned();
    let on_behalf = "grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=x".to_owned();
    for (path, form, error, number) in [
        (&ours, users.clone(), "unsupported_grant_type", 70_003),
        (&ours, on_behalf, "unsupported_grant_type", 70_003),
        (&ours, String::new(), "invalid_request", 900_144),
        (&theirs, users, "invalid_tenant", 90_002),
    ] {
        for host in ["login.localhost", "localhost"] {
            let answer = client.send("POST", path, &[("host", host)], form.as_bytes());
            assert_eq!(answer.status, 400, "{form}");
            let body = answer.json();
            assert_eq!(body["error"], error);
            assert_eq!(body["error_codes"], json!([number]));
            assert_eq!(
                body["error_uri"],
                format!("https://login.microsoftonline.com/error?code={number}")
            );
            let description = body["error_description"].as_str().unwrap();
            assert!(
                description.starts_with(&format!("AADSTS{number}: ")),
                "{description}"
            );
        }
    }
    assert_eq!(ask(&emulator, &ours, &[]).status, 405);
    let large = "x".repeat(70_000);
    assert_eq!(
        client.send("POST", &ours, &[], large.as_bytes()).status,
        400
    );
    let logout = format!("/{tenant}/oauth2/v2.0/logout");
    assert_eq!(ask(&emulator, &logout, &[]).status, 404);
    let login = [("host", "login.localhost")];
    assert_eq!(ask(&emulator, "/", &login).status, 404);
}

#[test]
fn identity_and_application_names_ignore_case() {
    let emulator = Emulator::start();
    let granted = emulator.cli(&["access", "grant", "--identity", "REGISTRY-IDENTITY"]);
    assert!(
        granted.starts_with("registry-identity now has "),
        "{granted}"
    );
    let made = emulator.cli(&["identity", "create", "REGISTRY-IDENTITY"]);
    assert!(
        made.starts_with("identity registry-identity already exists"),
        "{made}"
    );
    emulator.cli(&["identity", "create", "My-Own"]);
    emulator.cli(&["app", "create", "Deploy"]);
    let shown = emulator.json(&["app", "show", "deploy"]);
    assert_eq!(shown["name"], "Deploy");
    let given = emulator.cli(&["role", "assign", "--role", "AcrPull", "--app", "DEPLOY"]);
    assert!(given.starts_with("Deploy now has "), "{given}");
    emulator.cli(&["app", "delete", "dePLOY"]);
    let listed = emulator.cli(&["identity", "list"]);
    assert!(listed.contains("My-Own"), "{listed}");
    emulator.cli(&["identity", "delete", "my-OWN"]);
    assert!(!emulator.cli(&["identity", "list"]).contains("My-Own"));
}

#[test]
fn old_app_service_and_cloud_shell_give_tokens() {
    let emulator = Emulator::start();
    let identity = identity(&emulator);
    let client = identity["client_id"].as_str().unwrap();
    let old = format!("/msi/token?api-version=2017-09-01{RESOURCE}&clientid={client}");
    assert_eq!(ask(&emulator, &old, &[SECRET]).status, 400);
    let answer = ask(&emulator, &old, &[("secret", "any")]);
    assert_eq!(answer.status, 200, "{answer:?}");
    let claims = part(answer.json()["access_token"].as_str().unwrap(), 1);
    assert_eq!(claims["appid"], client);

    let form = b"resource=https%3A%2F%2Fvault.azure.net";
    let shell = |headers: &[(&str, &str)]| {
        let client = emulator.client();
        client.send("POST", "/msi/token", headers, form)
    };
    assert_eq!(shell(&[]).status, 400);
    let answer = shell(&[METADATA]);
    assert_eq!(answer.status, 200, "{answer:?}");
    let claims = part(answer.json()["access_token"].as_str().unwrap(), 1);
    assert_eq!(claims["upn"], "developer@sealock.localhost");
    assert_eq!(
        shell(&[METADATA, ("origin", "http://evil.test")]).status,
        403
    );
}

#[test]
fn instance_metadata_is_shown_as_a_whole_and_in_parts() {
    let emulator = Emulator::start();
    let instance = |path: &str, headers: &[(&str, &str)]| {
        ask(&emulator, &format!("/metadata/{path}"), headers)
    };
    let all = instance("instance?api-version=2021-02-01", &[METADATA]);
    assert_eq!(all.status, 200, "{all:?}");
    assert_eq!(all.json()["compute"]["resourceGroupName"], "sealock");
    let location = instance(
        "instance/compute/location?api-version=2021-02-01&format=text",
        &[METADATA],
    );
    assert_eq!(location.body, b"eastus");
    let versions = instance("versions", &[METADATA]).json();
    assert!(
        versions["apiVersions"]
            .as_array()
            .unwrap()
            .contains(&json!("2021-02-01"))
    );
    for (path, headers, status) in [
        ("instance?api-version=2021-02-01", &[][..], 400),
        ("instance", &[METADATA], 400),
        ("instance/none?api-version=2021-02-01", &[METADATA], 404),
        (
            "instance?api-version=2021-02-01",
            &[METADATA, ("x-forwarded-for", "192.0.2.1")],
            400,
        ),
    ] {
        assert_eq!(instance(path, headers).status, status, "{path}");
    }
}

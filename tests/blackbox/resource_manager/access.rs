use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use sealock_tests::Emulator;
use serde_json::{Value, json};

use super::{Arm, SUBSCRIPTION, code, identity_path, registry_path};

/// Creates an application, and logs in as it.
fn application(emulator: &Emulator, name: &str) -> Arm {
    let created = emulator.json(&["app", "create", name]);
    let text = |field: &str| created[field].as_str().unwrap().to_owned();
    Arm::log_in(emulator, &text("client_id"), &text("secret"))
}

#[test]
fn caller_without_a_role_is_refused_and_a_reader_only_reads() {
    let emulator = Emulator::start();
    let developer = Arm::developer(&emulator);
    developer.create_group("rg1");
    developer.create_identity("rg1", "id1");
    let arm = application(&emulator, "tester");
    let (group, identity) = ("/resourcegroups/rg1", identity_path("rg1", "id1"));
    let body = json!({"location": "westus"});
    let writes = [
        ("PUT", group),
        ("PUT", &identity),
        ("DELETE", group),
        ("DELETE", &identity),
    ];

    for path in [group, &identity] {
        let refused = arm.get(path);
        assert_eq!(
            (refused.status, code(&refused)),
            (403, "AuthorizationFailed".to_owned())
        );
    }
    let message = arm.get(group).json()["error"]["message"].clone();
    let message = message.as_str().unwrap();
    assert!(
        message.contains("does not have authorization to perform action 'Microsoft.Resources/subscriptions/resourceGroups/read'")
            && message.contains(&format!("over scope '{SUBSCRIPTION}/resourceGroups/rg1'")),
        "{message}"
    );
    assert_eq!(arm.get("/resourcegroups").json(), json!({"value": []}));
    let subscriptions =
        arm.send_whole("GET", "/subscriptions?api-version=2022-12-01", &Value::Null);
    assert_eq!(subscriptions.json()["value"], json!([]));

    let scope = format!("{SUBSCRIPTION}{group}");
    emulator.cli(&[
        "role", "assign", "--app", "tester", "--role", "Reader", "--scope", &scope,
    ]);
    for path in [group, &identity] {
        assert_eq!(arm.get(path).status, 200, "{path}");
    }
    for (method, path) in writes {
        let refused = arm.send(method, path, &body);
        assert_eq!(
            (refused.status, code(&refused)),
            (403, "AuthorizationFailed".to_owned())
        );
    }
    let groups = arm.get("/resourcegroups").json();
    assert_eq!(
        groups["value"].as_array().unwrap().len(),
        1,
        "only that group"
    );

    emulator.cli(&[
        "role",
        "assign",
        "--app",
        "tester",
        "--role",
        "Contributor",
        "--scope",
        &scope,
    ]);
    assert_eq!(arm.send("PUT", &identity, &body).status, 200);
    let registry = json!({"location": "westus", "sku": {"name": "Basic"}});
    let created = arm.send("PUT", &registry_path("rg1", "regone"), &registry);
    assert_eq!(created.status, 200);
    let elsewhere = arm.send("PUT", &registry_path("sealock", "regtwo"), &registry);
    assert_eq!(elsewhere.status, 403);
}

#[test]
fn identity_is_assigned_to_a_registry_only_with_a_role_for_both() {
    let emulator = Emulator::start();
    let developer = Arm::developer(&emulator);
    for group in ["rg1", "rg2"] {
        developer.create_group(group);
    }
    let identity = developer.create_identity("rg2", "id1")["id"].take();
    let identity = identity.as_str().unwrap();
    let arm = application(&emulator, "tester");
    let assign = |role: &str, scope: &str| {
        let role = ["--app", "tester", "--role", role, "--scope", scope];
        emulator.cli(&[&["role", "assign"], &role[..]].concat());
    };
    assign("Contributor", &format!("{SUBSCRIPTION}/resourceGroups/rg1"));
    let registry = registry_path("rg1", "regone");
    let body = json!({
        "location": "westus",
        "sku": {"name": "Basic"},
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}},
    });
    let refused = arm.send("PUT", &registry, &body);
    assert_eq!(
        (refused.status, code(&refused)),
        (403, "LinkedAuthorizationFailed".to_owned())
    );
    let message = refused.json()["error"]["message"].to_string();
    for part in [
        "has permission to perform action 'Microsoft.ContainerRegistry/registries/write' on scope",
        "'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action' on the linked scope(s)",
        identity,
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(developer.get(&registry).status, 404);
    assign("Managed Identity Operator", identity);
    assert_eq!(arm.send("PUT", &registry, &body).status, 201);
}

#[test]
fn conditions_on_the_existence_of_a_resource_are_checked() {
    let emulator = Emulator::start();
    let arm = Arm::developer(&emulator);
    arm.create_group("rg1");
    let body = json!({"location": "westus", "sku": {"name": "Basic"}});
    for path in [
        "/resourcegroups/rg2",
        &identity_path("rg1", "id1"),
        &registry_path("rg1", "regone"),
    ] {
        let put = |header| {
            let path = format!("{SUBSCRIPTION}{path}?api-version={}", arm.api_version);
            let headers = [
                ("host", "management.localhost"),
                ("authorization", arm.authorization.as_str()),
                (header, "*"),
            ];
            let body = body.to_string();
            arm.client.send("PUT", &path, &headers, body.as_bytes())
        };
        let missing = put("if-match");
        assert_eq!(
            (missing.status, code(&missing).as_str()),
            (412, "PreconditionFailed")
        );
        assert_eq!(arm.get(path).status, 404, "{path}");
        assert!(put("if-none-match").status < 300, "{path}");
        assert_eq!(put("if-none-match").status, 412, "{path}");
        assert_eq!(put("if-match").status, 200, "{path}");
    }
}

#[test]
fn role_assignment_has_the_recorded_shape_and_its_name_is_the_callers() {
    let emulator = Emulator::start();
    let arm = Arm::developer(&emulator).with_version("2022-04-01");
    arm.create_group("rg1");
    let principal = arm.create_identity("rg1", "id1")["properties"]["principalId"].clone();
    let reader =
        "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7";
    let role = format!("{SUBSCRIPTION}{reader}");
    let name = "0b7f8a5e-3f0c-4d3c-9f5a-6a2f0e5f3a11";
    let base = "/resourceGroups/rg1/providers/Microsoft.Authorization/roleAssignments";
    let path = format!("{base}/{name}");
    let body = json!({"properties": {"roleDefinitionId": role, "principalId": principal, "principalType": "ServicePrincipal"}});
    let created = arm.send("PUT", &path, &body);
    assert_eq!(created.status, 201, "{created:?}");
    let properties = created.json()["properties"].clone();
    let expected = json!({
        "properties": {
            "roleDefinitionId": role,
            "principalId": principal,
            "principalType": "ServicePrincipal",
            "scope": format!("{SUBSCRIPTION}/resourceGroups/rg1"),
            "condition": null,
            "conditionVersion": null,
            "createdOn": properties["createdOn"],
            "updatedOn": properties["updatedOn"],
            "createdBy": null,
            "updatedBy": properties["updatedBy"],
            "delegatedManagedIdentityResourceId": null,
            "description": null,
        },
        "id": format!("{SUBSCRIPTION}{path}"),
        "type": "Microsoft.Authorization/roleAssignments",
        "name": name,
    });
    assert_eq!(created.json(), expected);
    let shown = arm.get(&path).json();
    assert_eq!(shown["properties"]["createdBy"], properties["updatedBy"]);

    let other = format!("{base}/0b7f8a5e-3f0c-4d3c-9f5a-6a2f0e5f3a12");
    let twice = arm.send("PUT", &other, &body);
    assert_eq!(
        (twice.status, code(&twice)),
        (409, "RoleAssignmentExists".to_owned())
    );
    let filter = format!("{base}?$filter=principalId%20eq%20{principal}").replace('"', "'");
    assert_eq!(arm.get(&filter).json()["value"], json!([shown]));
    let definitions =
        "/providers/Microsoft.Authorization/roleDefinitions?$filter=roleName%20eq%20'reader'";
    let found = arm.get(definitions).json();
    assert_eq!(found["value"][0]["id"], role);
    assert_eq!(
        found["value"][0]["properties"]["permissions"][0]["actions"],
        json!(["*/read"])
    );

    assert_eq!(arm.delete(&path).json(), shown);
    assert_eq!(arm.delete(&path).status, 204);
}

#[test]
fn expired_token_is_refused_with_the_claims_that_a_new_one_needs() {
    let emulator = Emulator::start();
    let arm = Arm::developer(&emulator);
    emulator.cli(&["clock", "advance", "2d"]);
    let refused = arm.get("/resourcegroups");
    assert_eq!(
        (refused.status, code(&refused)),
        (401, "ExpiredAuthenticationToken".to_owned())
    );
    let challenge = refused.header("www-authenticate");
    let (_, claims) = challenge.split_once("claims=\"").unwrap();
    let claims = URL_SAFE.decode(claims.trim_end_matches('"')).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let needed = &claims["access_token"]["nbf"];
    assert_eq!(needed["essential"], true);
    assert!(needed["value"].as_str().unwrap().parse::<i64>().is_ok());
    assert_eq!(Arm::developer(&emulator).get("/resourcegroups").status, 200);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn bad_request_is_refused_in_arms_form_and_changes_nothing() {
    let emulator = Emulator::start();
    let arm = Arm::developer(&emulator);
    let long = format!("/resourcegroups/{}", "g".repeat(91));
    let sub = SUBSCRIPTION;
    for (method, path, body, status, expected) in [
        (
            "GET",
            format!("{sub}/resourcegroups"),
            json!(null),
            400,
            "MissingApiVersionParameter",
        ),
        (
            "GET",
            format!("{sub}/resourcegroups?api-version=x"),
            json!(null),
            400,
            "InvalidApiVersionParameter",
        ),
        (
            "PUT",
            format!("{sub}/resourcegroups/rg1?api-version=2024-11-01"),
            json!({}),
            400,
            "LocationRequired",
        ),
        (
            "PUT",
            format!("{sub}/resourcegroups/rg1?api-version=2024-11-01"),
            json!([]),
            400,
            "InvalidRequestContent",
        ),
        (
            "PUT",
            format!("{sub}/resourcegroups/rg1?api-version=2024-11-01"),
            json!({"location": 3}),
            400,
            "InvalidRequestContent",
        ),
        (
            "PUT",
            format!("{sub}/resourcegroups/rg1?api-version=2024-11-01"),
            json!({"location": "a", "Location": "b"}),
            400,
            "InvalidRequestContent",
        ),
        (
            "PUT",
            format!("{sub}/resourcegroups/rg1?api-version=2024-11-01"),
            json!({"location": "eastus", "tags": {"a/b": "c"}}),
            400,
            "InvalidTags",
        ),
        (
            "PUT",
            format!("{sub}{long}?api-version=2024-11-01"),
            json!({"location": "eastus"}),
            400,
            "InvalidResourceGroupName",
        ),
        (
            "POST",
            format!("{sub}/resourcegroups/rg1?api-version=2024-11-01"),
            json!({}),
            405,
            "UnsupportedHttpMethod",
        ),
        (
            "GET",
            format!("{sub}/providers/Microsoft.Network?api-version=2024-11-01"),
            json!(null),
            404,
            "InvalidResourceNamespace",
        ),
        (
            "PUT",
            format!(
                "{sub}/resourceGroups/rg1/providers/Microsoft.Network/virtualNetworks/n?api-version=2024-11-01"
            ),
            json!({}),
            404,
            "InvalidResourceType",
        ),
        (
            "GET",
            "/subscriptions/11111111-1111-1111-1111-111111111111?api-version=2024-11-01".to_owned(),
            json!(null),
            404,
            "SubscriptionNotFound",
        ),
        (
            "GET",
            format!("{sub}/resources?$filter=color%20eq%20'red'&api-version=2024-11-01"),
            json!(null),
            400,
            "InvalidFilterInQueryString",
        ),
    ] {
        let refused = arm.send_whole(method, &path, &body);
        assert_eq!(
            (refused.status, code(&refused).as_str()),
            (status, expected),
            "{method} {path}"
        );
    }
    assert_eq!(arm.get("/resourcegroups/rg1").status, 404);

    let client = emulator.client();
    let host = ("host", "management.localhost");
    let path = format!("{SUBSCRIPTION}/resourcegroups?api-version=2024-11-01");
    let challenge = client.send("GET", &path, &[host], b"");
    assert_eq!(
        (challenge.status, code(&challenge)),
        (401, "AuthenticationFailed".to_owned())
    );
    assert!(
        challenge
            .header("www-authenticate")
            .starts_with("Bearer authorization_uri=")
    );
    let cloud = client.send(
        "GET",
        "/metadata/endpoints?api-version=2022-09-01",
        &[host],
        b"",
    );
    assert_eq!(cloud.status, 200);
    assert_eq!(cloud.json()["name"], "Sealock");
}

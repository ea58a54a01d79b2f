use sealock_tests::Emulator;
use serde_json::{Value, json};

use super::{Arm, SUBSCRIPTION, code, identity_path, path_of, registry_path};

#[test]
fn resource_group_has_the_recorded_shape_in_every_answer() {
    let emulator = Emulator::start();
    let arm = Arm::developer(&emulator);
    let body =
        json!({"location": "westus", "managedBy": "test_admin", "tags": {"a": "b", "c": ""}});
    let created = arm.send("PUT", "/resourcegroups/rg1", &body);
    let expected = json!({
        "id": format!("{SUBSCRIPTION}/resourceGroups/rg1"),
        "name": "rg1",
        "type": "Microsoft.Resources/resourceGroups",
        "location": "westus",
        "managedBy": "test_admin",
        "tags": {"a": "b", "c": ""},
        "properties": {"provisioningState": "Succeeded"},
    });
    assert_eq!((created.status, created.json()), (201, expected.clone()));
    assert_eq!(
        created.header("content-type"),
        "application/json; charset=utf-8"
    );
    assert_eq!(arm.get("/resourceGroups/RG1").json(), expected);

    let echoed = arm.send("PUT", "/resourcegroups/rg1", &expected);
    assert_eq!((echoed.status, echoed.json()), (200, expected));
    let replaced = json!({"properties": {}, "location": "westus", "tags": {}});
    let replaced = arm.send("PUT", "/resourcegroups/rg1", &replaced);
    assert_eq!(replaced.json()["tags"], json!({}));
    assert_eq!(replaced.json().get("managedBy"), None);

    let names = |answer: Value| -> Vec<String> {
        let groups = answer["value"].as_array().unwrap().iter();
        groups
            .map(|it| it["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(arm.get("/resourcegroups").json()), ["rg1", "sealock"]);
    assert_eq!(
        arm.send("HEAD", "/resourcegroups/rg1", &Value::Null).status,
        204
    );
    let missing = arm.send("HEAD", "/resourcegroups/rg2", &Value::Null);
    assert_eq!(
        (missing.status, missing.header("x-ms-failure-cause")),
        (404, "gateway")
    );
}

#[test]
fn deleted_group_takes_its_resources_with_it() {
    let emulator = Emulator::start();
    let arm = Arm::developer(&emulator);
    arm.create_group("rg1");
    let identity = arm.create_identity("rg1", "id1");
    let registry = json!({"location": "westus", "sku": {"name": "Basic"}});
    let created = arm.send("PUT", &registry_path("rg1", "regone"), &registry);
    assert_eq!(created.status, 200, "{created:?}");
    let listed = arm.get("/resourceGroups/rg1/resources").json();
    assert_eq!(listed["value"].as_array().unwrap().len(), 2);

    let accepted = arm.delete("/resourcegroups/rg1");
    assert_eq!(
        (accepted.status, accepted.header("retry-after")),
        (202, "1")
    );
    let result = path_of(accepted.header("location")).to_owned();
    assert_eq!(arm.send_whole("GET", &result, &Value::Null).status, 200);
    assert_eq!(
        code(&arm.get("/resourceGroups/rg1")),
        "ResourceGroupNotFound"
    );
    let listed = arm.get("/resources?$filter=name%20eq%20%27regone%27");
    assert_eq!(listed.json(), json!({"value": []}));

    // The names are free, and an identity that is created again is another one.
    arm.create_group("rg1");
    let again = arm.create_identity("rg1", "id1");
    assert_ne!(
        again["properties"]["clientId"],
        identity["properties"]["clientId"]
    );
    let created = arm.send("PUT", &registry_path("rg1", "regone"), &registry);
    assert_eq!(created.status, 200);
}

#[test]
fn identity_has_the_recorded_shape_and_is_unique_in_its_group_only() {
    let emulator = Emulator::start();
    let arm = Arm::developer(&emulator);
    for group in ["rg1", "rg2"] {
        arm.create_group(group);
    }
    let path = identity_path("rg1", "id1");
    let body = json!({"location": "West US", "tags": null});
    let created = arm.send("PUT", &path, &body);
    assert_eq!(created.status, 201, "{created:?}");
    let identity = created.json();
    let id = format!(
        "{SUBSCRIPTION}/resourcegroups/rg1/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1"
    );
    assert_eq!(created.header("location"), id);
    let properties = &identity["properties"];
    assert_eq!(
        identity,
        json!({
            "location": "westus",
            "tags": {},
            "id": id,
            "name": "id1",
            "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
            "properties": {
                "tenantId": super::TENANT,
                "principalId": properties["principalId"],
                "clientId": properties["clientId"],
            },
        })
    );
    assert_eq!(arm.get(&path).json(), identity);
    assert_eq!(arm.send("PUT", &path, &identity).json(), identity);
    let other = arm.create_identity("rg2", "id1");
    assert_ne!(other["properties"], identity["properties"]);
    let moved = arm.send("PUT", &path, &json!({"location": "eastus"}));
    assert_eq!(
        (moved.status, code(&moved)),
        (409, "InvalidResourceLocation".to_owned())
    );
    assert_eq!(arm.delete(&path).status, 200);
    assert_eq!(arm.delete(&path).status, 204);
    let gone = arm.get(&path);
    assert_eq!(
        (gone.status, code(&gone)),
        (404, "ResourceNotFound".to_owned())
    );
    assert!(
        emulator.cli(&["identity", "list"]).contains("id1"),
        "that of the other group stays"
    );
}

#[test]
fn concurrent_creations_of_one_name_make_one_resource() {
    let emulator = Emulator::start();
    let arm = Arm::developer(&emulator);
    for group in ["rg1", "rg2"] {
        arm.create_group(group);
    }
    let body = json!({"location": "westus", "sku": {"name": "Basic"}});
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let tasks = ["rg1", "rg2", "rg1", "rg2"].map(|group| {
            let (arm, body) = (&arm, &body);
            scope.spawn(move || {
                arm.send("PUT", &registry_path(group, "regone"), body)
                    .status
            })
        });
        tasks.map(|task| task.join().unwrap()).into()
    });
    assert!(
        statuses.iter().all(|status| [200, 409].contains(status)),
        "{statuses:?}"
    );
    assert!(statuses.contains(&200), "{statuses:?}");
    assert!(statuses.contains(&409), "{statuses:?}");
    let found = arm.get("/resources?$filter=name%20eq%20'regone'").json();
    assert_eq!(found["value"].as_array().unwrap().len(), 1);
}

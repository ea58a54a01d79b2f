use std::process::Command;

use sealock_tests::{Emulator, Options, eventually};
use serde_json::{Value, json};
use ureq::SendBody;

use super::{Arm, SUBSCRIPTION, code, path_of, registries::Tutorial, registry_path};

/// Starts an emulator whose asynchronous operations take `delay`.
fn with_delay(delay: &str) -> Emulator {
    Emulator::start_with(Options {
        environment: vec![(
            "SEALOCK_FIDELITY__PROVISIONING_DELAY".to_owned(),
            delay.to_owned(),
        )],
        ..Options::default()
    })
}

/// Returns the id of the only operation that is under way.
fn id_of_operation(emulator: &Emulator) -> String {
    let listed = emulator.json(&["operation", "list"]);
    let operations = listed["operations"].as_array().unwrap().iter();
    let under_way: Vec<_> = operations
        .filter(|it| it["state"] == "in progress")
        .collect();
    let [operation] = under_way[..] else {
        panic!("{listed}")
    };
    operation["id"].as_str().unwrap().to_owned()
}

impl Arm {
    /// Returns the state of a resource.
    fn state(&self, path: &str) -> Value {
        self.get(path).json()["properties"]["provisioningState"].take()
    }

    fn poll(&self, url: &str) -> Value {
        let polled = self.send_whole("GET", path_of(url), &Value::Null);
        assert_eq!(polled.status, 200, "{polled:?}");
        assert_eq!(polled.header("retry-after"), "1");
        assert_eq!(path_of(polled.header("azure-asyncoperation")), path_of(url));
        polled.json()
    }
}

#[test]
fn held_operation_is_under_way_until_the_operator_ends_it() {
    let tutorial = Tutorial::start_on(with_delay("held"));
    let (arm, emulator) = (&tutorial.arm, &tutorial.emulator);
    let path = registry_path("rg1", "regone");
    let created = tutorial.put(&tutorial.body(&tutorial.kid));
    assert_eq!(created.status, 201, "{created:?}");
    let url = created.header("azure-asyncoperation");
    assert_eq!(arm.poll(url), json!({"status": "Creating"}));
    assert_eq!(arm.state(&path), "Creating");
    let tags = json!({"tags": {"a": "b"}});
    let refused = tutorial.patch(&tags);
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(code(&refused), "AnotherOperationInProgress");

    emulator.cli(&["operation", "complete", &id_of_operation(emulator)]);
    assert_eq!(arm.poll(url), json!({"status": "Succeeded"}));
    assert_eq!(arm.state(&path), "Succeeded");

    let updated = tutorial.patch(&json!({"properties": {"anonymousPullEnabled": true}}));
    let url = updated.header("azure-asyncoperation");
    assert_eq!(arm.poll(url), json!({"status": "Updating"}));
    let id = id_of_operation(emulator);
    emulator.cli(&["operation", "fail", &id]);
    let failed = arm.poll(url);
    assert_eq!(failed["status"], "Failed", "{failed}");
    assert_eq!(failed["error"]["code"], "OperationFailed", "{failed}");
    assert_eq!(arm.state(&path), "Failed");
    assert_eq!(tutorial.patch(&tags).status, 200);
    assert_eq!(arm.state(&path), "Succeeded");

    let ended = emulator.run(&["operation", "complete", &id]);
    assert!(ended.stderr.contains("has ended already"), "{ended:?}");
    let unknown = emulator.run(&["operation", "fail", "none"]);
    assert!(unknown.stderr.contains("was not found"), "{unknown:?}");
}

#[test]
fn operations_end_by_the_emulators_clock() {
    let tutorial = Tutorial::start_on(with_delay("1m"));
    let (arm, emulator) = (&tutorial.arm, &tutorial.emulator);
    emulator.cli(&["clock", "freeze"]);
    let created = tutorial.put(&tutorial.body(&tutorial.kid));
    let url = created.header("azure-asyncoperation");
    let vault = "/resourceGroups/rg1/providers/Microsoft.KeyVault/vaults/kv2";
    let body = json!({"location": "westus", "properties": {
        "tenantId": super::TENANT, "sku": {"family": "A", "name": "standard"}, "accessPolicies": [],
    }});
    let created = arm.send("PUT", vault, &body);
    assert_eq!((created.status, created.header("retry-after")), (200, "1"));
    let properties = &created.json()["properties"];
    assert_eq!(properties["provisioningState"], "RegisteringDns");

    emulator.cli(&["clock", "advance", "59s"]);
    assert_eq!(arm.poll(url), json!({"status": "Creating"}));
    assert_eq!(arm.state(vault), "RegisteringDns");
    emulator.cli(&["clock", "advance", "1s"]);
    assert_eq!(arm.poll(url), json!({"status": "Succeeded"}));
    assert_eq!(arm.state(vault), "Succeeded");
}

#[test]
fn group_under_deletion_keeps_its_resources_until_the_operation_ends() {
    let emulator = with_delay("held");
    let arm = Arm::developer(&emulator);
    arm.create_group("rg1");
    arm.create_identity("rg1", "id1");
    let accepted = arm.delete("/resourcegroups/rg1");
    let result = path_of(accepted.header("location")).to_owned();
    let poll = || arm.send_whole("GET", &result, &Value::Null);
    assert_eq!(poll().status, 202);
    assert_eq!(arm.state("/resourceGroups/rg1"), "Deleting");
    let again = arm.delete("/resourcegroups/RG1");
    assert_eq!(path_of(again.header("location")), result);
    let registry = json!({"location": "westus", "sku": {"name": "Basic"}});
    for (path, body) in [
        (registry_path("rg1", "regone"), registry),
        (
            "/resourcegroups/rg1".to_owned(),
            json!({"location": "westus"}),
        ),
    ] {
        let refused = arm.send("PUT", &path, &body);
        assert_eq!(refused.status, 409, "{refused:?}");
        assert_eq!(code(&refused), "ResourceGroupBeingDeleted");
    }

    emulator.cli(&["operation", "fail", &id_of_operation(&emulator)]);
    assert_eq!(code(&poll()), "OperationFailed");
    assert_eq!(arm.state("/resourceGroups/rg1"), "Succeeded");
    let listed = arm.get("/resourceGroups/rg1/resources").json();
    assert_eq!(listed["value"].as_array().unwrap().len(), 1);

    arm.delete("/resourcegroups/rg1");
    emulator.cli(&["operation", "complete", &id_of_operation(&emulator)]);
    let gone = arm.get("/resourceGroups/rg1");
    assert_eq!(code(&gone), "ResourceGroupNotFound");
}

#[test]
fn killed_emulator_continues_its_operations() {
    let mut emulator = with_delay("1s");
    let arm = Arm::developer(&emulator);
    emulator.cli(&["clock", "freeze"]);
    arm.create_group("rg1");
    arm.create_identity("rg1", "id1");
    assert_eq!(arm.delete("/resourcegroups/rg1").status, 202);
    emulator.kill();
    emulator.start_again();
    let arm = Arm::developer(&emulator);
    assert_eq!(arm.state("/resourceGroups/rg1"), "Deleting");
    // While nobody polls, too.
    emulator.cli(&["clock", "resume"]);
    eventually("the group is deleted", || {
        arm.get("/resourceGroups/rg1").status == 404
    });
    let listed = arm.get("/resources?$filter=name%20eq%20'id1'").json();
    assert_eq!(listed["value"], json!([]));
}

#[test]
fn creation_that_races_a_deletion_leaves_a_whole_registry_or_none() {
    let tutorial = Tutorial::start();
    let path = registry_path("rg1", "regone");
    let mut body = tutorial.body(&tutorial.kid);
    body["properties"]["adminUserEnabled"] = true.into();
    for _ in 0..20 {
        let (put, deleted) = std::thread::scope(|scope| {
            let put = scope.spawn(|| tutorial.put(&body));
            let deleted = scope.spawn(|| tutorial.arm.delete(&path));
            (put.join().unwrap(), deleted.join().unwrap())
        });
        assert_eq!(put.status, 201, "{put:?}");
        assert!([200, 204].contains(&deleted.status), "{deleted:?}");
        tutorial.assert_whole_or_missing("regone");
    }
    tutorial.emulator.verify();
}

#[test]
fn emulator_killed_during_creations_has_whole_registries_only() {
    let mut tutorial = Tutorial::start();
    let mut body = tutorial.body(&tutorial.kid);
    body["properties"]["adminUserEnabled"] = true.into();
    let body = body.to_string();
    let count = |emulator: &Emulator| {
        let listed = emulator.json(&["registry", "list"]);
        listed["registries"].as_array().unwrap().len()
    };
    for round in 0..6 {
        let before = count(&tutorial.emulator);
        let names: Vec<_> = (0..4).map(|it| format!("reg{round}x{it}")).collect();
        std::thread::scope(|scope| {
            for name in &names {
                let (arm, body) = (&tutorial.arm, &body);
                scope.spawn(move || arm.try_put(&registry_path("rg1", name), body));
            }
            eventually("some registries exist", || {
                count(&tutorial.emulator) > before + round % 3
            });
            let pid = tutorial.emulator.pid().to_string();
            let killed = Command::new("kill").args(["-KILL", &pid]).status();
            assert!(killed.unwrap().success());
        });
        tutorial.emulator.kill();
        tutorial.emulator.start_again();
        tutorial.arm = Arm::developer(&tutorial.emulator);
        for name in &names {
            tutorial.assert_whole_or_missing(name);
        }
    }
    tutorial.emulator.verify();
}

impl Arm {
    /// Sends a PUT request, and ignores what comes of it.
    fn try_put(&self, path: &str, body: &str) {
        let path = format!("{SUBSCRIPTION}{path}?api-version={}", self.api_version);
        let headers = [
            ("host", "management.localhost"),
            ("authorization", self.authorization.as_str()),
        ];
        let body = &mut body.as_bytes();
        let _answer =
            self.client
                .try_send("PUT", &path, &headers, SendBody::from_reader(body), None);
    }
}

impl Tutorial {
    /// Checks that a registry has everything that its creation asked for, if it exists.
    fn assert_whole_or_missing(&self, name: &str) {
        let path = registry_path("rg1", name);
        let found = self.arm.get(&path);
        if found.status == 404 {
            return;
        }
        let properties = &found.json()["properties"];
        assert_eq!(properties["encryption"]["status"], "enabled");
        assert_eq!(properties["adminUserEnabled"], true);
        assert_eq!(found.json()["identity"]["type"], "userAssigned");
        let credentials = format!("{path}/listCredentials");
        let credentials = self.arm.send("POST", &credentials, &json!({}));
        assert_eq!(credentials.status, 200, "{credentials:?}");
    }
}

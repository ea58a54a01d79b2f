use sealock_tests::Emulator;
use serde_json::json;

use super::{VAULT, encode, number, post};

#[test]
fn client_secret_is_shown_once_and_stored_nowhere() {
    let mut emulator = Emulator::start();
    let created = emulator.cli(&["app", "create", "deploy"]);
    let secret = |shown: &str| {
        let mut words = shown.split_whitespace();
        words.find(|word| word.contains("8Q~")).unwrap().to_owned()
    };
    assert!(created.contains("Save the secret now: it is not shown again."));
    let first = secret(&created);
    let again = emulator.run(&["app", "create", "deploy"]);
    assert!(again.stdout.contains("deploy already exists"), "{again:?}");
    let second = secret(&emulator.cli(&["app", "renew", "deploy"]));
    assert_ne!(first, second);
    let made = emulator.json(&["app", "show", "deploy"]);
    for (form, status) in [(&first, 401), (&second, 200)].map(|(secret, status)| {
        let client = made["client_id"].as_str().unwrap().to_owned();
        let form = vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", client),
            ("client_secret", secret.clone()),
            ("scope", format!("{VAULT}/.default")),
        ];
        (form, status)
    }) {
        let answer = post(&emulator.client(), "/common/oauth2/v2.0/token", &form);
        assert_eq!(answer.status, status);
        // Some clients put the secret there, although they should not.
        let query = format!("/common/oauth2/v2.0/token?{}", encode(&form));
        assert_eq!(number(&post(&emulator.client(), &query, &[])), 900_144);
    }
    let mut shown = emulator.cli(&["app", "list"]);
    for command in [
        &["app", "list", "--json"][..],
        &["app", "show", "deploy"],
        &["app", "show", "deploy", "--json"],
        &["audit"],
    ] {
        shown.push_str(&emulator.cli(command));
    }
    emulator.stop();
    let mut places = emulator.files();
    places.push(("log".into(), emulator.logged().into_bytes()));
    places.push(("what is shown".into(), shown.into_bytes()));
    for (place, content) in places {
        for secret in [&first, &second] {
            let part = &secret.as_bytes()[10..30];
            let found = content.windows(part.len()).any(|window| window == part);
            assert!(!found, "{}", place.display());
        }
    }
}

#[test]
fn application_changes_are_reported_as_text_and_as_json() {
    let emulator = Emulator::start();
    emulator.cli(&["app", "delete", "developer"]);
    assert_eq!(emulator.json(&["app", "list"]), json!({"applications": []}));
    let made = emulator.json(&["app", "create", "deploy"]);
    let mut known = made.clone();
    known.as_object_mut().unwrap().remove("secret");
    assert_eq!(emulator.json(&["app", "create", "deploy"]), known);
    assert_eq!(emulator.json(&["app", "show", "deploy"]), known);
    let all = json!({"applications": [known]});
    assert_eq!(emulator.json(&["app", "list"]), all);
    let listed = emulator.cli(&["app", "list"]);
    for part in [
        "NAME    CLIENT",
        "deploy  ",
        known["secret_expires"].as_str().unwrap(),
    ] {
        assert!(listed.contains(part), "{listed}");
    }
    let shown = emulator.cli(&["app", "show", "deploy"]);
    for part in ["tenant_id", "client_id", "principal_id", "created"] {
        assert!(shown.contains(known[part].as_str().unwrap()), "{shown}");
    }
    let not_found = "error: The application 'nobody' was not found\nhint: list the applications with: sealock app list; or create it with: sealock app create nobody";
    for command in [
        &["app", "show", "nobody"][..],
        &["access", "grant", "--app", "nobody"],
        &["role", "assign", "--app", "nobody", "--role", "AcrPull"],
    ] {
        let output = emulator.run(command);
        assert_eq!((output.code, output.stderr.trim()), (1, not_found));
    }
    // A failed deletion does not suggest creating the resource.
    let (not_found, _) = not_found.rsplit_once(';').unwrap();
    for command in [
        &["app", "delete", "nobody"][..],
        &["app", "renew", "nobody"],
        &["access", "revoke", "--app", "nobody"],
        &["role", "remove", "--app", "nobody", "--role", "AcrPull"],
    ] {
        let output = emulator.run(command);
        assert_eq!((output.code, output.stderr.trim()), (1, not_found));
    }
    for command in [
        &["identity", "delete", "nobody"][..],
        &["access", "revoke", "--identity", "nobody"],
        &[
            "role",
            "remove",
            "--identity",
            "nobody",
            "--role",
            "AcrPull",
        ],
    ] {
        let output = emulator.run(command);
        let hint = "hint: list the identities with: sealock identity list\n";
        assert!(output.stderr.ends_with(hint), "{output:?}");
    }
    for (command, says) in [
        (
            &["app", "create", "x"][..],
            "'x' is not an application name; expected 3 to 128",
        ),
        (
            &[
                "access",
                "grant",
                "--app",
                "deploy",
                "--identity",
                "registry-identity",
            ],
            "cannot be used with",
        ),
    ] {
        let output = emulator.run(command);
        assert!(
            output.code == 2 && output.stderr.contains(says),
            "{output:?}"
        );
    }
    let deleted = emulator.cli(&["app", "delete", "deploy"]);
    assert_eq!(deleted.trim(), "deleted application deploy");
    assert_eq!(emulator.json(&["app", "list"]), json!({"applications": []}));
}

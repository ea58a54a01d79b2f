use std::{fs, os::unix::fs::PermissionsExt as _};

use sealock_tests::{Answer, Emulator, Options};
use serde_json::json;

use super::{ACR, VAULT, access_token, number, post};
use crate::entra::part;

const TENANT: &str = "5ea10c00-0000-4000-8000-000000000000";
const CLIENT: &str = "5ea10c00-0000-4000-8000-000000000001";
const SECRET: &str = "sealock-developer";

fn log_in(emulator: &Emulator, secret: &str, resource: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials".to_owned()),
        ("client_id", CLIENT.to_owned()),
        ("client_secret", secret.to_owned()),
        ("scope", format!("{resource}/.default")),
    ];
    let path = format!("/{TENANT}/oauth2/v2.0/token");
    post(&emulator.client(), &path, &form)
}

#[test]
fn developer_logs_in_with_the_documented_secret_and_owns_the_subscription() {
    let emulator = Emulator::start();
    let answer = log_in(&emulator, SECRET, ACR);
    assert_eq!(answer.status, 200, "{answer:?}");
    let claims = part(&access_token(&answer), 1);
    assert_eq!(claims["tid"], TENANT);
    assert_eq!(claims["appid"], CLIENT);
    let listed = emulator.json(&["role", "list"])["role_assignments"].clone();
    let own = listed.as_array().unwrap().iter();
    let own = own
        .filter(|it| it["application"] == "developer")
        .map(|it| (it["role"].clone(), it["scope"].clone()));
    let subscription = "/subscriptions/00000000-0000-0000-0000-000000000000";
    let expected = (json!("Owner"), json!(subscription));
    assert_eq!(own.collect::<Vec<_>>(), [expected]);
    assert!(!emulator.data_dir().join("developer.secret").exists());
}

#[test]
fn renewed_or_deleted_developer_stays_so_after_a_restart() {
    let mut emulator = Emulator::start();
    let renewed = emulator.json(&["app", "renew", "developer"])["secret"].clone();
    let renewed = renewed.as_str().unwrap().to_owned();
    emulator.restart();
    assert_eq!(number(&log_in(&emulator, SECRET, VAULT)), 7_000_215);
    assert_eq!(log_in(&emulator, &renewed, VAULT).status, 200);
    emulator.cli(&["app", "delete", "developer"]);
    emulator.restart();
    assert_eq!(number(&log_in(&emulator, &renewed, VAULT)), 700_016);
}

#[test]
fn enforced_developer_has_a_random_secret_in_a_file_of_its_owner() {
    let mut emulator = Emulator::start_with(Options {
        environment: vec![("SEALOCK_SERVER__AUTH".into(), "enforced".into())],
        ..Options::default()
    });
    let file = emulator.data_dir().join("developer.secret");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let secret = fs::read_to_string(&file).unwrap();
    assert_eq!(number(&log_in(&emulator, SECRET, VAULT)), 7_000_215);
    assert_eq!(log_in(&emulator, &secret, VAULT).status, 200);
    assert!(!emulator.logged().contains(&secret));
    emulator.restart();
    assert_eq!(log_in(&emulator, &secret, VAULT).status, 200, "it stays");

    // The door decides, not the first start.
    emulator.stop();
    emulator.set_environment(Vec::new());
    emulator.start_again();
    assert_eq!(log_in(&emulator, SECRET, VAULT).status, 200);
    assert_eq!(number(&log_in(&emulator, &secret, VAULT)), 7_000_215);
}

//! Black-box tests. Each has its own emulator, and uses the interfaces that users have.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test, a surprise is a failure"
)]

mod accept;
mod acr;
mod advice;
mod applications;
mod arm_vaults;
mod auth;
mod bad_input;
mod bodies;
mod ca;
mod cli;
mod clock;
mod codings;
mod commands;
mod control_token;
mod crash;
mod crowd;
mod cut_short;
mod deletion;
mod demo;
mod diagnoses;
mod disk;
mod door;
mod downloads;
mod effect;
mod entra;
mod environment;
mod exchange;
mod files;
mod flips;
mod garbage;
mod graph;
mod hosts;
mod http2;
mod key_refusals;
mod kill_switches;
mod locks;
mod log;
mod malformed;
mod manifests;
mod manual;
mod model;
mod nodes;
mod oci;
mod ownership;
mod page_costs;
mod refusals;
mod registry;
mod registry_identities;
mod repair;
mod reports;
mod resource_manager;
mod revocation;
mod rotation;
mod rules;
mod secrets;
mod serve;
mod sign_in;
mod slow_clients;
mod tapped_metadata;
mod throttling;
mod tls;
mod tokens;
mod transcripts;
mod trust;
mod uploads;
mod vault;
mod vault_authentication;
mod vault_errors;
mod verify;
mod watching;

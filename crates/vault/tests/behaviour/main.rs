//! What callers of the vault rely on, over a store in memory.
#![cfg(test)] // so that clippy takes the helpers for tests

mod audit;
mod backups;
mod calls;
mod concurrency;
mod disk;
mod errors;
mod evidence;
mod failover;
mod firewall;
mod imports;
mod keys;
mod listings;
mod names;
mod order;
mod pending_purges;
mod permits;
mod recovery_levels;
mod refusals;
mod release_policies;
mod retention;
mod roles;
mod rotation;
mod soft_deletion;
mod tags;
mod throttling;
mod validity;
mod vault_errors;
mod vaults;
mod world;

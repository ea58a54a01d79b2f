//! Tests of the vault through its public interface, over a store in memory.
#![cfg(test)] // makes clippy treat the helpers as tests

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
mod managed_vaults;
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

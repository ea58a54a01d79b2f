//! What callers of the vault rely on, over a store in memory.

mod audit;
mod keys;
mod retention;
mod vaults;
#[cfg(test)] // so that clippy takes its helpers for tests
mod world;

//! The emulator's persistent state: metadata records, objects (large, immutable files), notes (small, replaceable
//! files) and the append-only journal.
//!
//! There is one write, [`Store::commit`]: atomic, and durable before it is visible. Each commit to a *control* table
//! raises the [`Epoch`] after the write is visible and before it is acknowledged, so that a verdict reached under an
//! older epoch is known to be stale. A commit also contains its journal lines, and names the objects that it removes:
//! the next start removes them if a crash prevents it now.
//!
//! The store does not know the records of other crates. The crates that own them declare their tables.

mod authentication;
mod batch;
mod data_dir;
pub mod disk;
mod durable;
mod error;
mod format;
mod journal;
mod key;
mod locks;
mod long_work;
pub mod metadata;
pub mod notes;
pub mod objects;
pub mod ownership;
mod path_error;
mod quarantine;
mod repair;
mod scan;
mod store;
mod store_files;
mod table;

pub use authentication::Authenticator;
pub use batch::Batch;
pub use data_dir::{DataDir, check_directory};
pub use durable::{create_dir, create_secret};
pub use error::{Error, Fault, Result};
pub use journal::{Journal, JournalLimits, Passage};
pub use locks::{Lock, LockGuard};
pub use long_work::LongWork;
pub use metadata::Commit;
pub use quarantine::{Quarantine, Quarantined};
pub use repair::{
    Inspection, Repair, Source, TableDifference, check_offline, detect_engine, finish_repair,
    inspect, repair,
};
pub use scan::Scan;
pub use store::{Epoch, Store};
pub use store_files::StoreFiles;
pub use table::{Entry, Record, Table};

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    Result,
    authentication::Authenticator,
    disk::{Disk, RealDisk},
    journal::JournalLimits,
    metadata::EngineKind,
};

/// The directory in which a repair stages its files.
pub(crate) const REPAIR_DIR: &str = "repair";

/// The location of a store, with its engine and its authenticator.
#[derive(Clone, Debug)]
pub struct StoreFiles {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// The data directory.
    pub dir: PathBuf,
    /// The engine that holds the records.
    pub engine: EngineKind,
    /// The authenticator of everything that the store writes.
    pub authenticator: Authenticator,
    /// The limits of the journal.
    pub journal: JournalLimits,
}

impl StoreFiles {
    /// Describes a store in a directory of this machine, with the default engine.
    pub fn new(dir: impl Into<PathBuf>, authenticator: Authenticator) -> Self {
        Self {
            disk: Arc::new(RealDisk),
            dir: dir.into(),
            engine: EngineKind::default(),
            authenticator,
            journal: JournalLimits::default(),
        }
    }

    pub(crate) fn metadata(&self) -> PathBuf {
        self.dir.join("metadata")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.metadata().join(self.engine.file_name())
    }

    /// Returns the directory in which a repair stages its files.
    pub(crate) fn repair_dir(&self) -> PathBuf {
        self.dir.join(REPAIR_DIR)
    }

    /// Returns the path of a repair's plan, which exists from the first move of the repair until its end.
    pub(crate) fn repair_plan(&self) -> PathBuf {
        self.repair_dir().join("plan")
    }

    /// Returns true if a repair was started but not finished.
    pub(crate) fn is_repair_unfinished(&self) -> Result<bool> {
        self.exists(&self.repair_plan())
    }

    /// Returns true if `path` exists. Does not open it.
    pub(crate) fn exists(&self, path: &Path) -> Result<bool> {
        let names = self.disk.list(crate::disk::parent(path))?;
        Ok(names
            .iter()
            .any(|name| Some(name.as_os_str()) == path.file_name()))
    }
}

use std::{fmt, path::Path, str::FromStr, sync::Arc};

use super::{
    engine::{Engine, Records, catch_panic},
    redb, sled,
};
use crate::{Result, disk::Disk};

/// An embedded database for the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineKind {
    /// redb 4: one file.
    #[default]
    Redb,
    /// sled 0.34: a directory of files.
    Sled,
}

impl EngineKind {
    pub(crate) const ALL: [Self; 2] = [Self::Redb, Self::Sled];

    /// Returns the engine's name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redb => "redb",
            Self::Sled => "sled",
        }
    }

    /// Returns the name of the engine's file or directory.
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Self::Redb => "records.redb",
            Self::Sled => "records.sled",
        }
    }

    /// Opens the database at `path`, which must exist.
    pub(crate) fn open(self, disk: &Arc<dyn Disk>, path: &Path) -> Result<Box<dyn Engine>> {
        catch_panic(path, || match self {
            Self::Redb => redb::open(disk, path),
            Self::Sled => sled::open(path),
        })
    }

    /// Opens the database at `path` for inspection; changes nothing on disk. With `check`, the library compares all
    /// pages with their checksums, if they have any.
    pub(crate) fn open_for_inspection(
        self,
        disk: &Arc<dyn Disk>,
        path: &Path,
        check: bool,
    ) -> Result<Box<dyn Engine>> {
        catch_panic(path, || match self {
            Self::Redb => redb::open_for_inspection(disk, path, check),
            Self::Sled => sled::open_for_inspection(path),
        })
    }

    /// Creates a database at `path`, lets `fill` write its first records, and makes it durable. A crash in between
    /// leaves no database.
    pub(crate) fn create(
        self,
        disk: &Arc<dyn Disk>,
        path: &Path,
        fill: &mut dyn FnMut(&mut dyn Records) -> Result<bool>,
    ) -> Result<Box<dyn Engine>> {
        catch_panic(path, || match self {
            Self::Redb => redb::create(disk, path, fill),
            Self::Sled => sled::create(path, fill),
        })
    }
}

impl FromStr for EngineKind {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "redb" => Ok(Self::Redb),
            "sled" => Ok(Self::Sled),
            _ => Err(format!("'{text}' is not an engine; expected redb or sled")),
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

//! The file `format`, which names the store and the layout of its data directory.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::{
    Authenticator, Error, Result, StoreFiles,
    authentication::Label,
    disk::{self, Disk},
    metadata::EngineKind,
};

pub(crate) const FILE: &str = "format";

/// The number of the layout of the data directory.
const FORMAT: u32 = 1;

/// The content of the file `format`. The file marks a data directory as used.
///
/// Its first line has layout, store and engine; the second line has the tag that authenticates them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) store: Uuid,
    pub(crate) engine: EngineKind,
}

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

impl Format {
    /// Reads the file `format` of a data directory; returns `None` for a new directory.
    pub(crate) fn read(files: &StoreFiles) -> Result<Option<Self>> {
        let path = path(&files.dir);
        let Some(bytes) = disk::read(&*files.disk, &path)? else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&bytes);
        let (line, tag) = text.trim().split_once('\n').unwrap_or((text.trim(), ""));
        let (layout, rest) = line.split_once(' ').unwrap_or((line, ""));
        let tag = hex::decode(tag).unwrap_or_default();
        let is_authentic = files
            .authenticator
            .is_tag(&tag, Label::Format, &[line.as_bytes()]);
        if layout != FORMAT.to_string() {
            let Ok(found) = layout.parse() else {
                let why = "it does not start with the number of a format";
                return Err(Error::damaged_file(path, why));
            };
            return Err(Error::UnknownFormat {
                dir: files.dir.display().to_string(),
                found,
                known: FORMAT,
                is_authentic,
            });
        }
        let parsed = rest.split_once(' ').and_then(|(store, engine)| {
            let (store, engine) = (store.parse().ok()?, engine.parse().ok()?);
            Some(Self { store, engine })
        });
        match parsed {
            Some(format) if is_authentic => Ok(Some(format)),
            _ => Err(Error::KeyForeign { format: path }),
        }
    }

    /// Reads the file `format` of a data directory. If the file is missing or damaged, returns a description of the
    /// problem instead.
    ///
    /// # Errors
    /// If the disk fails, or the directory has another format.
    pub(crate) fn examine(files: &StoreFiles) -> Result<(Option<Self>, Option<String>)> {
        match Self::read(files) {
            Ok(None) => Ok((
                None,
                Some(format!("{} is missing", path(&files.dir).display())),
            )),
            Ok(format) => Ok((format, None)),
            Err(
                Error::UnknownFormat {
                    is_authentic: false,
                    ..
                }
                | Error::KeyForeign { .. }
                | Error::DamagedFile { .. },
            ) => Ok((
                None,
                Some(format!("{} is damaged", path(&files.dir).display())),
            )),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn write(
        &self,
        disk: &dyn Disk,
        dir: &Path,
        authenticator: &Authenticator,
    ) -> Result<()> {
        let line = format!("{FORMAT} {} {}", self.store, self.engine);
        let tag = authenticator.tag(Label::Format, &[line.as_bytes()]);
        let text = format!("{line}\n{}\n", hex::encode(tag));
        Ok(disk::replace(disk, &path(dir), text.as_bytes())?)
    }
}

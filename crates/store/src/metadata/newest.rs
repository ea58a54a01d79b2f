//! The file `newest`, which repeats the number of the newest acknowledged commit.

use std::{path::Path, sync::Arc};

use uuid::Uuid;

use crate::{
    Result,
    authentication::{Authenticator, Label, TAG_LEN},
    disk::{self, Access, Disk, DiskFile},
};

pub(crate) const FILE: &str = "newest";

/// The length of a slot, in bytes: two numbers and the tag over both.
const SLOT: usize = 8 + 8 + TAG_LEN;

/// The numbers of the newest acknowledged commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    /// The number of the newest acknowledged commit.
    pub(crate) number: u64,
    /// The number of acknowledged commits that changed who may use which key.
    pub(crate) control: u64,
}

impl Acknowledged {
    /// Returns the maximum of each number.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            number: self.number.max(other.number),
            control: self.control.max(other.control),
        }
    }
}

/// A file beside the commit log with the numbers of the newest acknowledged commit.
///
/// It distinguishes an entry that a crash tore from an acknowledged entry that was damaged. It is not synced: it is
/// right after a kill, and at worst outdated after a power cut. Writes alternate between two slots, so that one of them
/// is always intact.
pub(crate) struct Newest {
    file: Arc<dyn DiskFile>,
    store: Uuid,
    authenticator: Authenticator,
}

impl Newest {
    /// Opens the file in `dir`; creates it if it is missing.
    pub(crate) fn open(
        disk: &dyn Disk,
        dir: &Path,
        store: Uuid,
        authenticator: &Authenticator,
    ) -> Result<Self> {
        let path = dir.join(FILE);
        let file = match disk::open_if_present(disk, &path, Access::Write)? {
            Some(file) => file,
            None => disk.create(&path)?,
        };
        Ok(Self {
            file,
            store,
            authenticator: authenticator.clone(),
        })
    }

    /// Reads the numbers. Returns `None` if no slot is authentic.
    pub(crate) fn read(&self) -> Result<Option<Acknowledged>> {
        read_file(&*self.file, self.store, &self.authenticator)
    }

    /// Writes the numbers of a commit that is about to be acknowledged.
    pub(crate) fn write(&self, newest: Acknowledged) -> Result<()> {
        let bytes = [newest.number.to_be_bytes(), newest.control.to_be_bytes()].concat();
        let tag = self
            .authenticator
            .tag(Label::Newest, &[self.store.as_bytes(), &bytes]);
        let slot = [bytes.as_slice(), &tag].concat();
        Ok(self.file.write_at(newest.number % 2 * SLOT as u64, &slot)?)
    }
}

/// Reads the file in `dir`. Returns `None` if it is missing or no slot is authentic.
pub(crate) fn read(
    disk: &dyn Disk,
    dir: &Path,
    store: Uuid,
    authenticator: &Authenticator,
) -> Result<Option<Acknowledged>> {
    match disk::open_if_present(disk, &dir.join(FILE), Access::Read)? {
        Some(file) => read_file(&*file, store, authenticator),
        None => Ok(None),
    }
}

fn read_file(
    file: &dyn DiskFile,
    store: Uuid,
    authenticator: &Authenticator,
) -> Result<Option<Acknowledged>> {
    let mut newest: Option<Acknowledged> = None;
    for slot in 0..2 {
        let mut bytes = [0; SLOT];
        let offset = slot * SLOT as u64;
        if file.len()? < offset + SLOT as u64 {
            continue;
        }
        file.read_at(offset, &mut bytes)?;
        let (content, tag) = bytes.split_at(16);
        let parts = [store.as_bytes().as_slice(), content];
        if authenticator.is_tag(tag, Label::Newest, &parts) {
            let number = |at: usize| content[at..].first_chunk::<8>().copied();
            let found = Acknowledged {
                number: u64::from_be_bytes(number(0).unwrap_or_default()),
                control: u64::from_be_bytes(number(8).unwrap_or_default()),
            };
            newest = Some(newest.unwrap_or_default().max(found));
        }
    }
    Ok(newest)
}

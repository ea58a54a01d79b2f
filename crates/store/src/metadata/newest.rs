use std::{path::Path, sync::Arc};

use uuid::Uuid;

use crate::{
    Result,
    authentication::{Authenticator, Label, TAG_LEN},
    disk::{self, Access, Disk, DiskFile},
};

pub(crate) const FILE: &str = "newest";

const SLOT: usize = 8 + TAG_LEN;

/// The number of the newest acknowledged commit, in a file beside the commit log.
///
/// It tells an entry that a crash tore from an acknowledged one that was damaged. It is not synced: a kill leaves
/// it right, and after a loss of power it is an earlier one at worst. Two slots take turns, so that one of them is
/// whole.
pub(crate) struct Newest {
    file: Arc<dyn DiskFile>,
    store: Uuid,
    authenticator: Authenticator,
}

impl Newest {
    /// Opens the file in `dir`, and creates it if it is missing.
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

    /// The number, as far as the file knows it.
    pub(crate) fn read(&self) -> Result<u64> {
        let mut newest = 0;
        for slot in 0..2 {
            let mut bytes = [0; SLOT];
            let offset = slot * SLOT as u64;
            if self.file.len()? < offset + SLOT as u64 {
                continue;
            }
            self.file.read_at(offset, &mut bytes)?;
            let (number, tag) = bytes.split_at(8);
            let parts = [self.store.as_bytes().as_slice(), number];
            if self.authenticator.is_tag(tag, Label::Newest, &parts) {
                let number: [u8; 8] = number.try_into().unwrap_or_default();
                newest = newest.max(u64::from_be_bytes(number));
            }
        }
        Ok(newest)
    }

    /// Notes that the commit `number` is about to be acknowledged.
    pub(crate) fn write(&self, number: u64) -> Result<()> {
        let bytes = number.to_be_bytes();
        let tag = self
            .authenticator
            .tag(Label::Newest, &[self.store.as_bytes(), &bytes]);
        let slot = [bytes.as_slice(), &tag].concat();
        Ok(self.file.write_at(number % 2 * SLOT as u64, &slot)?)
    }
}

//! The engine redb.

mod file;

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use redb::{
    Builder, Database, Durability, ReadOnlyTable, ReadableDatabase as _, ReadableTable as _, Table,
    TableDefinition,
};

use self::file::{Backend, File};
use super::{
    Items, KeyRange,
    engine::{Engine, Records, Snapshot, catch_panic},
};
use crate::{
    Error, Result,
    disk::{self, Access, Disk},
};

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// The size of the cache, in bytes.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

struct Redb {
    /// `None` if it could not be reopened.
    db: Option<Database>,
    file: Arc<File>,
}

/// Opens the database at `path`.
pub(super) fn open(disk: &Arc<dyn Disk>, path: &Path) -> Result<Box<dyn Engine>> {
    let opened = disk.open(path, Access::Write)?;
    let file = Arc::new(File::new(disk, path, opened)?);
    Ok(Box::new(Redb::open(file)?))
}

/// Opens the database at `path` for inspection. The writes of its library stay in memory. With `check`, the library
/// compares each page with its checksum, and returns to the previous checkpoint if a page is damaged.
pub(super) fn open_for_inspection(
    disk: &Arc<dyn Disk>,
    path: &Path,
    check: bool,
) -> Result<Box<dyn Engine>> {
    let opened = disk.open(path, Access::Read)?;
    if opened.len()? == 0 {
        return Err(Error::damaged_file(path, "it is empty"));
    }
    let file = File::new(disk, path, opened)?;
    file.freeze_for_inspection();
    let file = Arc::new(file);
    let db = Some(open_file(&file, check)?);
    Ok(Box::new(Redb { db, file }))
}

pub(super) fn create(
    disk: &Arc<dyn Disk>,
    path: &Path,
    fill: &mut dyn FnMut(&mut dyn Records) -> Result<bool>,
) -> Result<Box<dyn Engine>> {
    let unfinished = disk::unfinished(path);
    disk::remove_if_present(&**disk, &unfinished)?;
    let created = disk.create(&unfinished)?;
    let file = Arc::new(File::new(disk, path, created)?);
    let mut engine = Redb::open(file)?;
    engine.write(fill)?;
    engine.checkpoint()?;
    disk.rename(&unfinished, path)?;
    disk.sync_dir(disk::parent(path))?;
    Ok(Box::new(engine))
}

impl Redb {
    fn open(file: Arc<File>) -> Result<Self> {
        let check = file.is_checked_at_start();
        let db = Some(open_file(&file, check)?);
        let mut opened = Self { db, file };
        if check {
            // The check ends with a commit of another kind. If the file is damaged after such a commit, it cannot be
            // opened to save its intact records. If this commit fails, the next checkpoint reports it.
            let _ = opened.commit(Durability::Immediate, &mut |_| Ok(true));
        }
        Ok(opened)
    }

    fn db(&self) -> Result<&Database> {
        let closed = || self.file.error(redb::Error::DatabaseClosed);
        self.db.as_ref().ok_or_else(closed)
    }

    /// Closes the database. Its library may panic over damage even when it is dropped. A drop would also make commits
    /// durable that no checkpoint covers: commits whose lines the journal does not have yet, or a commit that was
    /// rolled back.
    fn close(&mut self) {
        self.file.is_closed.store(true, Ordering::SeqCst);
        let db = self.db.take();
        let closed = catch_panic(&self.file.path, || {
            drop(db);
            Ok(())
        });
        if let Err(error) = closed {
            tracing::warn!(%error, "the database could not be closed");
        }
    }

    fn commit(
        &mut self,
        durability: Durability,
        work: &mut dyn FnMut(&mut dyn Records) -> Result<bool>,
    ) -> Result<()> {
        let file = &self.file;
        let mut write = self
            .db()?
            .begin_write()
            .map_err(|error| file.error(error))?;
        write
            .set_durability(durability)
            .map_err(|error| file.error(error))?;
        // The database then opens at once after a kill: the last durable commit needs no repair.
        write.set_quick_repair(matches!(durability, Durability::Immediate));
        let shall_commit = {
            let table = write.open_table(RECORDS);
            let table = table.map_err(|error| file.error(error))?;
            work(&mut Writing { table, file })?
        };
        if shall_commit {
            write.commit().map_err(|error| file.error(error))
        } else {
            write.abort().map_err(|error| file.error(error))
        }
    }
}

impl Engine for Redb {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        let file = &self.file;
        let read = self.db()?.begin_read().map_err(|error| file.error(error))?;
        let table = read.open_table(RECORDS);
        Ok(Arc::new(Reading {
            table: table.map_err(|error| file.error(error))?,
            file: Arc::clone(file),
        }))
    }

    fn write(&mut self, work: &mut dyn FnMut(&mut dyn Records) -> Result<bool>) -> Result<()> {
        self.commit(Durability::None, work)
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.file.rewrite_if_frozen()?;
        self.commit(Durability::Immediate, &mut |_| Ok(true))?;
        self.file.check_not_frozen()
    }

    fn abandon_writes(&mut self) {
        self.file.is_broken.store(true, Ordering::SeqCst);
    }

    fn needs_reopening(&self) -> bool {
        self.file.is_broken.load(Ordering::SeqCst)
    }

    fn reopen(&mut self) -> Result<()> {
        self.close();
        self.file.is_closed.store(false, Ordering::SeqCst);
        self.file.is_broken.store(false, Ordering::SeqCst);
        let check = self.file.is_checked_at_start();
        let opened = open_file(&self.file, check);
        self.file
            .is_broken
            .fetch_or(opened.is_err(), Ordering::SeqCst);
        self.db = Some(opened?);
        Ok(())
    }
}

impl Drop for Redb {
    fn drop(&mut self) {
        self.close();
    }
}

fn open_file(file: &Arc<File>, check: bool) -> Result<Database> {
    Builder::new()
        .set_cache_size(CACHE_BYTES)
        // Without the check, redb trusts data such as its list of free pages. If that is damaged, redb panics much
        // later, during another panic, and aborts the process.
        .set_check_integrity_on_open(check)
        .create_with_backend(Backend(Arc::clone(file)))
        .map_err(|error| file.error(error))
}

struct Writing<'a> {
    table: Table<'a, &'static [u8], &'static [u8]>,
    file: &'a File,
}

impl Records for Writing<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let found = self.table.get(key);
        let found = found.map_err(|error| self.file.error(error))?;
        Ok(found.map(|value| value.value().to_vec()))
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>> {
        let replaced = self.table.insert(key, value);
        let replaced = replaced.map_err(|error| self.file.error(error))?;
        Ok(replaced.map(|value| value.value().to_vec()))
    }

    fn delete(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let removed = self.table.remove(key);
        let removed = removed.map_err(|error| self.file.error(error))?;
        Ok(removed.map(|value| value.value().to_vec()))
    }
}

struct Reading {
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
    file: Arc<File>,
}

impl Snapshot for Reading {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let found = self.table.get(key);
        let found = found.map_err(|error| self.file.error(error))?;
        Ok(found.map(|value| value.value().to_vec()))
    }

    fn range(&self, range: KeyRange<'_>) -> Items {
        let file = Arc::clone(&self.file);
        match self.table.range::<&[u8]>(range.bounds()) {
            Ok(items) => Box::new(range.direction.of(items).map(move |item| {
                let (key, value) = item.map_err(|error| file.error(error))?;
                Ok((key.value().to_vec(), value.value().to_vec()))
            })),
            Err(error) => Box::new(std::iter::once(Err(file.error(error)))),
        }
    }

    fn is_frozen(&self) -> bool {
        true
    }
}

//! A disk that fails on command, and works again on command.

use std::{
    ffi::OsString,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::{Duration, Instant},
};

use sealock_store::{
    Batch, Commit, Fault, Store, StoreFiles, Table,
    disk::{Access, Disk, DiskFile, RealDisk},
    metadata::EngineKind,
    objects,
};

use crate::files;

const KEYS: Table<String> = Table::control("keys");

/// The numbers of the system's errors.
const EIO: i32 = 5;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

/// How long the store may take to find out that the disk works again.
const DEADLINE: Duration = Duration::from_secs(20);

/// Has every write end with an error of the system, unless it is 0.
#[derive(Clone, Debug, Default)]
struct Faulty(Arc<AtomicI32>);

#[derive(Debug)]
struct FaultyFile {
    file: Arc<dyn DiskFile>,
    disk: Faulty,
}

impl Faulty {
    fn fail(&self, with: i32) {
        self.0.store(with, Ordering::SeqCst);
    }

    fn written(&self) -> io::Result<()> {
        match self.0.load(Ordering::SeqCst) {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    fn open(&self, dir: &Path) -> Store {
        let files = StoreFiles {
            disk: Arc::new(self.clone()),
            ..files(dir, EngineKind::Redb)
        };
        Store::open(files).unwrap()
    }
}

impl Disk for Faulty {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.written()?;
        let (file, disk) = (RealDisk.create(path)?, self.clone());
        Ok(Arc::new(FaultyFile { file, disk }))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        if access == Access::Write {
            self.written()?;
        }
        let (file, disk) = (RealDisk.open(path, access)?, self.clone());
        Ok(Arc::new(FaultyFile { file, disk }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.written()?;
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.create_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        RealDisk.list(dir)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        RealDisk.free_bytes(dir)
    }
}

impl DiskFile for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.written()?;
        self.file.write_at(offset, bytes)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.disk.written()?;
        self.file.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.written()?;
        self.file.sync()
    }
}

async fn put(store: &Store, value: &str) -> sealock_store::Result<Commit> {
    let batch = Batch::new().put(&KEYS, &["k"], &value.to_owned());
    store.commit(batch).await
}

#[tokio::test]
async fn a_fault_of_the_disk_is_told_reads_go_on_and_the_store_recovers_by_itself() {
    let faults = [
        (EIO, Fault::Failing),
        (EROFS, Fault::ReadOnly),
        (ENOSPC, Fault::Full),
    ];
    for (error, fault) in faults {
        let dir = tempfile::tempdir().unwrap();
        let disk = Faulty::default();
        let store = disk.open(dir.path());
        put(&store, "one").await.unwrap();
        let object = objects::publish(&*store.blobs, b"content").unwrap();

        disk.fail(error);
        let refused = put(&store, "two").await.unwrap_err();
        assert_eq!(refused.fault(), Some(fault));
        store.record_or_hold(&"held").await;
        let condition = store.condition();
        assert_eq!(condition.failure.unwrap().fault, Some(fault));
        assert_eq!(condition.held_lines, 1);
        assert_eq!(store.get(&KEYS, &["k"]).unwrap().unwrap().value, "one");
        let read = objects::read(&*store.blobs, object).unwrap();
        assert_eq!(read.unwrap(), b"content");

        disk.fail(0);
        let deadline = Instant::now() + DEADLINE;
        while store.condition().failure.is_some() {
            assert!(Instant::now() < deadline, "{fault}");
            tokio::task::yield_now().await;
        }
        assert_eq!(store.condition().held_lines, 0);
        assert_eq!(store.audit.read(0).unwrap().0, b"\"held\"\n");
        put(&store, "three").await.unwrap();
        drop(store);
        let store = disk.open(dir.path());
        assert_eq!(store.get(&KEYS, &["k"]).unwrap().unwrap().value, "three");
    }
}

#[test]
fn a_fault_that_only_content_met_is_told_until_content_can_be_written() {
    for error in [EIO, EMFILE, ENOSPC] {
        let dir = tempfile::tempdir().unwrap();
        let disk = Faulty::default();
        let store = disk.open(dir.path());
        assert!(store.condition().content_failure.is_none());

        disk.fail(error);
        let refused = objects::publish(&*store.blobs, b"content").unwrap_err();
        let told = store.condition().content_failure.unwrap();
        assert_eq!(told.fault, refused.fault());
        assert!(told.fault.is_some());

        disk.fail(0);
        assert!(store.condition().content_failure.is_none());
        let staging = dir.path().join("blobs/staging");
        assert_eq!(std::fs::read_dir(staging).unwrap().count(), 0);
    }
}

//! On a failing disk, a change and its audit event both take effect, or neither does.

use std::{
    ffi::OsString,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sealock_store::{
    Authenticator, Store, StoreFiles,
    disk::{Access, Disk, DiskFile, RealDisk},
};
use sealock_vault::{AuditEvent, Error};

use crate::world::{World, operator};

/// A disk whose writes or removals fail on command.
#[derive(Clone, Debug, Default)]
struct FailingDisk {
    writes_fail: Arc<AtomicBool>,
    removals_fail: Arc<AtomicBool>,
}

#[derive(Debug)]
struct FailingFile {
    file: Arc<dyn DiskFile>,
    writes_fail: Arc<AtomicBool>,
}

fn check(fails: &AtomicBool) -> io::Result<()> {
    if fails.load(Ordering::SeqCst) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(())
}

impl FailingDisk {
    fn file(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        let writes_fail = Arc::clone(&self.writes_fail);
        Arc::new(FailingFile { file, writes_fail })
    }

    async fn world(&self, dir: &Path) -> World {
        let files = StoreFiles {
            disk: Arc::new(self.clone()),
            ..StoreFiles::new(dir, Authenticator::new(&[7; 32]))
        };
        World::with_store(Store::open(files).unwrap()).await
    }
}

impl Disk for FailingDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(RealDisk.create(path)?))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(RealDisk.open(path, access)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        check(&self.removals_fail)?;
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

impl DiskFile for FailingFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        check(&self.writes_fail)?;
        self.file.write_at(offset, bytes)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

/// The HTTP statuses in the audit events of an operation.
fn audited_statuses(world: &World, operation: &str) -> Vec<u16> {
    let events = world.audit_events().into_iter();
    let events = events.filter(|event: &AuditEvent| event.operation_name == operation);
    events
        .map(|event| event.properties.http_status_code)
        .collect()
}

#[tokio::test]
async fn change_without_its_audit_event_takes_no_effect() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FailingDisk::default());
    let world = disk.world(dir.path()).await;
    let kid = world.create_key().await.unwrap().current.kid;
    disk.writes_fail.store(true, Ordering::SeqCst);
    let refused = world.set_enabled(&kid, false).await.unwrap_err();
    assert!(matches!(refused, Error::Storage(_)), "{refused}");
    disk.writes_fail.store(false, Ordering::SeqCst);
    let key = world.vaults.get_key(&operator(), &kid.identifier()).await;
    assert!(key.unwrap().attributes.enabled);
    assert_eq!(audited_statuses(&world, "KeyUpdate"), [503]);
    world.set_enabled(&kid, false).await.unwrap();
    assert_eq!(audited_statuses(&world, "KeyUpdate"), [503, 200]);
}

#[tokio::test]
async fn purge_with_failed_removals_is_audited_once_and_finished_later() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FailingDisk::default());
    let world = disk.world(dir.path()).await;
    world.create_key().await.unwrap();
    world.delete_key().await.unwrap();
    disk.removals_fail.store(true, Ordering::SeqCst);
    let left = world.purge_key().await.unwrap_err();
    assert!(
        matches!(left, Error::Storage(sealock_store::Error::NotRemoved(_))),
        "{left}"
    );
    assert_eq!(audited_statuses(&world, "KeyPurge"), [204]);
    assert!(matches!(
        world.purge_key().await,
        Err(Error::KeyNotFound { .. })
    ));
    assert_eq!(world.file_count(), 2);
    disk.removals_fail.store(false, Ordering::SeqCst);
    world.store.finish_removals().await.unwrap();
    assert_eq!(world.file_count(), 0);
}

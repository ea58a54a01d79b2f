//! Publications and removals that wait for a sync of their directory share it.

use std::{
    ffi::OsString,
    io,
    path::Path,
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Duration,
};

use rustix::io::Errno;
use sealock_core::ObjectId;
use sealock_store::{
    Result,
    disk::{Access, Disk, DiskFile},
    objects::{ObjectFiles, ObjectSet, Objects as _, publish},
};

use crate::simulated_disk::SimulatedDisk;

/// The number of publications at once.
const PARALLEL: usize = 8;

/// The maximum number of rounds. A thread that pauses between its rename and its sync may need a sync of its own, so
/// not every round takes the fewest syncs.
const ROUNDS: usize = 200;

/// The maximum time until all publications of a round have renamed.
const DEADLINE: Duration = Duration::from_secs(20);

/// A disk whose syncs of directories last until every thread of a round has changed a name. A sync covers the changes
/// before its begin.
#[derive(Clone, Debug)]
struct SlowDisk {
    disk: SimulatedDisk,
    round: Arc<(Mutex<Round>, Condvar)>,
}

#[derive(Debug, Default)]
struct Round {
    /// The number of changes for which a sync waits.
    awaited: usize,
    changes: usize,
    syncs: usize,
    /// The number of syncs that fail.
    failing: usize,
}

impl SlowDisk {
    fn new() -> Self {
        Self {
            disk: SimulatedDisk::empty(),
            round: Arc::default(),
        }
    }

    fn objects(&self) -> ObjectFiles {
        let disk: Arc<dyn Disk> = Arc::new(self.clone());
        ObjectFiles::open(&disk, Path::new("/data"), ObjectSet::Blobs).unwrap()
    }

    /// Runs a change on each of [`PARALLEL`] threads, whose first `failing` syncs fail. Returns the results and the
    /// number of syncs.
    fn run<T: Send>(&self, failing: usize, change: impl Fn(usize) -> T + Sync) -> (Vec<T>, usize) {
        *self.round.0.lock().unwrap() = Round {
            awaited: PARALLEL,
            failing,
            ..Round::default()
        };
        let results = thread::scope(|scope| {
            let change = &change;
            let threads: Vec<_> = (0..PARALLEL)
                .map(|number| scope.spawn(move || change(number)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        (results, self.round.0.lock().unwrap().syncs)
    }

    /// Publishes objects at once. Each must be durable when its publication is acknowledged.
    fn publish(&self, objects: &ObjectFiles, failing: usize) -> (Vec<Result<ObjectId>>, usize) {
        self.run(failing, |_| {
            let published = publish(objects, b"content");
            if let Ok(id) = published {
                assert!(self.is_durable(id), "an acknowledged object is not durable");
            }
            published
        })
    }

    fn is_durable(&self, id: ObjectId) -> bool {
        let files = self.disk.image().without_unsynced().files();
        files.contains_key(&Path::new("/data/blobs").join(id.to_string()))
    }

    fn count_change(&self) {
        let (round, changed) = &*self.round;
        round.lock().unwrap().changes += 1;
        changed.notify_all();
    }
}

impl Disk for SlowDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.create(path)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(path, access)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)?;
        self.count_change();
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)?;
        self.count_change();
        Ok(())
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let (round, changed) = &*self.round;
        let mut begun = round.lock().unwrap();
        begun.syncs += 1;
        let fails = begun.syncs <= begun.failing;
        if !fails {
            self.disk.sync_dir(dir)?;
        }
        let waited =
            changed.wait_timeout_while(begun, DEADLINE, |round| round.changes < round.awaited);
        assert!(!waited.unwrap().1.timed_out(), "not every thread renamed");
        if fails {
            return Err(Errno::IO.into());
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        self.disk.list(dir)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.disk.free_bytes(dir)
    }
}

#[test]
fn parallel_publications_share_a_sync() {
    let disk = SlowDisk::new();
    let objects = disk.objects();
    let shares = |_| {
        let (published, syncs) = disk.publish(&objects, 0);
        assert!(published.iter().all(Result::is_ok));
        syncs <= 2
    };
    assert!((0..ROUNDS).any(shares), "each round took more than 2 syncs");
}

#[test]
fn parallel_removals_share_a_sync() {
    let disk = SlowDisk::new();
    let objects = disk.objects();
    let shares = |_| {
        let (published, _) = disk.publish(&objects, 0);
        let ids: Vec<_> = published.into_iter().map(Result::unwrap).collect();
        let (removed, syncs) = disk.run(0, |number| {
            let removed = objects.remove(ids[number]).unwrap();
            removed && !disk.is_durable(ids[number])
        });
        assert!(removed.into_iter().all(|removed| removed));
        syncs <= 2
    };
    assert!((0..ROUNDS).any(shares), "each round took more than 2 syncs");
}

#[test]
fn failed_sync_fails_one_publication_and_the_others_sync_again() {
    let disk = SlowDisk::new();
    let (published, _) = disk.publish(&disk.objects(), 1);
    let failed = published.iter().filter(|published| published.is_err());
    assert_eq!(failed.count(), 1);
}

#[test]
fn publications_fail_while_every_sync_fails() {
    let disk = SlowDisk::new();
    let (published, syncs) = disk.publish(&disk.objects(), usize::MAX);
    assert!(published.iter().all(Result::is_err));
    assert_eq!(syncs, PARALLEL);
}

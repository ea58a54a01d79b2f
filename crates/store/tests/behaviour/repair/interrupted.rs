//! A repair that is interrupted at any operation.

use std::{path::Path, sync::Arc};

use sealock_store::{
    Error, Store, StoreFiles, disk::Disk as _, finish_repair, metadata::EngineKind, repair,
};

use super::used::{NOW, put_blob, read_content};
use crate::{
    files,
    simulated_disk::{Image, Random, SimulatedDisk, seed},
    store::{KEYS, put},
};

/// Creates a store with a damaged database, log and `format` on a simulated disk.
async fn damaged_store() -> (Image, StoreFiles) {
    let on = |image| {
        let mut files = files(Path::new("/data"), EngineKind::Redb);
        files.disk = Arc::new(SimulatedDisk::new(image));
        files
    };
    let disk = SimulatedDisk::empty();
    let files = StoreFiles {
        disk: Arc::new(disk.clone()),
        ..on(Image::default())
    };
    let store = Store::open(files.clone()).unwrap();
    put(&store, &KEYS, &["k"], "enabled").await;
    store.close().await;
    drop(store);
    let store = Store::open(files.clone()).unwrap();
    for number in 20..25 {
        put_blob(&store, number).await;
    }
    put(&store, &KEYS, &["k"], "disabled").await;
    let found = disk.image().files();
    drop(store);
    // On the new disk, everything is durable.
    let disk = SimulatedDisk::empty();
    for (path, mut bytes) in found {
        match path.file_name().unwrap().to_str().unwrap() {
            "records.redb" => bytes.fill(7),
            "format" => bytes = b"x".to_vec(),
            "log-00000000000000000001" => {
                let at = bytes.windows(7).position(|it| it == b"blob 23");
                bytes[at.unwrap()] ^= 1;
            }
            _ => {}
        }
        disk.create_dir(path.parent().unwrap()).unwrap();
        let file = disk.create(&path).unwrap();
        file.write_at(0, &bytes).unwrap();
        file.sync().unwrap();
        for dir in path.ancestors().skip(1) {
            disk.sync_dir(dir).unwrap();
        }
    }
    (disk.image(), files)
}

/// Checks that the store does not open after an interrupted repair, and that another repair completes without a loss.
async fn check_interruption(found: Image, before: &Image, files: &StoreFiles, what: &str) {
    let disk = SimulatedDisk::new(found.clone());
    let on = |disk: &SimulatedDisk| StoreFiles {
        disk: Arc::new(disk.clone()),
        ..files.clone()
    };
    let error = Store::open(on(&SimulatedDisk::new(found))).err().unwrap();
    assert!(
        matches!(
            error,
            Error::DamagedFile { .. } | Error::RepairUnfinished(_)
        ),
        "{what}: {error:?}"
    );
    let done = repair(&on(&disk), NOW + 10).unwrap();
    assert!(
        done.control_state_is_older && done.missing_commits == 3,
        "{what}: {done:?}"
    );
    let now = disk.image().files();
    for (path, bytes) in before.files() {
        let exists = now.values().any(|existing| *existing == bytes);
        assert!(exists, "{what}: {} is lost", path.display());
    }
    let store = Store::open_repaired(on(&disk)).unwrap();
    let found = read_content(&store).await;
    assert_eq!(found.keys["k"], "enabled", "{what}");
    assert_eq!(found.blobs.len(), 3, "{what}");
    drop(store);
    finish_repair(&on(&disk)).unwrap();
    drop(Store::open(on(&disk)).unwrap());
}

#[tokio::test]
async fn interrupted_repair_continues_and_loses_nothing() {
    let (image, files) = damaged_store().await;
    let disk = SimulatedDisk::new(image.clone());
    let files = StoreFiles {
        disk: Arc::new(disk.clone()),
        ..files
    };
    repair(&files, NOW).unwrap();
    let mut history = disk.history();
    let is_plan = |effects: &usize| history.describe(*effects).contains("repair/plan");
    let planned = (0..=history.len()).find(is_plan).unwrap();
    assert!(planned > 20 && planned + 20 < history.len());
    for effects in 0..=history.len() {
        let what = history.describe(effects);
        let now = history.at(effects);
        check_interruption(
            now.after_kill(),
            &image,
            &files,
            &format!("killed after {what}"),
        )
        .await;
        // Before it has a plan, the repair changes nothing. Afterwards it relies on atomic renames.
        if effects < planned {
            let found = now.after_power_cut(&mut Random(seed() << 32 | effects as u64));
            check_interruption(
                found,
                &image,
                &files,
                &format!("power cut after {what}, SEALOCK_SEED={}", seed()),
            )
            .await;
        }
    }
}

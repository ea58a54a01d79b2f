//! A repair that is stopped at any operation.

use std::{path::Path, sync::Arc};

use sealock_store::{
    Error, Store, StoreFiles, disk::Disk as _, finish, metadata::EngineKind, repair,
};

use super::used::{NOW, blob, content};
use crate::{
    files,
    simulated_disk::{Image, Random, SimulatedDisk},
    store::{KEYS, put},
};

/// Makes a store on a simulated disk with a damaged database, log and `format`. Returns the disk and the files.
async fn damaged() -> (Image, StoreFiles) {
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
        blob(&store, number).await;
    }
    put(&store, &KEYS, &["k"], "disabled").await;
    let found = disk.image().files();
    drop(store);
    // Another disk, on which everything is durable.
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

/// Checks that the remains of a stopped repair are refused, and that another repair completes without a loss.
async fn stopped(found: Image, before: &Image, files: &StoreFiles, what: &str) {
    let disk = SimulatedDisk::new(found.clone());
    let on = |disk: &SimulatedDisk| StoreFiles {
        disk: Arc::new(disk.clone()),
        ..files.clone()
    };
    let refused = Store::open(on(&SimulatedDisk::new(found))).err().unwrap();
    assert!(
        matches!(
            refused,
            Error::DamagedFile { .. } | Error::RepairUnfinished(_)
        ),
        "{what}: {refused:?}"
    );
    let done = repair(&on(&disk), NOW + 10).unwrap();
    assert!(
        done.control_state_is_older && done.missing_commits == 3,
        "{what}: {done:?}"
    );
    let now = disk.image().files();
    for (path, bytes) in before.files() {
        let is_there = now.values().any(|there| *there == bytes);
        assert!(is_there, "{what}: {} is gone", path.display());
    }
    let store = Store::open_repaired(on(&disk)).unwrap();
    let found = content(&store).await;
    assert_eq!(found.keys["k"], "enabled", "{what}");
    assert_eq!(found.blobs.len(), 3, "{what}");
    drop(store);
    finish(&on(&disk)).unwrap();
    drop(Store::open(on(&disk)).unwrap());
}

#[tokio::test]
async fn a_repair_that_is_stopped_is_taken_up_again_and_nothing_is_lost() {
    let (image, files) = damaged().await;
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
        stopped(
            now.after_kill(),
            &image,
            &files,
            &format!("killed behind {what}"),
        )
        .await;
        // The repair changes nothing before it has its plan. From then on it relies on atomic renames.
        if effects < planned {
            let found = now.after_loss_of_power(&mut Random(effects as u64));
            stopped(
                found,
                &image,
                &files,
                &format!("without power behind {what}"),
            )
            .await;
        }
    }
}

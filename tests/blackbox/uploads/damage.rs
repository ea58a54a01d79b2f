use std::{fs, path::Path};

use sealock_tests::{Emulator, random_bytes};

use super::{begin, check_unknown, left, only, patch};

fn edit(path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    edit(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn head_len(file: &[u8]) -> usize {
    file.iter().position(|byte| *byte == b'\n').unwrap()
}

/// Ways to damage an upload's two files.
type Damage = (&'static str, fn(&Path, &Path));

const DAMAGES: &[Damage] = &[
    ("no file", |file, _| fs::remove_file(file).unwrap()),
    ("an empty file", |file, _| edit(file, Vec::clear)),
    ("a file of zeros", |file, _| {
        edit(file, |bytes| bytes.fill(0));
    }),
    ("a file cut in its head", |file, _| {
        edit(file, |bytes| bytes.truncate(20));
    }),
    ("a file cut behind its head", |file, _| {
        edit(file, |bytes| bytes.truncate(head_len(bytes) + 1));
    }),
    ("a file cut short", |file, _| {
        edit(file, |bytes| bytes.truncate(bytes.len() - 1));
    }),
    ("another state", |file, _| {
        edit(file, |bytes| *bytes.last_mut().unwrap() ^= 1);
    }),
    ("another head", |file, _| {
        edit(file, |bytes| {
            let text = String::from_utf8_lossy(&bytes[..head_len(bytes)]).into_owned();
            let changed = text.replace("200000", "200001");
            assert_ne!(text, changed);
            bytes.splice(..text.len(), changed.into_bytes());
        });
    }),
    ("another upload's file", |file, _| {
        let other = file.with_file_name("00000000-0000-4000-8000-000000000000");
        fs::rename(file, other).unwrap();
    }),
    ("no object", |_, object| fs::remove_file(object).unwrap()),
    ("an object cut short", |_, object| {
        edit(object, |bytes| bytes.truncate(bytes.len() - 1));
    }),
    ("an object of zeros", |_, object| {
        edit(object, |bytes| bytes.fill(0));
    }),
    ("an object with another last segment", |_, object| {
        edit(object, |bytes| *bytes.last_mut().unwrap() ^= 1);
    }),
];

#[test]
fn upload_with_damaged_files_is_unknown_and_swept() {
    let mut emulator = Emulator::start();
    let content = random_bytes(200_000);
    for (what, damage) in DAMAGES {
        let client = emulator.client();
        let location = begin(&client);
        assert_eq!(patch(&client, &location, &content, 0, 200_000).status, 202);
        emulator.kill();
        damage(
            &only(&emulator, "uploads"),
            &only(&emulator, "blobs/staging"),
        );
        emulator.start_again();
        check_unknown(&emulator.client(), &location, what);
        assert_eq!(left(&emulator), (0, 0), "{what}");
    }
    emulator.verify();
}

#[test]
fn upload_file_cannot_be_moved_to_another_repository() {
    let mut emulator = Emulator::start();
    let client = emulator.client();
    let location = begin(&client);
    emulator.kill();
    edit(&only(&emulator, "uploads"), |bytes| {
        let text = String::from_utf8_lossy(&bytes[..head_len(bytes)]).into_owned();
        let changed = text.replace("\"app\"", "\"other\"");
        assert_ne!(text, changed);
        bytes.splice(..text.len(), changed.into_bytes());
    });
    emulator.start_again();
    let moved = location.replace("/v2/app/", "/v2/other/");
    check_unknown(
        &emulator.client(),
        &moved,
        "its head is not as it was sealed",
    );
    assert_eq!(left(&emulator), (0, 0));
}

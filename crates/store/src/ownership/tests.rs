use std::{
    os::unix::{fs::symlink, net::UnixListener},
    path::PathBuf,
};

use tempfile::TempDir;

use super::{
    tree::{DIRECTORIES, DataDirMode, FILES, classify_data_dir, forbidden},
    *,
};

/// Files of the journal.
const JOURNAL: [&str; 2] = ["audit.jsonl", "audit.jsonl.00000000000016777216"];

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}

fn with_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Creates a data directory with one file in each directory.
fn data_dir() -> (TempDir, Vec<PathBuf>) {
    let dir = TempDir::new().unwrap();
    let files = FILES.iter().chain(&JOURNAL);
    let mut files: Vec<_> = files.map(|name| dir.path().join(name)).collect();
    for (name, _) in DIRECTORIES {
        std::fs::create_dir_all(dir.path().join(name)).unwrap();
        files.push(dir.path().join(name).join("file"));
    }
    for file in &files {
        std::fs::write(file, "content").unwrap();
    }
    (dir, files)
}

#[test]
fn files_of_the_user_and_of_root_are_trusted() {
    assert!(is_trusted(1000, 1000));
    assert!(is_trusted(ROOT, 1000));
    assert!(!is_trusted(1001, 1000));
    assert!(!is_trusted(1000, ROOT));
}

#[test]
fn write_permission_of_everyone_is_removed_from_own_unshared_data_directory() {
    for (mode, ours, expected) in [
        (0o700, true, DataDirMode::Fine),
        (0o755, false, DataDirMode::Fine),
        (0o2775, false, DataDirMode::Fine),
        (0o777, true, DataDirMode::Removable),
        (0o1777, true, DataDirMode::Warned),
        (0o1777, false, DataDirMode::Warned),
        (0o777, false, DataDirMode::Warned),
    ] {
        assert_eq!(classify_data_dir(mode, ours), expected, "{mode:o} {ours}");
    }
}

#[test]
fn named_file_is_refused_if_everyone_can_write_it() {
    for (mode, ours, expected) in [
        (0o600, true, NamedFileMode::Fine),
        (0o440, false, NamedFileMode::Fine),
        (0o444, false, NamedFileMode::Fine),
        (0o644, true, NamedFileMode::EveryoneReads),
        (0o660, true, NamedFileMode::GroupWrites),
        (0o664, false, NamedFileMode::GroupWrites),
        (0o602, true, NamedFileMode::Refused),
        (0o666, false, NamedFileMode::Refused),
    ] {
        assert_eq!(classify_named(mode, ours), expected, "{mode:o} {ours}");
    }
}

#[test]
fn everyone_may_read_certificates_and_nothing_else() {
    for (path, expected) in [
        ("data/tls/ca.pem", OTHERS_WRITE),
        ("data/tls/bundle.pem", OTHERS_WRITE),
        ("data/tls/authority.pem", OTHERS_ANY),
        ("data/tls/azure-authority.pem", OTHERS_ANY),
        ("data/tls/other", OTHERS_ANY),
        ("data/blobs/ca.pem", OTHERS_ANY),
    ] {
        assert_eq!(forbidden(Path::new(path)), expected, "{path}");
    }
}

#[test]
fn check_tree_closes_the_emulators_files_to_others() {
    let (dir, files) = data_dir();
    let other = dir.path().join("notes.txt");
    std::fs::write(&other, "").unwrap();
    with_mode(&other, 0o644);
    for file in &files {
        with_mode(file, 0o664);
    }
    for (name, _) in DIRECTORIES {
        with_mode(&dir.path().join(name), 0o2770);
    }
    check_tree(dir.path()).unwrap();
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    for (name, _) in DIRECTORIES {
        assert_eq!(mode(&dir.path().join(name)) & 0o777, 0o700, "{name}");
    }
    assert_eq!(mode(&other), 0o644, "other files keep their mode");
}

#[test]
fn link_in_place_of_file_or_directory_is_refused() {
    let (target, _) = data_dir();
    let names: Vec<_> = FILES
        .into_iter()
        .chain(JOURNAL)
        .chain(DIRECTORIES.map(|(name, _)| name))
        .chain(["blobs/staging/file", "metadata/file", "tls/new.pem"])
        .collect();
    for name in names {
        let (dir, _) = data_dir();
        let path = dir.path().join(name);
        if path.is_dir() {
            std::fs::remove_dir_all(&path).unwrap();
        } else {
            let _ = std::fs::remove_file(&path);
        }
        symlink(target.path().join("lock"), &path).unwrap();
        let refused = check_tree(dir.path());
        assert!(
            matches!(&refused, Err(Error::Link { path: found }) if *found == path),
            "{name}: {refused:?}"
        );
    }
}

#[test]
fn socket_in_place_of_file_is_refused() {
    let (dir, _) = data_dir();
    let path = dir.path().join("uploads/file");
    std::fs::remove_file(&path).unwrap();
    let _socket = UnixListener::bind(&path).unwrap();
    for refused in [check_tree(dir.path()), open_inside(&path).map(drop)] {
        assert!(
            matches!(
                refused,
                Err(Error::NotAFile {
                    what: "a socket",
                    ..
                })
            ),
            "{refused:?}"
        );
    }
}

#[test]
fn opening_a_file_closes_it_to_others_and_refuses_links() {
    let (dir, files) = data_dir();
    with_mode(&files[0], 0o646);
    let file = open_inside(&files[0]).unwrap();
    assert_eq!(read_to_string(file).unwrap(), "content");
    assert_eq!(mode(&files[0]), 0o600);

    let link = dir.path().join("link");
    for target in [&*files[0], Path::new("nowhere")] {
        symlink(target, &link).unwrap();
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).mode(0o600);
        let refused = open_inside_with(&link, &mut options);
        assert!(matches!(refused, Err(Error::Link { .. })), "{refused:?}");
        std::fs::remove_file(&link).unwrap();
    }
    let missing = open_inside(&link);
    assert!(
        matches!(&missing, Err(Error::Io(error)) if error.kind() == io::ErrorKind::NotFound),
        "{missing:?}"
    );
}

#[test]
fn named_file_may_be_a_link_and_keeps_its_mode() {
    let dir = TempDir::new().unwrap();
    let (file, link) = (dir.path().join("file"), dir.path().join("link"));
    std::fs::write(&file, "content").unwrap();
    with_mode(&file, 0o440);
    symlink(&file, &link).unwrap();
    assert_eq!(
        read_to_string(open_named(&link).unwrap()).unwrap(),
        "content"
    );
    with_mode(&file, 0o442);
    let refused = open_named(&link);
    assert!(
        matches!(&refused, Err(Error::WritableByEveryone { path }) if *path == link),
        "{refused:?}"
    );
    assert_eq!(mode(&file), 0o442, "a named file keeps its mode");
}

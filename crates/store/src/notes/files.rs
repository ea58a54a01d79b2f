use std::{
    ffi::OsStr,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use fs_err as fs;
use uuid::Uuid;

use super::Notes;
use crate::{
    Error, Result,
    durable::{create_dir, create_new, remove_file},
    ownership::open_inside,
};

/// What is being written. It takes a note's place once it is whole.
const UNFINISHED: &str = "new";

/// Notes as files of one directory.
pub struct NoteFiles {
    dir: PathBuf,
}

impl NoteFiles {
    /// Opens the directory, creates it if it is missing, and sweeps what an earlier process had not
    /// finished writing.
    pub fn open(dir: &Path) -> Result<Self> {
        create_dir(dir)?;
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.extension() == Some(OsStr::new(UNFINISHED)) {
                fs::remove_file(path)?;
            }
        }
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.dir.join(id.to_string())
    }
}

impl Notes for NoteFiles {
    fn put(&self, id: Uuid, bytes: &[u8]) -> Result<()> {
        let path = self.path(id);
        let unfinished = path.with_extension(UNFINISHED);
        let written = create_new(&unfinished).and_then(|mut file| {
            file.write_all(bytes)?;
            Ok(fs::rename(&unfinished, &path)?)
        });
        if written.is_err() {
            remove_file(&unfinished)?;
        }
        written
    }

    fn get(&self, id: Uuid) -> Result<Option<Vec<u8>>> {
        match open_inside(&self.path(id)) {
            Ok(mut file) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes)?;
                Ok(Some(bytes))
            }
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn remove(&self, id: Uuid) -> Result<bool> {
        Ok(remove_file(&self.path(id))?)
    }

    fn list(&self) -> Result<Vec<Uuid>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            ids.extend(name.to_str().and_then(|name| name.parse::<Uuid>().ok()));
        }
        Ok(ids)
    }
}

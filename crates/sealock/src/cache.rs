use std::{
    env, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use fs_err as fs;

use crate::error::Error;

/// The variable that names the directory of caches, as the XDG Base Directory Specification says.
///
/// <https://specifications.freedesktop.org/basedir-spec/latest/>
const CACHES: &str = "XDG_CACHE_HOME";

/// The user's directory for an emulator, with what clients need and commands can make again. Only the user can read it.
pub(crate) struct Cache(PathBuf);

impl Cache {
    /// Opens the directory for the emulator at the URL `emulator`. Creates it if it is missing.
    pub(crate) fn open(emulator: &str) -> Result<Self, Error> {
        let authority = emulator
            .split_once("://")
            .map_or(emulator, |(_, authority)| authority);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
        let name = authority.replace(|c| !is_plain(c), "_");
        let cache = Self(caches()?.join("sealock").join(name));
        cache.create().map_err(|error| unusable(&cache.0, &error))?;
        Ok(cache)
    }

    fn create(&self) -> io::Result<()> {
        // Only missing directories get the mode.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
    }

    /// Opens the directory after it has been emptied.
    pub(crate) fn open_empty(emulator: &str) -> Result<Self, Error> {
        let cache = Self::open(emulator)?;
        let emptied = fs::remove_dir_all(&cache.0).and_then(|()| cache.create());
        emptied.map_err(|error| Error::system(&error))?;
        Ok(cache)
    }

    /// Returns the path of a file in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, and returns its path. Replaces it in one step, since a client may be reading it.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let path = self.path(name);
        let staged = self.path(&format!("{name}.{}", std::process::id()));
        let written = fs::write(&staged, text).and_then(|()| fs::rename(&staged, &path));
        written.map_err(|error| Error::system(&error))?;
        Ok(path)
    }

    /// Removes the directory.
    pub(crate) fn remove(&self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn caches() -> Result<PathBuf, Error> {
    let named = env::var_os(CACHES).map(PathBuf::from);
    let named = named.filter(|path| path.is_absolute());
    let default = || Some(env::home_dir()?.join(".cache"));
    named.or_else(default).ok_or_else(|| Error::Failed {
        message: "there is no directory for the files of clients, because HOME is not set"
            .to_owned(),
        hint: Some(format!("name one in {CACHES}")),
    })
}

fn unusable(path: &Path, error: &io::Error) -> Error {
    Error::Failed {
        message: format!("cannot create {}: {error}", path.display()),
        hint: Some(format!("name a directory of yours in {CACHES}")),
    }
}

use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{StatVfs, StatVfsMountFlags};

use super::{Access, Disk, DiskFile, parent};
use crate::{Error, ownership, path_error::with_path};

/// The file system of this machine. Its errors name the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile {
    file: fs::File,
    path: PathBuf,
}

fn wrap(file: fs::File, path: &Path) -> Arc<dyn DiskFile> {
    Arc::new(RealFile {
        file,
        path: path.to_owned(),
    })
}

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let created = options.open(path).map_err(with_path("create", path))?;
        Ok(wrap(created, path))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = fs_err::OpenOptions::new();
        options.read(true).write(access == Access::Write);
        let opened = ownership::open_inside_with(path, &mut options);
        let opened = opened.map_err(|error| match error {
            Error::Io(error) => error,
            // The error's own message names the file and its owner.
            foreign => io::Error::other(foreign),
        })?;
        Ok(wrap(opened.into_parts().0, path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to).map_err(with_path("rename", from))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path).map_err(with_path("remove", path))
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        if dir.is_dir() {
            return Ok(());
        }
        // Each parent directory is also made durable.
        if parent(dir) != dir {
            self.create_dir(parent(dir))?;
        }
        match fs::DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if !dir.is_dir() => {
                return Err(with_path("create the directory", dir)(error));
            }
            _ => {}
        }
        self.sync_dir(parent(dir))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)
            .and_then(|file| file.sync_all())
            .map_err(with_path("sync the directory", dir))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let entries = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(with_path("list", dir))?,
        };
        entries
            .map(|entry| Ok(entry.map_err(with_path("list", dir))?.file_name()))
            .collect()
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let found = file_system(dir)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn is_read_only(&self, dir: &Path) -> io::Result<bool> {
        Ok(file_system(dir)?.f_flag.contains(StatVfsMountFlags::RDONLY))
    }
}

fn file_system(dir: &Path) -> io::Result<StatVfs> {
    let found = rustix::fs::statvfs(dir).map_err(io::Error::from);
    found.map_err(with_path("get the free space of", dir))
}

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        let metadata = self.file.metadata();
        Ok(metadata.map_err(with_path("measure", &self.path))?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let read = self.file.read_exact_at(buffer, offset);
        read.map_err(with_path("read", &self.path))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let written = self.file.write_all_at(bytes, offset);
        written.map_err(with_path("write", &self.path))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let set = self.file.set_len(length);
        set.map_err(with_path("resize", &self.path))
    }

    fn sync(&self) -> io::Result<()> {
        let synced = self.file.sync_data();
        synced.map_err(with_path("sync", &self.path))
    }
}

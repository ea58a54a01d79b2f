use std::path::{Path, PathBuf};

/// Where the peers keep their data.
pub(crate) struct Medium {
    pub(crate) name: &'static str,
    pub(crate) dir: PathBuf,
}

impl Medium {
    /// Memory: what is measured there is the programs.
    pub(crate) fn tmpfs() -> Self {
        Self {
            name: "tmpfs",
            dir: "/dev/shm".into(),
        }
    }

    /// The disk with the build: what is measured there is also the disk.
    pub(crate) fn disk(target: &Path) -> Self {
        Self {
            name: "disk",
            dir: target.join("bench"),
        }
    }

    pub(crate) fn is_disk(&self) -> bool {
        self.name == "disk"
    }
}

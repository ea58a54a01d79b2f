use std::path::{Path, PathBuf};

/// The medium of the peers' data.
pub(crate) struct Medium {
    pub(crate) name: &'static str,
    pub(crate) dir: PathBuf,
}

impl Medium {
    /// Memory, which measures the programs alone.
    pub(crate) fn tmpfs() -> Self {
        Self {
            name: "tmpfs",
            dir: "/dev/shm".into(),
        }
    }

    /// The disk with the build, which measures the disk too.
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

use std::{
    io,
    path::{Path, PathBuf},
};

/// A failed action, with its file and its cause.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`: {source}", .path.display())]
struct PathError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Returns a function that adds the action and the path to an I/O error.
pub(crate) fn with_path(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    let path = path.to_owned();
    move |source| {
        let kind = source.kind();
        io::Error::new(
            kind,
            PathError {
                action,
                path,
                source,
            },
        )
    }
}

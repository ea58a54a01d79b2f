/// Returns the path of an upload's location. Some registries answer with a whole URL.
pub(crate) fn path_of(location: &str) -> &str {
    match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |start| &rest[start..]),
        None => location,
    }
}

/// Returns the path that completes the upload at `location`.
pub(crate) fn completion_of(location: &str, digest: &str) -> String {
    let separator = if location.contains('?') { '&' } else { '?' };
    format!("{location}{separator}digest={digest}")
}

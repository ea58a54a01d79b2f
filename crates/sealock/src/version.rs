use serde::Serialize;

use crate::{error::Error, output::Output};

/// The version of this program.
#[derive(Serialize)]
struct Version {
    version: &'static str,
    /// The commit that the program was built from, if it was built in a repository.
    commit: Option<&'static str>,
}

pub(crate) fn run(output: &mut Output) -> Result<(), Error> {
    let version = Version {
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("SEALOCK_COMMIT"),
    };
    output.report(&version, |Version { version, commit }| {
        let commit = commit.map_or_else(String::new, |commit| format!(" ({commit})"));
        vec![format!("sealock {version}{commit}")]
    })
}

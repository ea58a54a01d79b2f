use std::path::PathBuf;

use sealock_api::{ShowCa, ShowTrustFiles, TrustFiles};

use crate::{
    cache::Cache,
    client::Client,
    error::Error,
    trust::root::{Root, belongs_to_caller},
};

/// The files with which clients trust the emulator.
pub(crate) struct Certificates {
    /// The emulator's CA, for clients that add it to the CAs they trust.
    pub(crate) ca: PathBuf,
    /// The system's roots and the CA, for clients whose list it replaces.
    pub(crate) bundle: PathBuf,
}

impl Certificates {
    /// Finds the files in the emulator's data directory. If this user cannot use those, asks the emulator for its CA, and
    /// writes the files to this user's directory for it.
    pub(crate) fn find(client: &Client) -> Result<Self, Error> {
        let files = client.ask(&ShowTrustFiles {})?.parse()?;
        if let TrustFiles {
            ca: Some(ca),
            bundle: Some(bundle),
            ..
        } = files
            && belongs_to_caller(&ca)
            && belongs_to_caller(&bundle)
        {
            return Ok(Self { ca, bundle });
        }
        let answer = client.ask(&ShowCa {})?;
        let ca = Root::accept_constrained(answer.body(), client.emulator())?.pem();
        let cache = Cache::open(client.emulator())?;
        Self::write(&cache, &ca, &sealock_emulator::bundle(&ca))
    }

    /// Writes the files to `cache`.
    pub(crate) fn write(cache: &Cache, ca: &str, bundle: &str) -> Result<Self, Error> {
        Ok(Self {
            ca: cache.write("ca.pem", ca)?,
            bundle: cache.write("bundle.pem", bundle)?,
        })
    }
}

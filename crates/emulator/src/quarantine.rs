use jiff::Timestamp;
use sealock_api::QuarantinedFile;
use sealock_store::Quarantined;

/// Shows a file in quarantine.
pub(crate) fn view(quarantined: Quarantined) -> QuarantinedFile {
    let since = Timestamp::from_second(quarantined.since).ok();
    QuarantinedFile {
        since: since.map(Into::into),
        name: quarantined.name,
        bytes: quarantined.bytes,
    }
}

//! The serial numbers and times of the certificates that the emulator issues.

use std::fmt::Display;

use rcgen::SerialNumber;
use rustls::pki_types::UnixTime;
use time::{Duration, OffsetDateTime};

use super::error::TlsError;

/// The time by which certificates are backdated, since clients' clocks differ a little.
pub(super) const BACKDATING: Duration = Duration::days(1);

/// Serial numbers must differ, and rcgen's would follow from the public key, which all leaves share.
pub(super) fn random_serial() -> SerialNumber {
    let mut bytes: [u8; 16] = rand::random();
    // Positive, and not shorter in DER than it looks.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

/// The system's time, not the emulator's: nobody who checks a certificate knows that one.
pub(super) fn now() -> Result<OffsetDateTime, TlsError> {
    i64::try_from(UnixTime::now().as_secs())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or_else(|| TlsError::Failed("the system's clock is out of range".to_owned()))
}

pub(super) fn text(error: impl Display) -> String {
    error.to_string()
}

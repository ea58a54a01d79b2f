//! The serial numbers and times of the certificates that the emulator issues.

use std::fmt::Display;

use rcgen::SerialNumber;
use rustls::pki_types::UnixTime;
use time::{Duration, OffsetDateTime};

use super::error::TlsError;

/// The time by which certificates are backdated, since the clocks of clients differ.
pub(super) const BACKDATING: Duration = Duration::days(1);

/// Generates a serial number. rcgen derives its own from the public key, which all leaves share, so they would not differ.
pub(super) fn random_serial() -> SerialNumber {
    let mut bytes: [u8; 16] = rand::random();
    // The number must be positive, and must not begin with a zero byte that DER would omit.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

/// Returns the system's time. Clients that verify certificates do not know the emulator's.
pub(super) fn now() -> Result<OffsetDateTime, TlsError> {
    i64::try_from(UnixTime::now().as_secs())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or_else(|| TlsError::Failed("the system's clock is out of range".to_owned()))
}

pub(super) fn text(error: impl Display) -> String {
    error.to_string()
}

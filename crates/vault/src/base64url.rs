//! Binary in JSON (RFC 4648, 5).

use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{
        DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD,
    },
};
use zeroize::Zeroizing;

use crate::{Error, Result};

/// Clients leave the padding out, as they should, or not.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes that `field` has.
pub(crate) fn decode(field: &str, text: &str) -> Result<Zeroizing<Vec<u8>>> {
    LENIENT
        .decode(text)
        .map(Zeroizing::new)
        .map_err(|_| Error::BadParameter(format!("'{field}' is not encoded with base64url.")))
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

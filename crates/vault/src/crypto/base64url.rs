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

/// Clients leave the padding out, as they should, or not. Some send a word that nobody encoded, and the service drops
/// the bits behind its last whole byte: <https://github.com/Azure/azure-rest-api-specs/issues/23829>
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The bytes that `field` has. The lines' ends are Azure's.
pub(crate) fn decode(field: &str, text: &str) -> Result<Zeroizing<Vec<u8>>> {
    LENIENT
        .decode(text)
        .map(Zeroizing::new)
        .map_err(|_| Error::BadParameter(format!("Content of '{field}' is not base64url.\r\n")))
}

/// The bytes that `field` has, which must be there: what cannot be read counts as missing, too.
///
/// <https://github.com/bruj0/vault-recovery-key/issues/20>
pub(crate) fn decode_required(field: &str, text: Option<&str>) -> Result<Zeroizing<Vec<u8>>> {
    let text = text.ok_or_else(|| required(field))?;
    decode(field, text).map_err(|error| Error::BadParameter(format!("{error}{}", required(field))))
}

/// The refusal of a body without a `field` that it must have.
pub(crate) fn required(field: &str) -> Error {
    Error::BadParameter(format!("Property '{field}' is required.\r\n"))
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_nobody_encoded_is_taken_without_its_last_bits() {
        for (word, read) in [
            ("some-secret", "some-secres"),
            (
                "08584846173588447584239977724CU183",
                "08584846173588447584239977724CU18w",
            ),
            ("c29tZS1zZWNyZXQ=", "c29tZS1zZWNyZXQ"),
            ("c29tZS1zZWNyZXQ", "c29tZS1zZWNyZXQ"),
        ] {
            assert_eq!(encode(&decode("value", word).unwrap()), read, "{word}");
        }
        for none in ["a", "a+b/", "ab c", "=", "ab=cd"] {
            assert!(decode("value", none).is_err(), "{none}");
        }
    }
}

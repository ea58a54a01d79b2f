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

/// Accepts padding, which some clients send, and drops the bits after the last whole byte, as Azure does with words that
/// are not encoded at all: <https://github.com/Azure/azure-rest-api-specs/issues/23829>
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes the text of `field`. The line ends in the refusal are Azure's.
pub(crate) fn decode(field: &str, text: &str) -> Result<Zeroizing<Vec<u8>>> {
    LENIENT
        .decode(text)
        .map(Zeroizing::new)
        .map_err(|_| Error::BadParameter(format!("Content of '{field}' is not base64url.\r\n")))
}

/// Decodes the text of a required `field`. As in Azure, a malformed text counts as missing, too.
///
/// <https://github.com/bruj0/vault-recovery-key/issues/20>
pub(crate) fn decode_required(field: &str, text: Option<&str>) -> Result<Zeroizing<Vec<u8>>> {
    let text = text.ok_or_else(|| required(field))?;
    decode(field, text).map_err(|error| Error::BadParameter(format!("{error}{}", required(field))))
}

/// Makes the refusal of a body without a required `field`.
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
    fn trailing_bits_of_unencoded_words_are_dropped() {
        for (word, canonical) in [
            ("some-secret", "some-secres"),
            (
                "08584846173588447584239977724CU183",
                "08584846173588447584239977724CU18w",
            ),
            ("c29tZS1zZWNyZXQ=", "c29tZS1zZWNyZXQ"),
            ("c29tZS1zZWNyZXQ", "c29tZS1zZWNyZXQ"),
        ] {
            assert_eq!(encode(&decode("value", word).unwrap()), canonical, "{word}");
        }
        for malformed in ["a", "a+b/", "ab c", "=", "ab=cd"] {
            assert!(decode("value", malformed).is_err(), "{malformed}");
        }
    }
}

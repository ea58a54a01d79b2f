use serde::{Deserialize, Deserializer, de::IgnoredAny};
use zeroize::Zeroizing;

use crate::{Curve, Error, KeyType, Result, crypto::base64url};

/// The maximum length of a member: a number as long as an RSA key of 4096 bits, and a leading zero.
const MEMBER_BYTES: usize = 513;

/// A JSON Web Key (RFC 7517) that a client imports. Its members are wiped on drop; it has no `Debug`.
#[derive(Deserialize)]
pub struct JsonWebKey {
    kty: Option<String>,
    /// The operations that the key permits. Without them, the vault chooses.
    pub key_ops: Option<Vec<String>>,
    crv: Option<Curve>,
    pub(super) n: Option<Base64Url>,
    pub(super) e: Option<Base64Url>,
    pub(super) d: Option<Base64Url>,
    pub(super) p: Option<Base64Url>,
    pub(super) q: Option<Base64Url>,
    pub(super) dp: Option<Base64Url>,
    pub(super) dq: Option<Base64Url>,
    pub(super) qi: Option<Base64Url>,
    pub(super) x: Option<Base64Url>,
    pub(super) y: Option<Base64Url>,
    pub(super) k: Option<Base64Url>,
    key_hsm: Option<IgnoredAny>,
}

/// A member as the client sent it. It is decoded later, where the refusal can name it.
pub(super) struct Base64Url(Zeroizing<String>);

impl<'de> Deserialize<'de> for Base64Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

impl JsonWebKey {
    pub(super) fn kty(&self) -> Result<KeyType> {
        self.kty.as_deref().ok_or_else(|| missing("kty"))?.parse()
    }

    pub(super) fn crv(&self) -> Result<Curve> {
        self.crv.ok_or_else(|| missing("crv"))
    }

    /// Refuses a key that another HSM has wrapped for this one.
    ///
    /// <https://learn.microsoft.com/azure/key-vault/keys/byok-specification>
    pub(super) fn refuse_transfer_blob(&self) -> Result<()> {
        match self.key_hsm {
            None => Ok(()),
            Some(_) => Err(Error::NotSupported(
                "importing keys that are wrapped for an HSM",
            )),
        }
    }
}

pub(super) fn bytes(field: &'static str, member: Option<&Base64Url>) -> Result<Zeroizing<Vec<u8>>> {
    let text = member.ok_or_else(|| missing(field))?.0.as_str();
    if text.len() > MEMBER_BYTES.div_ceil(3) * 4 {
        return Err(Error::BadParameter(format!("'{field}' is too long.")));
    }
    base64url::decode(field, text)
}

/// Decodes a big-endian number without leading zeros.
pub(super) fn number(
    field: &'static str,
    member: Option<&Base64Url>,
) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = bytes(field, member)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.rotate_left(zeros);
    let length = bytes.len() - zeros;
    bytes.truncate(length);
    Ok(bytes)
}

/// Decodes a number and pads it to the length of the curve's field, since some clients drop leading zeros.
pub(super) fn coordinate(
    field: &'static str,
    member: Option<&Base64Url>,
    curve: Curve,
) -> Result<Zeroizing<Vec<u8>>> {
    let number = number(field, member)?;
    if number.is_empty() {
        return Err(Error::BadParameter(format!("'{field}' is zero.")));
    }
    let mut padded = Zeroizing::new(vec![0; curve.bytes()]);
    let start = curve.bytes().checked_sub(number.len()).ok_or_else(|| {
        Error::BadParameter(format!("'{field}' is too long for the curve {curve}."))
    })?;
    padded[start..].copy_from_slice(&number);
    Ok(padded)
}

/// Makes the refusal. The text is Azure's: <https://github.com/Azure/azure-sdk-for-java/issues/3405>
fn missing(member: &'static str) -> Error {
    Error::JsonWebKeyIncomplete { missing: member }
}

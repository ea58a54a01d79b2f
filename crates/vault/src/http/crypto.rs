use axum::{Json, response::IntoResponse as _};
use sealock_core::{KeyName, KeyVersion};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::{Answer, Call, keys::identifier};
use crate::{
    Encrypted, Error, KeyOperation, KeyUse, Outcome, Result,
    base64url::{decode, decode_required, encode},
    error::PROPERTY_INVALID,
};

/// What to do with a key, and how. Binary is in base64url.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keys/encrypt/encrypt#request-body>
#[derive(Deserialize)]
struct UseBody {
    alg: Option<String>,
    value: Option<Zeroizing<String>>,
    digest: Option<String>,
    iv: Option<String>,
    aad: Option<String>,
    tag: Option<String>,
}

pub(super) async fn answer(
    mut call: Call<'_>,
    key: KeyName,
    version: Option<KeyVersion>,
    operation: KeyOperation,
) -> Answer {
    let usage = match operation {
        KeyOperation::Export => Err(Error::NotSupported("releasing keys")),
        _ => usage(&mut call, &key, operation).await,
    };
    let identifier = identifier(&call, key, version);
    let used = call
        .vaults
        .use_key(&call.requester, &identifier, operation, usage)
        .await?;
    let kid = call.names.key_uri(&used.key.kid.identifier());
    let body = match used.outcome {
        Outcome::Verified(is_valid) => json!({ "value": is_valid }),
        Outcome::Bytes(bytes) => json!({"kid": kid, "value": encode(&bytes)}),
        Outcome::Encrypted(encrypted) => {
            let mut body = json!({"kid": kid, "value": encode(&encrypted.ciphertext)});
            if let Some(iv) = &encrypted.iv {
                body["iv"] = encode(iv).into();
            }
            if let Some(tag) = &encrypted.tag {
                body["tag"] = encode(tag).into();
            }
            body
        }
    };
    Ok(Json(body).into_response())
}

async fn usage(call: &mut Call<'_>, key: &KeyName, operation: KeyOperation) -> Result<KeyUse> {
    let permission = operation.permission()?;
    let body: UseBody = call.json(Some(key), Some(permission)).await?;
    body.usage(operation)
}

impl UseBody {
    fn usage(self, operation: KeyOperation) -> Result<KeyUse> {
        let algorithm = self.alg.as_deref().unwrap_or_default();
        if algorithm.is_empty() {
            // The two spaces and the line's end are Azure's.
            return Err(Error::BadParameter(PROPERTY_INVALID.to_owned()));
        }
        let value = decode_required("value", self.value.as_ref().map(|value| value.as_str()))?;
        let optional = |field: &str, text: &Option<String>| -> Result<Option<Vec<u8>>> {
            let bytes = text.as_deref().map(|text| decode(field, text));
            Ok(bytes.transpose()?.map(|bytes| bytes.to_vec()))
        };
        let (iv, aad) = (optional("iv", &self.iv)?, optional("aad", &self.aad)?);
        Ok(match operation {
            KeyOperation::Encrypt => KeyUse::Encrypt {
                algorithm: algorithm.parse()?,
                plaintext: value,
                iv,
                aad,
            },
            KeyOperation::Decrypt => KeyUse::Decrypt {
                algorithm: algorithm.parse()?,
                encrypted: Encrypted {
                    ciphertext: value.to_vec(),
                    iv,
                    tag: optional("tag", &self.tag)?,
                },
                aad,
            },
            KeyOperation::WrapKey => KeyUse::WrapKey {
                algorithm: algorithm.parse()?,
                value,
            },
            KeyOperation::UnwrapKey => KeyUse::UnwrapKey {
                algorithm: algorithm.parse()?,
                value: value.to_vec(),
            },
            KeyOperation::Sign => KeyUse::Sign {
                algorithm: algorithm.parse()?,
                digest: value.to_vec(),
            },
            KeyOperation::Verify => KeyUse::Verify {
                algorithm: algorithm.parse()?,
                digest: decode_required("digest", self.digest.as_deref())?.to_vec(),
                signature: value.to_vec(),
            },
            KeyOperation::Import | KeyOperation::Export => {
                return Err(Error::NotSupported("releasing keys"));
            }
        })
    }
}

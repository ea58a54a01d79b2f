use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use sealock_core::{KeyName, KeyVersion};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::{Answer, Call};
use crate::{
    CryptoResult, Encrypted, Error, Result,
    crypto::base64url::{decode, decode_required, encode},
    error::PROPERTY_INVALID,
    operation::{Decrypt, Encrypt, ReleaseKey, Sign, UnwrapKey, Verify, WrapKey},
};

/// The parameters for a use of a key, with bytes in base64url.
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

/// A decoded [`UseBody`].
struct Input {
    algorithm: String,
    value: Zeroizing<Vec<u8>>,
    iv: Option<Vec<u8>>,
    aad: Option<Vec<u8>>,
    digest: Option<String>,
    tag: Option<String>,
}

pub(super) async fn encrypt(
    mut call: Call<'_>,
    key: KeyName,
    version: Option<KeyVersion>,
) -> Answer {
    let permit = call.authorize(Encrypt, call.key(key, version)).await?;
    let (permit, (algorithm, input)) = call
        .read(permit, |body: UseBody| {
            let input = body.decode()?;
            Ok((input.algorithm.parse()?, input))
        })
        .await?;
    let encrypted = permit
        .run(algorithm, input.value, input.iv, input.aad)
        .await?;
    let CryptoResult { key, result } = encrypted;
    let kid = call.names.key_uri(&key.kid.identifier());
    let mut body = json!({"kid": kid, "value": encode(&result.ciphertext)});
    if let Some(iv) = &result.iv {
        body["iv"] = encode(iv).into();
    }
    if let Some(tag) = &result.tag {
        body["tag"] = encode(tag).into();
    }
    Ok(Json(body).into_response())
}

pub(super) async fn decrypt(
    mut call: Call<'_>,
    key: KeyName,
    version: Option<KeyVersion>,
) -> Answer {
    let permit = call.authorize(Decrypt, call.key(key, version)).await?;
    let (permit, (algorithm, encrypted, aad)) = call
        .read(permit, |body: UseBody| {
            let input = body.decode()?;
            let algorithm = input.algorithm.parse()?;
            let encrypted = Encrypted {
                ciphertext: input.value.to_vec(),
                iv: input.iv,
                tag: decode_optional("tag", input.tag.as_deref())?,
            };
            Ok((algorithm, encrypted, input.aad))
        })
        .await?;
    let decrypted = permit.run(algorithm, encrypted, aad).await?;
    Ok(render_bytes(&call, &decrypted))
}

pub(super) async fn wrap_key(
    mut call: Call<'_>,
    key: KeyName,
    version: Option<KeyVersion>,
) -> Answer {
    let permit = call.authorize(WrapKey, call.key(key, version)).await?;
    let (permit, (algorithm, value)) = call
        .read(permit, |body: UseBody| {
            let input = body.decode()?;
            Ok((input.algorithm.parse()?, input.value))
        })
        .await?;
    let wrapped = permit.run(algorithm, value).await?;
    Ok(render_bytes(&call, &wrapped))
}

pub(super) async fn unwrap_key(
    mut call: Call<'_>,
    key: KeyName,
    version: Option<KeyVersion>,
) -> Answer {
    let permit = call.authorize(UnwrapKey, call.key(key, version)).await?;
    let (permit, (algorithm, wrapped)) = call
        .read(permit, |body: UseBody| {
            let input = body.decode()?;
            Ok((input.algorithm.parse()?, input.value.to_vec()))
        })
        .await?;
    let unwrapped = permit.run(algorithm, wrapped).await?;
    Ok(render_bytes(&call, &unwrapped))
}

pub(super) async fn sign(mut call: Call<'_>, key: KeyName, version: Option<KeyVersion>) -> Answer {
    let permit = call.authorize(Sign, call.key(key, version)).await?;
    let (permit, (algorithm, digest)) = call
        .read(permit, |body: UseBody| {
            let input = body.decode()?;
            Ok((input.algorithm.parse()?, input.value.to_vec()))
        })
        .await?;
    let signature = permit.run(algorithm, digest).await?;
    Ok(render_bytes(&call, &signature))
}

pub(super) async fn verify(
    mut call: Call<'_>,
    key: KeyName,
    version: Option<KeyVersion>,
) -> Answer {
    let permit = call.authorize(Verify, call.key(key, version)).await?;
    let (permit, (algorithm, digest, signature)) = call
        .read(permit, |body: UseBody| {
            let input = body.decode()?;
            let algorithm = input.algorithm.parse()?;
            let digest = decode_required("digest", input.digest.as_deref())?;
            Ok((algorithm, digest.to_vec(), input.value.to_vec()))
        })
        .await?;
    let verified = permit.run(algorithm, digest, signature).await?;
    Ok(Json(json!({ "value": verified.result })).into_response())
}

pub(super) async fn release(call: Call<'_>, key: KeyName, version: Option<KeyVersion>) -> Answer {
    let permit = call.authorize(ReleaseKey, call.key(key, version)).await?;
    match permit.run().await? {}
}

/// Renders a result that is bytes.
fn render_bytes(call: &Call<'_>, used: &CryptoResult<impl AsRef<[u8]>>) -> Response {
    let kid = call.names.key_uri(&used.key.kid.identifier());
    Json(json!({"kid": kid, "value": encode(used.result.as_ref())})).into_response()
}

impl UseBody {
    fn decode(self) -> Result<Input> {
        let algorithm = self.alg.unwrap_or_default();
        if algorithm.is_empty() {
            return Err(Error::BadParameter(PROPERTY_INVALID.to_owned()));
        }
        Ok(Input {
            algorithm,
            value: decode_required("value", self.value.as_ref().map(|value| value.as_str()))?,
            iv: decode_optional("iv", self.iv.as_deref())?,
            aad: decode_optional("aad", self.aad.as_deref())?,
            digest: self.digest,
            tag: self.tag,
        })
    }
}

fn decode_optional(field: &str, text: Option<&str>) -> Result<Option<Vec<u8>>> {
    let bytes = text.map(|text| decode(field, text)).transpose()?;
    Ok(bytes.map(|bytes| bytes.to_vec()))
}

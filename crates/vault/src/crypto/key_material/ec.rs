//! Elliptic curve keys: ECDSA (FIPS 186-5) on the curves that Azure has.

use ecdsa::{
    Signature, SigningKey, VerifyingKey,
    elliptic_curve::{Generate as _, sec1::ToSec1Point as _},
    signature::hazmat::{PrehashSigner as _, PrehashVerifier as _},
};
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use zeroize::Zeroizing;

use super::jwk::{JsonWebKey, coordinate};
use crate::{Curve, Error, PublicKey, Result, crypto::base64url};

pub(crate) enum EcKey {
    P256(p256::SecretKey),
    P256K(k256::SecretKey),
    P384(p384::SecretKey),
    P521(p521::SecretKey),
}

/// Evaluates `$body` with the key of any curve: their types differ, but have the same methods.
macro_rules! on_any_curve {
    ($key:expr, $inner:ident => $body:expr) => {
        match $key {
            EcKey::P256($inner) => $body,
            EcKey::P256K($inner) => $body,
            EcKey::P384($inner) => $body,
            EcKey::P521($inner) => $body,
        }
    };
}

impl EcKey {
    pub(super) fn generate(curve: Curve) -> Self {
        let rng = &mut rand::rng();
        match curve {
            Curve::P256 => Self::P256(p256::SecretKey::generate_from_rng(rng)),
            Curve::P256K => Self::P256K(k256::SecretKey::generate_from_rng(rng)),
            Curve::P384 => Self::P384(p384::SecretKey::generate_from_rng(rng)),
            Curve::P521 => Self::P521(p521::SecretKey::generate_from_rng(rng)),
        }
    }

    /// Reads a JWK. The point may be missing, since it follows from `d`.
    pub(super) fn import(jwk: &JsonWebKey) -> Result<Self> {
        let curve = jwk.crv()?;
        let d = coordinate("d", jwk.d.as_ref(), curve)?;
        let key = match curve {
            Curve::P256 => p256::SecretKey::from_slice(&d).map(Self::P256),
            Curve::P256K => k256::SecretKey::from_slice(&d).map(Self::P256K),
            Curve::P384 => p384::SecretKey::from_slice(&d).map(Self::P384),
            Curve::P521 => p521::SecretKey::from_slice(&d).map(Self::P521),
        }
        .map_err(|_| {
            Error::BadParameter(format!("'d' is not a private key of the curve {curve}."))
        })?;
        let (x, y) = key.point();
        for (field, given, own) in [("x", jwk.x.as_ref(), x), ("y", jwk.y.as_ref(), y)] {
            if given.is_some() && *coordinate(field, given, curve)? != own {
                return Err(Error::BadParameter(format!(
                    "'{field}' does not belong to 'd' on the curve {curve}."
                )));
            }
        }
        Ok(key)
    }

    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        p256::SecretKey::from_pkcs8_der(der)
            .map(Self::P256)
            .or_else(|_| k256::SecretKey::from_pkcs8_der(der).map(Self::P256K))
            .or_else(|_| p384::SecretKey::from_pkcs8_der(der).map(Self::P384))
            .or_else(|_| p521::SecretKey::from_pkcs8_der(der).map(Self::P521))
            .ok()
    }

    pub(super) fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>> {
        let der = on_any_curve!(self, key => key.to_pkcs8_der()).map_err(rsa::Error::from)?;
        Ok(der.to_bytes())
    }

    pub(super) fn curve(&self) -> Curve {
        match self {
            Self::P256(_) => Curve::P256,
            Self::P256K(_) => Curve::P256K,
            Self::P384(_) => Curve::P384,
            Self::P521(_) => Curve::P521,
        }
    }

    pub(super) fn public_key(&self) -> PublicKey {
        let (x, y) = self.point();
        PublicKey::Ec {
            crv: self.curve(),
            x: base64url::encode(&x),
            y: base64url::encode(&y),
        }
    }

    /// Returns r followed by s.
    pub(super) fn sign(&self, digest: &[u8]) -> Result<Vec<u8>> {
        on_any_curve!(self, key => {
            let signature: Signature<_> = SigningKey::from(key).sign_prehash(digest)?;
            Ok(signature.to_bytes().to_vec())
        })
    }

    pub(super) fn verify(&self, digest: &[u8], signature: &[u8]) -> bool {
        on_any_curve!(self, key => {
            Signature::from_slice(signature).is_ok_and(|signature| {
                // Both values of s are valid; `k256` accepts only the lower.
                VerifyingKey::from(key.public_key())
                    .verify_prehash(digest, &signature.normalize_s())
                    .is_ok()
            })
        })
    }

    /// Returns the point's coordinates, each as long as the curve's field.
    fn point(&self) -> (Vec<u8>, Vec<u8>) {
        on_any_curve!(self, key => {
            // 4, then x, then y (SEC 1, 2.3.3).
            let point = key.public_key().to_sec1_point(false);
            let (x, y) = point.as_bytes()[1..].split_at(self.curve().bytes());
            (x.to_vec(), y.to_vec())
        })
    }
}

//! The JWTs with which a client logs in instead of a secret.

use base64::{
    Engine as _,
    engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD},
};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use sealock_core::{ClientId, Clock, excerpt};
use serde::Deserialize;

use super::issuer::TokenIssuer;
use crate::{
    Certificate, Error, FederatedCredential, Principal, Result, TENANT,
    principals::credential::{Credential, VerifyingKey},
};

/// The seconds by which the clocks of client and emulator may differ.
const LEEWAY: i64 = 300;

/// The claims of an assertion.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: NumericDate,
    nbf: Option<NumericDate>,
}

/// A time in whole seconds. MSAL for Python writes fractions (RFC 7519, 2).
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
struct NumericDate(i64);

impl TryFrom<f64> for NumericDate {
    type Error = jiff::Error;

    fn try_from(seconds: f64) -> std::result::Result<Self, jiff::Error> {
        Ok(Self(SignedDuration::try_from_secs_f64(seconds)?.as_secs()))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn any(&self, matches: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::One(audience) => matches(audience),
            Self::Several(audiences) => audiences.iter().any(|it| matches(it)),
        }
    }
}

impl TokenIssuer {
    /// Logs in a client with an assertion: a JWT that it signed itself, or a token of an identity provider that it trusts.
    /// `authority` is the URL of the authority without the tenant. The assertion's times are the client's, so they are
    /// compared with the system's clock.
    ///
    /// <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>,
    /// <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>
    ///
    /// # Errors
    /// [`Error::ClientUnknown`], an error of the assertion, or the store fails.
    pub(crate) async fn log_in_with_assertion(
        &self,
        client: Option<&str>,
        assertion: &str,
        authority: &str,
    ) -> Result<Principal> {
        let header = jsonwebtoken::decode_header(assertion);
        let header = header.map_err(|_| Error::AssertionMalformed)?;
        let claims = read(assertion)?;
        let client = client.unwrap_or(&claims.sub);
        let unknown = || Error::ClientUnknown {
            client: excerpt(client).to_owned(),
            tenant: TENANT,
        };
        let id: ClientId = client.parse().map_err(|_| unknown())?;
        let principal = self.directory.principal_by_account_id(id).await?;
        let principal = principal
            .filter(|principal| !matches!(principal, Principal::User(_)))
            .ok_or_else(unknown)?;
        let credentials = self.directory.credentials(id).await?;
        if claims.iss.parse() == Ok(id) {
            if !claims.aud.any(|audience| audience.starts_with(authority)) {
                return Err(Error::AssertionAudienceWrong);
            }
            check_times(&claims, Clock::system().now())?;
            check_certificate(&header, assertion, &credentials)?;
        } else {
            let trusted = credentials
                .iter()
                .filter_map(|credential| match credential {
                    Credential::Federated(federated) => Some(federated),
                    Credential::Certificate(_) => None,
                });
            let federated = find_federated(trusted, &claims)?;
            check_times(&claims, Clock::system().now())?;
            self.check_issuer(&header, assertion, federated).await?;
        }
        Ok(principal)
    }

    /// Checks that the issuer of a federated credential signed the token. The emulator's own tenant is an issuer, too.
    async fn check_issuer(
        &self,
        header: &Header,
        assertion: &str,
        federated: &FederatedCredential,
    ) -> Result<()> {
        let version_2 = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
        let is_signed = if federated.issuer == self.name() || federated.issuer == version_2 {
            is_signed_by(&self.key().await?.verifying, assertion)
        } else {
            let named = |key: &&VerifyingKey| key.kid.is_none() || key.kid == header.kid;
            federated
                .keys
                .iter()
                .filter(named)
                .any(|key| is_signed(key, assertion))
        };
        if is_signed {
            Ok(())
        } else {
            Err(Error::AssertionSignatureWrong)
        }
    }
}

/// Reads the claims of an assertion without verifying it.
fn read(assertion: &str) -> Result<Claims> {
    let payload = assertion.split('.').nth(1).unwrap_or_default();
    let payload = URL_SAFE_NO_PAD.decode(payload);
    let payload = payload.map_err(|_| Error::AssertionMalformed)?;
    serde_json::from_slice(&payload).map_err(|_| Error::AssertionMalformed)
}

fn check_times(claims: &Claims, now: Timestamp) -> Result<()> {
    let from = claims.nbf.map_or(0, |from| from.0);
    let (second, until) = (now.as_second(), claims.exp.0);
    if from.saturating_sub(LEEWAY) <= second && second < until.saturating_add(LEEWAY) {
        return Ok(());
    }
    let time = |second| Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
    Err(Error::AssertionExpired {
        now,
        from: time(from),
        until: time(until),
    })
}

/// Checks that the private key of one of the certificates signed the assertion. Its header has the certificate's hash.
fn check_certificate(header: &Header, assertion: &str, credentials: &[Credential]) -> Result<()> {
    let decode = |text: &String| {
        let text = text.trim_end_matches('=');
        URL_SAFE_NO_PAD
            .decode(text)
            .or_else(|_| URL_SAFE.decode(text))
            .ok()
    };
    let sha1 = header.x5t.as_ref().and_then(decode).map(hex::encode_upper);
    let sha256 = header
        .x5t_s256
        .as_ref()
        .and_then(decode)
        .map(hex::encode_upper);
    let is_named = |certificate: &&Certificate| {
        sha1.as_ref() == Some(&certificate.thumbprint)
            || sha256.as_ref() == Some(&certificate.sha256)
    };
    let mut certificates = credentials
        .iter()
        .filter_map(|credential| match credential {
            Credential::Certificate(certificate) => Some(certificate),
            Credential::Federated(_) => None,
        });
    let refused = |why: &'static str| Error::CertificateWrong {
        why,
        thumbprint: sha1.clone().or_else(|| sha256.clone()).unwrap_or_default(),
    };
    let found = certificates.find(is_named);
    let found = found.ok_or_else(|| refused("The key was not found."))?;
    if found.expires <= Clock::system().now() {
        return Err(refused("The key used is expired."));
    }
    if !is_signed(&found.key, assertion) {
        return Err(refused(
            "The provided signature value did not match the expected signature value.",
        ));
    }
    Ok(())
}

/// Finds the federated credential for a token by its issuer, audience and subject.
fn find_federated<'a>(
    trusted: impl Iterator<Item = &'a FederatedCredential>,
    claims: &Claims,
) -> Result<&'a FederatedCredential> {
    let issuer: Vec<_> = trusted.filter(|it| it.issuer == claims.iss).collect();
    if issuer.is_empty() {
        return Err(Error::AssertionIssuerUnknown(
            excerpt(&claims.iss).to_owned(),
        ));
    }
    let audience: Vec<_> = issuer
        .into_iter()
        .filter(|it| claims.aud.any(|audience| audience == it.audience))
        .collect();
    if audience.is_empty() {
        return Err(Error::AssertionAudienceUnknown);
    }
    let subject = audience.into_iter().find(|it| it.subject == claims.sub);
    subject.ok_or_else(|| Error::AssertionSubjectUnknown(excerpt(&claims.sub).to_owned()))
}

fn is_signed(key: &VerifyingKey, assertion: &str) -> bool {
    DecodingKey::from_rsa_components(&key.n, &key.e).is_ok_and(|key| is_signed_by(&key, assertion))
}

fn is_signed_by(key: &DecodingKey, assertion: &str) -> bool {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.algorithms = vec![
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
    ];
    // These are checked beforehand, each with its own refusal.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    jsonwebtoken::decode::<serde::de::IgnoredAny>(assertion, key, &validation).is_ok()
}

//! Grants of people to clients that have not fetched their tokens yet. They are in memory only: a restart ends them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use rand::distr::{Distribution as _, Uniform};
use sealock_core::ClientId;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::scope::Requested;
use crate::{Error, Result, User};

/// The lifetime of an authorization code.
///
/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow#successful-response>
const CODE_VALID_FOR: SignedDuration = SignedDuration::from_mins(10);

/// The lifetime of a device code.
///
/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code#device-authorization-response>
pub(crate) const DEVICE_CODE_VALID_FOR: SignedDuration = SignedDuration::from_mins(15);

/// The limit of pending grants of each kind, so that nobody fills the memory. The oldest goes first.
const PENDING_LIMIT: usize = 1000;

/// The letters and digits of a code that a person types.
const TYPED: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// The length of a code that a person types.
const TYPED_LENGTH: usize = 9;

/// The pending grants.
#[derive(Default)]
pub(crate) struct Grants {
    codes: Mutex<Pending<CodeGrant>>,
    devices: Mutex<Pending<DeviceGrant>>,
}

/// A person's grant to a client, which redeems it with an authorization code.
#[derive(Clone)]
pub(crate) struct CodeGrant {
    pub(crate) client: ClientId,
    pub(crate) redirect_uri: String,
    pub(crate) requested: Requested,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) user: User,
    is_redeemed: bool,
}

/// The proof that the client with the code is the one that requested it (RFC 7636).
#[derive(Clone)]
pub(crate) enum Challenge {
    /// The verifier's hash.
    S256(String),
    /// The verifier itself.
    Plain(String),
}

/// A client on a device without a browser, which waits for a person to grant its request.
struct DeviceGrant {
    client: ClientId,
    requested: Requested,
    user_code: String,
    /// The person who granted the request.
    user: Option<User>,
}

/// The codes of a device.
pub(crate) struct DeviceCodes {
    /// The code with which the device asks for its tokens.
    pub(crate) device_code: String,
    /// The code that the person types.
    pub(crate) user_code: String,
}

impl CodeGrant {
    pub(crate) fn new(
        client: ClientId,
        redirect_uri: String,
        requested: Requested,
        nonce: Option<String>,
        challenge: Option<Challenge>,
        user: User,
    ) -> Self {
        Self {
            client,
            redirect_uri,
            requested,
            nonce,
            challenge,
            user,
            is_redeemed: false,
        }
    }
}

impl Challenge {
    /// Returns true if the verifier fits the challenge.
    fn accepts(&self, verifier: &str) -> bool {
        let (expected, given) = match self {
            Self::S256(hash) => {
                let given = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
                (hash.trim_end_matches('='), given)
            }
            Self::Plain(text) => (text.as_str(), verifier.to_owned()),
        };
        expected.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

impl Grants {
    /// Keeps what a person granted, and returns the code for it.
    pub(crate) fn grant(&self, grant: CodeGrant, now: Timestamp) -> String {
        let code = random_code();
        lock(&self.codes).insert(code.clone(), grant, now, CODE_VALID_FOR);
        code
    }

    /// Redeems a code, which works once.
    ///
    /// # Errors
    /// [`Error::CodeInvalid`], [`Error::CodeExpired`], [`Error::CodeRedeemed`], [`Error::RedirectDiffers`] or
    /// [`Error::VerifierWrong`].
    pub(crate) fn redeem(
        &self,
        code: &str,
        client: ClientId,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
        now: Timestamp,
    ) -> Result<CodeGrant> {
        let mut codes = lock(&self.codes);
        let (expires, grant) = codes.entries.get_mut(code).ok_or(Error::CodeInvalid)?;
        if grant.client != client {
            return Err(Error::CodeInvalid);
        }
        if *expires <= now {
            return Err(Error::CodeExpired);
        }
        if grant.is_redeemed {
            return Err(Error::CodeRedeemed);
        }
        let given = redirect_uri.unwrap_or_default();
        if given != grant.redirect_uri {
            return Err(Error::RedirectDiffers {
                given: sealock_core::excerpt(given).to_owned(),
                expected: grant.redirect_uri.clone(),
            });
        }
        let verifier = verifier.unwrap_or_default();
        if let Some(challenge) = &grant.challenge
            && !challenge.accepts(verifier)
        {
            return Err(Error::VerifierWrong);
        }
        grant.is_redeemed = true;
        Ok(grant.clone())
    }

    /// Begins the login of a device.
    pub(crate) fn begin_device_login(
        &self,
        client: ClientId,
        requested: Requested,
        now: Timestamp,
    ) -> DeviceCodes {
        let codes = DeviceCodes {
            device_code: random_code(),
            user_code: typed_code(),
        };
        let grant = DeviceGrant {
            client,
            requested,
            user_code: codes.user_code.clone(),
            user: None,
        };
        let code = codes.device_code.clone();
        lock(&self.devices).insert(code, grant, now, DEVICE_CODE_VALID_FOR);
        codes
    }

    /// Grants the request of the device with this code to a person.
    ///
    /// # Errors
    /// [`Error::UserCodeUnknown`].
    pub(crate) fn approve_device(&self, user_code: &str, user: User, now: Timestamp) -> Result<()> {
        let typed = user_code.trim().to_ascii_uppercase();
        let mut devices = lock(&self.devices);
        let mut entries = devices.entries.values_mut();
        let found = entries.find(|(expires, it)| it.user_code == typed && *expires > now);
        let (_, device) = found.ok_or(Error::UserCodeUnknown)?;
        device.user = Some(user);
        Ok(())
    }

    /// Returns what was granted to a device, once.
    ///
    /// # Errors
    /// [`Error::DeviceCodeUnknown`], [`Error::DeviceCodeExpired`] or [`Error::AuthorizationPending`].
    pub(crate) fn redeem_device(
        &self,
        device_code: &str,
        client: ClientId,
        now: Timestamp,
    ) -> Result<(User, Requested)> {
        let mut devices = lock(&self.devices);
        let found = devices.entries.get(device_code);
        let (expires, device) = found
            .filter(|(_, device)| device.client == client)
            .ok_or(Error::DeviceCodeUnknown)?;
        if *expires <= now {
            return Err(Error::DeviceCodeExpired);
        }
        let Some(user) = device.user.clone() else {
            return Err(Error::AuthorizationPending);
        };
        let requested = device.requested.clone();
        devices.entries.remove(device_code);
        Ok((user, requested))
    }
}

/// Entries that expire, by their codes.
struct Pending<T> {
    entries: HashMap<String, (Timestamp, T)>,
}

impl<T> Default for Pending<T> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
        }
    }
}

impl<T> Pending<T> {
    /// Adds an entry. An expired one stays for as long as it lived, so that its code is known to have expired.
    fn insert(&mut self, code: String, entry: T, now: Timestamp, valid_for: SignedDuration) {
        let forgotten = now.checked_sub(valid_for).unwrap_or(Timestamp::MIN);
        self.entries.retain(|_, (expires, _)| *expires > forgotten);
        if self.entries.len() >= PENDING_LIMIT {
            let oldest = self.entries.iter().min_by_key(|(_, (expires, _))| *expires);
            if let Some(code) = oldest.map(|(code, _)| code.clone()) {
                self.entries.remove(&code);
            }
        }
        let expires = now.checked_add(valid_for).unwrap_or(Timestamp::MAX);
        self.entries.insert(code, (expires, entry));
    }
}

/// Locks a table, whose entries are whole even after a panic.
fn lock<T>(table: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

fn random_code() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

fn typed_code() -> String {
    #[expect(clippy::expect_used, reason = "the range is a constant")]
    let letters = Uniform::new(0, TYPED.len()).expect("a range");
    let random = letters.sample_iter(rand::rng());
    let letters = random.take(TYPED_LENGTH).map(|at| char::from(TYPED[at]));
    letters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(challenge: Option<Challenge>) -> (CodeGrant, ClientId) {
        let client = ClientId::random();
        let requested = Requested::parse("openid").unwrap();
        let redirect = "http://localhost:1".to_owned();
        let user = User::developer();
        let grant = CodeGrant::new(client, redirect, requested, None, challenge, user);
        (grant, client)
    }

    #[test]
    fn code_is_redeemed_once_by_its_client_with_the_verifier() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned();
        let (grants, now) = (Grants::default(), Timestamp::UNIX_EPOCH);
        let (grant, client) = grant(Some(Challenge::S256(challenge)));
        let redirect = grant.redirect_uri.clone();
        let code = grants.grant(grant, now);
        let redeem = |client, redirect: &str, verifier: Option<&str>, now| {
            let redeemed = grants.redeem(&code, client, Some(redirect), verifier, now);
            redeemed.map(|_| ())
        };
        let right = Some(verifier);
        let other = ClientId::random();
        assert!(matches!(
            redeem(other, &redirect, right, now),
            Err(Error::CodeInvalid)
        ));
        assert!(matches!(
            redeem(client, "http://localhost:2", right, now),
            Err(Error::RedirectDiffers { .. })
        ));
        for wrong in [None, Some("x")] {
            assert!(matches!(
                redeem(client, &redirect, wrong, now),
                Err(Error::VerifierWrong)
            ));
        }
        let late = now + CODE_VALID_FOR;
        assert!(matches!(
            redeem(client, &redirect, right, late),
            Err(Error::CodeExpired)
        ));
        assert!(redeem(client, &redirect, right, now).is_ok());
        assert!(matches!(
            redeem(client, &redirect, right, now),
            Err(Error::CodeRedeemed)
        ));
        assert!(matches!(
            grants.redeem("x", client, None, None, now),
            Err(Error::CodeInvalid)
        ));
    }

    #[test]
    fn device_waits_until_a_person_types_its_code() {
        let (grants, now) = (Grants::default(), Timestamp::UNIX_EPOCH);
        let client = ClientId::random();
        let requested = Requested::parse("openid").unwrap();
        let codes = grants.begin_device_login(client, requested.clone(), now);
        let redeem = |now| grants.redeem_device(&codes.device_code, client, now);
        assert!(matches!(redeem(now), Err(Error::AuthorizationPending)));
        let approve = |code: &str, now| grants.approve_device(code, User::developer(), now);
        assert!(matches!(approve("x", now), Err(Error::UserCodeUnknown)));
        let late = now + DEVICE_CODE_VALID_FOR;
        assert!(approve(&codes.user_code, late).is_err());
        assert!(matches!(redeem(late), Err(Error::DeviceCodeExpired)));
        approve(&codes.user_code.to_ascii_lowercase(), now).unwrap();
        assert_eq!(redeem(now).unwrap(), (User::developer(), requested));
        assert!(matches!(redeem(now), Err(Error::DeviceCodeUnknown)));
    }

    #[test]
    fn oldest_grant_gives_way_to_a_new_one() {
        let (grants, now) = (Grants::default(), Timestamp::UNIX_EPOCH);
        let (one, client) = grant(None);
        let oldest = grants.grant(one.clone(), now);
        let later = now + SignedDuration::from_secs(1);
        let codes: Vec<_> = (0..PENDING_LIMIT)
            .map(|_| grants.grant(one.clone(), later))
            .collect();
        let redirect = Some(one.redirect_uri.as_str());
        assert!(grants.redeem(&oldest, client, redirect, None, now).is_err());
        assert!(
            grants
                .redeem(&codes[0], client, redirect, None, now)
                .is_ok()
        );
    }
}

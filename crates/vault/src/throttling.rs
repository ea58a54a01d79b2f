//! Azure's limits on the requests that a vault serves within ten seconds.
//!
//! A request counts once its caller is authenticated, so that clients without a token cannot use up the capacity of
//! others. It counts even if it is refused later, unless the refusal is 429. Only requests through the vault's HTTP
//! count: the operator's do not, nor a registry's, since a throttled registry would be revoked.
//!
//! <https://learn.microsoft.com/azure/key-vault/general/service-limits>,
//! <https://learn.microsoft.com/azure/key-vault/general/overview-throttling>

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use sealock_core::{Clock, VaultName};

use crate::{Error, KeyProperties, KeyType, Result};

/// The seconds over which Azure counts.
const WINDOW: i64 = 10;

/// The types of request that Azure counts separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RequestType {
    /// The creation and the release of keys.
    Create,
    /// The import of keys.
    Import,
    /// All other requests.
    Other,
}

impl RequestType {
    /// Returns the total weight that a vault serves in a window.
    fn capacity(self) -> u32 {
        match self {
            Self::Create => 20,
            Self::Import => 300,
            Self::Other => 4000,
        }
    }

    /// Returns the weight of a request for `key`: the number of lightest requests that it counts as.
    pub(crate) fn weight(self, key: Option<KeyProperties>) -> u32 {
        let (Self::Create | Self::Other, Some(key)) = (self, key) else {
            return 1;
        };
        let weight_of_size = match (self, key.kty, key.size) {
            (Self::Other, KeyType::Rsa | KeyType::RsaHsm, 3072) => 4,
            (Self::Other, KeyType::Rsa | KeyType::RsaHsm, 4096) => 8,
            _ => 1,
        };
        if key.kty.is_hardware() {
            2 * weight_of_size
        } else {
            weight_of_size
        }
    }
}

/// The served weight of each of the last ten seconds. Fixed intervals, or a bucket that refills, would let twice as much
/// through.
#[derive(Default)]
struct Window(BTreeMap<i64, u32>);

impl Window {
    /// Drops the seconds before the window. Drops those after `now`, too, which exist if the clock was set back.
    fn move_to(&mut self, now: i64) {
        self.0
            .retain(|second, _| (now - WINDOW + 1..=now).contains(second));
    }

    /// Adds `weight` to the second `now`. If the window would exceed `capacity`, adds nothing and returns the seconds
    /// after which it will not.
    fn add(&mut self, now: i64, weight: u32, capacity: u32) -> std::result::Result<(), i64> {
        self.move_to(now);
        let mut excess = (self.0.values().sum::<u32>() + weight).saturating_sub(capacity);
        if excess == 0 {
            *self.0.entry(now).or_default() += weight;
            return Ok(());
        }
        for (second, served) in &self.0 {
            excess = excess.saturating_sub(*served);
            if excess == 0 {
                return Err(second + WINDOW - now);
            }
        }
        Err(WINDOW)
    }
}

/// The requests that the vaults served in the last ten seconds. A restart forgets them. Each node counts its own
/// requests, so several nodes serve several times as much.
#[derive(Default)]
pub(crate) struct Throttling {
    windows: Mutex<HashMap<(VaultName, RequestType), Window>>,
}

impl Throttling {
    /// Counts a request, or refuses it.
    pub(crate) fn count(
        &self,
        vault: &VaultName,
        request_type: RequestType,
        weight: u32,
        clock: &Clock,
    ) -> Result<()> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock.now().as_second();
        windows.retain(|_, window| {
            window.move_to(now);
            !window.0.is_empty()
        });
        let window = windows.entry((vault.clone(), request_type)).or_default();
        window
            .add(now, weight, request_type.capacity())
            .map_err(|retry_after| Error::Throttled { retry_after })
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    /// Returns the number of requests for such a key that a vault serves.
    fn served(request_type: RequestType, kty: KeyType, size: u32) -> u32 {
        request_type.capacity() / request_type.weight(Some(KeyProperties { kty, size }))
    }

    /// The columns of Azure's table: creations and other requests for keys in hardware, then for keys in software.
    #[test]
    fn capacities_match_azures_table() {
        use KeyType::{Ec, EcHsm, Rsa, RsaHsm};

        for (hardware, software, size, expected) in [
            (RsaHsm, Rsa, 2048, [10, 2000, 20, 4000]),
            (RsaHsm, Rsa, 3072, [10, 500, 20, 1000]),
            (RsaHsm, Rsa, 4096, [10, 250, 20, 500]),
            (EcHsm, Ec, 256, [10, 2000, 20, 4000]),
            (EcHsm, Ec, 384, [10, 2000, 20, 4000]),
            (EcHsm, Ec, 521, [10, 2000, 20, 4000]),
        ] {
            let found = [hardware, software].map(|kty| {
                [RequestType::Create, RequestType::Other]
                    .map(|request_type| served(request_type, kty, size))
            });
            assert_eq!(found.concat(), expected, "{software} {size}");
            assert_eq!(served(RequestType::Import, hardware, size), 300);
        }
        for request_type in [RequestType::Create, RequestType::Import, RequestType::Other] {
            assert_eq!(request_type.weight(None), 1, "{request_type:?}");
        }
    }

    #[test]
    fn no_ten_seconds_exceed_the_limit() {
        // Each step: the second, the weight, and the wait if it is refused.
        for (name, steps) in [
            (
                "all at once",
                &[
                    (0, 20, None),
                    (0, 1, Some(10)),
                    (9, 1, Some(1)),
                    (10, 20, None),
                ][..],
            ),
            (
                "refused requests do not count",
                &[
                    (0, 19, None),
                    (5, 2, Some(5)),
                    (5, 2, Some(5)),
                    (5, 1, None),
                    (10, 19, None),
                ],
            ),
            (
                "little by little",
                &[
                    (0, 8, None),
                    (3, 8, None),
                    (7, 4, None),
                    (7, 1, Some(3)),
                    (7, 8, Some(3)),
                    (7, 9, Some(6)),
                    (7, 17, Some(10)),
                    (10, 8, None),
                    (13, 9, Some(4)),
                    (13, 8, None),
                ],
            ),
            (
                "across a multiple of ten",
                &[(9, 20, None), (11, 1, Some(8)), (19, 20, None)],
            ),
            (
                "a clock that is set back starts anew",
                &[
                    (1000, 20, None),
                    (995, 20, None),
                    (996, 1, Some(9)),
                    (-5000, 20, None),
                    (1000, 20, None),
                ],
            ),
        ] {
            let mut window = Window::default();
            for (step, &(now, weight, wait)) in steps.iter().enumerate() {
                let expected = wait.map_or(Ok(()), Err);
                assert_eq!(window.add(now, weight, 20), expected, "{name}, step {step}");
            }
        }
    }

    /// The example of a full mixture in Azure's documentation.
    #[test]
    fn weights_of_different_keys_add_up() {
        let mut window = Window::default();
        let mut serve = |key| {
            let request_type = RequestType::Other;
            window
                .add(0, request_type.weight(key), request_type.capacity())
                .is_ok()
        };
        let [large, small] = [4096, 2048].map(|size| {
            let kty = KeyType::RsaHsm;
            Some(KeyProperties { kty, size })
        });
        assert!((0..248).all(|_| serve(large)));
        assert!((0..16).all(|_| serve(small)));
        assert!(!serve(small) && !serve(None));
    }

    #[test]
    fn windows_without_recent_requests_are_dropped() {
        let clock = Clock::frozen_at(Timestamp::UNIX_EPOCH);
        let throttling = Throttling::default();
        for number in 0..100 {
            let vault = format!("kv{number}").parse().unwrap();
            throttling
                .count(&vault, RequestType::Create, 1, &clock)
                .unwrap();
            throttling
                .count(&vault, RequestType::Other, 1, &clock)
                .unwrap();
            clock.advance(SignedDuration::from_secs(1)).unwrap();
        }
        assert_eq!(throttling.windows.lock().unwrap().len(), 20);
    }
}

//! How much a vault serves within ten seconds.
//!
//! A request is counted once it is known whose it is, and before anything else is judged: whoever brings no
//! token uses up nothing of what there is for the others. Whatever it is refused for later on, it has been
//! counted; what is answered with 429 has not. Only the clients of a vault's HTTP are counted: not the operator,
//! and not a registry, which would be revoked otherwise.
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

/// What Azure counts apart from the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Limit {
    /// Making keys, and releasing them.
    Create,
    /// Importing keys.
    Import,
    /// All else.
    Other,
}

impl Limit {
    /// How much a vault serves of it: as many requests as there may be of the lightest.
    fn weight_limit(self) -> u32 {
        match self {
            Self::Create => 20,
            Self::Import => 300,
            Self::Other => 4000,
        }
    }

    /// How many of the lightest requests one about this key stands for.
    pub(crate) fn weight(self, key: Option<KeyProperties>) -> u32 {
        let (Self::Create | Self::Other, Some(key)) = (self, key) else {
            return 1;
        };
        let of_its_size = match (self, key.kty, key.size) {
            (Self::Other, KeyType::Rsa | KeyType::RsaHsm, 3072) => 4,
            (Self::Other, KeyType::Rsa | KeyType::RsaHsm, 4096) => 8,
            _ => 1,
        };
        if key.kty.is_hardware() {
            2 * of_its_size
        } else {
            of_its_size
        }
    }
}

/// The weight of what was served, by the second. The clock tells whole seconds, so this is exact for every
/// ten of them; intervals that begin anew, or a bucket that fills up, would let twice as much through.
#[derive(Default)]
struct Window(BTreeMap<i64, u32>);

impl Window {
    /// Forgets what is over, and what is yet to come: the clock was set back.
    fn move_to(&mut self, now: i64) {
        self.0
            .retain(|second, _| (now - WINDOW + 1..=now).contains(second));
    }

    /// Adds to what was served at `now`. If that would be more than `most`, it says instead after how many
    /// seconds it will not be.
    fn serve(&mut self, now: i64, weight: u32, most: u32) -> std::result::Result<(), i64> {
        self.move_to(now);
        let mut excess = (self.0.values().sum::<u32>() + weight).saturating_sub(most);
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

/// The operations that the vaults have served of late. A restart forgets it. Each node counts what it serves itself, so that several
/// nodes serve as many times as much; nobody gets access by that.
#[derive(Default)]
pub(crate) struct Throttling {
    windows: Mutex<HashMap<(VaultName, Limit), Window>>,
}

impl Throttling {
    pub(crate) fn serve(
        &self,
        vault: &VaultName,
        limit: Limit,
        weight: u32,
        clock: &Clock,
    ) -> Result<()> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock.now().as_second();
        windows.retain(|_, window| {
            window.move_to(now);
            !window.0.is_empty()
        });
        let window = windows.entry((vault.clone(), limit)).or_default();
        window
            .serve(now, weight, limit.weight_limit())
            .map_err(|retry_after| Error::Throttled { retry_after })
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    /// How many requests about such a key a vault serves, if there are no others.
    fn served(limit: Limit, kty: KeyType, size: u32) -> u32 {
        limit.weight_limit() / limit.weight(Some(KeyProperties { kty, size }))
    }

    /// Azure's table, by column: creations of a key in hardware, all else with it, and both in software.
    #[test]
    fn a_vault_serves_as_many_as_azures_table_says() {
        use KeyType::{Ec, EcHsm, Rsa, RsaHsm};

        for (hardware, software, size, most) in [
            (RsaHsm, Rsa, 2048, [10, 2000, 20, 4000]),
            (RsaHsm, Rsa, 3072, [10, 500, 20, 1000]),
            (RsaHsm, Rsa, 4096, [10, 250, 20, 500]),
            (EcHsm, Ec, 256, [10, 2000, 20, 4000]),
            (EcHsm, Ec, 384, [10, 2000, 20, 4000]),
            (EcHsm, Ec, 521, [10, 2000, 20, 4000]),
        ] {
            let found = [hardware, software]
                .map(|kty| [Limit::Create, Limit::Other].map(|limit| served(limit, kty, size)));
            assert_eq!(found.concat(), most, "{software} {size}");
            assert_eq!(served(Limit::Import, hardware, size), 300);
        }
        for limit in [Limit::Create, Limit::Import, Limit::Other] {
            assert_eq!(limit.weight(None), 1, "{limit:?}");
        }
    }

    #[test]
    fn any_ten_seconds_have_no_more_than_the_limit() {
        // Per case: when, how much, and after how many seconds it can be served if not now.
        for (name, steps) in [
            (
                "the whole at once",
                &[
                    (0, 20, None),
                    (0, 1, Some(10)),
                    (9, 1, Some(1)),
                    (10, 20, None),
                ][..],
            ),
            (
                "what is refused does not count",
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
                "around a mark",
                &[(9, 20, None), (11, 1, Some(8)), (19, 20, None)],
            ),
            (
                "a clock that was set back begins anew",
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
                assert_eq!(
                    window.serve(now, weight, 20),
                    expected,
                    "{name}, step {step}"
                );
            }
        }
    }

    /// The mixture that Azure's documentation gives as the most that there can be.
    #[test]
    fn weights_are_added_up() {
        let mut window = Window::default();
        let mut serve = |key| {
            let limit = Limit::Other;
            window
                .serve(0, limit.weight(key), limit.weight_limit())
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
    fn only_what_vaults_served_of_late_is_kept() {
        let clock = Clock::frozen_at(Timestamp::UNIX_EPOCH);
        let throttling = Throttling::default();
        for number in 0..100 {
            let vault = format!("kv{number}").parse().unwrap();
            throttling.serve(&vault, Limit::Create, 1, &clock).unwrap();
            throttling.serve(&vault, Limit::Other, 1, &clock).unwrap();
            clock.advance(SignedDuration::from_secs(1)).unwrap();
        }
        assert_eq!(throttling.windows.lock().unwrap().len(), 20);
    }
}

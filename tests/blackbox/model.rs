//! Random sequences of steps, compared with a model of the registry and its key.

use std::thread;

use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use sealock_tests::{Client, Emulator, Image};
use serde_json::Value;

/// The number of sequences of a run.
const SEQUENCES: u64 = 4;

/// The number of steps of a sequence.
const STEPS: usize = 60;

/// The variable with the seed of a sequence that is to be repeated.
const SEED: &str = "SEALOCK_SEED";

/// Returns the seeds of `count` random sequences, or the seed in `SEALOCK_SEED` alone.
pub(crate) fn seeds(count: u64) -> Vec<u64> {
    match std::env::var(SEED) {
        Ok(seed) => vec![seed.parse().expect("SEALOCK_SEED is a number")],
        Err(_) => (0..count).map(|_| rand::rng().next_u64()).collect(),
    }
}

/// The expected state of a registry that follows the key `registry-key`, and of everything that it depends on.
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts")]
struct Model {
    /// For each version of the key, `true` when it is enabled. The oldest version is first.
    versions: Vec<bool>,
    /// The version that wraps the DEK.
    wrapping: usize,
    key_deleted: bool,
    vault_deleted: bool,
    permitted: bool,
    identity_exists: bool,
}

impl Model {
    fn is_available(&self) -> bool {
        let reachable = !self.vault_deleted && !self.key_deleted;
        reachable && self.permitted && self.identity_exists && self.versions[self.wrapping]
    }

    /// Follows the key like the next request: a registry that may unwrap moves to the newest version.
    fn follow_key(&mut self) {
        let newest = self.versions.len() - 1;
        if self.is_available() && self.versions[newest] {
            self.wrapping = newest;
        }
    }
}

/// A step of a sequence.
#[derive(Clone, Copy, Debug)]
enum Step {
    RecreateIdentity,
    DeleteIdentity,
    DeleteKey,
    DeleteVault,
    Disable(usize),
    Enable(usize),
    Grant,
    Kill,
    Push,
    RecoverKey,
    RecoverVault,
    Restart,
    Revoke,
    Rotate,
}

impl Model {
    fn possible_steps(&self) -> Vec<Step> {
        let mut steps = vec![Step::Push, Step::Push, Step::Restart, Step::Kill];
        if self.vault_deleted {
            steps.extend([Step::RecoverVault; 4]);
            return steps;
        }
        steps.push(Step::DeleteVault);
        if self.identity_exists {
            steps.extend([Step::Grant, Step::Revoke, Step::DeleteIdentity]);
        } else if !self.key_deleted
            && self.versions[self.wrapping]
            && self.versions.last() == Some(&true)
        {
            steps.extend([Step::RecreateIdentity; 4]);
        }
        if self.key_deleted {
            steps.extend([Step::RecoverKey; 4]);
        } else {
            steps.extend([Step::Rotate, Step::Rotate, Step::DeleteKey]);
            for version in [self.wrapping, self.versions.len() - 1, 0] {
                steps.extend([Step::Disable(version), Step::Enable(version)]);
            }
        }
        steps
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::RecreateIdentity => {
                self.identity_exists = true;
                self.permitted = true;
                self.wrapping = self.versions.len() - 1;
            }
            Step::DeleteIdentity => self.identity_exists = false,
            Step::DeleteKey => self.key_deleted = true,
            Step::DeleteVault => self.vault_deleted = true,
            Step::Disable(version) => self.versions[version] = false,
            Step::Enable(version) => self.versions[version] = true,
            Step::Grant => self.permitted = true,
            Step::Kill | Step::Push | Step::Restart => {}
            Step::RecoverKey => self.key_deleted = false,
            Step::RecoverVault => self.vault_deleted = false,
            Step::Revoke => self.permitted = false,
            Step::Rotate => self.versions.push(true),
        }
        self.follow_key();
    }
}

/// One emulator, or several that share a store.
pub(crate) trait Drive {
    fn client(&self) -> Client;
    fn cli(&self, arguments: &[&str]) -> String;
    fn kill_and_restart(&mut self);
    fn restart(&mut self);

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.cli(&[arguments, &["--json"]].concat())).unwrap()
    }
}

impl Drive for Emulator {
    fn client(&self) -> Client {
        self.client()
    }

    fn cli(&self, arguments: &[&str]) -> String {
        self.cli(arguments)
    }

    fn kill_and_restart(&mut self) {
        self.kill();
        self.start_again();
    }

    fn restart(&mut self) {
        self.restart();
    }
}

/// The driven emulator, with the images that were pushed to it.
struct Driven<D> {
    emulator: D,
    images: Vec<Image>,
}

impl<D: Drive> Driven<D> {
    fn apply(&mut self, step: Step, available: bool) {
        let emulator = &mut self.emulator;
        let version = |number: usize| {
            let key = emulator.json(&["key", "show"]);
            let versions = key["versions"].as_array().unwrap();
            let version = &versions[versions.len() - 1 - number]["version"];
            version.as_str().unwrap().to_owned()
        };
        match step {
            Step::RecreateIdentity => {
                emulator.cli(&["identity", "create"]);
                emulator.cli(&["access", "grant"]);
                emulator.cli(&["registry", "rotate-key", "--identity", "registry-identity"]);
            }
            Step::DeleteIdentity => drop(emulator.cli(&["identity", "delete"])),
            Step::DeleteKey => drop(emulator.cli(&["key", "delete"])),
            Step::DeleteVault => drop(emulator.cli(&["vault", "delete"])),
            Step::Disable(number) => {
                emulator.cli(&["key", "disable", "--version", &version(number)]);
            }
            Step::Enable(number) => {
                emulator.cli(&["key", "enable", "--version", &version(number)]);
            }
            Step::Grant => drop(emulator.cli(&["access", "grant"])),
            Step::Kill => emulator.kill_and_restart(),
            Step::Push => {
                let image = Image::random(&[20_000]);
                let tag = format!("v{}", self.images.len());
                let status = emulator.client().push("app", &tag, &image).status;
                assert_eq!(status, if available { 201 } else { 403 });
                if available {
                    self.images.push(image);
                }
            }
            Step::RecoverKey => drop(emulator.cli(&["key", "recover"])),
            Step::RecoverVault => drop(emulator.cli(&["vault", "recover"])),
            Step::Restart => emulator.restart(),
            Step::Revoke => drop(emulator.cli(&["access", "revoke"])),
            Step::Rotate => drop(emulator.cli(&["key", "rotate"])),
        }
    }

    fn check(&self, available: bool, random: &mut StdRng) {
        let number = random.random_range(0..self.images.len());
        let image = &self.images[number];
        let status = self
            .emulator
            .client()
            .pull("app", &format!("v{number}"), image)
            .status;
        assert_eq!(status, if available { 200 } else { 403 });
    }
}

#[test]
fn registry_is_readable_exactly_when_the_model_expects_it() {
    thread::scope(|scope| {
        for seed in seeds(SEQUENCES) {
            scope.spawn(move || run(Emulator::start(), seed));
        }
    });
}

/// Drives an emulator with the quickstart through a random sequence of steps. Compares it with the model after each step,
/// and panics with the seed if they differ.
pub(crate) fn run(emulator: impl Drive, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut model = Model {
        versions: vec![true],
        wrapping: 0,
        key_deleted: false,
        vault_deleted: false,
        permitted: true,
        identity_exists: true,
    };
    let mut driven = Driven {
        emulator,
        images: Vec::new(),
    };
    driven.apply(Step::Push, true);
    let mut history = Vec::new();
    for _ in 0..STEPS {
        let step = *model.possible_steps().choose(&mut random).unwrap();
        history.push(step);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            driven.apply(step, model.is_available());
            model.apply(step);
            driven.check(model.is_available(), &mut random);
        }));
        assert!(
            outcome.is_ok(),
            "the registry differs from the model after {history:?}; to repeat it: {SEED}={seed}"
        );
    }
    // A purge is final in any state.
    if !model.vault_deleted {
        if !model.key_deleted {
            driven.emulator.cli(&["key", "delete"]);
        }
        driven.emulator.cli(&["key", "purge", "--yes"]);
        driven.check(false, &mut random);
        driven.emulator.restart();
        driven.check(false, &mut random);
    }
}

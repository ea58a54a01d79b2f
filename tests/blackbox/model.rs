use std::thread;

use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use sealock_tests::{Client, Emulator, Image};
use serde_json::Value;

const SEQUENCES: u64 = 4;
const STEPS: usize = 60;

/// What is known of a registry that follows the key `registry-key`, and of what that takes.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Model {
    /// Whether each version of the key is enabled, the oldest first.
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

    /// What the next request finds: a registry that may unwrap moves to the newest version.
    fn settle(&mut self) {
        let newest = self.versions.len() - 1;
        if self.is_available() && self.versions[newest] {
            self.wrapping = newest;
        }
    }
}

/// Something that can be done to the emulator, as it is known.
#[derive(Clone, Copy, Debug)]
enum Step {
    CreateIdentityAnew,
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
            steps.extend([Step::CreateIdentityAnew; 4]);
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
            Step::CreateIdentityAnew => {
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
        self.settle();
    }
}

/// One emulator, or several over one store.
pub(crate) trait Drive {
    fn client(&self) -> Client;
    fn cli(&self, arguments: &[&str]) -> String;
    fn kill_and_start_again(&mut self);
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

    fn kill_and_start_again(&mut self) {
        self.kill();
        self.start_again();
    }

    fn restart(&mut self) {
        self.restart();
    }
}

/// The driven emulator, and the images that were pushed to it.
struct Subject<D> {
    emulator: D,
    images: Vec<Image>,
}

impl<D: Drive> Subject<D> {
    fn apply(&mut self, step: Step, available: bool) {
        let emulator = &mut self.emulator;
        let version = |number: usize| {
            let key = emulator.json(&["key", "show"]);
            let versions = key["versions"].as_array().unwrap();
            let version = &versions[versions.len() - 1 - number]["version"];
            version.as_str().unwrap().to_owned()
        };
        match step {
            Step::CreateIdentityAnew => {
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
            Step::Kill => emulator.kill_and_start_again(),
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
fn a_registry_is_readable_exactly_when_the_model_says_so() {
    thread::scope(|scope| {
        for _ in 0..SEQUENCES {
            scope.spawn(|| run(Emulator::start(), rand::rng().next_u64()));
        }
    });
}

/// Drives an emulator with the quickstart through a random sequence of steps, and compares it with the model after each.
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
    let mut subject = Subject {
        emulator,
        images: Vec::new(),
    };
    subject.apply(Step::Push, true);
    let mut history = Vec::new();
    for _ in 0..STEPS {
        let step = *model.possible_steps().choose(&mut random).unwrap();
        history.push(step);
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            subject.apply(step, model.is_available());
            model.apply(step);
            subject.check(model.is_available(), &mut random);
        }));
        assert!(
            told.is_ok(),
            "seed {seed}: differs from the model after {history:?}"
        );
    }
    // Whatever happened, purging is final.
    if !model.vault_deleted {
        if !model.key_deleted {
            subject.emulator.cli(&["key", "delete"]);
        }
        subject.emulator.cli(&["key", "purge", "--yes"]);
        subject.check(false, &mut random);
        subject.emulator.restart();
        subject.check(false, &mut random);
    }
}

//! Random requests to Resource Manager and changes of keys, access and identities, compared with a model of the rules.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use sealock_tests::{Answer, Emulator, Image, Options};
use serde_json::{Value, json};

use crate::{
    model::seeds,
    resource_manager::{Arm, code, identity_path, registry_path},
};

/// The number of sequences of a run.
const SEQUENCES: u64 = 4;

/// The number of steps of a sequence.
const STEPS: usize = 600;

const GROUP: &str = "rg1";
const VAULTS: [&str; 2] = ["kva", "kvb"];
const KEYS: [(&str, &str); 3] = [("kva", "k0"), ("kva", "k1"), ("kvb", "k2")];
const IDENTITIES: [&str; 3] = ["id0", "id1", "id2"];
/// The first one is served at the friendly door, where its content is read.
const REGISTRIES: [&str; 3] = ["modelone", "modeltwo", "modelthree"];
const SKUS: [&str; 3] = ["Basic", "Standard", "Premium"];

const CONFIG: &str = "[registry]\ndefault = \"modelone\"\n";

type ClientId = String;

#[derive(Default)]
struct Model {
    /// The client ids of the identities that exist.
    identities: BTreeMap<&'static str, ClientId>,
    /// Vaults and the client ids that may use their keys.
    access: BTreeSet<(&'static str, ClientId)>,
    keys: Vec<Key>,
    registries: BTreeMap<&'static str, Registry>,
}

#[derive(Default)]
struct Key {
    /// Ids, each with true while it is enabled. The oldest version is first.
    versions: Vec<(String, bool)>,
    is_deleted: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Registry {
    sku: usize,
    /// The identities that are assigned, by their names. They may be deleted.
    assigned: BTreeMap<&'static str, ClientId>,
    encryption: Option<Encryption>,
}

#[derive(Clone, Debug, PartialEq)]
struct Encryption {
    key: usize,
    /// The version, unless the registry follows the key.
    pinned: Option<String>,
    identity: ClientId,
    /// The version that wraps the DEK.
    wrapping: String,
    is_detached: bool,
}

/// A key in a request: one of `KEYS`, or one that no registry takes.
#[derive(Clone, Debug, PartialEq)]
enum WantedKey {
    Missing,
    Elliptic,
    Rsa { key: usize, pinned: Option<String> },
}

/// The encryption in a request.
#[derive(Clone, Debug, Default, PartialEq)]
enum WantedEncryption {
    #[default]
    Absent,
    Disabled,
    Enabled {
        key: Option<WantedKey>,
        identity: Option<ClientId>,
    },
}

/// A request for a registry. What is `None` is not in it.
#[derive(Clone, Debug, Default)]
struct Request {
    is_put: bool,
    sku: Option<usize>,
    encryption: WantedEncryption,
    /// Identities by name. With false, a PATCH removes it.
    identities: Option<BTreeMap<&'static str, bool>>,
    content_trust: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Request(&'static str, Request),
    DeleteRegistry(&'static str),
    Rotate(usize),
    SetEnabled(usize, usize, bool),
    DeleteKey(usize),
    RecoverKey(usize),
    DeleteIdentity(&'static str),
    CreateIdentity(&'static str),
    Grant(&'static str, &'static str),
    Revoke(&'static str, &'static str),
    Restart,
    Kill,
}

impl Model {
    fn exists(&self, identity: &ClientId) -> bool {
        self.identities.values().any(|it| it == identity)
    }

    /// Returns true if the identity may use the key's version.
    fn may_use(&self, identity: &ClientId, key: usize, version: &str) -> bool {
        let Key {
            versions,
            is_deleted,
        } = &self.keys[key];
        let mut versions = versions.iter();
        self.exists(identity)
            && self.access.contains(&(KEYS[key].0, identity.clone()))
            && !is_deleted
            && versions.any(|(id, is_enabled)| id == version && *is_enabled)
    }

    /// Returns the version that a registry would use of a key.
    fn chosen(&self, key: usize, pinned: Option<&String>) -> String {
        pinned
            .cloned()
            .unwrap_or_else(|| self.keys[key].versions.last().unwrap().0.clone())
    }

    fn is_available(&self, encryption: &Encryption) -> bool {
        !encryption.is_detached
            && self.may_use(&encryption.identity, encryption.key, &encryption.wrapping)
    }

    /// Lets each registry that may unwrap move to its key's current version.
    fn follow_keys(&mut self) {
        for name in REGISTRIES {
            let Some(encryption) = self
                .registries
                .get(name)
                .and_then(|it| it.encryption.clone())
            else {
                continue;
            };
            let newest = self.chosen(encryption.key, encryption.pinned.as_ref());
            if self.is_available(&encryption)
                && self.may_use(&encryption.identity, encryption.key, &newest)
            {
                let registry = self.registries.get_mut(name).unwrap();
                registry.encryption.as_mut().unwrap().wrapping = newest;
            }
        }
    }

    /// Returns the codes with which a request may be refused. None of them: it must succeed.
    fn refusals(&self, name: &str, request: &Request) -> BTreeSet<&'static str> {
        let mut codes = BTreeSet::new();
        let existing = self.registries.get(name);
        let is_encrypted = existing.is_some_and(|it| it.encryption.is_some());
        let named = request.identities.iter().flatten();
        for (identity, stays) in named {
            let is_stale = existing.is_some_and(|it| it.assigned.contains_key(identity));
            if *stays && !self.identities.contains_key(identity) && !is_stale {
                codes.insert("FailedIdentityOperation");
            }
        }
        let sku = request.sku.or(existing.map(|it| it.sku));
        if existing.is_none() && sku.is_none() {
            codes.insert("SkuRequired");
        }
        let wants_key = matches!(request.encryption, WantedEncryption::Enabled { .. });
        if request.content_trust {
            codes.insert(if is_encrypted || existing.is_none() && wants_key {
                "BlockedForEncryptionEnabledRegistry"
            } else {
                "NotSupportedByEmulator"
            });
        }
        if is_encrypted && sku < Some(2) {
            codes.insert("SkuDowngrade");
        }
        match &request.encryption {
            WantedEncryption::Disabled if is_encrypted => {
                codes.insert("EncryptionPermanent");
            }
            WantedEncryption::Absent | WantedEncryption::Disabled => {}
            WantedEncryption::Enabled { key, identity } => {
                let (Some(key), Some(identity)) = (key, identity) else {
                    codes.insert("InvalidEncryptionKeyVaultProperties");
                    return codes;
                };
                if existing.is_none() && sku < Some(2) {
                    codes.insert("EncryptionNeedsPremium");
                }
                if existing.is_some() && !is_encrypted {
                    codes.insert("EncryptionOnlyAtCreation");
                    return codes;
                }
                self.key_refusals(existing, request, key, identity, &mut codes);
            }
        }
        codes
    }

    fn key_refusals(
        &self,
        existing: Option<&Registry>,
        request: &Request,
        key: &WantedKey,
        identity: &ClientId,
        codes: &mut BTreeSet<&'static str>,
    ) {
        let wanted = self.wanted_identities(existing, request);
        let current = existing.and_then(|it| it.encryption.as_ref());
        if let Some(current) = current {
            let is_restored =
                request.identities.is_some() && wanted.values().any(|it| *it == current.identity);
            if current.is_detached && !is_restored && self.exists(&current.identity) {
                codes.insert("IdentityNotAssigned");
            }
            if is_same(current, key, identity) {
                return;
            }
            let unwrapping = if self.exists(&current.identity) {
                &current.identity
            } else {
                identity
            };
            if !self.may_use(unwrapping, current.key, &current.wrapping) {
                codes.extend(["KeyInaccessible", "IdentityNotAssigned"]);
            }
        }
        if !wanted.values().any(|it| it == identity) {
            codes.insert("IdentityNotAssigned");
        }
        match key {
            WantedKey::Missing => {
                codes.insert("KeyInaccessible");
            }
            WantedKey::Elliptic => {
                codes.insert(if self.may_read("kvb", identity) {
                    "KeyTypeUnsupported"
                } else {
                    "KeyInaccessible"
                });
            }
            WantedKey::Rsa { key, pinned } => {
                let version = self.chosen(*key, pinned.as_ref());
                if !self.may_use(identity, *key, &version) {
                    codes.insert("KeyInaccessible");
                }
            }
        }
    }

    fn may_read(&self, vault: &'static str, identity: &ClientId) -> bool {
        self.exists(identity) && self.access.contains(&(vault, identity.clone()))
    }

    /// Returns the identities that a registry shall have. A PATCH keeps those that it does not name.
    fn wanted_identities(
        &self,
        existing: Option<&Registry>,
        request: &Request,
    ) -> BTreeMap<&'static str, ClientId> {
        let assigned = existing.map(|it| it.assigned.clone()).unwrap_or_default();
        let Some(named) = &request.identities else {
            return assigned;
        };
        let mut wanted = if request.is_put {
            BTreeMap::new()
        } else {
            assigned.clone()
        };
        for (name, stays) in named {
            let id = self.identities.get(name).or(assigned.get(name));
            match id {
                Some(id) if *stays => drop(wanted.insert(name, id.clone())),
                _ => drop(wanted.remove(name)),
            }
        }
        wanted
    }

    /// Returns true if the request, which breaks no other rule, removes the identity that uses the key.
    fn detaches(&self, name: &str, request: &Request) -> bool {
        let Some(registry) = self.registries.get(name) else {
            return false;
        };
        let (Some(encryption), Some(_)) = (&registry.encryption, &request.identities) else {
            return false;
        };
        let is_rotated = match &request.encryption {
            WantedEncryption::Enabled {
                key: Some(key),
                identity: Some(identity),
            } => !is_same(encryption, key, identity),
            _ => false,
        };
        let wanted = self.wanted_identities(Some(registry), request);
        !is_rotated
            && !encryption.is_detached
            && self.exists(&encryption.identity)
            && !wanted.values().any(|it| *it == encryption.identity)
    }

    fn apply_request(&mut self, name: &'static str, request: &Request) {
        let existing = self.registries.get(name).cloned();
        let is_new = existing.is_none();
        let mut registry = existing.unwrap_or_default();
        registry.assigned = self.wanted_identities(self.registries.get(name), request);
        if let Some(sku) = request.sku {
            registry.sku = sku;
        }
        if let WantedEncryption::Enabled {
            key: Some(WantedKey::Rsa { key, pinned }),
            identity: Some(identity),
        } = &request.encryption
        {
            let wanted = WantedKey::Rsa {
                key: *key,
                pinned: pinned.clone(),
            };
            let current = registry.encryption.as_ref();
            if current.is_none_or(|current| !is_same(current, &wanted, identity)) {
                registry.encryption = Some(Encryption {
                    key: *key,
                    pinned: pinned.clone(),
                    identity: identity.clone(),
                    wrapping: self.chosen(*key, pinned.as_ref()),
                    is_detached: false,
                });
            }
        }
        let assigned = registry.assigned.clone();
        if let (Some(encryption), Some(_)) = (&mut registry.encryption, &request.identities) {
            encryption.is_detached = !assigned.values().any(|it| *it == encryption.identity);
        }
        self.registries.insert(name, registry);
        if request.identities.is_some() && !is_new {
            self.replace_deleted_identity(name);
        }
    }

    /// Lets the first identity that may use the key take the place of a deleted one.
    fn replace_deleted_identity(&mut self, name: &'static str) {
        let registry = self.registries[name].clone();
        let Some(encryption) = registry.encryption else {
            return;
        };
        if self.exists(&encryption.identity) {
            return;
        }
        let candidates: BTreeSet<&ClientId> = registry.assigned.values().collect();
        let version = self.chosen(encryption.key, encryption.pinned.as_ref());
        let mut able = candidates.into_iter().filter(|it| {
            self.may_use(it, encryption.key, &encryption.wrapping)
                && self.may_use(it, encryption.key, &version)
        });
        if let Some(able) = able.next().cloned() {
            let changed = Encryption {
                identity: able,
                wrapping: version,
                is_detached: false,
                ..encryption
            };
            self.registries.get_mut(name).unwrap().encryption = Some(changed);
        }
    }

    fn random_step(&self, random: &mut StdRng) -> Step {
        let key = random.random_range(0..KEYS.len());
        let identity = *IDENTITIES.choose(random).unwrap();
        let vault = *VAULTS.choose(random).unwrap();
        let registry = *REGISTRIES.choose(random).unwrap();
        match random.random_range(0..100) {
            0..2 => Step::DeleteRegistry(registry),
            2..7 if !self.keys[key].is_deleted => Step::Rotate(key),
            7..21 if !self.keys[key].is_deleted => {
                let version = random.random_range(0..self.keys[key].versions.len());
                // More often on than off, so that most registries are available.
                Step::SetEnabled(key, version, random.random_range(0..3) > 0)
            }
            21..24 if !self.keys[key].is_deleted => Step::DeleteKey(key),
            2..31 if self.keys[key].is_deleted => Step::RecoverKey(key),
            31..33 if self.identities.contains_key(identity) => Step::DeleteIdentity(identity),
            31..37 if !self.identities.contains_key(identity) => Step::CreateIdentity(identity),
            33..41 if self.identities.contains_key(identity) => Step::Grant(vault, identity),
            41..43 if self.identities.contains_key(identity) => Step::Revoke(vault, identity),
            43 => Step::Restart,
            44 => Step::Kill,
            _ => Step::Request(registry, self.random_request(random)),
        }
    }

    fn random_request(&self, random: &mut StdRng) -> Request {
        let is_put = random.random_range(0..3) == 0;
        let often = |random: &mut StdRng| random.random_range(0..4) > 0;
        let sku = (is_put || random.random_range(0..8) == 0).then(|| {
            if often(random) {
                2
            } else {
                random.random_range(0..3)
            }
        });
        let identities = (is_put || random.random_range(0..3) == 0).then(|| {
            let mut named = BTreeMap::new();
            for name in IDENTITIES {
                if often(random) {
                    named.insert(name, is_put || often(random));
                }
            }
            named
        });
        let has_encryption = is_put || random.random_range(0..3) == 0;
        let encryption = if !has_encryption {
            WantedEncryption::Absent
        } else if random.random_range(0..12) == 0 {
            WantedEncryption::Disabled
        } else {
            self.random_encryption(random)
        };
        Request {
            is_put,
            sku,
            encryption,
            identities,
            content_trust: random.random_range(0..40) == 0,
        }
    }
}

impl Model {
    fn random_encryption(&self, random: &mut StdRng) -> WantedEncryption {
        let key = match random.random_range(0..16) {
            0 => None,
            1 => Some(WantedKey::Missing),
            2 => Some(WantedKey::Elliptic),
            _ => {
                let key = random.random_range(0..KEYS.len());
                let pinned = self.keys[key].versions.choose(random);
                let pinned = pinned.filter(|_| random.random_range(0..3) == 0);
                Some(WantedKey::Rsa {
                    key,
                    pinned: pinned.map(|it| it.0.clone()),
                })
            }
        };
        let known: Vec<&ClientId> = self.identities.values().collect();
        let identity = known.choose(random).map(|it| (*it).clone());
        WantedEncryption::Enabled {
            key,
            identity: identity.filter(|_| random.random_range(0..16) > 0),
        }
    }
}

fn is_same(current: &Encryption, key: &WantedKey, identity: &ClientId) -> bool {
    let same = WantedKey::Rsa {
        key: current.key,
        pinned: current.pinned.clone(),
    };
    *key == same && current.identity == *identity
}

struct Driven {
    emulator: Emulator,
    arm: Arm,
    /// The image in `modelone`, while that exists.
    image: Option<Image>,
}

impl Driven {
    fn start() -> (Self, Model) {
        let emulator = Emulator::start_with(Options {
            config: Some(CONFIG.to_owned()),
            ..Options::default()
        });
        let arm = Arm::developer(&emulator);
        arm.create_group(GROUP);
        let driven = Self {
            emulator,
            arm,
            image: None,
        };
        let mut model = Model::default();
        for vault in VAULTS {
            driven.control("PUT", &format!("/vaults/{vault}"), &json!({}));
        }
        driven.control("POST", "/vaults/kvb/keys/ec", &json!({"kty": "EC"}));
        for (vault, key) in KEYS {
            let created =
                driven.control("POST", &format!("/vaults/{vault}/keys/{key}"), &json!({}));
            model.keys.push(Key {
                versions: vec![(current_version(&created), true)],
                is_deleted: false,
            });
        }
        for identity in IDENTITIES {
            let id = driven.create_identity(identity);
            model.identities.insert(identity, id.clone());
            for vault in VAULTS {
                driven.grant(vault, identity);
                model.access.insert((vault, id.clone()));
            }
        }
        (driven, model)
    }

    fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/_sealock/v1{path}");
        let headers = [("content-type", "application/json")];
        let body = if *body == Value::Null {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let answer = self.emulator.client().send(method, &path, &headers, &body);
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
        answer.json()
    }

    fn create_identity(&self, name: &str) -> ClientId {
        let created = self.arm.create_identity(GROUP, name);
        let id = &created["properties"]["clientId"];
        id.as_str().unwrap().to_owned()
    }

    fn grant(&self, vault: &str, identity: &str) {
        let body = json!({"permissions": ["get", "wrapKey", "unwrapKey"]});
        self.control(
            "POST",
            &format!("/vaults/{vault}/access/{identity}/grant"),
            &body,
        );
    }

    fn uri(&self, vault: &str, path: &str) -> String {
        let port = self.emulator.address().rsplit_once(':').unwrap().1;
        format!("https://{vault}.vault.localhost:{port}/keys/{path}")
    }

    fn key_uri(&self, key: usize, version: Option<&String>) -> String {
        let (vault, name) = KEYS[key];
        match version {
            Some(version) => self.uri(vault, &format!("{name}/{version}")),
            None => self.uri(vault, name),
        }
    }

    fn send(&self, name: &str, request: &Request) -> Answer {
        let mut body = json!({"properties": {}});
        if request.is_put {
            body["location"] = "westus".into();
        }
        if let Some(sku) = request.sku {
            body["sku"] = json!({"name": SKUS[sku]});
        }
        if let Some(named) = &request.identities {
            let ids = named.iter().map(|(name, stays)| {
                let id = format!(
                    "/subscriptions/00000000-0000-0000-0000-000000000000{}",
                    identity_path(GROUP, name)
                );
                (id, if *stays { json!({}) } else { Value::Null })
            });
            let ids: serde_json::Map<_, _> = ids.collect();
            body["identity"] = json!({"type": "UserAssigned", "userAssignedIdentities": ids});
        }
        match &request.encryption {
            WantedEncryption::Absent => {}
            WantedEncryption::Disabled => {
                body["properties"]["encryption"] = json!({"status": "disabled"});
            }
            WantedEncryption::Enabled { key, identity } => {
                let key = key.as_ref().map(|key| match key {
                    WantedKey::Missing => self.uri("kva", "missing"),
                    WantedKey::Elliptic => self.uri("kvb", "ec"),
                    WantedKey::Rsa { key, pinned } => self.key_uri(*key, pinned.as_ref()),
                });
                body["properties"]["encryption"] = json!({
                    "status": "enabled",
                    "keyVaultProperties": {"keyIdentifier": key, "identity": identity},
                });
            }
        }
        if request.content_trust {
            body["properties"]["policies"] = json!({"trustPolicy": {"status": "enabled"}});
        }
        let method = if request.is_put { "PUT" } else { "PATCH" };
        self.arm.send(method, &registry_path(GROUP, name), &body)
    }

    /// Carries out a step, and applies it to the model.
    fn apply(&mut self, step: &Step, model: &mut Model) {
        match step {
            Step::Request(name, request) => self.request(name, request, model),
            Step::DeleteRegistry(name) => {
                let path = registry_path(GROUP, name);
                let deleted = self.arm.send("DELETE", &path, &Value::Null);
                let existed = model.registries.remove(name).is_some();
                assert_eq!(deleted.status, if existed { 200 } else { 204 });
                if *name == REGISTRIES[0] {
                    self.image = None;
                }
            }
            Step::Rotate(key) => {
                let (vault, name) = KEYS[*key];
                let path = format!("/vaults/{vault}/keys/{name}/rotate");
                let rotated = self.control("POST", &path, &Value::Null);
                let version = current_version(&rotated);
                model.keys[*key].versions.push((version, true));
            }
            Step::SetEnabled(key, version, is_enabled) => {
                let (vault, name) = KEYS[*key];
                let id = &model.keys[*key].versions[*version].0;
                let path = format!("/vaults/{vault}/keys/{name}/{id}");
                self.control("PATCH", &path, &json!({"enabled": is_enabled}));
                model.keys[*key].versions[*version].1 = *is_enabled;
            }
            Step::DeleteKey(key) => {
                let (vault, name) = KEYS[*key];
                self.control(
                    "DELETE",
                    &format!("/vaults/{vault}/keys/{name}"),
                    &Value::Null,
                );
                model.keys[*key].is_deleted = true;
            }
            Step::RecoverKey(key) => {
                let (vault, name) = KEYS[*key];
                let path = format!("/vaults/{vault}/deleted-keys/{name}/recover");
                self.control("POST", &path, &Value::Null);
                model.keys[*key].is_deleted = false;
            }
            Step::DeleteIdentity(name) => {
                let path = identity_path(GROUP, name);
                assert_eq!(self.arm.send("DELETE", &path, &Value::Null).status, 200);
                model.identities.remove(name);
            }
            Step::CreateIdentity(name) => {
                let id = self.create_identity(name);
                model.identities.insert(name, id);
            }
            Step::Grant(vault, name) => {
                self.grant(vault, name);
                model.access.insert((vault, model.identities[name].clone()));
            }
            Step::Revoke(vault, name) => {
                let body = json!({"permissions": ["all"]});
                let path = format!("/vaults/{vault}/access/{name}/revoke");
                self.control("POST", &path, &body);
                model
                    .access
                    .remove(&(vault, model.identities[name].clone()));
            }
            Step::Restart => self.emulator.restart(),
            Step::Kill => {
                self.emulator.kill();
                self.emulator.start_again();
            }
        }
        if matches!(step, Step::Restart | Step::Kill) {
            self.arm = Arm::developer(&self.emulator);
        }
        model.follow_keys();
    }

    fn request(&mut self, name: &'static str, request: &Request, model: &mut Model) {
        let answer = self.send(name, request);
        if !request.is_put && !model.registries.contains_key(name) {
            assert_eq!(answer.status, 404, "{answer:?}");
            return;
        }
        let mut refusals = model.refusals(name, request);
        let detaches = refusals.is_empty() && model.detaches(name, request);
        if detaches {
            refusals.insert("IdentityNotAssigned");
        }
        if refusals.is_empty() {
            assert!(answer.status < 300, "{answer:?}");
            model.apply_request(name, request);
            if name == REGISTRIES[0] && self.image.is_none() {
                self.image = self.push();
            }
            return;
        }
        assert_eq!(answer.status, 400, "expected {refusals:?}: {answer:?}");
        let code = code(&answer);
        assert!(
            refusals.contains(code.as_str()),
            "expected {refusals:?}: {answer:?}"
        );
        if detaches {
            let wanted = model.wanted_identities(model.registries.get(name), request);
            let registry = model.registries.get_mut(name).unwrap();
            registry.assigned = wanted;
            registry.encryption.as_mut().unwrap().is_detached = true;
        }
    }

    /// Pushes an image to the registry of the friendly door, if it is available.
    fn push(&self) -> Option<Image> {
        let image = Image::random(&[1000]);
        let pushed = self.emulator.client().push("app", "v1", &image);
        (pushed.status == 201).then_some(image)
    }

    /// Compares each registry with the model: in Resource Manager, at the gate and at the data plane.
    fn check(&self, model: &Model) {
        for name in REGISTRIES {
            let path = registry_path(GROUP, name);
            let Some(registry) = model.registries.get(name) else {
                assert_eq!(self.arm.get(&path).status, 404, "{name}");
                continue;
            };
            // A registry follows its key when it is asked for content or, as here, for its state.
            let gate = self.control("GET", &format!("/registries/{name}"), &Value::Null);
            let gate = &gate["gate"];
            let shown = self.arm.get(&path).json();
            assert_eq!(shown["sku"]["name"], SKUS[registry.sku], "{name}");
            let assigned = shown["identity"]["userAssignedIdentities"].as_object();
            let assigned: BTreeSet<String> = assigned
                .into_iter()
                .flatten()
                .map(|(_, identity)| identity["clientId"].as_str().unwrap().to_owned())
                .collect();
            let expected: BTreeSet<String> = registry.assigned.values().cloned().collect();
            assert_eq!(assigned, expected, "{name}");
            let found = &shown["properties"]["encryption"];
            let Some(encryption) = &registry.encryption else {
                assert_eq!(found, &json!({"status": "disabled"}), "{name}");
                continue;
            };
            let of_key = &found["keyVaultProperties"];
            let expected = json!({
                "keyIdentifier": self.key_uri(encryption.key, encryption.pinned.as_ref()),
                "versionedKeyIdentifier": self.key_uri(encryption.key, Some(&encryption.wrapping)),
                "identity": encryption.identity,
                "keyRotationEnabled": encryption.pinned.is_none(),
            });
            for (member, value) in expected.as_object().unwrap() {
                assert_eq!(&of_key[member], value, "{name} {member}");
            }
            let is_available = model.is_available(encryption);
            let state = if is_available { "available" } else { "revoked" };
            assert_eq!(gate["state"], state, "{name}: {gate}");
            if let (Some(image), true) = (&self.image, name == REGISTRIES[0]) {
                let pulled = self.emulator.client().pull("app", "v1", image);
                assert_eq!(pulled.status, if is_available { 200 } else { 403 });
            }
        }
    }
}

fn current_version(changed: &Value) -> String {
    let kid = changed["kid"].as_str().unwrap();
    kid.rsplit_once('/').unwrap().1.to_owned()
}

#[test]
fn requests_are_refused_exactly_when_the_model_of_the_rules_expects_it() {
    thread::scope(|scope| {
        for seed in seeds(SEQUENCES) {
            scope.spawn(move || run(seed));
        }
    });
}

fn run(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let (mut driven, mut model) = Driven::start();
    let mut latest = Vec::new();
    for number in 0..STEPS {
        let step = model.random_step(&mut random);
        latest.push(format!("{step:?}"));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            driven.apply(&step, &mut model);
            driven.check(&model);
        }));
        let recent = &latest[latest.len().saturating_sub(12)..];
        assert!(
            outcome.is_ok(),
            "step {number} differs from the model; to repeat it: SEALOCK_SEED={seed}. The last steps were:\n{}",
            recent.join("\n")
        );
    }
}

// Drives a vault's keys with Microsoft's SDK: key_vault.mjs COMMAND VAULT_URL, with a managed identity.
//
// The SDK finds the identity's token endpoint in the environment.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";

import { DefaultAzureCredential, ManagedIdentityCredential } from "@azure/identity";
import { CryptographyClient, KeyClient, parseKeyVaultKeyIdentifier } from "@azure/keyvault-keys";

const [command, url] = process.argv.slice(2);
const DAY = 24 * 60 * 60 * 1000;
const seen = new Map();

// A client that records its calls.
function watched(client) {
  const kind = client.constructor;
  if (!seen.has(kind)) seen.set(kind, new Set());
  return new Proxy(client, {
    get(target, name) {
      seen.get(kind).add(name);
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

// Members that the declarations mark as private.
const PRIVATE = [
  "constructor", "disambiguateDecryptArguments", "disambiguateEncryptArguments", "disambiguateUpdateKeyPropertiesArgs",
  "ensureValid", "fetchKey", "getKeyMaterial", "getProvider", "initializeIV",
];

function leaveNothingOut() {
  for (const kind of [KeyClient, CryptographyClient]) {
    const names = Object.getOwnPropertyNames(kind.prototype).filter((name) => !PRIVATE.includes(name));
    assert.ok(names.length > 8, names);
    assert.deepEqual(names.filter((name) => !seen.get(kind).has(name)), []);
  }
}

async function every(pages) {
  const found = [];
  for await (const entry of pages) found.push(entry);
  return found;
}

const names = async (pages) => (await every(pages)).map((entry) => entry.name);

// Checks that the call is refused with this status and these codes in the body.
async function refused(status, code, inner, promise) {
  const error = await promise.then(() => assert.fail("it was not refused"), (error) => error);
  assert.equal(error.statusCode, status, error);
  assert.equal(error.code, code);
  assert.equal(error.details?.error?.innererror?.code ?? error.details?.error?.innerError?.code, inner);
  return error.message;
}

async function createAndImport(client) {
  const expiresOn = new Date(Math.ceil(Date.now() / 1000) * 1000 + 400 * DAY);
  const made = await client.createKey("any", "RSA", { keyOps: ["wrapKey", "unwrapKey"], expiresOn, tags: { a: "b" } });
  assert.deepEqual([made.keyType, made.keyOperations, made.properties.tags], ["RSA", ["wrapKey", "unwrapKey"], { a: "b" }]);
  assert.deepEqual(made.properties.expiresOn, expiresOn);
  assert.deepEqual([made.properties.exportable, made.properties.recoveryLevel], [false, "CustomizedRecoverable+Purgeable"]);
  assert.equal(made.id, `${url}/keys/any/${made.properties.version}`);
  const identifier = parseKeyVaultKeyIdentifier(made.id);
  assert.deepEqual([identifier.name, identifier.version], ["any", made.properties.version]);

  assert.equal((await client.createRsaKey("rsa", { keySize: 3072 })).key.n.length, 384);
  for (const curve of ["P-256", "P-256K", "P-384", "P-521"]) {
    const ec = await client.createEcKey(`ec-${curve}`, { curve, hsm: curve === "P-384" });
    assert.deepEqual([ec.keyType, ec.key.crv], [curve === "P-384" ? "EC-HSM" : "EC", curve]);
  }
  for (const keySize of [128, 192, 256]) {
    const secret = await client.createOctKey(`oct-${keySize}`, { keySize, hsm: true });
    assert.deepEqual([secret.keyType, secret.key.k], ["oct-HSM", undefined]);
  }
  const k = randomBytes(32);
  const imported = await client.importKey("imported", { kty: "oct", k, keyOps: ["wrapKey", "unwrapKey"] }, { hardwareProtected: true });
  assert.deepEqual([imported.keyType, imported.key.k, imported.keyOperations], ["oct-HSM", undefined, ["wrapKey", "unwrapKey"]]);
}

async function versionsAndProperties(client) {
  const made = [];
  for (let number = 0; number < 3; number++) made.push(await client.createEcKey("versioned"));
  assert.equal((await client.getKey("versioned")).id, made[2].id);
  const version = made[0].properties.version;
  assert.equal((await client.getKey("versioned", { version })).id, made[0].id);
  const found = await every(client.listPropertiesOfKeyVersions("versioned"));
  assert.deepEqual(found.map((it) => it.version).sort(), made.map((it) => it.properties.version).sort());
  const updated = await client.updateKeyProperties("versioned", version, { enabled: false, keyOps: ["verify"] });
  assert.deepEqual([updated.id, updated.properties.enabled, updated.keyOperations], [made[0].id, false, ["verify"]]);
  const latest = await client.updateKeyProperties("versioned", { tags: { latest: "yes" } });
  assert.deepEqual([latest.id, latest.properties.tags], [made[2].id, { latest: "yes" }]);
}

async function pages(client) {
  const made = [];
  for (let number = 0; number < 30; number++) made.push(`page-${number}`);
  for (const name of made) await client.createEcKey(name);
  const found = await names(client.listPropertiesOfKeys());
  assert.deepEqual(made.filter((name) => !found.includes(name)), []);
  assert.equal(new Set(found).size, found.length);
  const sizes = [];
  for await (const page of client.listPropertiesOfKeys().byPage({ maxPageSize: 7 })) sizes.push(page.length);
  assert.ok(sizes.every((size) => size <= 7), sizes);
  assert.equal(sizes.reduce((sum, size) => sum + size), found.length);
  for (const name of made) await client.beginDeleteKey(name);
  assert.deepEqual((await names(client.listDeletedKeys())).sort(), made.sort());
  for (const name of made) await client.purgeDeletedKey(name);
  assert.deepEqual(await names(client.listDeletedKeys()), []);
}

async function lifeCycle(client) {
  const made = await client.createRsaKey("mortal");
  const deleted = await (await client.beginDeleteKey("mortal")).pollUntilDone();
  assert.deepEqual([deleted.key.kid, deleted.properties.recoveryId], [made.id, `${url}/deletedkeys/mortal`]);
  assert.equal(deleted.properties.scheduledPurgeDate - deleted.properties.deletedOn, 7 * DAY);
  assert.equal((await client.getDeletedKey("mortal")).key.kid, made.id);
  await refused(404, "KeyNotFound", undefined, client.getKey("mortal"));
  await refused(409, "Conflict", "ObjectIsDeletedButRecoverable", client.createRsaKey("mortal"));
  assert.equal((await (await client.beginRecoverDeletedKey("mortal")).pollUntilDone()).id, made.id);
  const backup = await client.backupKey("mortal");
  await refused(409, "Conflict", undefined, client.restoreKeyBackup(backup));
  await (await client.beginDeleteKey("mortal")).pollUntilDone();
  await client.purgeDeletedKey("mortal");
  assert.match(await refused(404, "KeyNotFound", undefined, client.getDeletedKey("mortal")), /^A key with \(name\/id\) mortal was not found/);
  assert.deepEqual(await names(client.listPropertiesOfKeyVersions("mortal")), []);
  assert.equal((await client.restoreKeyBackup(backup)).id, made.id);
}

async function rotation(client) {
  const made = await client.createRsaKey("rotated");
  const [action] = (await client.getKeyRotationPolicy("rotated")).lifetimeActions;
  assert.deepEqual([action.action, action.timeBeforeExpiry], ["Notify", "P30D"]);
  const policy = { lifetimeActions: [{ action: "Rotate", timeAfterCreate: "P60D" }], expiresIn: "P90D" };
  const updated = await client.updateKeyRotationPolicy("rotated", policy);
  assert.deepEqual([updated.expiresIn, updated.lifetimeActions.length], ["P90D", 2]);
  assert.ok(updated.createdOn <= updated.updatedOn);
  const rotated = await client.rotateKey("rotated");
  assert.notEqual(rotated.id, made.id);
  assert.equal(rotated.properties.expiresOn - rotated.properties.createdOn, 90 * DAY);
}

async function releasePolicies(client) {
  const policy = (authority, immutable) => {
    const rules = { version: "1.0.0", anyOf: [{ authority, allOf: [{ claim: "sdk-test", equals: true }] }] };
    return { encodedPolicy: Buffer.from(JSON.stringify(rules)), immutable };
  };
  const has = (properties, { encodedPolicy, immutable }) => {
    const kept = properties.releasePolicy;
    assert.deepEqual([properties.exportable, kept.contentType, kept.immutable], [true, "application/json; charset=utf-8", immutable]);
    assert.deepEqual(Buffer.from(kept.encodedPolicy), encodedPolicy);
  };
  const [one, two] = [policy("https://one", false), policy("https://two", true)];
  has((await client.createEcKey("exportable", { hsm: true, exportable: true, releasePolicy: one })).properties, one);
  has((await client.updateKeyProperties("exportable", { releasePolicy: two })).properties, two);
  has((await client.getKey("exportable")).properties, two);
  const text = await refused(400, "BadParameter", undefined, client.updateKeyProperties("exportable", { releasePolicy: one }));
  assert.equal(text, "AKV.SKR.1020: Immutable Key Release Policy cannot be modified.");
}

async function refusals(client) {
  assert.equal((await client.getRandomBytes(32)).length, 32);
  for (const call of [() => client.releaseKey("any", "token"), () => client.getKeyAttestation("any")]) {
    assert.match(await refused(501, "NotSupportedByEmulator", undefined, call()), /^The emulator does not support /);
  }
  await client.updateKeyProperties("any", { enabled: false });
  assert.equal((await client.getKey("any")).properties.enabled, false);
  const unwraps = client.getCryptographyClient("any").unwrapKey("RSA-OAEP", randomBytes(256));
  const text = await refused(403, "Forbidden", "KeyDisabled", unwraps);
  assert.equal(text, "Operation unwrapKey is not allowed on a disabled key.");
}

async function cryptography(client) {
  const of = (name) => watched(client.getCryptographyClient(name));
  const [secret, data] = [randomBytes(32), Buffer.from("data")];
  const digest = (bits) => createHash(`sha${bits}`).update(data).digest();

  const rsa = of("rsa");
  for (const algorithm of ["RSA-OAEP-256", "RSA-OAEP", "RSA1_5"]) {
    const encrypted = await rsa.encrypt({ algorithm, plaintext: secret });
    assert.deepEqual(Buffer.from((await rsa.decrypt({ algorithm, ciphertext: encrypted.result })).result), secret);
    const wrapped = await rsa.wrapKey(algorithm, secret);
    assert.deepEqual(Buffer.from((await rsa.unwrapKey(algorithm, wrapped.result)).result), secret);
  }
  assert.equal(rsa.vaultUrl, url);
  const { name, version } = parseKeyVaultKeyIdentifier(rsa.keyID);
  assert.deepEqual([name, version?.length], ["rsa", 32]); // which it has learnt by now
  const signatures = [["rsa", 256, ["PS256", "RS256"]], ["rsa", 384, ["PS384", "RS384"]], ["rsa", 512, ["PS512", "RS512"]],
    ["ec-P-256", 256, ["ES256"]], ["ec-P-256K", 256, ["ES256K"]], ["ec-P-384", 384, ["ES384"]], ["ec-P-521", 512, ["ES512"]]];
  for (const [name, bits, algorithms] of signatures) {
    for (const algorithm of algorithms) {
      const key = of(name);
      const ofDigest = await key.sign(algorithm, digest(bits));
      assert.equal((await key.verify(algorithm, digest(bits), ofDigest.result)).result, true, algorithm);
      const ofData = await key.signData(algorithm, data);
      assert.equal((await key.verify(algorithm, digest(bits), ofData.result)).result, true, algorithm);
      if (algorithm.startsWith("PS")) continue; // which the SDK, locally, takes for RS
      assert.equal((await key.verifyData(algorithm, data, ofData.result)).result, true, algorithm);
      assert.equal((await key.verifyData(algorithm, Buffer.from("other"), ofData.result)).result, false, algorithm);
    }
  }
  for (const bits of [128, 192, 256]) await symmetric(of(`oct-${bits}`), bits);
}

async function symmetric(key, bits) {
  const secret = randomBytes(32);
  const wrapped = await key.wrapKey(`A${bits}KW`, secret);
  assert.equal(wrapped.result.length, 40);
  assert.deepEqual(Buffer.from((await key.unwrapKey(`A${bits}KW`, wrapped.result)).result), secret);
  for (const algorithm of [`A${bits}CBC`, `A${bits}CBCPAD`]) {
    const encrypted = await key.encrypt({ algorithm, plaintext: secret, iv: randomBytes(16) });
    const decrypted = await key.decrypt({ algorithm, ciphertext: encrypted.result, iv: encrypted.iv });
    assert.deepEqual(Buffer.from(decrypted.result), secret);
  }
  const [algorithm, additionalAuthenticatedData] = [`A${bits}GCM`, Buffer.from("aad")];
  const encrypted = await key.encrypt({ algorithm, plaintext: secret, additionalAuthenticatedData });
  const { result: ciphertext, iv, authenticationTag } = encrypted;
  const decrypted = await key.decrypt({ algorithm, ciphertext, iv, authenticationTag, additionalAuthenticatedData });
  assert.deepEqual(Buffer.from(decrypted.result), secret);
}

// Deleting and recovering take time, for which the client waits.
async function delayed(client) {
  const made = await client.createRsaKey("slow");
  const deleting = await client.beginDeleteKey("slow", { intervalInMs: 500 });
  assert.deepEqual([deleting.isDone(), deleting.getOperationState().isCompleted], [false, undefined]);
  await refused(404, "KeyNotFound", undefined, client.getDeletedKey("slow"));
  assert.equal((await deleting.pollUntilDone()).key.kid, made.id);
  assert.equal((await client.getDeletedKey("slow")).key.kid, made.id);
  const recovering = await client.beginRecoverDeletedKey("slow", { intervalInMs: 500 });
  assert.equal(recovering.isDone(), false);
  await refused(404, "KeyNotFound", undefined, client.getKey("slow"));
  assert.equal((await recovering.pollUntilDone()).id, made.id);
  assert.equal((await client.getKey("slow")).id, made.id);
}

async function wraps(client) {
  const { name } = await client.createRsaKey("wraps");
  const [key, secret] = [client.getCryptographyClient(name), randomBytes(32)];
  const wrapped = await key.wrapKey("RSA-OAEP-256", secret); // which this client has the vault do
  assert.deepEqual(Buffer.from((await key.unwrapKey("RSA-OAEP-256", wrapped.result)).result), secret);
}

async function everything(client) {
  for (const part of [createAndImport, versionsAndProperties, pages, lifeCycle, rotation, releasePolicies, cryptography, refusals]) await part(client);
  leaveNothingOut();
}

const credential = { default: DefaultAzureCredential, managed: ManagedIdentityCredential }[process.env.CREDENTIAL];
await { everything, delayed, wraps }[command](watched(new KeyClient(url, new credential())));

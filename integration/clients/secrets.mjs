// Two people with two devices each talk in secret: node secrets.mjs URL.
import { createInterface } from "node:readline";
import { CryptoEvent, VerificationPhase } from "matrix-js-sdk/lib/crypto-api/index.js";
import { assert, event, password, person, refused, room, sdk, signUp, start, step, tell, text, until } from "./kit.mjs";

const [url] = process.argv.slice(2);
const recovery = {}; // the recovery keys, by user
const sent = []; // to-device messages that bob's first device has sent: event type, and devices of alice
const passwordOf = (client) => ({ type: "m.login.password", password, identifier: { type: "m.id.user", user: client.getUserId() } });

/** device makes a client that encrypts, and begins to sync. */
async function device(login, more = {}) {
    const key = recovery[login.user_id];
    const client = person(url, login, { cryptoCallbacks: { getSecretStorageKey: async ({ keys }) => (recovery[login.user_id] ?? key) && [Object.keys(keys)[0], recovery[login.user_id].privateKey],
        cacheSecretStorageKey: () => {} }, ...more });
    await client.initRustCrypto({ useIndexedDB: false });
    client.requests = [];
    client.on(CryptoEvent.VerificationRequestReceived, (r) => client.requests.push(r));
    await start(client, "classic");
    return client;
}

const logIn = (name) => sdk.createClient({ baseUrl: url }).loginRequest({ type: "m.login.password", password, identifier: { type: "m.id.user", user: name } });

/** reads waits until a device can read a message. */
async function reads(client, id, body) {
    const e = await event(client, secret, id);
    await until(`${client.getUserId()} ${client.getDeviceId()} to decrypt "${body}" (${e.decryptionFailureReason})`, () => {
        if (e.getContent().body !== body) return false;
        assert.equal(e.getWireType(), "m.room.encrypted");
        return true;
    });
    return e;
}

/** say has a device say something that the others read. */
async function say(client, body, ...others) {
    const { event_id } = await client.sendMessage(secret, text(body));
    for (const other of others) await reads(other, event_id, body);
    return event_id;
}

/** sas compares emoji on two devices. */
async function sas(a, b, begin) {
    const before = b.requests.length;
    const asked = await begin();
    const got = await until("the request", () => b.requests[before]);
    await got.accept();
    await until("the request to be accepted", () => asked.phase === VerificationPhase.Ready);
    const first = await asked.startVerification("m.sas.v1");
    const doneA = first.verify();
    const second = await until("the other to begin", () => got.verifier);
    const doneB = second.verify();
    const shownA = await until("the emoji", () => first.getShowSasCallbacks());
    const shownB = await until("the other emoji", () => second.getShowSasCallbacks());
    assert.equal(shownA.sas.emoji.length, 7);
    assert.deepEqual(shownA.sas.emoji, shownB.sas.emoji);
    await Promise.all([shownA.confirm(), shownB.confirm()]);
    await Promise.all([doneA, doneB]);
    await until("both to be done", () => asked.phase === VerificationPhase.Done && got.phase === VerificationPhase.Done);
}

/** trusts tells whether a device takes another one for verified by cross-signing. */
const trusts = async (client, other) => (await client.getCrypto().getDeviceVerificationStatus(other.getUserId(), other.getDeviceId()))?.crossSigningVerified;

/** backedUp waits until so many keys are in the backups. */
const backedUp = async (n, ...clients) => {
    for (const client of clients) await until("all keys to be in the backup", async () => (await client.http.authedRequest("GET", "/room_keys/version")).count >= n, 30000);
};

let alice, bob, secret;
await step("sign up with keys", async () => {
    const fetchFn = async (input, init) => {
        const at = decodeURIComponent(String(input));
        if (at.includes("/sendToDevice/")) sent.push({ type: at.split("/sendToDevice/")[1].split("/")[0], to: Object.keys(JSON.parse(init.body).messages?.[alice?.getUserId()] ?? {}) });
        return fetch(input, init);
    };
    alice = await device(await signUp(url, "alice"));
    bob = await device(await signUp(url, "bob"), { fetchFn });
    for (const client of [alice, bob]) {
        const crypto = client.getCrypto();
        let asked = false;
        await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: (send) => { asked = true; return send(passwordOf(client)); } });
        assert.ok(asked);
        recovery[client.getUserId()] = await crypto.createRecoveryKeyFromPassphrase();
        await crypto.bootstrapSecretStorage({ createSecretStorageKey: async () => recovery[client.getUserId()], setupNewSecretStorage: true, setupNewKeyBackup: true });
        assert.ok(await crypto.isCrossSigningReady());
        assert.ok(await crypto.isSecretStorageReady());
        await until("the backup", () => crypto.getActiveSessionBackupVersion());
        await until("its own signature", () => trusts(client, client));
    }
});

let first;
await step("an encrypted room", async () => {
    ({ room_id: secret } = await alice.createRoom({ name: "Secret", preset: "trusted_private_chat", invite: [bob.getUserId()], initial_state: [
        { type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }] }));
    await room(bob, secret, "invite");
    await bob.joinRoom(secret);
    await room(bob, secret);
    await until("alice to see bob", () => alice.getRoom(secret)?.getMember(bob.getUserId())?.membership === "join");
    first = await say(alice, "the first secret", bob);
    await say(bob, "the second", alice);
    assert.ok(!JSON.stringify(await alice.fetchRoomEvent(secret, first)).includes("the first secret"));
});

await step("verify each other", async () => {
    assert.ok(!(await alice.getCrypto().getUserVerificationStatus(bob.getUserId())).isCrossSigningVerified());
    await sas(alice, bob, () => alice.getCrypto().requestVerificationDM(bob.getUserId(), secret));
    for (const [one, other] of [[alice, bob], [bob, alice]]) {
        await until("trust", async () => (await one.getCrypto().getUserVerificationStatus(other.getUserId())).isCrossSigningVerified());
        await until("trust in the device", () => trusts(one, other));
    }
});

// The SDK puts keys into the backup after a while, by chance up to ten seconds.
await step("key backup", () => backedUp(2, alice, bob));

let alice2, bob2;
await step("second devices", async () => {
    const all = [];
    for (const old of [alice, bob]) {
        const login = await logIn(old.getUserId());
        const fresh = await device(login);
        await until("the old device to know the new one", async () => (await old.getCrypto().getUserDeviceInfo([old.getUserId()])).get(old.getUserId()).has(fresh.getDeviceId()));
        assert.ok(!(await trusts(old, fresh)));
        await until("the keys of cross-signing", () => fresh.getCrypto().userHasCrossSigningKeys(old.getUserId(), true));
        await sas(fresh, old, () => fresh.getCrypto().requestOwnUserVerification());
        await until("trust", () => trusts(old, fresh));
        await until("trust in return", () => trusts(fresh, old));
        await until("the private keys", async () => Object.values((await fresh.getCrypto().getCrossSigningStatus()).privateKeysCachedLocally).every((x) => x));
        await until("the backup", () => fresh.getCrypto().getActiveSessionBackupVersion());
        all.push(fresh);
    }
    [alice2, bob2] = all;
    // Without any further question the history can be read, with keys that come from the backup.
    await reads(alice2, first, "the first secret");
    await reads(bob2, first, "the first secret");
    await until("the others to trust the new devices", async () => (await trusts(alice, bob2)) && (await trusts(bob, alice2)));
    await say(alice, "to all four", bob, alice2, bob2);
    await say(bob2, "from the fourth", alice, alice2, bob);
});

await step("a crash of the server", async () => {
    const lines = createInterface({ input: process.stdin });
    const again = new Promise((resolve) => lines.once("line", resolve));
    const own = (body) => alice.getRoom(secret).getLiveTimeline().getEvents().find((e) => e.getContent().body === body);
    const ids = [];
    for (let i = 0; i < 12; i++) { // few enough for one answer of /sync to hold what came during the crash
        const body = `through the crash ${i}`;
        const { event_id } = await alice.sendMessage(secret, text(body)).catch(() => until(`${body} to be sent again`, async () => {
            const e = own(body);
            if (e.status === null) return { event_id: e.getId() }; // it had arrived
            await new Promise((r) => setTimeout(r, 50));
            return alice.resendEvent(e, alice.getRoom(secret)).catch(() => undefined); // with the same transaction id
        }));
        ids.push(event_id);
        if (i === 5) tell({ crash: true });
    }
    assert.equal(new Set(ids).size, ids.length);
    await again;
    lines.close();
    // Otherwise the SDK waits for up to ten seconds.
    await until("everybody to sync", () => [alice, bob, alice2, bob2].every((who) => who.getSyncState() === "SYNCING" || (who.retryImmediately(), false)));
    for (let i = 0; i < ids.length; i++) for (const who of [bob, alice2, bob2]) await reads(who, ids[i], `through the crash ${i}`);
    await say(bob, "after the crash", alice, alice2, bob2);
});

await step("a fresh device with the recovery key", async () => {
    const fresh = await device(await logIn("alice"));
    const crypto = fresh.getCrypto();
    await until("the public keys", () => crypto.userHasCrossSigningKeys(fresh.getUserId(), true));
    await crypto.bootstrapCrossSigning({}); // takes the keys from the secret storage
    await until("trust", () => trusts(alice, fresh));
    await crypto.loadSessionBackupPrivateKeyFromSecretStorage();
    const check = await crypto.checkKeyBackupAndEnable();
    assert.ok(check?.trustInfo.trusted, JSON.stringify(check));
    await backedUp(3, fresh);
    const result = await crypto.restoreKeyBackup();
    assert.ok(result.imported >= 3 && result.imported === result.total, JSON.stringify(result));
    const there = await room(fresh, secret);
    for (let i = 0; i < 10 && !there.findEventById(first); i++) await fresh.scrollback(there, 30);
    await reads(fresh, first, "the first secret");
    for (const e of there.getLiveTimeline().getEvents().filter((e) => e.isEncrypted())) {
        await until("everything to be decrypted", () => !e.isBeingDecrypted() && !e.isDecryptionFailure());
    }
    await fresh.logout(true);
});

await step("a removed device", async () => {
    const id = alice2.getDeviceId();
    const last = await reads(bob, await say(bob, "still with it", alice, alice2), "still with it");
    await refused(undefined, () => alice.deleteDevice(id));
    await alice.deleteDevice(id, passwordOf(alice));
    await refused("M_UNKNOWN_TOKEN", () => alice2.whoami());
    await until("bob to know", async () => !(await bob.getCrypto().getUserDeviceInfo([alice.getUserId()])).get(alice.getUserId()).has(id));
    const before = sent.length;
    const next = await reads(bob, await say(bob, "without it", alice, bob2), "without it");
    assert.notEqual(next.getWireContent().session_id, last.getWireContent().session_id, "the key is still the old one");
    const keys = sent.slice(before).filter((s) => s.type === "m.room.encrypted");
    assert.ok(keys.some((s) => s.to.includes(alice.getDeviceId())), JSON.stringify(sent));
    assert.ok(!keys.some((s) => s.to.includes(id)), "the removed device was given the key");
});

// Somebody without any device that is logged in, and without a backup, is sent keys by a device that sleeps on the server.
await step("a device that sleeps", async () => {
    let carol = await device(await signUp(url, "carol"));
    const crypto = carol.getCrypto(), id = carol.getUserId();
    await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: (send) => send(passwordOf(carol)) });
    recovery[id] = await crypto.createRecoveryKeyFromPassphrase();
    await crypto.bootstrapSecretStorage({ createSecretStorageKey: async () => recovery[id], setupNewSecretStorage: true });
    assert.ok(await crypto.isDehydrationSupported());
    await crypto.startDehydration();
    await alice.invite(secret, id);
    await room(carol, secret, "invite");
    await carol.joinRoom(secret);
    const awake = carol.getDeviceId();
    await until("alice to see carol", () => alice.getRoom(secret)?.getMember(id)?.membership === "join");
    await carol.logout(true);
    let asleep;
    await until("alice to know the device that sleeps", async () => {
        const all = [...((await alice.getCrypto().getUserDeviceInfo([id], true)).get(id)?.values() ?? [])];
        asleep = all[0];
        return all.length === 1 && asleep.dehydrated && asleep.deviceId !== awake;
    });
    const { event_id } = await alice.sendMessage(secret, text("while carol was away"));
    carol = await device(await logIn("carol"));
    const fresh = carol.getCrypto();
    await until("the public keys", () => fresh.userHasCrossSigningKeys(id, true));
    await room(carol, secret);
    const e = await event(carol, secret, event_id);
    await until("it to be a riddle", () => !e.isBeingDecrypted() && e.isDecryptionFailure());
    await fresh.bootstrapCrossSigning({});
    await fresh.startDehydration();
    await reads(carol, event_id, "while carol was away");
    await until("another device to sleep in its place", async () => {
        const { device_id } = await carol.http.authedRequest("GET", "/dehydrated_device", undefined, undefined, { prefix: "/_matrix/client/unstable/org.matrix.msc3814.v1" });
        return device_id !== asleep.deviceId;
    });
    await carol.logout(true);
});

for (const client of [alice, alice2, bob, bob2]) client.stopClient();
tell({ done: true });
process.exit(0);

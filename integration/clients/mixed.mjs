// One person with matrix-js-sdk (Rust encryption) and one with matrix-nio (libolm), with two devices
// each, talk in secret: node mixed.mjs URL PYTHON NIO_SECRET.PY FOLDER.
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { VerificationPhase } from "matrix-js-sdk/lib/crypto-api/index.js";
import { assert, event, password, person, room, sdk, signUp, start, step, tell, text, until } from "./kit.mjs";

const [url, python, script, folder] = process.argv.slice(2);
let recovery;
const passwordOf = (id) => ({ type: "m.login.password", password, identifier: { type: "m.id.user", user: id } });

async function device(login) {
    const client = person(url, login, { cryptoCallbacks: { getSecretStorageKey: async ({ keys }) => recovery && [Object.keys(keys)[0], recovery.privateKey], cacheSecretStorageKey: () => {} } });
    await client.initRustCrypto({ useIndexedDB: false });
    await start(client, "classic");
    return client;
}

/** nio starts a device of bob's. */
async function nio(name) {
    mkdirSync(`${folder}/${name}`);
    const child = spawn(python, [script, url, "@bob:test", password, `${folder}/${name}`], { stdio: ["pipe", "pipe", "inherit"] });
    const told = [];
    createInterface({ input: child.stdout }).on("line", (line) => told.push(JSON.parse(line)));
    const find = (what, match) => until(`${name}: ${what}`, () => {
        assert.equal(child.exitCode, null, `${name} has ended`);
        return told.find(match);
    }, 30000);
    let answered = 0;
    const did = async (what) => {
        const answer = await until(`${name} to ${what}`, () => (assert.equal(child.exitCode, null, `${name} has ended`), told.filter((t) => t.did)[answered]), 60000);
        answered++;
        return answer;
    };
    const out = {
        told, find,
        do: async (what, more = {}) => {
            child.stdin.write(JSON.stringify({ do: what, ...more }) + "\n");
            const answer = await did(what);
            assert.equal(answer.did, what);
            return answer;
        },
        reads: async (id, body) => {
            const e = await find(`to read "${body}"`, (t) => t.id === id && t.heard);
            assert.equal(e.heard, body);
        },
        end: () => new Promise((done) => { child.once("exit", done); child.stdin.end(); }),
    };
    out.device = (await did("start")).device;
    return out;
}

let alice, bob, bob2, secret;

/** reads waits until a device of alice's can read a message. */
async function reads(client, id, body) {
    const e = await event(client, secret, id).catch((e) => { throw new Error(`${body}: ${e.message}`); });
    await until(`${client.getDeviceId()} to decrypt "${body}" (${e.decryptionFailureReason})`, () => e.getContent().body === body, 30000);
    assert.equal(e.getWireType(), "m.room.encrypted");
    return e;
}

const aliceSays = async (body, ...others) => {
    const { event_id } = await alice.sendMessage(secret, text(body));
    for (const other of others) await (other.reads ? other.reads(event_id, body) : reads(other, event_id, body));
    return event_id;
};

const bobSays = async (body, ...others) => {
    const sent = await bob.do("send", { room: secret, body });
    for (const other of others) await (other.reads ? other.reads(sent.id, body) : reads(other, sent.id, body));
    return sent;
};

await step("sign up with keys", async () => {
    alice = await device(await signUp(url, "alice"));
    const crypto = alice.getCrypto();
    await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: (send) => send(passwordOf("@alice:test")) });
    recovery = await crypto.createRecoveryKeyFromPassphrase();
    await crypto.bootstrapSecretStorage({ createSecretStorageKey: async () => recovery, setupNewSecretStorage: true, setupNewKeyBackup: true });
    const first = await signUp(url, "bob");
    await person(url, first).logout();
    bob = await nio("bob");
});

let history;
await step("an encrypted room", async () => {
    ({ room_id: secret } = await alice.createRoom({ preset: "trusted_private_chat", invite: ["@bob:test"], initial_state: [
        { type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }] }));
    await room(alice, secret);
    await bob.do("join", { room: secret });
    await until("alice to see bob", () => alice.getRoom(secret).getMember("@bob:test")?.membership === "join");
    await aliceSays("from the Rust side", bob);
    history = await bobSays("from the libolm side", alice);
});

await step("verify each other by emoji", async () => {
    assert.ok(!(await alice.getCrypto().getDeviceVerificationStatus("@bob:test", bob.device))?.isVerified());
    const asked = await alice.getCrypto().requestDeviceVerification("@bob:test", bob.device);
    await until("bob to be ready", () => asked.phase === VerificationPhase.Ready, 30000);
    const verifier = await asked.startVerification("m.sas.v1");
    const done = verifier.verify();
    const shown = await until("the emoji", () => verifier.getShowSasCallbacks(), 30000);
    const his = await bob.find("the emoji", (t) => t.emoji);
    assert.deepEqual(his.emoji, shown.sas.emoji.map(([e]) => e));
    await bob.do("confirm", { transaction: his.transaction });
    await shown.confirm();
    await done;
    assert.ok((await bob.find("the end", (t) => t.verified !== undefined && t.heard === undefined)).verified);
    assert.ok((await alice.getCrypto().getDeviceVerificationStatus("@bob:test", bob.device)).isVerified());
    assert.ok((await bob.do("trusts", { user: "@alice:test", device: alice.getDeviceId() })).trusts);
});

let alice2;
await step("second devices, and the history from the backup", async () => {
    bob2 = await nio("bob2");
    await until("alice to know it", async () => (await alice.getCrypto().getUserDeviceInfo(["@bob:test"], true)).get("@bob:test").has(bob2.device));
    await until("all keys to be in the backup", async () => (await alice.http.authedRequest("GET", "/room_keys/version")).count >= 2, 30000);
    alice2 = await device(await sdk.createClient({ baseUrl: url }).loginRequest(passwordOf("@alice:test")));
    const crypto = alice2.getCrypto();
    await until("the public keys", () => crypto.userHasCrossSigningKeys("@alice:test", true));
    await crypto.bootstrapCrossSigning({});
    await crypto.loadSessionBackupPrivateKeyFromSecretStorage();
    await crypto.checkKeyBackupAndEnable();
    assert.ok((await crypto.restoreKeyBackup()).imported >= 2);
    await room(alice2, secret);
    await reads(alice2, history.id, "from the libolm side");
    await until("bob to know alice's new device", async () => (await bob.do("knows", { user: "@alice:test" })).devices.includes(alice2.getDeviceId()), 30000);
    await aliceSays("to all four", bob, bob2, alice2);
    await bobSays("to all four, from the other side", bob2, alice, alice2);
});

await step("a crash of the server", async () => {
    const lines = createInterface({ input: process.stdin });
    const again = new Promise((resolve) => lines.once("line", resolve));
    const ids = [];
    // libolm's side has no backup: what was said before a device was there is no news to it.
    const old = (await bob2.do("riddles")).riddles;
    assert.equal(old.length, 2);
    // No more than a device finds in one answer when it is back: of a timeline that is limited, the SDK leaves out what
    // lies before something that it has sent itself.
    for (let i = 0; i < 6; i++) {
        const body = `through the crash ${i}`;
        if (i === 3) tell({ crash: true });
        // nio tries again by itself.
        const his = bob.do("send", { room: secret, body: body + " by bob" });
        const hers = alice.sendMessage(secret, text(body)).catch(() => until(`${body} to be sent again`, async () => {
            const e = alice.getRoom(secret).getLiveTimeline().getEvents().find((e) => e.getContent().body === body);
            if (e.status === null) return { event_id: e.getId() }; // it had arrived
            await new Promise((r) => setTimeout(r, 50));
            return alice.resendEvent(e, alice.getRoom(secret)).catch(() => undefined);
        }, 30000));
        ids.push([(await hers).event_id, body], [(await his).id, body + " by bob"]);
    }
    await again;
    lines.close();
    await until("alice to sync", () => [alice, alice2].every((who) => who.getSyncState() === "SYNCING" || (who.retryImmediately(), false)), 30000);
    for (const [id, body] of ids) {
        await reads(alice2, id, body);
        await reads(alice, id, body);
        await bob2.reads(id, body);
    }
    assert.deepEqual((await bob.do("riddles")).riddles, []);
    assert.deepEqual((await bob2.do("riddles")).riddles, old);
    await aliceSays("after the crash", bob, bob2, alice2);
});

await step("removed devices get no more keys", async () => {
    const before = await bobSays("still with it", alice, alice2);
    assert.ok(before.shared.includes(alice2.getDeviceId()), JSON.stringify(before));
    const id = alice2.getDeviceId();
    alice2.stopClient();
    await alice.deleteDevice(id, passwordOf("@alice:test"));
    await until("bob to know", async () => !(await bob.do("knows", { user: "@alice:test" })).devices.includes(id), 30000);
    const after = await bobSays("without it", alice, bob2);
    assert.notEqual(after.session, before.session, "the key is still the old one");
    assert.ok(!after.shared.includes(id) && after.shared.includes(alice.getDeviceId()), JSON.stringify(after));
    // And the other way round: bob's second device is gone, and alice's next key is a new one.
    const last = await reads(alice, await aliceSays("to both", bob, bob2), "to both");
    await bob2.end();
    const login = await sdk.createClient({ baseUrl: url }).loginRequest({ ...passwordOf("@bob:test"), device_id: bob2.device });
    await person(url, login).logout();
    await until("alice to know", async () => !(await alice.getCrypto().getUserDeviceInfo(["@bob:test"])).get("@bob:test").has(bob2.device), 30000);
    const next = await reads(alice, await aliceSays("to one", bob), "to one");
    assert.notEqual(next.getWireContent().session_id, last.getWireContent().session_id, "the key is still the old one");
});

alice.stopClient();
await bob.end();
tell({ done: true });
process.exit(0);

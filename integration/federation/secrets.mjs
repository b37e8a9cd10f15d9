// Two people on two servers talk in secret: node secrets.mjs URL-OF-ALICE URL-OF-BOB.
import { CryptoEvent, VerificationPhase } from "matrix-js-sdk/lib/crypto-api/index.js";
import { assert, event, password, person, room, sdk, signUp, start, step, tell, text, until } from "./kit.mjs";

const [urlA, urlB] = process.argv.slice(2);
const patience = 40000;
const passwordOf = (client) => ({ type: "m.login.password", password, identifier: { type: "m.id.user", user: client.getUserId() } });

/** device makes a client that encrypts, and begins to sync. */
async function device(url, login) {
    const client = person(url, login);
    await client.initRustCrypto({ useIndexedDB: false });
    client.requests = [];
    client.on(CryptoEvent.VerificationRequestReceived, (r) => client.requests.push(r));
    await start(client, "classic");
    return client;
}

/** say has a device say something that others read. */
async function say(client, body, ...others) {
    const { event_id } = await client.sendMessage(secret, text(body));
    for (const other of others) {
        const e = await until(`${other.getUserId()} to get "${body}"`, () => other.getRoom(secret)?.findEventById(event_id), patience);
        await until(`${other.getUserId()} ${other.getDeviceId()} to decrypt "${body}" (${e.decryptionFailureReason})`, () => e.getContent().body === body, patience);
        assert.equal(e.getWireType(), "m.room.encrypted");
    }
}

/** sas compares emoji on two devices. */
async function sas(a, b, begin) {
    const before = b.requests.length;
    const asked = await begin();
    const got = await until("the request", () => b.requests[before], patience);
    await got.accept();
    await until("the request to be accepted", () => asked.phase === VerificationPhase.Ready, patience);
    const first = await asked.startVerification("m.sas.v1");
    const doneA = first.verify();
    const second = await until("the other to begin", () => got.verifier, patience);
    const doneB = second.verify();
    const shownA = await until("the emoji", () => first.getShowSasCallbacks(), patience);
    const shownB = await until("the other emoji", () => second.getShowSasCallbacks(), patience);
    assert.deepEqual(shownA.sas.emoji, shownB.sas.emoji);
    await Promise.all([shownA.confirm(), shownB.confirm()]);
    await Promise.all([doneA, doneB]);
    await until("both to be done", () => asked.phase === VerificationPhase.Done && got.phase === VerificationPhase.Done, patience);
}

let alice, bob, secret;
await step("sign up with keys", async () => {
    alice = await device(urlA, await signUp(urlA, "alice"));
    bob = await device(urlB, await signUp(urlB, "bob"));
    for (const client of [alice, bob]) {
        await client.getCrypto().bootstrapCrossSigning({ authUploadDeviceSigningKeys: (send) => send(passwordOf(client)) });
    }
});

await step("an encrypted room", async () => {
    ({ room_id: secret } = await alice.createRoom({ name: "Secret", preset: "trusted_private_chat", invite: [bob.getUserId()], initial_state: [
        { type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }] }));
    await room(bob, secret, "invite");
    await bob.joinRoom(secret);
    await room(bob, secret);
    await until("alice to see bob", () => alice.getRoom(secret)?.getMember(bob.getUserId())?.membership === "join", patience);
    await say(alice, "the first secret", bob);
    await say(bob, "the second", alice);
});

await step("verify each other", async () => {
    await sas(alice, bob, () => alice.getCrypto().requestVerificationDM(bob.getUserId(), secret));
    for (const [one, other] of [[alice, bob], [bob, alice]]) {
        await until("trust", async () => (await one.getCrypto().getUserVerificationStatus(other.getUserId())).isCrossSigningVerified(), patience);
    }
});

let alice2, bob2;
await step("second devices", async () => {
    const logIn = async (url, name) => device(url, await sdk.createClient({ baseUrl: url }).loginRequest({ type: "m.login.password", password, identifier: { type: "m.id.user", user: name } }));
    alice2 = await logIn(urlA, "alice");
    bob2 = await logIn(urlB, "bob");
    // The others learn of them before they speak.
    for (const [one, other] of [[alice, bob2], [bob, alice2]]) {
        await until(`${one.getUserId()} to know of a new device`, async () =>
            (await one.getCrypto().getUserDeviceInfo([other.getUserId()])).get(other.getUserId())?.has(other.getDeviceId()), patience);
    }
    await say(alice, "to all four", bob, alice2, bob2);
    await say(bob2, "from a new one", alice, alice2, bob);
});

await step("a device that goes", async () => {
    const gone = bob2.getDeviceId();
    bob2.stopClient();
    await bob2.logout();
    await until("alice to know", async () => !(await alice.getCrypto().getUserDeviceInfo([bob.getUserId()])).get(bob.getUserId())?.has(gone), patience);
    await say(alice, "without it", bob, alice2);
    await say(alice2, "from the other", bob, alice);
});

for (const client of [alice, alice2, bob]) client.stopClient();
tell({ done: true });
process.exit(0);

// What the scripts share: people with matrix-js-sdk as their client, and steps that are told to the
// Go test as lines of JSON.
import assert from "node:assert/strict";
import * as sdk from "matrix-js-sdk";
import { SlidingSync } from "matrix-js-sdk/lib/sliding-sync.js";
import { logger } from "matrix-js-sdk/lib/logger.js";

export { assert, sdk };
export const password = "long enough for anybody";

// The SDK's log goes to stderr, which is shown if the test fails.
logger.setLevel("warn");
for (const level of ["log", "info", "debug", "trace"]) console[level] = () => {};
for (const level of ["warn", "error"]) {
    console[level] = (...what) => process.stderr.write(`${level}: ${what.map((w) => w?.stack ?? String(w)).join(" ").slice(0, 500)}\n`);
}

export const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");

/** step does one part of the day and tells of it. */
export async function step(name, what) {
    const began = Date.now();
    try {
        const out = await what();
        tell({ step: name, ms: Date.now() - began });
        return out;
    } catch (e) {
        tell({ step: name, ms: Date.now() - began, failed: `${e?.stack ?? e} ${e?.data ? JSON.stringify(e.data) : ""}` });
        process.exit(1);
    }
}

/** until waits for something to become true, and gives it. what says what, or is a function that does. */
export async function until(what, holds, ms = 15000) {
    const end = Date.now() + ms;
    for (;;) {
        const v = await holds();
        if (v) return v;
        if (Date.now() > end) throw new Error(`waited in vain for ${typeof what === "function" ? what() : what}`);
        await new Promise((r) => setTimeout(r, 15));
    }
}

/** refused makes sure that a request is refused with an errcode. */
export async function refused(errcode, what) {
    await assert.rejects(what, (e) => {
        assert.equal(e.errcode, errcode, e.message);
        return true;
    });
}

/** signUp makes an account as a client does: it asks, and goes through the stages that it is told. */
export async function signUp(url, username) {
    const client = sdk.createClient({ baseUrl: url });
    const body = { username, password, initial_device_display_name: `${username}'s computer` };
    let session;
    try {
        await client.registerRequest(body);
        assert.fail("nothing was asked");
    } catch (e) {
        assert.equal(e.httpStatus, 401, e);
        assert.ok(e.data.flows.some((f) => f.stages.join() === "m.login.dummy"), JSON.stringify(e.data));
        session = e.data.session;
    }
    return client.registerRequest({ ...body, auth: { type: "m.login.dummy", session } });
}

/** person makes a client of a log-in, which does not sync yet. */
export function person(url, login, more = {}) {
    return sdk.createClient({
        baseUrl: url, userId: login.user_id, deviceId: login.device_id, accessToken: login.access_token, refreshToken: login.refresh_token,
        timelineSupport: true, useAuthorizationHeader: true, ...more,
    });
}

/** start begins to sync in one of the two ways, and waits for the first answer. */
export async function start(client, mode) {
    const opts = { initialSyncLimit: 20, lazyLoadMembers: true, threadSupport: true };
    if (mode === "sliding") {
        opts.slidingSync = new SlidingSync(
            client.getHomeserverUrl(),
            new Map([["all", { ranges: [[0, 50]], timeline_limit: 20, required_state: [["*", "*"]] }]]),
            { timeline_limit: 50, required_state: [["*", "*"]] },
            client, 10000,
        );
    }
    await client.startClient(opts);
    await until(`the first sync of ${client.getUserId()}`, () => client.isInitialSyncComplete() || client.getSyncState() === "SYNCING" || client.getSyncState() === "PREPARED");
}

/** room waits until somebody is in a room in some way. */
export function room(client, id, membership = "join") {
    return until(`${client.getUserId()} to have "${membership}" in ${id}, not ${client.getRoom(id)?.getMyMembership()}`,
        () => client.getRoom(id)?.getMyMembership() === membership && client.getRoom(id));
}

/** event waits until somebody sees an event, in the timeline or a thread. */
export function event(client, roomId, id) {
    const at = () => client.getRoom(roomId)?.getLiveTimeline().getEvents().map((e) => `${e.getId()} ${e.status}`).slice(-25).join(", ");
    return until(() => `${client.getUserId()} (${client.getDeviceId()}, ${client.getSyncState()}) to see ${id}; the timeline is ${at()}`, () => client.getRoom(roomId)?.findEventById(id));
}

/** logOut ends a session. The SDK loads threads by itself, and nobody catches it if that is cut short by its own end. */
export async function logOut(client) {
    const threads = () => client.getRooms().flatMap((r) => r.getThreads());
    await until(`the threads of ${client.getUserId()}`, () => threads().every((t) => t.initialEventsFetched));
    await client.logout(true);
}

export const text = (body, more = {}) => ({ msgtype: "m.text", body, ...more });

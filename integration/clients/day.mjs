// A day of three people: node day.mjs URL MODE, where MODE is classic or sliding.
import { assert, event, logOut, password, person, refused, room, sdk, signUp, start, step, tell, text, until } from "./kit.mjs";

const [url, mode] = process.argv.slice(2);
const { Direction, EventType, RelationType } = sdk;
let alice, bob, carol;
const names = {};

await step("sign up", async () => {
    const all = [];
    for (const name of ["alice", "bob", "carol"]) {
        names[name] = `${name}_${mode}`;
        const login = await signUp(url, names[name]);
        assert.equal(login.user_id, `@${names[name]}:test`);
        const client = person(url, login);
        assert.equal((await client.whoami()).device_id, login.device_id);
        await start(client, mode);
        all.push(client);
    }
    [alice, bob, carol] = all;
    await refused("M_USER_IN_USE", () => signUp(url, names.alice));
    assert.equal(await sdk.createClient({ baseUrl: url }).isUsernameAvailable(names.alice), false);
    assert.equal(await sdk.createClient({ baseUrl: url }).isUsernameAvailable("nobody"), true);
});

await step("profiles", async () => {
    await alice.setDisplayName("Alice Liddell");
    const png = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
    const { content_uri } = await alice.uploadContent(png, { type: "image/png", name: "me.png" });
    await alice.setAvatarUrl(content_uri);
    assert.deepEqual(await bob.getProfileInfo(alice.getUserId()), { displayname: "Alice Liddell", avatar_url: content_uri });
    const at = bob.mxcUrlToHttp(content_uri, undefined, undefined, undefined, false, true, true);
    const got = await fetch(at, { headers: { Authorization: `Bearer ${bob.getAccessToken()}` } });
    assert.equal(got.status, 200);
    assert.deepEqual(Buffer.from(await got.arrayBuffer()), png);
    assert.equal((await fetch(at)).status, 401);
    assert.ok((await alice.getMediaConfig(true))["m.upload.size"] > 0);
});

let space, main, closed;
await step("space and rooms", async () => {
    ({ room_id: space } = await alice.createRoom({ name: "Wonderland", preset: "private_chat", creation_content: { type: "m.space" },
        power_level_content_override: { events_default: 100 }, invite: [bob.getUserId()] }));
    ({ room_id: main } = await alice.createRoom({ name: "Tea party", topic: "No room!", room_alias_name: `tea_${mode}`, initial_state: [
        { type: "m.room.join_rules", state_key: "", content: { join_rule: "restricted", allow: [{ type: "m.room_membership", room_id: space }] } },
        { type: "m.room.history_visibility", state_key: "", content: { history_visibility: "shared" } },
        { type: "m.space.parent", state_key: space, content: { via: ["test"], canonical: true } }] }));
    ({ room_id: closed } = await alice.createRoom({ name: "Rabbit hole", initial_state: [
        { type: "m.room.join_rules", state_key: "", content: { join_rule: "knock" } }] }));
    for (const id of [main, closed]) await alice.sendStateEvent(space, EventType.SpaceChild, { via: ["test"], suggested: id === main }, id);
    const mine = await room(alice, space);
    assert.ok(mine.isSpaceRoom());
    await until("the children", () => mine.currentState.getStateEvents(EventType.SpaceChild).length === 2);
});

await step("invite", async () => {
    const invited = await room(bob, space, "invite");
    await until("the name of the invitation", () => invited.name === "Wonderland");
    assert.equal(invited.getDMInviter() ?? invited.currentState.getMember(bob.getUserId()).events.member.getSender(), alice.getUserId());
    await refused("M_FORBIDDEN", () => bob.joinRoom(main));
    await bob.joinRoom(space);
    await room(bob, space);
    const tree = await bob.getRoomHierarchy(space, 50, 3, false);
    assert.deepEqual(tree.rooms.map((r) => r.name).sort(), ["Rabbit hole", "Tea party", "Wonderland"]);
    assert.deepEqual((await bob.getRoomHierarchy(space, 50, 3, true)).rooms.map((r) => r.name).sort(), ["Tea party", "Wonderland"]);
    await bob.joinRoom(`#tea_${mode}:test`);
    const joined = await room(bob, main);
    await until("the name of the room", () => joined.name === "Tea party");
    await until("alice to see bob", () => alice.getRoom(main).getMember(bob.getUserId())?.membership === "join");
    await carol.joinRoom(main).then(() => assert.fail("carol came in"), (e) => assert.equal(e.errcode, "M_FORBIDDEN"));
    await alice.invite(main, carol.getUserId());
    await room(carol, main, "invite");
    await carol.leave(main); // she declines
    await until("alice to see it", () => alice.getRoom(main).getMember(carol.getUserId())?.membership === "leave");
});

await step("knock", async () => {
    assert.equal((await carol.getRoomSummary(closed)).join_rule, "knock");
    await carol.knockRoom(closed, { reason: "It's me" });
    await room(carol, closed, "knock");
    const member = await until("the knock", () => {
        const m = alice.getRoom(closed)?.getMember(carol.getUserId());
        return m?.membership === "knock" && m;
    });
    assert.equal(member.events.member.getContent().reason, "It's me");
    await alice.invite(closed, carol.getUserId());
    await room(carol, closed, "invite");
    await carol.joinRoom(closed);
    await room(carol, closed);
    await until("alice to see carol", () => alice.getRoom(closed).getMember(carol.getUserId())?.membership === "join");
});

let hello;
await step("talk", async () => {
    ({ event_id: hello } = await alice.sendMessage(main, text("Have some wine")));
    const seen = await event(bob, main, hello);
    assert.equal(seen.getContent().body, "Have some wine");
    assert.equal(seen.sender.name, "Alice Liddell");
    const own = await event(alice, main, hello);
    await until("the echo to be the event", () => own.status === null);
    assert.equal(alice.getRoom(main).timeline.filter((e) => e.getContent().body === "Have some wine").length, 1);
    const answer = await bob.sendMessage(main, text("I don't see any", { "m.relates_to": { "m.in_reply_to": { event_id: hello } }, "m.mentions": { user_ids: [alice.getUserId()] } }));
    assert.equal((await event(alice, main, answer.event_id)).replyEventId, hello);
    await until("the mention", () => alice.getRoom(main).getUnreadNotificationCount("highlight") === 1);
    assert.equal(alice.getRoom(main).getUnreadNotificationCount("total"), 1);
});

let root, inThread;
await step("thread", async () => {
    root = hello;
    const reply = (who, body) => who.sendMessage(main, root, text(body, { "m.relates_to": { rel_type: "m.thread", event_id: root } }));
    const { event_id: first } = await reply(alice, "first in the thread");
    ({ event_id: inThread } = await reply(bob, "second in the thread"));
    for (const who of [alice, bob]) {
        const thread = await until("the thread", () => who.getRoom(main).getThread(root));
        // Not its length: the SDK adds its own messages to a count of the server's which may have them already. The server's
        // own count is looked at below.
        await until("its events", () => thread.findEventById(first) && thread.findEventById(inThread));
        await until("the newest reply", () => thread.replyToEvent?.getId() === inThread); // the SDK puts them in order a little later
        assert.ok(!who.getRoom(main).timeline.some((e) => e.getId() === inThread), "a reply is in the main timeline");
    }
    // Sliding sync has no counts of threads.
    if (mode === "classic") await until("the thread's count", () => alice.getRoom(main).getThreadUnreadNotificationCount(root, "total") === 1);
    const list = await bob.createThreadListMessagesRequest(main, null, 10, Direction.Backward, sdk.ThreadFilterType.All);
    assert.deepEqual(list.chunk.map((e) => e.event_id), [root]);
    assert.equal(list.chunk[0].unsigned["m.relations"]["m.thread"].count, 2);
    assert.equal(list.chunk[0].unsigned["m.relations"]["m.thread"].latest_event.event_id, inThread);
});

let reaction;
await step("react", async () => {
    ({ event_id: reaction } = await bob.sendEvent(main, EventType.Reaction, { "m.relates_to": { rel_type: "m.annotation", event_id: hello, key: "🫖" } }));
    const of = () => alice.getRoom(main).relations.getChildEventsForEvent(hello, RelationType.Annotation, EventType.Reaction)?.getSortedAnnotationsByKey()?.find(([key, all]) => key === "🫖" && all.size === 1);
    await until("the reaction", of);
    await refused("M_DUPLICATE_ANNOTATION", () => bob.sendEvent(main, EventType.Reaction, { "m.relates_to": { rel_type: "m.annotation", event_id: hello, key: "🫖" } }));
    await bob.redactEvent(main, reaction);
    await until("the reaction to be taken back", () => !of());
});

await step("edit", async () => {
    const { event_id } = await alice.sendMessage(main, text("Have smoe tea"));
    await event(bob, main, event_id);
    await alice.sendMessage(main, { ...text("* Have some tea"), "m.new_content": text("Have some tea"), "m.relates_to": { rel_type: "m.replace", event_id } });
    await until("the edit", () => bob.getRoom(main).findEventById(event_id).getContent().body === "Have some tea");
    const fetched = await bob.fetchRoomEvent(main, event_id);
    assert.equal(fetched.unsigned["m.relations"]["m.replace"].content["m.new_content"].body, "Have some tea");
    const { events } = await bob.relations(main, event_id, RelationType.Replace, EventType.RoomMessage);
    assert.equal(events.length, 1);
});

await step("redact", async () => {
    const { event_id } = await bob.sendMessage(main, text("Off with her head"));
    await event(alice, main, event_id);
    await alice.redactEvent(main, event_id, undefined, { reason: "rude" });
    const gone = await until("the redaction", () => {
        const e = bob.getRoom(main).findEventById(event_id);
        return e.isRedacted() && e;
    });
    assert.equal(gone.getContent().body, undefined);
    assert.equal(gone.getRedactionEvent()?.content?.reason, "rude");
    const { event_id: own } = await alice.sendMessage(main, text("mine"));
    await refused("M_FORBIDDEN", () => bob.redactEvent(main, own));
});

await step("search", async () => {
    const { event_id } = await bob.sendMessage(main, text("Why is a raven like a writing-desk?"));
    await event(alice, main, event_id);
    await until("it to be found", async () => {
        const found = await alice.searchRoomEvents({ term: "raven" });
        return found.results.some((r) => r.context.getEvent().getId() === event_id);
    });
    assert.equal((await carol.searchRoomEvents({ term: "raven" })).results.length, 0);
    const people = await bob.searchUserDirectory({ term: "Liddell" });
    assert.ok(people.results.some((r) => r.user_id === alice.getUserId()), JSON.stringify(people));
});

await step("read receipts", async () => {
    const { event_id } = await bob.sendMessage(main, text("Read this"));
    const seen = await event(alice, main, event_id);
    await until("the count", () => alice.getRoom(main).getUnreadNotificationCount("total") >= 2);
    await alice.sendReadReceipt(seen, "m.read", true);
    await until("bob to see the receipt", () => bob.getRoom(main).getEventReadUpTo(alice.getUserId(), true) === event_id
        || bob.getRoom(main).hasUserReadEvent(alice.getUserId(), event_id));
    await until("nothing to be unread", () => alice.getRoom(main).getUnreadNotificationCount("total") === 0
        && alice.getRoom(main).getUnreadNotificationCount("highlight") === 0 && alice.getRoom(main).getThreadUnreadNotificationCount(root, "total") === 0);
    const { event_id: another } = await alice.sendMessage(main, text("And this in private"));
    await bob.sendReadReceipt(await event(bob, main, another), "m.read.private");
    await bob.setRoomReadMarkers(main, another);
    await until("the marker", () => bob.getRoom(main).getAccountData("m.fully_read")?.getContent().event_id === another);
    assert.notEqual(alice.getRoom(main).getEventReadUpTo(bob.getUserId(), true), another);
});

await step("typing and presence", async () => {
    await bob.sendTyping(main, true, 20000);
    await until("bob to type", () => alice.getRoom(main).getMember(bob.getUserId()).typing);
    await bob.sendTyping(main, false, 0);
    await until("bob to stop", () => !alice.getRoom(main).getMember(bob.getUserId()).typing);
    await bob.setPresence({ presence: "unavailable", status_msg: "asleep" });
    const at = await alice.getPresence(bob.getUserId());
    assert.equal(at.status_msg, "asleep");
});

await step("account data, tags, push rules", async () => {
    await alice.setRoomTag(main, "m.favourite", { order: 0.5 });
    await until("the tag", () => alice.getRoom(main).tags["m.favourite"]?.order === 0.5);
    await alice.setAccountDataRaw("org.example.day", { mode });
    await until("the account data", () => alice.getAccountData("org.example.day")?.getContent().mode === mode);
    await alice.setRoomMutePushRule("global", main, true);
    await until("the rule", () => alice.getRoomPushRule("global", main)?.actions.includes("notify") === false);
    await bob.sendMessage(main, text("unheard"));
    const last = await bob.sendMessage(main, text("unheard again"));
    await event(alice, main, last.event_id);
    assert.equal(alice.getRoom(main).getUnreadNotificationCount("total"), 0);
    await alice.setRoomMutePushRule("global", main, false);
});

await step("history", async () => {
    for (let i = 0; i < 40; i++) await alice.sendMessage(main, text(`line ${i}`));
    await until("the last line", () => bob.getRoom(main).timeline.some((e) => e.getContent().body === "line 39"));
    const fresh = person(url, await sdk.createClient({ baseUrl: url }).loginRequest({ type: "m.login.password", password, identifier: { type: "m.id.user", user: names.bob } }));
    await start(fresh, mode);
    const there = await room(fresh, main);
    const all = () => there.getLiveTimeline().getEvents();
    for (let i = 0; i < 20 && all()[0]?.getType() !== "m.room.create"; i++) await fresh.scrollback(there, 10);
    assert.equal(all()[0].getType(), "m.room.create");
    const ids = all().map((e) => e.getId());
    assert.equal(new Set(ids).size, ids.length, "an event came twice");
    assert.deepEqual(all().filter((e) => /^line /.test(e.getContent().body ?? "")).map((e) => e.getContent().body), [...Array(40).keys()].map((i) => `line ${i}`));
    const timeline = await fresh.getEventTimeline(there.getUnfilteredTimelineSet(), hello);
    assert.ok(timeline.getEvents().some((e) => e.getId() === hello) || there.getThread(hello));
    const near = await fresh.timestampToEvent(main, all()[0].getTs(), Direction.Forward);
    assert.equal(near.event_id, ids[0]);
    await logOut(fresh);
    await refused("M_UNKNOWN_TOKEN", () => fresh.whoami());
});

let next;
await step("room upgrade", async () => {
    ({ replacement_room: next } = await alice.upgradeRoom(main, "11"));
    await until("the tombstone", () => bob.getRoom(main).currentState.getStateEvents("m.room.tombstone", "")?.getContent().replacement_room === next);
    await refused("M_FORBIDDEN", () => bob.sendMessage(main, text("too late")));
    await bob.joinRoom(next);
    const moved = await room(bob, next);
    await until("the predecessor", () => moved.findPredecessor()?.roomId === main);
    assert.equal(moved.getVersion(), "11");
    await until("its name", () => moved.name === "Tea party");
    assert.equal((await bob.getRoomIdForAlias(`#tea_${mode}:test`)).room_id, next);
    const { event_id } = await bob.sendMessage(next, text("clean cup"));
    await event(alice, next, event_id);
});

await step("kick, ban, leave, forget", async () => {
    await alice.kick(closed, carol.getUserId(), "late");
    await room(carol, closed, "leave");
    await alice.ban(closed, carol.getUserId(), "very late");
    await until("the ban", () => carol.getRoom(closed)?.getMyMembership() === "ban" || alice.getRoom(closed).getMember(carol.getUserId()).membership === "ban");
    await refused("M_FORBIDDEN", () => carol.knockRoom(closed, {}));
    await alice.unban(closed, carol.getUserId());
    await carol.forget(closed);
    await bob.leave(space);
    await until("alice to see it", () => alice.getRoom(space).getMember(bob.getUserId())?.membership === "leave");
    assert.ok(!(await bob.getJoinedRooms()).joined_rooms.includes(space));
});

await step("log out and in", async () => {
    const old = alice.getAccessToken();
    await logOut(alice);
    await refused("M_UNKNOWN_TOKEN", () => person(url, { user_id: alice.getUserId(), access_token: old }).whoami());
    const plain = sdk.createClient({ baseUrl: url });
    assert.ok((await plain.loginFlows()).flows.some((f) => f.type === "m.login.password"));
    const identifier = { type: "m.id.user", user: names.alice };
    await refused("M_FORBIDDEN", () => plain.loginRequest({ type: "m.login.password", identifier, password: "wrong" }));
    const login = await plain.loginRequest({ type: "m.login.password", identifier, password, refresh_token: true });
    assert.ok(login.refresh_token && login.expires_in_ms);
    alice = person(url, login);
    const fresh = await alice.refreshToken(login.refresh_token);
    alice.setAccessToken(fresh.access_token);
    await start(alice, mode);
    const back = await room(alice, next);
    await until("the last words", () => back.timeline.some((e) => e.getContent().body === "clean cup"));
    await until("the account data", () => alice.getAccountData("org.example.day")?.getContent().mode === mode);
    const { event_id } = await alice.sendMessage(next, text("I'm back"));
    await event(bob, next, event_id);
    await refused(undefined, () => alice.deleteDevice(login.device_id)); // asks for the password
    await alice.deleteDevice(login.device_id, { type: "m.login.password", identifier, password });
    await refused("M_UNKNOWN_TOKEN", () => alice.whoami());
});

for (const who of [alice, bob, carol]) who.stopClient();
tell({ done: true });
process.exit(0);

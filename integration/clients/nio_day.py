"""A day of three people with matrix-nio: python3 nio_day.py URL.

Each line of the output tells of a step, as JSON: {"step": name, "ms": time}, with "failed" if it did;
the last is {"done": true}. What nio has no function for is sent through its connection.
"""

import asyncio
import io
import json
import sys
import time
import traceback
from urllib.parse import quote

from nio import (AsyncClient, AsyncClientConfig, ErrorResponse, LoginResponse, MessageDirection,
                 ReceiptEvent, RedactedEvent, RedactionEvent, RoomMessageText, RoomPreset, RoomTopicEvent,
                 RoomUpgradeEvent, RoomVisibility)

URL = sys.argv[1]
PASSWORD = "long enough for anybody"
V3 = "/_matrix/client/v3"


def tell(**what):
    print(json.dumps(what), flush=True)


async def step(name, what):
    began = time.monotonic()
    try:
        await what()
    except Exception:
        tell(step=name, ms=int(1000 * (time.monotonic() - began)), failed=traceback.format_exc())
        raise SystemExit(1)
    tell(step=name, ms=int(1000 * (time.monotonic() - began)))


def ok(response):
    assert not isinstance(response, ErrorResponse), f"{type(response).__name__}: {response}"
    return response


def refused(response, code):
    assert isinstance(response, ErrorResponse) and response.status_code == code, f"{response} is not refused with {code}"


async def until(what, holds, seconds=15):
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        await asyncio.sleep(0.015)
    return found


class Person:
    """Somebody with a client that follows /sync, and all that it was told."""

    def __init__(self, name):
        self.name, self.id = name, f"@{name}:test"
        self.renew()

    def renew(self):
        self.client = AsyncClient(URL, self.id, config=AsyncClientConfig(encryption_enabled=False))
        self.events, self.ephemeral = [], []
        self.client.add_event_callback(lambda room, e: self.events.append((room.room_id, e)), object)
        self.client.add_ephemeral_callback(lambda room, e: self.ephemeral.append((room.room_id, e)), object)
        self.following = None

    async def follow(self):
        ok(await self.client.sync(timeout=0, full_state=True))
        self.following = asyncio.create_task(self.client.sync_forever(timeout=10000))

    async def rest(self):
        if self.following:
            self.following.cancel()
            await asyncio.gather(self.following, return_exceptions=True)

    def room(self, room_id):
        return self.client.rooms.get(room_id)

    async def sees(self, room_id, kind, holds=lambda e: True):
        what = f"{self.name} to see {kind.__name__}"
        return await until(what, lambda: next((e for r, e in self.events if r == room_id and isinstance(e, kind) and holds(e)), None))

    async def say(self, room_id, body, **more):
        sent = ok(await self.client.room_send(room_id, "m.room.message", {"msgtype": "m.text", "body": body, **more}))
        return sent.event_id

    async def hears(self, room_id, body):
        return await self.sees(room_id, RoomMessageText, lambda e: e.body == body)

    async def raw(self, method, path, body=None):
        """raw makes a request that nio has no function for."""
        answer = await self.client.send(method, path, None if body is None else json.dumps(body),
                                        {"Authorization": f"Bearer {self.client.access_token}", "Content-Type": "application/json"})
        return answer.status, await answer.json()


alice, bob, carol = Person("anne_nio"), Person("ben_nio"), Person("cleo_nio")
r = {}


async def sign_up():
    for who in (alice, bob, carol):
        ok(await who.client.register(who.name, PASSWORD, "nio"))
        assert who.client.user_id == who.id and ok(await who.client.whoami()).user_id == who.id
        await who.follow()
    assert (await AsyncClient(URL).register(alice.name, PASSWORD)).status_code == "M_USER_IN_USE"


async def profiles():
    ok(await alice.client.set_displayname("Anne"))
    picture = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
    sent, _ = await alice.client.upload(io.BytesIO(picture), "image/gif", "me.gif", filesize=len(picture))
    ok(await alice.client.set_avatar(ok(sent).content_uri))
    seen = ok(await bob.client.get_profile(alice.id))
    assert (seen.displayname, seen.avatar_url) == ("Anne", sent.content_uri), seen
    status, config = await alice.raw("GET", "/_matrix/client/v1/media/config")
    assert status == 200 and config["m.upload.size"] > 0, config
    server, media = sent.content_uri.removeprefix("mxc://").split("/")
    answer = await bob.client.send("GET", f"/_matrix/client/v1/media/download/{server}/{media}", None, {"Authorization": f"Bearer {bob.client.access_token}"})
    assert answer.status == 200 and await answer.read() == picture


async def space_and_rooms():
    r["space"] = ok(await alice.client.room_create(name="Attic", space=True, invite=[bob.id])).room_id
    r["main"] = ok(await alice.client.room_create(visibility=RoomVisibility.public, alias="tea_nio", name="Tea", topic="Milk?", room_version="10",
                                                  preset=RoomPreset.public_chat)).room_id
    r["knock"] = ok(await alice.client.room_create(name="Knock", initial_state=[
        {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}])).room_id
    for child in (r["main"], r["knock"]):
        ok(await alice.client.room_put_state(r["space"], "m.space.child", {"via": ["test"]}, child))
    for child in (r["main"], r["knock"]):
        await alice.sees(r["space"], object, lambda e: e.source["type"] == "m.space.child" and e.source["state_key"] == child)
    assert ok(await alice.client.room_get_state_event(r["space"], "m.room.create")).content["type"] == "m.space"


async def invite():
    await until("the invitation", lambda: r["space"] in bob.client.invited_rooms)
    assert bob.client.invited_rooms[r["space"]].inviter == alice.id
    assert bob.client.invited_rooms[r["space"]].display_name == "Attic"
    ok(await bob.client.join(r["space"]))
    assert ok(await bob.client.room_resolve_alias("#tea_nio:test")).room_id == r["main"]
    ok(await bob.client.join("#tea_nio:test"))
    await until("bob's room", lambda: bob.room(r["main"]) and bob.room(r["main"]).display_name == "Tea")
    assert bob.room(r["main"]).topic == "Milk?" and bob.room(r["main"]).user_name(alice.id) == "Anne"
    await until("alice to see him", lambda: bob.id in alice.room(r["main"]).users)
    status, tree = await bob.raw("GET", f"/_matrix/client/v1/rooms/{quote(r['space'])}/hierarchy")
    assert status == 200 and {x.get("name") for x in tree["rooms"]} == {"Attic", "Tea", "Knock"}, tree
    refused(await carol.client.join(r["space"]), "M_FORBIDDEN")


async def knock():
    status, answer = await carol.raw("POST", f"{V3}/knock/{quote(r['knock'])}", {"reason": "me"})
    assert status == 200, answer
    await alice.sees(r["knock"], object, lambda e: e.source["content"].get("membership") == "knock")
    ok(await alice.client.room_invite(r["knock"], carol.id))
    await until("the invitation", lambda: r["knock"] in carol.client.invited_rooms)
    ok(await carol.client.join(r["knock"]))
    await until("alice to see her", lambda: carol.id in alice.room(r["knock"]).users)


async def talk():
    r["hello"] = await alice.say(r["main"], "Hello")
    seen = await bob.hears(r["main"], "Hello")
    assert seen.event_id == r["hello"] and seen.sender == alice.id
    own = await alice.hears(r["main"], "Hello")
    assert own.transaction_id, "no transaction id for the one who sent it"
    assert not seen.transaction_id, "a transaction id for somebody else"
    await until("bob's count", lambda: bob.room(r["main"]).unread_notifications == 1)


async def thread():
    relation = {"rel_type": "m.thread", "event_id": r["hello"], "is_falling_back": True, "m.in_reply_to": {"event_id": r["hello"]}}
    await bob.say(r["main"], "in the thread", **{"m.relates_to": relation})
    seen = await alice.hears(r["main"], "in the thread")
    assert seen.source["content"]["m.relates_to"]["rel_type"] == "m.thread"
    status, answer = await alice.raw("GET", f"/_matrix/client/v1/rooms/{quote(r['main'])}/threads")
    assert status == 200 and [e["event_id"] for e in answer["chunk"]] == [r["hello"]], answer
    root = ok(await alice.client.room_get_event(r["main"], r["hello"])).event
    assert root.source["unsigned"]["m.relations"]["m.thread"]["count"] == 1, root.source


async def react():
    sent = ok(await bob.client.room_send(r["main"], "m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "event_id": r["hello"], "key": "☕"}}))
    seen = await alice.sees(r["main"], object, lambda e: e.source["type"] == "m.reaction")
    relation = seen.source["content"]["m.relates_to"]
    assert (seen.event_id, relation["event_id"], relation["key"]) == (sent.event_id, r["hello"], "☕")


async def edit():
    await alice.say(r["main"], "* Hello all", **{"m.new_content": {"msgtype": "m.text", "body": "Hello all"},
                                                "m.relates_to": {"rel_type": "m.replace", "event_id": r["hello"]}})
    await bob.hears(r["main"], "* Hello all")
    event = ok(await bob.client.room_get_event(r["main"], r["hello"])).event
    assert event.source["unsigned"]["m.relations"]["m.replace"]["content"]["m.new_content"]["body"] == "Hello all", event.source


async def redact():
    oops = await bob.say(r["main"], "oops")
    await alice.hears(r["main"], "oops")
    ok(await bob.client.room_redact(r["main"], oops, reason="typo"))
    seen = await alice.sees(r["main"], RedactionEvent)
    assert seen.redacts == oops and seen.reason == "typo"
    gone = ok(await alice.client.room_get_event(r["main"], oops)).event
    assert isinstance(gone, RedactedEvent), gone
    refused(await bob.client.room_redact(r["main"], r["hello"]), "M_FORBIDDEN")


async def search():
    await alice.say(r["main"], "a porcupine under the table")
    end = time.monotonic() + 15
    while True:
        status, answer = await bob.raw("POST", f"{V3}/search", {"search_categories": {"room_events": {"search_term": "porcupine"}}})
        assert status == 200, answer
        if answer["search_categories"]["room_events"]["count"] == 1:
            break
        assert time.monotonic() < end, answer
        await asyncio.sleep(0.02)


async def read_receipts():
    last = await alice.say(r["main"], "read this")
    await bob.hears(r["main"], "read this")
    ok(await bob.client.room_read_markers(r["main"], last, last))
    await until("the receipt", lambda: any(room == r["main"] and isinstance(e, ReceiptEvent) and
                any(x.event_id == last and x.user_id == bob.id for x in e.receipts) for room, e in alice.ephemeral))
    await until("bob to have read all", lambda: bob.room(r["main"]).unread_notifications == 0)
    await until("the marker", lambda: bob.room(r["main"]).fully_read_marker == last)
    ok(await bob.client.update_receipt_marker(r["main"], last))


async def typing_and_presence():
    ok(await bob.client.room_typing(r["main"], True, 20000))
    await until("bob to type", lambda: bob.id in alice.room(r["main"]).typing_users)
    ok(await bob.client.room_typing(r["main"], False))
    await until("bob to stop", lambda: bob.id not in alice.room(r["main"]).typing_users)
    ok(await bob.client.set_presence("unavailable", "asleep"))
    assert ok(await alice.client.get_presence(bob.id)).status_msg == "asleep"


async def history():
    for i in range(30):
        await alice.say(r["main"], f"line {i}")
    await bob.hears(r["main"], "line 29")
    lines, start = [], bob.client.next_batch
    while start:
        page = ok(await bob.client.room_messages(r["main"], start, direction=MessageDirection.back, limit=7))
        lines += [e for e in page.chunk]
        start = page.end if page.chunk else None
    assert lines[-1].source["type"] == "m.room.create", lines[-1].source
    assert len({e.event_id for e in lines}) == len(lines), "an event came twice"
    said = [e.body for e in reversed(lines) if isinstance(e, RoomMessageText) and e.body.startswith("line ")]
    assert said == [f"line {i}" for i in range(30)], said
    around = ok(await bob.client.room_context(r["main"], r["hello"], 4))
    assert around.event.event_id == r["hello"]


async def state():
    ok(await alice.client.update_room_topic(r["main"], "Lemon?"))
    await bob.sees(r["main"], RoomTopicEvent, lambda e: e.topic == "Lemon?")
    await until("the topic", lambda: bob.room(r["main"]).topic == "Lemon?")
    refused(await bob.client.update_room_topic(r["main"], "Sugar?"), "M_FORBIDDEN")
    assert {u.user_id for u in ok(await bob.client.joined_members(r["main"])).members} == {alice.id, bob.id}


async def upgrade():
    ok(await alice.client.room_upgrade(r["main"], "11"))
    r["next"] = (await bob.sees(r["main"], RoomUpgradeEvent)).replacement_room
    ok(await bob.client.join(r["next"]))
    await until("the room", lambda: bob.room(r["next"]) and bob.room(r["next"]).display_name == "Tea")
    create = ok(await bob.client.room_get_state_event(r["next"], "m.room.create"))
    # nio itself reads create events of versions before 11 only.
    assert create.content["predecessor"]["room_id"] == r["main"] and create.content["room_version"] == "11", create.content
    await bob.say(r["next"], "moved")
    await alice.hears(r["next"], "moved")


async def kick_ban_leave():
    ok(await alice.client.room_kick(r["knock"], carol.id, "late"))
    refused(await carol.client.room_send(r["knock"], "m.room.message", {"msgtype": "m.text", "body": "?"}), "M_FORBIDDEN")
    assert r["knock"] not in ok(await carol.client.joined_rooms()).rooms
    ok(await alice.client.room_ban(r["knock"], carol.id))
    refused(await carol.client.join(r["knock"]), "M_FORBIDDEN")
    ok(await alice.client.room_unban(r["knock"], carol.id))
    ok(await carol.client.room_forget(r["knock"]))
    ok(await bob.client.room_leave(r["space"]))
    await until("bob to be gone", lambda: bob.id not in alice.room(r["space"]).users)
    assert r["space"] not in ok(await bob.client.joined_rooms()).rooms


async def log_out_and_in():
    await alice.rest()
    old = alice.client.access_token
    ok(await alice.client.logout())
    await alice.client.close()
    alice.renew()
    alice.client.access_token = old
    refused(await alice.client.whoami(), "M_UNKNOWN_TOKEN")
    alice.client.access_token = ""
    refused(await alice.client.login("wrong"), "M_FORBIDDEN")
    assert isinstance(ok(await alice.client.login(PASSWORD, device_name="again")), LoginResponse)
    await alice.follow()
    await until("the room", lambda: alice.room(r["next"]) and alice.room(r["next"]).display_name == "Tea")
    await alice.hears(r["next"], "moved")
    await alice.say(r["next"], "I'm back")
    await bob.hears(r["next"], "I'm back")
    devices = ok(await alice.client.devices()).devices
    assert [d.display_name for d in devices] == ["again"], devices


async def main():
    for what in (sign_up, profiles, space_and_rooms, invite, knock, talk, thread, react, edit, redact, search, read_receipts,
                 typing_and_presence, history, state, upgrade, kick_ban_leave, log_out_and_in):
        await step(what.__name__.replace("_", " "), what)
    for who in (alice, bob, carol):
        await who.rest()
        await who.client.close()
    tell(done=True)


asyncio.run(main())

"""A device that encrypts with matrix-nio and libolm: nio_secret.py URL USER PASSWORD FOLDER.

It does what it is told by lines of JSON on its input, {"do": ..., ...}, and answers each by one on its
output, {"did": ...}. Between them it tells what it hears: {"heard": body, "id": ..., "sender": ...},
{"riddle": id} for what it can't decrypt yet, and what happens while devices are verified.
"""

import asyncio
import json
import sys

from nio import (AsyncClient, AsyncClientConfig, ErrorResponse, KeyVerificationKey, KeyVerificationMac,
                 KeyVerificationStart, MegolmEvent, RoomMessageText, ToDeviceMessage)
from nio.events.to_device import ToDeviceEvent


def tell(**what):
    print(json.dumps(what), flush=True)


def ok(response):
    assert not isinstance(response, ErrorResponse), f"{type(response).__name__}: {response}"
    return response


async def main(url, user, password, store):
    client = AsyncClient(url, user, store_path=store, config=AsyncClientConfig(encryption_enabled=True, store_sync_tokens=True))
    ok(await client.login(password))
    # What could not be decrypted when it came is tried again when a key comes.
    riddles = {}

    def heard(event):
        tell(heard=event.body, id=event.event_id, sender=event.sender, verified=event.verified)

    async def message(_, event):
        heard(event)

    async def riddle(room, event):
        tell(riddle=event.event_id)
        event.room_id = room.room_id
        riddles[event.event_id] = event

    async def again(_):
        for event_id, event in list(riddles.items()):
            try:
                plain = client.decrypt_event(event)
            except Exception:
                continue
            del riddles[event_id]
            heard(plain)

    async def send(kind, event, content):
        """send answers whoever sent an event to this device."""
        content["transaction_id"] = event["content"]["transaction_id"]
        ok(await client.to_device(ToDeviceMessage(kind, event["sender"], event["content"]["from_device"], content)))

    requests = {}

    # nio knows the protocol from before there were requests, and drops these; they are answered here.
    parse = ToDeviceEvent.parse_event

    def watch(event):
        if event.get("type") == "m.key.verification.request":
            requests[event["content"]["transaction_id"]] = event
            asyncio.create_task(send("m.key.verification.ready", event, {"from_device": client.device_id, "methods": ["m.sas.v1"]}))
        return parse(event)

    ToDeviceEvent.parse_event = staticmethod(watch)

    async def verification(event):
        sas = client.key_verifications.get(event.transaction_id)
        if isinstance(event, KeyVerificationStart):
            ok(await client.accept_key_verification(event.transaction_id))
        elif isinstance(event, KeyVerificationKey):
            tell(emoji=[e[0] for e in sas.get_emoji()], transaction=event.transaction_id)
        elif isinstance(event, KeyVerificationMac):
            # The emoji have been compared by then, see "confirm".
            tell(verified=bool(sas.verified))
            if sas.verified:
                await send("m.key.verification.done", requests[event.transaction_id], {})

    client.add_event_callback(message, RoomMessageText)
    client.add_event_callback(riddle, MegolmEvent)
    client.add_response_callback(again)
    client.add_to_device_callback(verification, (KeyVerificationStart, KeyVerificationKey, KeyVerificationMac))
    if client.should_upload_keys:
        ok(await client.keys_upload())
    ok(await client.sync(timeout=0, full_state=True))
    following = asyncio.create_task(client.sync_forever(timeout=5000))
    tell(did="start", device=client.device_id)

    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        what = json.loads(line)
        match what["do"]:
            case "join":
                ok(await client.join(what["room"]))
                tell(did="join")
            case "send":
                sent = ok(await client.room_send(what["room"], "m.room.message", {"msgtype": "m.text", "body": what["body"]}, ignore_unverified_devices=True))
                session = client.olm.outbound_group_sessions[what["room"]]
                tell(did="send", id=sent.event_id, session=session.id, shared=sorted(device for _, device in session.users_shared_with))
            case "confirm":
                ok(await client.confirm_short_auth_string(what["transaction"]))
                tell(did="confirm")
            case "trusts":
                tell(did="trusts", trusts=client.device_store[what["user"]][what["device"]].verified)
            case "knows":
                tell(did="knows", devices=sorted(d.id for d in client.device_store.active_user_devices(what["user"])))
            case "riddles":
                tell(did="riddles", riddles=sorted(riddles))
    following.cancel()
    await client.close()


asyncio.run(main(*sys.argv[1:]))

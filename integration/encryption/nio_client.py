"""An encrypting Matrix client for tests, on matrix-nio and libolm.

It logs in and follows /sync. Each line on its input is a message to send, as
JSON: {"room": ..., "body": ...}. Each line of its output tells what happened, as
JSON: {"ready": user}, {"sent": body}, {"body": ..., "sender": ...,
"encrypted": bool} or {"undecryptable": sender}.
"""

import asyncio
import json
import sys

from nio import (AsyncClient, AsyncClientConfig, MegolmEvent, RoomMessageText,
                 RoomSendResponse)


def tell(**what):
    print(json.dumps(what), flush=True)


async def main(url, user, password, alias, store):
    client = AsyncClient(url, user, store_path=store,
                         config=AsyncClientConfig(encryption_enabled=True, store_sync_tokens=True))
    login = await client.login(password)
    if not client.logged_in:
        raise SystemExit(f"login: {login}")

    async def heard(room, event):
        if event.sender != client.user_id:
            tell(body=event.body, sender=event.sender, encrypted=event.decrypted)

    async def riddle(room, event):
        tell(undecryptable=event.sender)

    client.add_event_callback(heard, RoomMessageText)
    client.add_event_callback(riddle, MegolmEvent)
    if client.should_upload_keys:
        await client.keys_upload()
    joined = await client.join(alias)
    if not hasattr(joined, "room_id"):
        raise SystemExit(f"join: {joined}")
    await client.sync(timeout=0, full_state=True)
    following = asyncio.create_task(client.sync_forever(timeout=10000))
    tell(ready=client.user_id)

    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        what = json.loads(line)
        sent = await client.room_send(what["room"], "m.room.message",
                                      {"msgtype": "m.text", "body": what["body"]}, ignore_unverified_devices=True)
        if not isinstance(sent, RoomSendResponse):
            raise SystemExit(f"send: {sent}")
        tell(sent=what["body"])
    following.cancel()
    await client.close()


asyncio.run(main(*sys.argv[1:]))

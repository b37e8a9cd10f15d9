// A small IRC bridge on matrix-appservice-bridge, as anybody might write one: aliases make portals, people
// of IRC are ghosts, one bot speaks for those of Matrix. It keeps nothing but a file of its rooms.
//
//   node bridge.mjs register FILE URL             makes a registration
//   node bridge.mjs run FILE HOMESERVER IRC-PORT  runs
import { readFileSync, writeFileSync, existsSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { AppServiceRegistration, Bridge } from "matrix-appservice-bridge";
import yaml from "js-yaml";

const [mode, file, homeserver, ircPort] = process.argv.slice(2);
const prefix = "jsirc_", domain = "test";

if (mode === "register") {
  const r = new AppServiceRegistration(homeserver);
  r.setId(AppServiceRegistration.generateToken());
  r.setHomeserverToken(AppServiceRegistration.generateToken());
  r.setAppServiceToken(AppServiceRegistration.generateToken());
  r.setSenderLocalpart("jsircbot");
  r.setProtocols(["jsirc"]);
  r.setRateLimited(false);
  r.pushEphemeral = true;
  r.addRegexPattern("users", `@${prefix}.*`, true);
  r.addRegexPattern("aliases", `#${prefix}.*`, true);
  r.outputAsYaml(file);
  process.exit(0);
}

// say tells the test something, a line each.
const say = (...words) => console.log(words.join(" "));
const registration = AppServiceRegistration.fromObject(yaml.load(readFileSync(file, "utf8")));
const saved = file + ".rooms.json";
const rooms = existsSync(saved) ? JSON.parse(readFileSync(saved, "utf8")) : {}; // channel or nick: room
const save = () => writeFileSync(saved, JSON.stringify(rooms));
const target = (room) => Object.keys(rooms).find((k) => rooms[k] === room);
const ghost = (nick) => `@${prefix}${nick.toLowerCase()}:${domain}`;

// IRC: one connection; joined resolves when the list of a channel's people has come.
const irc = connect(Number(ircPort), "127.0.0.1");
const ready = Promise.withResolvers(), waiting = new Map();
let rest = "";
irc.setEncoding("utf8");
irc.on("data", (data) => {
  const lines = (rest + data).split("\r\n");
  rest = lines.pop();
  for (const line of lines) onLine(line);
});
irc.on("close", () => process.exit(1));
const send = (line) => irc.write(line.replaceAll(/[\r\n]/g, " ") + "\r\n");
send("NICK jsbot");
send("USER jsbot 0 * :A bridge");

function joinChannel(channel) {
  const w = Promise.withResolvers();
  waiting.set(channel, w);
  send("JOIN " + channel);
  return w.promise;
}

// What IRC says is told to Matrix one after the other, each until it is there.
let queue = Promise.resolve();
let n = 0;
function toMatrix(work) {
  const txn = `${process.pid}-${n++}`;
  queue = queue.then(async () => {
    for (let tries = 0; ; tries++) {
      try {
        return await work(txn);
      } catch (err) {
        if (tries > 200) {
          say("lost", err);
          return;
        }
        await sleep(50);
      }
    }
  });
}

function onLine(line) {
  const m = /^(?::([^ !]+)[^ ]* )?([^ ]+) ?(.*)$/.exec(line);
  const [, from, command, params] = m;
  const colon = (" " + params).indexOf(" :");
  const text = colon < 0 ? "" : params.slice(colon + 1);
  const args = (colon < 0 ? params : params.slice(0, colon)).split(" ").filter(Boolean);
  const channel = args[0] ?? text;
  switch (command) {
    case "PING": return send("PONG :" + text);
    case "001": return ready.resolve();
    case "366": return waiting.get(args[1])?.resolve();
    case "JOIN": if (from !== "jsbot" && rooms[channel]) toMatrix(() => bridge.getIntent(ghost(from)).join(rooms[channel])); return;
    case "PART": if (from !== "jsbot" && rooms[channel]) toMatrix(() => bridge.getIntent(ghost(from)).leave(rooms[channel])); return;
    case "PRIVMSG": {
      const room = rooms[channel === "jsbot" ? from.toLowerCase() : channel];
      if (!room) return;
      toMatrix(async (txn) => {
        const intent = bridge.getIntent(ghost(from));
        await intent.ensureProfile(from + " (IRC)");
        await intent.join(room);
        // A name of its own makes a message that is sent twice one message.
        await intent.matrixClient.doRequest("PUT", `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/m.room.message/${txn}`, null,
          { msgtype: "m.text", body: text });
      });
    }
  }
}

const bridge = new Bridge({
  homeserverUrl: homeserver, domain, registration, disableStores: true, disableContext: true,
  controller: {
    onUserQuery: (user) => ({ name: user.localpart.slice(prefix.length) + " (IRC)" }),
    onAliasQuery: async (alias, localpart) => {
      const channel = "#" + localpart.slice(prefix.length);
      await joinChannel(channel);
      return { creationOpts: { room_alias_name: localpart, preset: "public_chat", name: channel, visibility: "private" } };
    },
    onAliasQueried: async (alias, room) => {
      rooms["#" + alias.slice(1, alias.indexOf(":")).slice(prefix.length)] = room;
      save();
      await bridge.getIntent().setRoomDirectoryVisibilityAppService(room, "net", "public");
      say("portal", room);
    },
    onEvent: async (request) => {
      const e = request.getData();
      if (e.type === "m.room.member" && e.content.membership === "invite" && e.state_key.startsWith("@" + prefix)) {
        const nick = e.state_key.slice(prefix.length + 1).split(":")[0];
        rooms[nick] = e.room_id;
        save();
        await bridge.getIntent(e.state_key).join(e.room_id);
        say("direct", nick);
        return;
      }
      if (e.type !== "m.room.message" || e.sender.startsWith("@" + prefix)) return;
      const to = target(e.room_id);
      if (to) send(`PRIVMSG ${to} :<${e.sender.slice(1).split(":")[0]}> ${e.content.body}`);
    },
    onEphemeralEvent: (request) => {
      const e = request.getData();
      if (e.type === "m.typing") say("typing", ...e.content.user_ids);
      if (e.type === "m.receipt") say("receipt", ...Object.keys(e.content));
      if (e.type === "m.presence") say("presence", e.sender, e.content.presence);
    },
    thirdPartyLookup: {
      protocols: ["jsirc"],
      getProtocol: () => ({ user_fields: ["nick"], location_fields: ["channel"], icon: "mxc://test/icon", field_types: {},
        instances: [{ network_id: "net", desc: "A net", fields: {} }] }),
      getLocation: (protocol, fields) => [{ alias: `#${prefix}${fields.channel.slice(1)}:${domain}`, protocol, fields }],
      parseLocation: (alias) => [{ alias, protocol: "jsirc", fields: { channel: "#" + alias.split(":")[0].slice(prefix.length + 1) } }],
      getUser: (protocol, fields) => [{ userid: ghost(fields.nick), protocol, fields }],
      parseUser: (userid) => [{ userid, protocol: "jsirc", fields: { nick: userid.split(":")[0].slice(prefix.length + 1) } }],
    },
  },
});
process.on("SIGTERM", () => process.exit(0));
await ready.promise;
for (const name of Object.keys(rooms)) if (name.startsWith("#")) await joinChannel(name);
await bridge.run(Number(new URL(registration.getAppServiceUrl()).port), undefined, "127.0.0.1");
say("ready");

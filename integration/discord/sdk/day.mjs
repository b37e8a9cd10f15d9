// A day of a bot that uses discord.js, against the stand-in of Discord. Each answer of the REST API
// is held against the schemas that are made from Discord's own description of it, and what comes over the
// gateway against the types of discord-api-types, by the TypeScript compiler. It writes what it has found
// to standard output, one JSON object a line.
//
//   node day.mjs API TOKEN GUILD CHANNEL
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { Client, GatewayIntentBits, Events, PermissionFlagsBits } from 'discord.js';
import * as spec from 'discord-api-spec/zod';

const [api, token, guildID, channelID] = process.argv.slice(2);
const say = (line) => console.log(JSON.stringify(line));

// What an answer must be, by method and path: Discord's description has, below each path and method, the types of its answers
// by their status.
const described = [];
{
  let path, method, answer;
  for (const line of readFileSync(fileURLToPath(import.meta.resolve('discord-api-spec')).replace(/js$/, 'ts'), 'utf8').split('\n')) {
    let m;
    if ((m = line.match(/^  "(\/[^"]*)": \{$/))) path = m[1];
    else if ((m = line.match(/^    (get|put|post|patch|delete): \{$/)) && path) {
      const parts = path.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+');
      described.push({ method: m[1].toUpperCase(), path, fits: new RegExp(`^${parts}$`), open: path.split('{').length, answers: {} });
    } else if ((m = line.match(/^        "(2\d\d)":(.*)$/)) && path) {
      answer = m[1];
      described.at(-1).answers[answer] = m[2];
      if (m[2].includes(';')) answer = undefined;
    } else if (answer) {
      described.at(-1).answers[answer] += line;
      if (line.includes(';')) answer = undefined;
    } else if (line === '};') path = undefined;
  }
  described.sort((a, b) => a.open - b.open); // a path that says more goes first
}

// The schemas want times in UTC to end with Z; Discord writes +00:00. They do not know forwards, which discord-api-types has.
function dates(value) {
  if (value?.message_reference?.type === 1) value = { ...value, message_reference: { ...value.message_reference, type: 0 } };
  if (typeof value === 'string') return value.replace(/^(\d{4}-\d\d-\d\dT[\d:.]+)\+00:00$/, '$1Z');
  if (Array.isArray(value)) return value.map(dates);
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, dates(v)]));
  return value;
}

function check(method, path, status, body) {
  const known = described.find((d) => d.method === method && d.fits.test(path));
  const answer = known?.answers[status];
  if (!answer) {
    say({ kind: 'unchecked', method, path: `${path} ${status}` });
    return;
  }
  if (status === 204) {
    say({ kind: 'checked', method, path: known.path });
    return;
  }
  const list = answer.includes('[]');
  const names = answer.match(/[A-Z]\w+/g);
  assert.ok(Array.isArray(body) || !list, `${method} ${path} is no list`);
  for (const value of list ? body : [body]) {
    const problems = [];
    const fits = names.some((name) => {
      const schema = spec[name + 'Schema'];
      assert.ok(schema, `discord-api-spec has no ${name}Schema`);
      const result = schema.safeParse(dates(value));
      if (!result.success) problems.push(name, ...result.error.issues.slice(0, 6).map((i) => `${i.path.join('.')}: ${i.message} ${JSON.stringify(i.errors ?? '').slice(0, 400)}`));
      return result.success;
    });
    say(fits ? { kind: 'checked', method, path: known.path } : { kind: 'mismatch', method, path: known.path, problems });
  }
}

const client = new Client({
  rest: {
    api: api.replace(/\/v10$/, ''), retries: 0,
    async makeRequest(url, init) {
      const response = await fetch(url, init);
      if (response.ok) {
        const path = decodeURIComponent(new URL(url).pathname).slice(new URL(api).pathname.length);
        check(init.method, path, response.status, response.status === 204 ? undefined : await response.clone().json());
      }
      return response;
    },
  },
  intents: [
    GatewayIntentBits.Guilds, GatewayIntentBits.GuildMembers, GatewayIntentBits.GuildMessages,
    GatewayIntentBits.GuildModeration, GatewayIntentBits.GuildMessageReactions, GatewayIntentBits.GuildMessageTyping, GatewayIntentBits.MessageContent,
    GatewayIntentBits.GuildPresences, GatewayIntentBits.GuildVoiceStates, GatewayIntentBits.GuildScheduledEvents, GatewayIntentBits.GuildMessagePolls,
    GatewayIntentBits.DirectMessages,
  ],
});
const seen = { create: [], update: [], remove: [], reaction: [], typing: [], thread: [], member: [], command: [] };
const frames = [];
client.on(Events.Raw, (frame) => frames.push(frame));
// discord.js changes its messages when they are edited.
client.on(Events.MessageCreate, (m) => seen.create.push(Object.assign(Object.create(m), { content: m.content })));
client.on(Events.MessageUpdate, (_, m) => seen.update.push(m));
client.on(Events.MessageDelete, (m) => seen.remove.push(m.id));
client.on(Events.MessageReactionAdd, (r, u) => seen.reaction.push([r, u]));
client.on(Events.TypingStart, (t) => seen.typing.push(t));
client.on(Events.ThreadCreate, (t) => seen.thread.push(t));
client.on(Events.GuildMemberUpdate, (_, m) => seen.member.push(m));
client.on(Events.InteractionCreate, (i) => seen.command.push(i));
client.on(Events.Error, (e) => say({ kind: 'error', text: String(e) }));

async function until(what, cond) {
  const end = Date.now() + 20_000;
  for (;;) {
    const value = await cond();
    if (value) return value;
    assert.ok(Date.now() < end, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

await client.login(token);
await until('ready', () => client.isReady());
const guild = await until('the guild', () => client.guilds.cache.get(guildID));
assert.equal(guild.available, true);
const channel = client.channels.cache.get(channelID);
assert.equal(channel.name, 'general');
assert.ok(guild.members.me.permissions.has(PermissionFlagsBits.ManageWebhooks));

const members = await guild.members.list({ limit: 100 });
assert.ok(members.some((m) => m.user.username === 'anna'));

// What the test says as a member.
say({ kind: 'ready' });
const heard = await until('a message', () => seen.create.find((m) => m.content === 'good **morning**'));
const first = channel.messages.cache.get(heard.id);
assert.equal(first.author.username, 'anna');
assert.equal(first.member.displayName, 'anna');
await until('its edit', () => seen.update.find((m) => m.id === first.id && m.content === 'good evening'));
await first.react('👍');
await until('the reactions', () => seen.reaction.length >= 2);
const users = await first.reactions.resolve('🎉').users.fetch();
assert.deepEqual([...users.values()].map((u) => u.username), ['owner']);

const hook = await channel.createWebhook({ name: 'A bridge' });
const hooks = await channel.fetchWebhooks();
assert.ok(hooks.has(hook.id));
const sent = await hook.send({
  content: 'from far away', username: 'Mia', allowedMentions: { parse: [] },
  files: [{ attachment: Buffer.from('some text'), name: 'note.txt' }],
});
assert.equal(sent.attachments.first().name, 'note.txt');
await until('the webhook\'s message', () => seen.create.find((m) => m.id === sent.id && m.webhookId === hook.id && m.author.username === 'Mia'));
await hook.editMessage(sent.id, { content: 'from further away' });
await until('its edit', () => seen.update.find((m) => m.id === sent.id && m.content === 'from further away'));
await hook.deleteMessage(sent.id);
await until('its deletion', () => seen.remove.includes(sent.id));

const thread = await first.startThread({ name: 'a thread' });
await until('the thread', () => seen.thread.find((t) => t.id === thread.id));
await hook.send({ content: 'in the thread', threadId: thread.id });
await until('what is said there', () => seen.create.find((m) => m.channelId === thread.id && m.content === 'in the thread'));

const messages = await channel.messages.fetch({ limit: 10 });
assert.ok(messages.has(first.id));
await channel.messages.fetch({ limit: 10, after: first.id });
await channel.messages.fetch({ limit: 10, before: first.id });
await channel.messages.fetch(first.id).then((m) => m.fetch(true));
await client.rest.get(`/channels/${channel.id}/pins`);
await channel.threads.fetchArchived();
await client.channels.fetch(channel.id, { force: true });
await client.application.fetch();
await client.users.fetch('@me', { force: true }).catch(() => client.rest.get('/users/@me'));

// What Discord refuses.
await assert.rejects(client.rest.get(`/channels/1`), (e) => e.code === 10003 && e.status === 404);
await assert.rejects(hook.editMessage('1', { content: 'x' }), (e) => e.code === 10008);
await assert.rejects(channel.createWebhook({ name: 'Discord itself' }), (e) => e.status === 400 && e.code === 50035);
await assert.rejects(hook.send({ content: 'x'.repeat(2001) }), (e) => e.status === 400 && e.code === 50035);
await assert.rejects(hook.send({ content: '' }), (e) => e.status === 400 && e.code === 50006);

// What else the gateway tells.
say({ kind: 'more' });
await until('the last of it', () => frames.find((f) => f.t === 'CHANNEL_DELETE'));

// Answers to a command, direct messages, commands, moderation.
const command = await until('a command', () => seen.command[0]);
await command.deferReply({ flags: 64 });
await command.editReply('an answer');
const direct = await first.author.createDM();
await direct.send('in private');
await direct.messages.fetch({ limit: 10 });
await client.rest.post(`/applications/${client.application.id}/commands`, { body: { name: 'matrix', description: 'The bridge' } });


// What the bridge asks for beside.
const { rest } = client;
await rest.get('/gateway');
await rest.get('/gateway/bot');
await rest.get('/users/@me/guilds');
await rest.get(`/guilds/${guild.id}`);
await rest.get(`/guilds/${guild.id}/channels`);
await rest.get(`/guilds/${guild.id}/roles`);
await rest.get(`/guilds/${guild.id}/members/${client.user.id}`);
await rest.get(`/guilds/${guild.id}/threads/active`);
await rest.post(`/channels/${channel.id}/typing`);
await channel.send('by the bot itself').then((m) => m.delete());
await first.reactions.resolve('👍').users.remove(client.user.id);
await rest.patch(`/channels/${channel.id}`, { body: { topic: 'A topic' } });
await rest.patch(`/channels/${thread.id}`, { body: { archived: true } });
await rest.patch(`/channels/${thread.id}`, { body: { archived: false } });
await rest.put(`/channels/${channel.id}/permissions/${guild.id}`, { body: { type: 0, allow: '0', deny: '2048' } });
await rest.delete(`/channels/${channel.id}/permissions/${guild.id}`);
const victim = members.find((m) => m.user.username === 'victim');
await rest.patch(`/guilds/${guild.id}/members/${victim.id}`, { body: { communication_disabled_until: new Date(Date.now() + 60_000).toISOString() } });
await rest.patch(`/guilds/${guild.id}/members/${victim.id}`, { body: { communication_disabled_until: null } });
await rest.delete(`/guilds/${guild.id}/members/${victim.id}`);
await rest.put(`/guilds/${guild.id}/bans/${victim.id}`, { body: {} });
assert.equal((await rest.get(`/guilds/${guild.id}/bans?limit=10`)).length, 1);
await rest.delete(`/guilds/${guild.id}/bans/${victim.id}`);
// A file that is exchanged, a message in a thread that is changed, a post in a forum, a poll.
const changed = await hook.send({ content: 'in the thread too', threadId: thread.id, files: [{ attachment: Buffer.from('old'), name: 'a.txt' }] });
await hook.editMessage(changed.id, { threadId: thread.id, attachments: [], files: [{ attachment: Buffer.from('new'), name: 'b.txt' }] });
const forum = client.channels.cache.find((c) => c.name === 'forum');
const posts = await forum.createWebhook({ name: 'Posts' });
await posts.send({ content: 'a post', threadName: 'A post' });
await rest.post(`/webhooks/${hook.id}/${hook.token}?wait=true`, { auth: false, body: { poll: {
  question: { text: 'Tea?' }, answers: [{ poll_media: { text: 'yes' } }, { poll_media: { text: 'no' } }], duration: 1, allow_multiselect: false, layout_type: 1,
} } });
await rest.get(`/channels/${channel.id}/messages?limit=100`);
await rest.get(`/channels/${channel.id}/messages/${first.id}/reactions/${encodeURIComponent('🎉')}?limit=100&type=1`).catch(() => {});

await client.destroy();

// What came over the gateway. What the types say of a field must be so; they do not name all fields that there are. Enumerations
// are their values.
const source = [
  "import type * as api from 'discord-api-types/v10';",
  'type Json<T> = T extends string ? `${T}` : T extends number ? number : T extends (infer U)[] ? Json<U>[] : T extends object ? { [K in keyof T]: Json<T[K]> } & { [key: string]: unknown } : T;',
];
const places = [];
for (const { t: type, d: data } of frames) {
  if (!type || type === 'RESUMED') continue;
  const name = type.split('_').map((s) => s[0] + s.slice(1).toLowerCase()).join('').replace(/^(MessagePollVote)(Add|Remove)$/, '$1');
  places.push([source.join('\n').split('\n').length, type]);
  source.push(`export const v${places.length}: Json<api.Gateway${name}DispatchData> = ${JSON.stringify(data, null, 1)};`);
}
const path = fileURLToPath(new URL('check.ts', import.meta.url));
writeFileSync(path, source.join('\n') + '\n');
const program = ts.createProgram([path], {
  strict: true, noEmit: true, skipLibCheck: true, module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2022, types: [], preserveSymlinks: true,
});
for (const problem of ts.getPreEmitDiagnostics(program)) {
  const text = ts.flattenDiagnosticMessageText(problem.messageText, '\n');
  const line = problem.file?.fileName === path ? problem.file.getLineAndCharacterOfPosition(problem.start).line + 1 : 0;
  const at = places.findLast(([from]) => from < line)?.[1] ?? 'the script';
  const where = line ? problem.file.text.split('\n')[line - 1].trim() : problem.file?.fileName;
  say({ kind: 'mismatch', method: 'GATEWAY', path: at, problems: [`${where}: ${text}`] });
}
for (const [, type] of places) say({ kind: 'checked', method: 'GATEWAY', path: type });
say({ kind: 'done' });

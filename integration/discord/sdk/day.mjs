// A day of a bot that uses discord.js, against the stand-in of Discord. Each answer of the REST API
// is held against the schemas that are made from Discord's own description of it, and what comes over the
// gateway against the types of discord-api-types, by the TypeScript compiler. It writes what it has found
// to standard output, one JSON object a line.
//
//   node day.mjs API TOKEN GUILD CHANNEL
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { Client, GatewayIntentBits, Events, PermissionFlagsBits } from 'discord.js';
import * as spec from 'discord-api-spec/zod';

const [api, token, guildID, channelID] = process.argv.slice(2);
const say = (line) => console.log(JSON.stringify(line));

// What an answer must be, by method and path.
const schemas = [
  ['GET', /^\/gateway\/bot$/, 'GatewayBotResponse'],
  ['GET', /^\/users\/@me$/, 'UserPIIResponse'],
  ['GET', /^\/applications\/@me$/, 'PrivateApplicationResponse'],
  ['GET', /^\/channels\/\d+$/, 'GuildChannelResponse|ThreadResponse'],
  ['GET', /^\/channels\/\d+\/messages$/, '[]MessageResponse'],
  ['POST', /^\/channels\/\d+\/messages\/\d+\/threads$/, 'ThreadResponse'],
  ['GET', /^\/channels\/\d+\/messages\/\d+$/, 'MessageResponse'],
  ['GET', /^\/channels\/\d+\/messages\/\d+\/reactions\/[^/]+$/, '[]UserResponse'],
  ['GET', /^\/channels\/\d+\/pins$/, '[]MessageResponse'],
  ['GET', /^\/channels\/\d+\/threads\/archived\/\w+$/, 'ThreadsResponse'],
  ['GET', /^\/channels\/\d+\/webhooks$/, '[]GuildIncomingWebhookResponse'],
  ['POST', /^\/channels\/\d+\/webhooks$/, 'GuildIncomingWebhookResponse'],
  ['POST', /^\/webhooks\/\d+\/[^/]+$/, 'MessageResponse'],
  ['PATCH', /^\/webhooks\/\d+\/[^/]+\/messages\/\d+$/, 'MessageResponse'],
  ['POST', /^\/users\/@me\/channels$/, 'PrivateChannelResponse'],
  ['POST', /^\/channels\/\d+\/messages$/, 'MessageResponse'],
  ['POST', /^\/applications\/\d+\/commands$/, 'ApplicationCommandResponse'],
  ['PATCH', /^\/webhooks\/\d+\/[^/]+\/messages\/@original$/, 'MessageResponse'],
  ['GET', /^\/guilds\/\d+\/members$/, '[]GuildMemberResponse'],
];

// The schemas want times in UTC to end with Z; Discord writes +00:00.
function dates(value) {
  if (typeof value === 'string') return value.replace(/^(\d{4}-\d\d-\d\dT[\d:.]+)\+00:00$/, '$1Z');
  if (Array.isArray(value)) return value.map(dates);
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, dates(v)]));
  return value;
}

function check(method, path, body) {
  const known = schemas.find(([m, p]) => m === method && p.test(path));
  if (!known) {
    say({ kind: 'unchecked', method, path });
    return;
  }
  const list = known[2].startsWith('[]');
  const names = known[2].replace('[]', '').split('|');
  for (const value of list ? body : [body]) {
    const problems = [];
    const fits = names.some((name) => {
      const schema = spec[name + 'Schema'];
      assert.ok(schema, `discord-api-spec has no ${name}Schema`);
      const result = schema.safeParse(dates(value));
      if (!result.success) problems.push(name, ...result.error.issues.slice(0, 6).map((i) => `${i.path.join('.')}: ${i.message} ${JSON.stringify(i.errors ?? '').slice(0, 400)}`));
      return result.success;
    });
    say(fits ? { kind: 'checked', method, path: known[2] } : { kind: 'mismatch', method, path, problems });
  }
}

const client = new Client({
  rest: {
    api: api.replace(/\/v10$/, ''), retries: 0,
    async makeRequest(url, init) {
      const response = await fetch(url, init);
      if (response.status === 200) {
        const path = decodeURIComponent(new URL(url).pathname).slice(new URL(api).pathname.length);
        check(init.method, path, await response.clone().json());
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

// A day of an app that uses Slack's own SDKs, against the stand-in of Slack. What they are answered, and the events that come,
// are held against the types of @slack/web-api and @slack/types by the TypeScript compiler. It writes what it has found to
// standard output, one JSON object a line.
//
//   node day.mjs API BOT_TOKEN APP_TOKEN CHANNEL USER
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { WebClient, ErrorCode } from '@slack/web-api';
import { SocketModeClient } from '@slack/socket-mode';

const [api, botToken, appToken, channel, user] = process.argv.slice(2);
const say = (line) => console.log(JSON.stringify(line));
const options = { slackApiUrl: api, retryConfig: { retries: 0 }, rejectRateLimitedCalls: true };
const web = new WebClient(botToken, options);
const socket = new SocketModeClient({ appToken, clientOptions: options });

const answers = []; // of methods, with their names
const events = [];
async function call(method, args = {}) {
  const answer = await web.apiCall(method, args);
  const { response_metadata: meta, ...rest } = answer;
  answers.push([method, meta?.next_cursor === undefined ? rest : { ...rest, response_metadata: { next_cursor: meta.next_cursor } }]);
  return answer;
}

async function until(what, cond) {
  const end = Date.now() + 20_000;
  for (;;) {
    const value = cond();
    if (value) return value;
    assert.ok(Date.now() < end, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

socket.on('slack_event', async ({ ack, body }) => {
  await ack();
  assert.equal(body.type, 'event_callback');
  events.push(body.event);
});
let connections = 0;
socket.on('connected', () => { connections++; });
await socket.start();

const self = await call('auth.test');
await call('team.info');
await call('bots.info', { bot: self.bot_id });
const people = await call('users.list', { limit: 200 });
assert.ok(people.members.some((m) => m.id === user));
await call('users.info', { user });
await call('usergroups.list', { include_users: true });
await call('emoji.list');
const list = await call('conversations.list', { types: 'public_channel,private_channel', limit: 200 });
assert.ok(list.channels.some((c) => c.id === channel));
await call('conversations.info', { channel });
const members = await call('conversations.members', { channel });
assert.ok(members.members.includes(user));

// What the test says as a member.
say({ kind: 'ready' });
const first = await until('a message', () => events.find((e) => e.type === 'message' && e.text === 'good *morning*'));
assert.equal(first.user, user);
await until('its edit', () => events.find((e) => e.subtype === 'message_changed' && e.message.text === 'good evening'));
await until('a reaction', () => events.find((e) => e.type === 'reaction_added'));
await until('a deletion', () => events.find((e) => e.subtype === 'message_deleted'));
await until('a pin', () => events.find((e) => e.type === 'pin_added'));
await until('a topic', () => events.find((e) => e.subtype === 'channel_topic'));
await until('somebody who joins', () => events.find((e) => e.type === 'member_joined_channel'));
await until('a new name', () => events.find((e) => e.type === 'user_change'));
await until('a file', () => events.find((e) => e.subtype === 'file_share'));

const sent = await call('chat.postMessage', {
  channel, text: 'from far away', username: 'Mia', icon_url: 'https://example.org/mia.png',
  blocks: [{ type: 'section', text: { type: 'mrkdwn', text: 'from *far* away' } }],
  metadata: { event_type: 'a_test', event_payload: { n: 1 } },
});
assert.equal(sent.message.username, 'Mia');
await until('the message', () => events.find((e) => e.ts === sent.ts && e.subtype === 'bot_message'));
const reply = await call('chat.postMessage', { channel, text: 'in the thread', thread_ts: first.ts });
await call('chat.update', { channel, ts: sent.ts, text: 'from further away' });
await until('the edit', () => events.find((e) => e.subtype === 'message_changed' && e.message.ts === sent.ts));
await call('reactions.add', { channel, timestamp: first.ts, name: 'tada' });
await call('reactions.remove', { channel, timestamp: first.ts, name: 'tada' });
await call('pins.add', { channel, timestamp: sent.ts });
await call('pins.list', { channel });
await call('pins.remove', { channel, timestamp: sent.ts });
await call('bookmarks.list', { channel_id: channel });
await call('conversations.setTopic', { channel, topic: 'A <topic> & more' });
await call('conversations.rename', { channel, name: 'renamed' });
await call('conversations.open', { users: user });
const history = await call('conversations.history', { channel, limit: 100, include_all_metadata: true });
assert.ok(history.messages.some((m) => m.ts === first.ts));
assert.equal(history.messages.find((m) => m.ts === sent.ts).metadata.event_type, 'a_test');
const page = await call('conversations.history', { channel, limit: 1 });
assert.ok(page.has_more && page.response_metadata.next_cursor);
const replies = await call('conversations.replies', { channel, ts: first.ts });
assert.deepEqual(replies.messages.map((m) => m.ts), [first.ts, reply.ts]);
await call('chat.delete', { channel, ts: sent.ts });
const uploaded = await web.filesUploadV2({ channel_id: channel, filename: 'note.txt', file: Buffer.from('some text'), initial_comment: 'a note' });
const file = uploaded.files[0].files[0].id;
await call('files.info', { file });
await until('the file', () => events.find((e) => e.subtype === 'file_share' && e.files[0].id === file));

// What Slack refuses.
const refuses = (promise, code) => assert.rejects(promise, (e) => e.code === ErrorCode.PlatformError && e.data.error === code);
await refuses(web.conversations.history({ channel: 'C0NOTHING' }), 'channel_not_found');
await refuses(web.chat.postMessage({ channel, text: '' }), 'no_text');
await refuses(web.chat.update({ channel, ts: '1.000001', text: 'x' }), 'message_not_found');
await refuses(web.reactions.remove({ channel, timestamp: first.ts, name: 'tada' }), 'no_reaction');
await refuses(new WebClient('xoxb-wrong', options).auth.test(), 'invalid_auth');
say({ kind: 'limit' });
await until('the limit', () => events.find((e) => e.type === 'message' && e.text === 'limited now'));
await assert.rejects(web.auth.test(), (e) => e.code === ErrorCode.RateLimitedError && e.retryAfter === 7);

// The connection is renewed.
say({ kind: 'refresh' });
await until('the next connection', () => connections === 2);
say({ kind: 'again' });
await until('what comes over the next connection', () => events.find((e) => e.text === 'over the next connection'));
await socket.disconnect();

// The types. What Slack's say of a field must be so; they do not name all fields that there are. Enumerations are their values.
const name = (method) => method.split('.').map((s) => s[0].toUpperCase() + s.slice(1)).join('') + 'Response';
const source = [
  "import type * as web from '@slack/web-api';", "import type * as types from '@slack/types';",
  'type Json<T> = T extends string ? `${T}` : T extends (infer U)[] ? Json<U>[] : T extends object ? { [K in keyof T]: Json<T[K]> } & { [key: string]: unknown } : T;',
];
const places = [];
const put = (what, type, value) => {
  places.push([source.join('\n').split('\n').length, what]);
  source.push(`export const v${places.length}: Json<${type}> = ${JSON.stringify(value, null, 1)};`);
};
for (const [method, answer] of answers) put(method, `web.${name(method)}`, answer);
const kinds = {
  'message.': 'GenericMessageEvent', 'message.message_changed': 'MessageChangedEvent', 'message.message_deleted': 'MessageDeletedEvent',
  'message.bot_message': 'BotMessageEvent', 'message.file_share': 'FileShareMessageEvent', 'message.channel_topic': 'ChannelTopicMessageEvent',
  'message.thread_broadcast': 'ThreadBroadcastMessageEvent', 'message.channel_join': 'ChannelJoinMessageEvent', 'message.channel_name': 'ChannelNameMessageEvent',
  'reaction_added.': 'ReactionAddedEvent', 'reaction_removed.': 'ReactionRemovedEvent', 'pin_added.': 'PinAddedEvent', 'pin_removed.': 'PinRemovedEvent',
  'member_joined_channel.': 'MemberJoinedChannelEvent', 'user_change.': 'UserChangeEvent', 'channel_rename.': 'ChannelRenameEvent',
};
for (const event of events) {
  const kind = `${event.type}.${event.subtype ?? ''}`;
  if (!kinds[kind]) say({ kind: 'unchecked', what: kind });
  else {
    // A message within an event has less than one that is an event, and is like one of the history.
    const { message, previous_message: previous, ...rest } = event;
    put(kind, `Omit<types.${kinds[kind]}, 'message' | 'previous_message'${event.subtype ? '' : " | 'subtype'"} | 'inviter'>`, rest);
    for (const m of [message, previous]) if (m) put(`the message of ${kind}`, "NonNullable<web.ConversationsHistoryResponse['messages']>[number]", m);
  }
}
const path = fileURLToPath(new URL('check.ts', import.meta.url));
writeFileSync(path, source.join('\n') + '\n');
const program = ts.createProgram([path], {
  strict: true, noEmit: true, skipLibCheck: true, module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2022, types: [], preserveSymlinks: true,
});
for (const problem of ts.getPreEmitDiagnostics(program)) {
  const text = ts.flattenDiagnosticMessageText(problem.messageText, '\n');
  if (problem.file?.fileName !== path) {
    say({ kind: 'mismatch', what: problem.file?.fileName ?? 'the compiler', text });
    continue;
  }
  const line = problem.file.getLineAndCharacterOfPosition(problem.start).line + 1;
  const at = places.findLast(([from]) => from < line)?.[1] ?? 'the script';
  say({ kind: 'mismatch', what: at, text: `${problem.file.text.split('\n')[line - 1].trim()}: ${text}` });
}
for (const [, what] of places) say({ kind: 'checked', what });
say({ kind: 'done' });

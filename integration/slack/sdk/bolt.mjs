// A day of an app that is made with Slack's own framework, against the stand-in of Slack: by Socket Mode, or with a signing secret by
// the Events API over HTTP. It writes what it has to say to standard output, one JSON object a line.
//
//   node bolt.mjs API BOT_TOKEN CHANNEL APP_TOKEN
//   node bolt.mjs API BOT_TOKEN CHANNEL - SIGNING_SECRET PORT
import assert from 'node:assert/strict';
import bolt from '@slack/bolt';

const [api, token, channel, appToken, signingSecret, port] = process.argv.slice(2);
const say = (line) => console.log(JSON.stringify(line));
const clientOptions = { slackApiUrl: api, retryConfig: { retries: 0 } };
const http = signingSecret !== undefined;
let receiver;
if (http) receiver = new bolt.HTTPReceiver({ signingSecret, port: Number(port) });
const app = new bolt.App(http ? { token, receiver, clientOptions } : { token, appToken, socketMode: true, clientOptions });
app.error(async (e) => { console.error(e); process.exit(1); });

const seen = new Set();
async function until(what, cond) {
  const end = Date.now() + 20_000;
  while (!cond()) {
    assert.ok(Date.now() < end, `waited in vain: ${what}; there were ${[...seen]}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

app.message('good morning', async ({ message, say: answer, context }) => {
  assert.equal(message.channel, channel);
  assert.ok(context.botUserId);
  const sent = await answer({ text: 'good morning to you', thread_ts: message.ts });
  assert.equal(sent.message.thread_ts, message.ts);
  seen.add('message');
});
app.event('reaction_added', async ({ event, client }) => {
  const { messages } = await client.conversations.history({ channel: event.item.channel, latest: event.item.ts, inclusive: true, limit: 1 });
  assert.equal(messages[0].ts, event.item.ts);
  seen.add('reaction');
});
app.event('message', async ({ event }) => { seen.add(`message.${event.subtype ?? ''}`); });
app.event('member_joined_channel', async ({ event, client }) => {
  const { user } = await client.users.info({ user: event.user });
  assert.ok(user.real_name);
  seen.add('join');
});
if (!http) {
  app.command('/matrix', async ({ command, ack }) => { await ack(`you said ${command.text}`); });
}

await app.start();
say({ kind: 'ready' });
await until('all of it', () => ['message', 'reaction', 'join', 'message.message_changed', 'message.message_deleted', 'message.bot_message', 'message.file_share']
  .every((what) => seen.has(what)));
const { channels } = await app.client.conversations.list({ types: 'public_channel' });
assert.ok(channels.some((c) => c.id === channel));
for await (const page of app.client.paginate('users.list', { limit: 1 })) assert.equal(page.members.length, 1);
say({ kind: 'done' });
process.stdin.resume();
process.stdin.on('end', async () => { await app.stop(); process.exit(0); });

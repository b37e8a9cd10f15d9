// A workspace of Slack as the package emulate has it, until its standard input ends.
//
//   node emulate.mjs PORT
import { createEmulator } from 'emulate';

const scopes = [
  'channels:history', 'channels:join', 'channels:manage', 'channels:read', 'chat:write', 'chat:write.customize', 'files:read', 'files:write',
  'groups:history', 'groups:read', 'pins:read', 'pins:write', 'reactions:read', 'reactions:write', 'team:read', 'users:read',
];
const emulator = await createEmulator({
  service: 'slack', port: Number(process.argv[2]),
  seed: {
    slack: {
      team: { name: 'Acme', domain: 'acme' },
      users: [{ name: 'alice', real_name: 'Alice', email: 'alice@example.org' }],
      oauth_apps: [{
        client_id: '1.2', client_secret: 'secret', app_id: 'A0BRIDGE', name: 'Landbridge', redirect_uris: ['http://localhost/'], scopes,
        bot_id: 'B0BRIDGE', bot_user_id: 'U0BRIDGE', bot_name: 'landbridge',
      }],
      tokens: [
        { token: 'xoxb-emulate', type: 'bot', user_id: 'U0BRIDGE', bot_id: 'B0BRIDGE', bot_user_id: 'U0BRIDGE', app_id: 'A0BRIDGE', scopes },
        { token: 'xoxp-alice', type: 'user', user: 'alice' },
      ],
    },
  },
});
console.log('ready');
process.stdin.resume();
process.stdin.on('end', () => emulator.close());

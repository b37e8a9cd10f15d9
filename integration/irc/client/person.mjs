// Somebody with a client of irc-framework: says and does what people do in a channel, and tells in lines of JSON what it reads.
// Usage: person.mjs HOST PORT NICK CHANNEL. Lines on its standard input are {"do": ..., ...}.
import readline from 'node:readline'
import IRC from 'irc-framework'

const [host, port, nick, channel] = process.argv.slice(2)
const tell = (kind, event) => console.log(JSON.stringify({ kind, nick: event.nick, target: event.target ?? event.channel, text: event.message ?? event.new_nick ?? event.reason ?? '' }))

const client = new IRC.Client({ host, port: Number(port), tls: false, nick, username: nick, gecos: nick, auto_reconnect: false, enable_echomessage: false })
client.on('registered', () => client.join(channel))
client.on('join', e => tell('join', e))
client.on('nick', e => tell('nick', e))
client.on('privmsg', e => tell('message', e))
client.on('action', e => tell('action', e))
client.on('notice', e => tell('notice', e))
client.on('topic', e => console.log(JSON.stringify({ kind: 'topic', nick: e.nick, target: e.channel, text: e.topic })))
client.on('ctcp response', e => tell('ctcp', e))
client.on('socket close', () => process.exit(0))
client.connect()

const deeds = {
  say: x => client.say(channel, x.text),
  action: x => client.action(channel, x.text),
  notice: x => client.notice(channel, x.text),
  nick: x => client.changeNick(x.text),
  topic: x => client.setTopic(channel, x.text),
  ctcp: x => client.ctcpRequest(x.to, x.text),
  private: x => client.say(x.to, x.text),
  part: x => client.part(channel, x.text),
  quit: x => client.quit(x.text),
}
readline.createInterface({ input: process.stdin }).on('line', line => {
  const x = JSON.parse(line)
  deeds[x.do](x)
})

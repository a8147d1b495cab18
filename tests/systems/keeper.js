// Limits and sessions kept in Redis, by Node alone: components of another shape than the reference.
const net = require("node:net");
const readline = require("node:readline");

const COUNTED = `local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return n`;
const SWAPPED = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1`;

let socket, options, unread = "";
const waiting = [];

function ask(...words) {
  const parts = words.map(String).map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  socket.write(`*${parts.length}\r\n${parts.join("")}`);
  return new Promise((done) => waiting.push(done));
}

function receive(data) {
  unread += data;
  for (let end; (end = unread.indexOf("\r\n")) >= 0; ) {
    const head = unread.slice(1, end);
    let value = head;
    if (unread[0] === "-") throw new Error(head);
    if (unread[0] === ":") value = Number(head);
    if (unread[0] === "$") {
      const last = end + 2 + Number(head);
      if (Number(head) < 0) value = null;
      else if (unread.length < last + 2) return; // the texts here are of one byte a character
      else [value, end] = [unread.slice(end + 2, last), last];
    }
    unread = unread.slice(end + 2);
    waiting.shift()(value);
  }
}

const key = (name) => `${options.prefix}${name}`;
const methods = {
  async hit({ who, cost }) {
    const count = await ask("EVAL", COUNTED, 1, key(who), options.window * 1000);
    if (count > options.limit / cost) throw { kind: "429", text: "too many requests" };
    return { left: options.limit - count };
  },
  async open({ text, sid }) {
    return (await ask("SET", key(sid), text, "NX", "PX", options.ttl * 1000)) === "OK";
  },
  look: ({ sid }) => ask("GET", key(sid)),
  touch: ({ sid }) => ask("PEXPIRE", key(sid), options.ttl * 1000),
  swap: ({ sid, then, now }) => ask("EVAL", SWAPPED, 1, key(sid), then, now),
};

async function answer({ id, make, call, named }) {
  if (!make) return { id, value: await methods[call](named) };
  options = make;
  const { hostname, port } = new URL(make.url);
  socket = net.connect(port, hostname);
  socket.setEncoding("latin1").setNoDelay(true).on("data", receive);
  await ask("PING");
  return { id };
}

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const request = JSON.parse(line);
  const told = await answer(request).catch((error) => ({
    id: request.id, error: { kind: error.kind || error.name, text: error.text || error.message },
  }));
  process.stdout.write(`${JSON.stringify(told)}\n`);
});
lines.on("close", () => process.exit(0));

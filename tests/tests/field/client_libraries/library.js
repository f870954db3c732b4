// memjs with its defaults: arguments are the server's address and port, and a name for keys. Says "ready" when one
// connection is there, waits for a line, and works on that and on another connection.

const memjs = require('memjs');

const [host, port, name] = process.argv.slice(2);
const connect = () => memjs.Client.create(`${host}:${port}`);
const numbers = (count) => Array.from({ length: count }, (_, i) => i);

function check(holds, what) {
  if (!holds) {
    throw new Error(what);
  }
}

async function work(client, prefix) {
  const value = (i) => `value ${i} `.repeat(1 + i * i);
  for (const i of numbers(50)) {
    check(await client.set(`${prefix}-${i}`, value(i), {}), `set ${i}`);
  }
  check(await client.set(`${prefix}-large`, '0123456789abcdef'.repeat(12500), {}), 'set a large value');
  for (let i = 0; i < 50; i += 5) {
    check(String((await client.get(`${prefix}-${i}`)).value) === value(i), `get ${i}`);
    check(await client.delete(`${prefix}-${i}`), `delete ${i}`);
  }
  // Many at once, without waiting for each.
  const many = numbers(100).map((i) => `${prefix}-many-${i}`);
  await Promise.all(many.map((key, i) => client.set(key, 'x'.repeat(1 + i), {})));
  const found = await Promise.all(many.map((key) => client.get(key)));
  check(found.every(({ value: held }, i) => held.length === 1 + i), 'get many');
  await Promise.all(many.slice(0, 10).map((key) => client.delete(key)));
  check((await client.increment(`${prefix}-count`, 3, { initial: 5 })).value === 5, 'a counter');
  check((await client.increment(`${prefix}-count`, 3, { initial: 5 })).value === 8, 'increment');
  check(!(await client.add(`${prefix}-count`, '1', {})), 'add what is there');
}

async function run() {
  const older = connect();
  await older.set('before', '1', {});
  check(await older.delete('before'), 'the first connection');
  console.log('ready');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  await older.get('nothing');
  await work(older, `${name}-older`);
  await work(connect(), `${name}-fresh`);
  process.exit(0);
}

run().catch((error) => {
  console.error(error);
  process.exit(1);
});

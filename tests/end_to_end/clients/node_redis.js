// What node-redis makes of the server at the port that is given.

const assert = require("node:assert/strict");
const { createClient } = require("redis");

async function converse(RESP) {
  const url = `redis://127.0.0.1:${process.argv[2]}`;
  const client = createClient({ url, RESP, name: "me" });
  client.on("error", (error) => { throw error; });
  await client.connect();
  const ask = (...words) => client.sendCommand(words);
  assert.equal(await client.ping(), "PONG");
  assert.equal(await client.echo("hello"), "hello");
  await ask("CLEAR");
  assert.equal(await ask("ADD", "5", "3", "9"), 3);
  assert.deepEqual(await ask("RANGE", "0", "-1"), [3, 5, 9]);
  assert.deepEqual(await ask("BETWEEN", "-inf", "5", "REV"), [5, 3]);
  assert.equal(await ask("AT", "7"), null);
  assert.deepEqual(await ask("QUANTILE", "0.5", "1"), [5, 9]);
  assert.equal(await ask("POPMIN"), 3);
  assert.deepEqual(await ask("POPMAX", "5"), [9, 5]);

  // Commands that are sent together are pipelined.
  const values = [...Array(100).keys()];
  const counts = await Promise.all(values.map((value) => ask("ADD", String(value))));
  assert.deepEqual(counts, values.map((value) => value + 1));

  assert.match(await client.info("array"), /\r\ncount:100\r\n/);
  const configuration = await client.configGet("save");
  assert.deepEqual({ ...configuration }, { save: "" });
  assert.equal(await client.clientGetName(), "me");
  assert.ok((await client.clientId()) > 0);
  const [self] = await client.clientList();
  assert.equal(self.name, "me");
  assert.equal(self.libName, "node-redis");
  assert.equal(await client.commandCount(), (await client.command()).length);
  await assert.rejects(ask("ADD", "x"), /value is not an integer or out of range/);
  await assert.rejects(client.multi().addCommand(["ADD", "1"]).exec(), /pipelining works without/);
  // MULTI and EXEC are refused, what stands between them is not.
  assert.equal(await ask("COUNT"), 101);
  await client.close();
}

converse(2).then(() => converse(3)).then(() => console.log("node-redis is content"));

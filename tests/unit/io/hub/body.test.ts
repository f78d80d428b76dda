import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import { StreamedBody } from "../../../../src/io/hub/body";
import { ContentConnections } from "../../../../src/io/hub/contentConnection";

const chunks = [1, 2, 3].map((byte) => Buffer.alloc(4, byte));

/** The first bytes of what a body hands on, up to `most` chunks. */
async function taken(stream: Readable, most: number): Promise<number[]> {
  const found: number[] = [];
  await new StreamedBody(stream).receive((chunk) => found.push(chunk[0]) < most);
  return found;
}

test("a body hands on its chunks in order, up to its end or until there is enough, and then is no longer open", async () => {
  const whole = Readable.from(chunks);
  assert.deepEqual(await taken(whole, 9), [1, 2, 3]);
  const half = Readable.from(chunks);
  const some = await taken(half, 2);
  assert.deepEqual(some.slice(0, 2), [1, 2]);
  assert.ok(half.destroyed);
  assert.deepEqual(await taken(Readable.from([]), 9), []);
});

test("a body that goes on sending is ended when there is enough of it, or its taker fails", async () => {
  for (const last of [1, 2]) {
    const endless = new PassThrough();
    const some = taken(endless, last);
    for (const chunk of chunks.slice(0, last)) endless.write(chunk);
    assert.deepEqual(await some, [1, 2].slice(0, last));
    assert.ok(endless.destroyed, "it was not at its end");
  }
  const failing = new PassThrough();
  failing.write(chunks[0]);
  const reading = new StreamedBody(failing).receive(() => {
    throw new RangeError("mine");
  });
  await assert.rejects(reading, RangeError);
  assert.ok(failing.destroyed);
});

test("what its taker throws, or its connection fails with, is thrown, and one that is closed is at its end", async () => {
  const own = new RangeError("mine");
  const stream = Readable.from(chunks);
  const failing = new StreamedBody(stream).receive(() => {
    throw own;
  });
  await assert.rejects(failing, (error) => error === own);
  assert.ok(stream.destroyed);
  const broken = new PassThrough();
  const reading = taken(broken, 9);
  broken.write(chunks[0]);
  broken.destroy(own);
  await assert.rejects(reading, (error) => error === own);
  const closed = new PassThrough();
  const rest = taken(closed, 9);
  closed.destroy();
  assert.deepEqual(await rest, []);
});

const local = Object.values(networkInterfaces()).flat();
const withIpv6 = { skip: local.some((one) => one?.address === "::1") ? false : "there is no ::1 here" };

test("content comes from a server that is named by its IPv6 address", withIpv6, async (t) => {
  const hosts: (string | undefined)[] = [];
  const server = createServer(({ headers }, response) => {
    hosts.push(headers.host);
    response.writeHead(200, { "content-length": "2" }).end("ok");
  });
  await new Promise<void>((done) => server.listen(0, "::1", done));
  const { port } = server.address() as AddressInfo;
  const connections = new ContentConnections(2000);
  t.after(() => {
    connections.close();
    server.close();
  });
  const url = new URL(`http://[::1]:${port}/x`);
  const connection = connections.to(url);
  const { status, length } = await connection.ask(url, {});
  const body: number[] = [];
  await connection.receive((chunk) => body.push(...chunk) < 9);
  assert.deepEqual(
    [status, length, body, hosts],
    [200, 2, [..."ok"].map((x) => x.charCodeAt(0)), [`[::1]:${port}`]],
  );
});

test("a body that nobody wants is ended, also where that fails later", async () => {
  const stream = new PassThrough({
    destroy(_, done) {
      done(new Error("late"));
    },
  });
  new StreamedBody(stream).discard();
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(stream.destroyed);
});

import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import { StreamedBody } from "../../../../src/io/hub/body";

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

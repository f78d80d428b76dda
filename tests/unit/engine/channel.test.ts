import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { Channel } from "../../../src/engine/process/channel";
import { type Frame, framePieces } from "../../../src/engine/process/frames";
import { temporaryFolder } from "../io/support";
import { isLuvitError } from "../nn/support";

/** Two ends of one connection. */
async function socketPair(): Promise<[Socket, Socket]> {
  const path =
    process.platform === "win32" ? "\\\\.\\pipe\\luvit-channel" : join(temporaryFolder(), "socket");
  const server = createServer().listen(path);
  await once(server, "listening");
  const [near, [far]] = [connect(path), (await once(server, "connection")) as [Socket]];
  server.close();
  return [near, far];
}

/** A channel that notes what it hears. */
function noting(socket: Socket) {
  const frames: Frame[] = [];
  const ends: (Error | undefined)[] = [];
  let wake = () => {};
  const channel = Channel.over(socket, {
    onFrame: (frame) => {
      frames.push(frame);
      wake();
    },
    onEnd: (error) => {
      ends.push(error);
      wake();
    },
  });
  const until = async (holds: () => boolean) => {
    while (!holds())
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  };
  return { channel, frames, ends, until };
}

/** What is to be told meanwhile has been told. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

const large = new Float32Array(700_000).map((_, i) => i);

test("frames arrive in the order in which they were sent, large ones whole, both ways at once", async () => {
  const [near, far] = (await socketPair()).map(noting);
  const frames: Frame[] = [
    { message: { id: 1 }, arrays: { large } },
    { message: { id: 2 }, arrays: {} },
    { message: { id: 3 }, arrays: { flags: Uint8Array.of(1, 0), none: new Int32Array(0) } },
  ];
  const back = { message: "back", arrays: { large } };
  await Promise.all([...frames.map((frame) => near.channel.send(frame)), far.channel.send(back)]);
  await Promise.all([far.until(() => far.frames.length === 3), near.until(() => near.frames.length === 1)]);
  assert.deepEqual(far.frames, frames);
  assert.deepEqual(near.frames, [back]);
  near.channel.close();
  await far.until(() => far.ends.length > 0);
  await turn();
  assert.deepEqual(far.ends, [undefined], "the other end is gone, once and without an error");
});

test("a frame that cannot be sent is refused by itself; those after it go their way", async () => {
  const [near, far] = (await socketPair()).map(noting);
  const wrong = { message: {}, arrays: { x: new Float64Array(1) as never } };
  await assert.rejects(near.channel.send(wrong), isLuvitError("bad-argument", "x: expected a Float32Array"));
  await near.channel.send({ message: "good", arrays: {} });
  await far.until(() => far.frames.length > 0);
  assert.deepEqual([far.frames[0].message, far.ends], ["good", []]);
  far.channel.close();
  await near.until(() => near.ends.length > 0);
  await near.channel.send({ message: "nobody is there", arrays: { large } });
  assert.deepEqual(near.ends.length, 1, "the owner hears of it once");
});

test("what is no frame, and a frame that ends too early, end the channel with what is wrong; nothing follows", async () => {
  const whole = Buffer.concat(framePieces({ message: "after", arrays: {} }));
  for (const [bytes, words] of [
    [Buffer.concat([Buffer.from("warning!"), whole]), "begins with 7761726e"],
    [whole.subarray(0, whole.length - 3), "it ends in the header, 3 bytes early"],
  ] as const) {
    const [raw, other] = await socketPair();
    const [far, closed] = [noting(other), once(other, "close")];
    raw.on("error", () => undefined).end(bytes);
    await far.until(() => far.ends.length > 0);
    await closed;
    await turn();
    raw.destroy();
    assert.equal(far.ends.length, 1, "its owner hears of it once");
    assert.ok(isLuvitError("engine", "malformed frame", words)(far.ends[0]));
    assert.deepEqual(far.frames, []);
    assert.ok(other.destroyed);
  }
});

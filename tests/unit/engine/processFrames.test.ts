import assert from "node:assert/strict";
import { test } from "node:test";
import { type Frame, FrameReader, framePieces } from "../../../src/engine/process/frames";
import { seededRng } from "../../support/seededRng";
import { isLuvitError } from "../nn/support";

const frames: Frame[] = [
  { message: { id: 1, text: "ä→𝛼" }, arrays: {} },
  {
    message: { id: 2 },
    arrays: {
      loss: Float32Array.of(1.5, Number.NaN, -0),
      none: new Int32Array(0),
      rows: Int32Array.of(-1, 2 ** 31 - 1),
      flags: Uint8Array.of(1, 0, 255),
      inside: new Float32Array([1, 2, 3, 4, 5]).subarray(1, 3),
    },
  },
  { message: null, arrays: { only: new Float32Array(0) } },
];

const MOST = 2 ** 20;
const bytesOf = (frame: Frame) => Buffer.concat(framePieces(frame));

function read(bytes: Uint8Array, pieceLength: number, mostBytes = MOST): Frame[] {
  const found: Frame[] = [];
  const reader = new FrameReader((frame) => found.push(frame), mostBytes);
  for (let at = 0; at < bytes.length; at += pieceLength) reader.take(bytes.subarray(at, at + pieceLength));
  reader.end();
  return found;
}

test("frames come out as they went in, in pieces of any length", () => {
  const bytes = Buffer.concat(frames.map(bytesOf));
  for (const length of [1, 2, 7, 64, bytes.length]) assert.deepEqual(read(bytes, length), frames);
});

test("the pieces of a large array are views of it, of at most a megabyte", () => {
  const array = new Float32Array(3_000_000);
  const pieces = framePieces({ message: {}, arrays: { array } }).slice(1);
  assert.ok(pieces.every(({ buffer, length }) => buffer === array.buffer && length <= 2 ** 20));
  assert.equal(
    pieces.reduce((sum, { length }) => sum + length, 0),
    array.byteLength,
  );
});

test("what is truncated, mislabeled or too large is refused with what is wrong", () => {
  const whole = bytesOf(frames[1]);
  for (let length = 1; length < whole.length; length++) {
    assert.throws(
      () => read(whole.subarray(0, length), 16),
      isLuvitError("engine", "malformed frame", "ends in"),
    );
  }
  const withHeader = (text: string, length = Buffer.byteLength(text)) => {
    const prefix = Buffer.from(whole.subarray(0, 8));
    prefix.writeUInt32LE(length, 4);
    return Buffer.concat([prefix, Buffer.from(text)]);
  };
  const cases: [Uint8Array, string][] = [
    [Buffer.from("Warning: something was printed here"), "begins with 5761726e"],
    [withHeader("", 0), "header has 0 bytes"],
    [withHeader("{}", 2 ** 31), "header has 2147483648 bytes"],
    [withHeader("{nonsense}"), "not JSON"],
    [withHeader("null"), "does not list arrays"],
    [withHeader('{"message":1}'), "does not list arrays"],
    [withHeader('{"arrays":[["a","float64",1]]}'), "does not list arrays"],
    [withHeader('{"arrays":[["a","toString",1]]}'), "does not list arrays"],
    [withHeader('{"arrays":[["a","float32",-1]]}'), "does not list arrays"],
    [withHeader('{"arrays":[["a","float32",1.5]]}'), "does not list arrays"],
    [withHeader('{"arrays":[["a","float32",1e300]]}'), "does not list arrays"],
    [withHeader(`{"arrays":[["a","float32",${2 ** 50}]]}`), `${2 ** 52} bytes, at most ${MOST}`],
    [withHeader('{"arrays":[["a","uint8",1000000],["b","uint8",1000000]]}'), "2000000 bytes"],
  ];
  for (const [bytes, text] of cases) {
    assert.throws(() => read(bytes, 5), isLuvitError("engine", "malformed frame", text));
  }
});

test("changed bytes give frames or a clear error, nothing else, and no memory beyond the limit", () => {
  const rng = seededRng(7);
  const whole = Buffer.concat(frames.map(bytesOf));
  for (let round = 0; round < 3000; round++) {
    const bytes = Uint8Array.from(whole);
    for (let change = 0; change <= round % 4; change++)
      bytes[Math.floor(rng.uniform() * bytes.length)] = Math.floor(rng.uniform() * 256);
    const cut = round % 3 === 0 ? Math.floor(rng.uniform() * bytes.length) : bytes.length;
    try {
      for (const { arrays } of read(bytes.subarray(0, cut), 1 + (round % 50))) {
        const held = Object.values(arrays).reduce((sum, { byteLength }) => sum + byteLength, 0);
        assert.ok(held <= MOST);
      }
    } catch (error) {
      isLuvitError("engine", "malformed frame")(error);
    }
  }
});

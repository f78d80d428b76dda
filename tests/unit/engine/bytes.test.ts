import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import { trace } from "../../../src/graph";
import { engines, openGraph } from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));

const halves = (shape: readonly number[]) =>
  trace("halves", { inputs: { x: { shape, isBytes: true } }, state: {}, body: ({ x }) => ({ y: x.div(2) }) });

/** In the middle of other memory, where no whole number of four bytes begins. */
const within = (bytes: readonly number[]) => Uint8Array.from([9, ...bytes, 9]).subarray(1, 1 + bytes.length);

for (const { title, open, options } of engines)
  test(`${title}: an input of bytes is fed as such, in any number and from any place`, options, async () => {
    for (const bytes of [[255], [0, 1, 127, 128, 255], [3, 2, 1, 254, 253, 252, 0, 128]]) {
      const executor = await openGraph(halves([1, bytes.length]), {}, { open });
      const expected = bytes.map((byte) => byte / 2);
      for (const x of [Uint8Array.from(bytes), within(bytes), Float32Array.from(bytes)])
        assert.deepEqual([...(await executor.run("step", { x })).y], expected);
      await executor.dispose();
    }
  });

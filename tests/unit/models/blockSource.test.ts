import assert from "node:assert/strict";
import { test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { LlamaBlocks } from "../../../src/models/llamaBlock";
import { llama7b } from "../../../src/models/llamaConfig";

const config = { ...llama7b, dim: 8, heads: 2, hiddenDim: 12 };

test("blocks say which file, which layers counted from 1 and which options they were read with", () => {
  const from = { checkpoint: "weights", options: { kvHeads: 1 } } as never;
  const read = new LlamaBlocks({
    config,
    depth: 2,
    rng: new Rng(0),
    origin: "a file",
    layerIndices: [30, 31],
    from,
  });
  assert.deepEqual(read.source, {
    checkpoint: "weights",
    blocks: [31, 32],
    options: { kvHeads: 1 },
    origin: "a file",
  });
  assert.deepEqual(read.withNorm(undefined).source, read.source);
});

test("blocks that were made at random say that there is no file, and count their layers from 1", () => {
  const made = new LlamaBlocks({ config, depth: 3, rng: new Rng(0), origin: "random" });
  assert.deepEqual(made.source, { checkpoint: null, blocks: [1, 2, 3], options: {}, origin: "random" });
  assert.equal(made.layers.length, 3);
  assert.match(`${made}`, /, dim 8, 2 heads, from random\)$/);
  const grouped = new LlamaBlocks({
    config: { ...config, kvHeads: 1 },
    depth: 1,
    rng: new Rng(0),
    origin: "x",
  });
  assert.match(`${grouped}`, /, dim 8, 2 heads of queries on 1 of keys, from x\)$/);
});

import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import type { StateDict } from "../../../../src/core/hostTensor";
import type { WritableDtype } from "../../../../src/io/bytes/floats";
import { openCheckpoint } from "../../../../src/io/checkpoint";
import { joinTensors } from "../../../../src/io/checkpoint/joinTensors";
import { readLanguageModel, readLlamaBlocks } from "../../../../src/io/llama/weights";
import { writeTorchCheckpoint } from "../../../../src/io/torch/torchWriter";
import { blockOf } from "../ggufModel";
import { partOf } from "../parallelModel";
import {
  assertRejects,
  assertSameTensors,
  eighths,
  temporaryFolder,
  tinyLanguageModel,
  tinyLlama,
} from "../support";

const config = { ...tinyLlama, dim: 32, heads: 8, kvHeads: 4, hiddenDim: 48 };
const layers = 3;
const model = new Map(
  [...tinyLanguageModel(layers, config)].map(
    ([
      name,
      {
        shape: [rows, ...rest],
      },
    ]) => [name, eighths([rows === 10 ? 16 : rows, ...rest])],
  ),
);

const nameOf = (part: number) => `consolidated.0${part}.pth`;

interface Writing {
  count?: number;
  dtype?: WritableDtype;
  embeddings?: 0 | 1;
  change?: (part: StateDict, index: number) => void;
}

async function writeParts({
  count = 2,
  dtype = "F16",
  embeddings = 1,
  change,
}: Writing = {}): Promise<string> {
  const folder = temporaryFolder();
  for (let part = 0; part < count; part++) {
    const own = partOf(model, part, count, embeddings);
    change?.(own, part);
    await writeTorchCheckpoint(join(folder, nameOf(part)), own, { dtype });
  }
  const { dim, heads, kvHeads, normEps, ropeTheta } = config;
  const params = {
    dim,
    n_heads: heads,
    n_kv_heads: kvHeads,
    n_layers: layers,
    norm_eps: normEps,
    rope_theta: ropeTheta,
  };
  writeFileSync(join(folder, "params.json"), JSON.stringify({ ...params, vocab_size: -1 }));
  return folder;
}

for (const [count, dtype] of [
  [2, "F16"],
  [4, "BF16"],
  [2, "F32"],
] as const) {
  test(`a block in ${count} parts of ${dtype} is put together as it was before it was split`, async () => {
    const folder = await writeParts({ count, dtype });
    for (const path of [folder, join(folder, nameOf(1))]) {
      const read = await readLlamaBlocks(path, { block: 2 });
      assertSameTensors(read.tensors, blockOf(model, 1));
      assert.deepEqual(read.config, config);
      assert.equal(read.rowOrder, "meta");
      assert.deepEqual(
        [...read.tensors.values()].map((tensor) => tensor.dtype),
        new Array(9).fill(dtype),
      );
      assert.deepEqual(
        read.files.map((file) => basename(file)),
        Array.from({ length: count }, (_, part) => nameOf(part)),
      );
    }
  });
}

test("tensors are put behind one another along any axis, wherever their numbers begin in memory", () => {
  const inside = (shape: number[], first: number) => {
    const length = shape.reduce((product, side) => product * side, 1);
    const all = Float32Array.from({ length: length + 3 }, (_, i) => (i === 0 ? -1 : first + i - 1));
    return { shape, data: all.subarray(1, 1 + length) };
  };
  const [a, b] = [inside([2, 1, 2], 0), inside([2, 2, 2], 10)];
  const joined = joinTensors([a, b, a], 1);
  assert.deepEqual(joined.shape, [2, 4, 2]);
  assert.deepEqual([...joined.data], [0, 1, 10, 11, 12, 13, 0, 1, 2, 3, 14, 15, 16, 17, 2, 3]);
  const rows = joinTensors([inside([1, 2], 0), inside([2, 2], 5)], 0);
  assert.deepEqual(
    [rows.shape, [...rows.data]],
    [
      [3, 2],
      [0, 1, 5, 6, 7, 8],
    ],
  );
  const wide = joinTensors([inside([2, 1], 0), inside([2, 2], 5)], 1);
  assert.deepEqual(
    [wide.shape, [...wide.data]],
    [
      [2, 3],
      [0, 5, 6, 1, 7, 8],
    ],
  );
  assert.equal(joinTensors([a], 0), a);
});

test("embeddings split by width (LLaMA 1 and 2) and by tokens (LLaMA 3) are both put together", async () => {
  for (const embeddings of [0, 1] as const) {
    const read = await readLanguageModel(await writeParts({ embeddings }));
    assertSameTensors(read.tensors, model);
  }
});

test("only the block's slices are read, beside pickles and the directories of the archives", async () => {
  const folder = await writeParts({ dtype: "F32" });
  const blockBytes = [...blockOf(model, 1).values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  const { bytesRead } = await readLlamaBlocks(folder, { block: 2 });
  const whole = [0, 1].reduce((sum, part) => sum + readFileSync(join(folder, nameOf(part))).length, 0);
  assert.ok(
    bytesRead > blockBytes && bytesRead < whole - 1.5 * blockBytes,
    `${bytesRead} of ${whole}, ${blockBytes}`,
  );
});

test("parts that are missing, by the shapes of those that are there, are named", async () => {
  const folder = await writeParts({ count: 4 });
  rmSync(join(folder, nameOf(1)));
  rmSync(join(folder, nameOf(3)));
  const lines = [nameOf(1), nameOf(3)].map((name) => `${name}, one of the 4 parts that the shapes imply`);
  await assertRejects(() => readLlamaBlocks(folder), "missing-file", ...lines);
});

test("the first part's shapes imply up to a hundred parts; what implies more, or a fraction, implies none", async () => {
  const name = "layers.0.attention.wq.weight";
  for (const [rows, width, count] of [
    [2, 32, 16],
    [1, 100, 100],
    [1, 101, undefined],
    [3, 32, undefined],
    [64, 32, undefined],
    [32, 32, 1],
  ] as const) {
    const folder = temporaryFolder();
    await writeTorchCheckpoint(join(folder, nameOf(0)), new Map([[name, eighths([rows, width])]]));
    const opened = openCheckpoint(folder);
    if (count && count > 1) {
      await assertRejects(() => opened, "missing-file", `one of the ${count} parts that the shapes imply`);
      continue;
    }
    const file = await opened;
    assert.deepEqual((await file.info(name)).shape, [rows, width], "it is the whole model");
    await file.close();
  }
});

test("parts that do not agree are refused: their number, shapes, types, tensors", async () => {
  const folder = await writeParts();
  await writeTorchCheckpoint(join(folder, nameOf(2)), partOf(model, 0, 2, 1));
  await assertRejects(() => readLlamaBlocks(folder), "bad-file", `${nameOf(2)}: the shapes imply 2 parts`);
  const uneven = await writeParts({
    change: (part, index) => {
      if (index === 0) return;
      part.set("layers.1.feed_forward.w1.weight", eighths([23, 32]));
      part.delete("layers.2.attention.wk.weight");
    },
  });
  await assertRejects(
    () => readLlamaBlocks(uneven),
    "bad-file",
    `${nameOf(1)}: layers.1.feed_forward.w1.weight is F16 [23, 32], in ${nameOf(0)} it is F16 [24, 32]`,
    `${nameOf(1)}: no layers.2.attention.wk.weight`,
  );
});

test("norms that every part has whole must be the same in all", async () => {
  const folder = await writeParts({
    change: (part, index) => {
      if (index === 1)
        part.set("layers.1.ffn_norm.weight", { shape: [32], data: new Float32Array(32).fill(2) });
    },
  });
  await assertRejects(
    () => readLlamaBlocks(folder, { block: 2 }),
    "bad-file",
    `${nameOf(1)}: layers.1.ffn_norm.weight has other numbers than in ${nameOf(0)}`,
  );
  assertSameTensors((await readLlamaBlocks(folder, { block: 1 })).tensors, blockOf(model, 0));
});

test("numbers that are not finite are found after the parts were put together", async () => {
  const folder = await writeParts({
    change: (part, index) => {
      if (index === 1) part.get("layers.2.feed_forward.w2.weight")!.data[5] = Number.NaN;
    },
  });
  await assertRejects(
    () => readLlamaBlocks(folder),
    "non-finite",
    "feed_forward.w2.weight: 1 NaN and 0 infinite of 1536",
  );
});

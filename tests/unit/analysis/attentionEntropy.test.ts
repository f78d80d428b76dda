import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import {
  attentionEntropy,
  type EntropyTable,
  lastViTLayer,
  layersOf,
  patchMaps,
  summarizeEntropy,
} from "../../../src/analysis/attentionEntropy";
import { Rng } from "../../../src/core/rng";
import { startBackend, tf } from "../../../src/core/tf";
import type { ImageDataset } from "../../../src/data/dataset";
import { imageFolder } from "../../../src/data/imageFolder";
import { imageNetS } from "../../../src/data/segmentation";
import * as transforms from "../../../src/data/transforms";
import { readTable, writeTable } from "../../../src/io/tables/table";
import type { Classifier } from "../../../src/models/classifier";
import { assertRejects, maskedImages, type Region, temporaryFolder, tinyLuvit, writeImages } from "./support";

before(async () => void (await startBackend()));

const [object, ground, ignored]: Region[] = ["object", "ground", "ignored"];
const layout: Region[][] = [
  [object, ground, ground, ground],
  [object, object, object, object],
  [ground, object, object, ignored],
  [ground, ground, ground, ground],
  [ground, ground, object, object],
];

/** Every attention pattern of one image, by tap name, as nested arrays [head][query][key]. */
async function patternsOf(
  model: Classifier,
  set: ImageDataset,
  index: number,
): Promise<Map<string, number[][][]>> {
  const { image } = await set.load(index, new Rng(0));
  const patterns = new Map<string, number[][][]>();
  tf.tidy(() => {
    const tap = (name: string, value: tf.Tensor) => {
      if (name.endsWith(".pattern")) patterns.set(name, (value.arraySync() as number[][][][])[0]);
    };
    model.forward(tf.tensor(image, [1, 3, 16, 16]), { tap });
  });
  return patterns;
}

const entropyOf = (row: readonly number[]) => -row.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0);

const rowsOf = (table: EntropyTable) => table.toArray().map((row) => row.toJSON());

test("one row per image, layer, head and patch, with the entropy of that attention row", async () => {
  const set = await maskedImages(layout);
  const model = tinyLuvit();
  const table = await attentionEntropy(model, set, { batchSize: 2 });
  const taps = {
    "blocks.0": "blocks.0.attn",
    "blocks.1": "blocks.1.attn",
    "llama.layers.0": "llama.layers.0.attention",
  };
  assert.equal(table.numRows, 5 * 3 * 2 * 4);
  assert.deepEqual(layersOf(table), Object.keys(taps));
  const rows = rowsOf(table);
  for (let index = 0; index < 5; index++) {
    const patterns = await patternsOf(model, set, index);
    for (const [layer, tap] of Object.entries(taps)) {
      const own = rows.filter((row) => row.index === index && row.layer === layer);
      assert.deepEqual(
        own.map(({ head, patch }) => [head, patch]),
        [0, 1].flatMap((head) => [0, 1, 2, 3].map((patch) => [head, patch])),
      );
      for (const { head, patch, entropy, image, label } of own) {
        const expected = entropyOf(patterns.get(`${tap}.pattern`)![head][1 + patch]);
        assert.ok(
          Math.abs(entropy - expected) < 1e-5,
          `${layer} head ${head} patch ${patch}: ${entropy}, ${expected}`,
        );
        assert.deepEqual([image, label], [set.path(index), 0]);
      }
    }
  }
});

test("columns have the documented names and types", async () => {
  const table = await attentionEntropy(tinyLuvit(), await maskedImages(layout.slice(0, 1)));
  assert.deepEqual(
    table.schema.fields.map(({ name, type }) => `${name}: ${type}`),
    [
      "image: Dictionary<Int32, Utf8>",
      "index: Int32",
      "label: Int32",
      "layer: Dictionary<Int32, Utf8>",
      "head: Uint16",
      "patch: Uint16",
      "entropy: Float32",
      "foreground: Bool",
    ],
  );
});

test("foreground is true, false, or null for ignored cells and for sets without masks", async () => {
  const model = tinyLuvit();
  const masked = rowsOf(await attentionEntropy(model, await maskedImages(layout), { layers: ["blocks.1"] }));
  const regions = (index: number) =>
    masked.filter((row) => row.index === index && row.head === 1).map(({ foreground }) => foreground);
  assert.deepEqual(regions(0), [true, false, false, false]);
  assert.deepEqual(regions(1), [true, true, true, true]);
  assert.deepEqual(regions(2), [false, true, true, null]);
  const plain = await imageFolder(await writeImages(temporaryFolder(), 2), {
    transform: transforms.evaluation(16),
  });
  const unmasked = await attentionEntropy(model, plain, { layers: ["blocks.0"] });
  assert.equal(unmasked.numRows, 4 * 2 * 4);
  assert.ok(rowsOf(unmasked).every(({ foreground }) => foreground === null));
  const summary = summarizeEntropy(unmasked, "blocks.0");
  assert.deepEqual([summary.counted, summary.skipped, summary.points.length], [0, 4, 0]);
  assert.ok(Number.isNaN(summary.percentBackgroundGreater));
});

test("the table does not depend on the batch size, and images that cannot be read have no rows", async () => {
  const data = await writeImages(temporaryFolder(), 3);
  const set = await imageFolder(data, { transform: transforms.evaluation(16) });
  const model = tinyLuvit();
  const one = rowsOf(await attentionEntropy(model, set, { batchSize: 1 }));
  const all = rowsOf(await attentionEntropy(model, set, { batchSize: 99 }));
  const withoutEntropy = (rows: typeof one) => rows.map(({ entropy: _, ...rest }) => rest);
  const key = (row: (typeof one)[number]) => `${row.index} ${row.layer} ${row.head} ${row.patch}`;
  const sorted = (rows: typeof one) => [...rows].sort((a, b) => key(a).localeCompare(key(b)));
  assert.deepEqual(withoutEntropy(sorted(one)), withoutEntropy(sorted(all)));
  for (const [i, row] of sorted(one).entries())
    assert.ok(Math.abs(row.entropy - sorted(all)[i].entropy) < 1e-5);
  writeFileSync(join(data, "red", "1.png"), "not an image");
  const partial = rowsOf(
    await attentionEntropy(model, await imageFolder(data, { transform: transforms.evaluation(16) }), {
      layers: ["blocks.0"],
    }),
  );
  assert.deepEqual([...new Set(partial.map(({ index }) => index))], [0, 1, 2, 3, 5]);
  assert.equal(partial.length, 5 * 2 * 4);
});

test("the summary equals a loop by hand, over cells and heads, image by image", async () => {
  const set = await maskedImages(layout);
  const model = tinyLuvit();
  const table = await attentionEntropy(model, set);
  for (const [layer, tap] of [
    ["blocks.1", "blocks.1.attn.pattern"],
    ["llama.layers.0", "llama.layers.0.attention.pattern"],
  ]) {
    const points = [];
    for (const index of [0, 2, 4]) {
      const heads = (await patternsOf(model, set, index)).get(tap)!;
      const cell = [0, 1, 2, 3].map((p) => (entropyOf(heads[0][p + 1]) + entropyOf(heads[1][p + 1])) / 2);
      const mean = (region: Region) => {
        const values = cell.filter((_, p) => layout[index][p] === region);
        return values.reduce((a, b) => a + b, 0) / values.length;
      };
      points.push({ image: set.path(index), foreground: mean(object), background: mean(ground) });
    }
    const summary = summarizeEntropy(table, layer);
    assert.deepEqual([summary.layer, summary.counted, summary.skipped], [layer, 3, 2]);
    for (const [i, { image, foreground, background }] of summary.points.entries()) {
      assert.equal(image, points[i].image);
      assert.ok(Math.abs(foreground - points[i].foreground) < 1e-5);
      assert.ok(Math.abs(background - points[i].background) < 1e-5);
    }
    const greater = points.filter(({ foreground, background }) => background > foreground).length;
    assert.equal(summary.percentBackgroundGreater, (100 * greater) / 3);
  }
});

test("unknown layers, masks on another grid and images of another size are refused", async () => {
  const set = await maskedImages(layout);
  const model = tinyLuvit();
  const some = attentionEntropy(model, set, { layers: ["blocks.1", "blocks.7"] });
  await assertRejects(some, "bad-argument", "blocks.7", "this model has: blocks.0, blocks.1, llama.layers.0");
  const table = await attentionEntropy(model, set, { layers: ["blocks.1"] });
  await assert.rejects(async () => summarizeEntropy(table, "blocks.0"), /no layer "blocks.0"/);
  await assertRejects(patchMaps(model, set, { layer: "blocks.2" }), "bad-argument", "blocks.2", "blocks.1");
  const folders = { images: set.images.root, masks: set.images.root.replace(/images$/, "masks") };
  const fine = await imageNetS({ ...folders, transform: transforms.evaluation(16), patch: 4 });
  await assertRejects(attentionEntropy(model, fine), "bad-argument", "16 cells", "4 patches", "patch: 8");
  const large = await imageNetS({ ...folders, transform: transforms.evaluation(32), patch: 8 });
  await assertRejects(attentionEntropy(model, large), "bad-argument", "32 px", "16 px");
});

test("maps hold the mean entropy over heads and the norm of each patch token after the block", async () => {
  const set = await maskedImages(layout);
  const model = tinyLuvit();
  assert.equal(lastViTLayer(model), "blocks.1");
  const maps = await patchMaps(model, set, { batchSize: 2 });
  assert.equal(maps.length, 5);
  for (const [index, { sample, grid, entropy, norm }] of maps.entries()) {
    assert.deepEqual(
      [sample.index, grid, entropy.length, norm.length],
      [index, { rows: 2, columns: 2 }, 4, 4],
    );
    const heads = (await patternsOf(model, set, index)).get("blocks.1.attn.pattern")!;
    const tokens = await tokensAfter(model, sample.image, "blocks.1.out");
    for (let p = 0; p < 4; p++) {
      const expected = (entropyOf(heads[0][p + 1]) + entropyOf(heads[1][p + 1])) / 2;
      assert.ok(Math.abs(entropy[p] - expected) < 1e-5);
      assert.ok(Math.abs(norm[p] - Math.hypot(...tokens[p + 1])) < 1e-4);
    }
  }
});

async function tokensAfter(model: Classifier, image: Float32Array, name: string): Promise<number[][]> {
  let tokens: number[][] = [];
  tf.tidy(() => {
    const tap = (at: string, value: tf.Tensor) => {
      if (at === name) [tokens] = value.arraySync() as number[][][];
    };
    model.tokens(tf.tensor(image, [1, 3, 16, 16]), { tap });
  });
  return tokens;
}

test("entropy and maps leave no tensor behind", async () => {
  const set = await maskedImages(layout);
  const model = tinyLuvit();
  await attentionEntropy(model, set);
  const { numTensors } = tf.memory();
  await attentionEntropy(model, set, { batchSize: 2 });
  await patchMaps(model, set);
  assert.equal(tf.memory().numTensors, numTensors);
});

test("a written table is read back row for row", async () => {
  const table = await attentionEntropy(tinyLuvit(), await maskedImages(layout));
  const path = join(temporaryFolder(), "entropy.arrow");
  await writeTable(path, table);
  const read = await readTable(path);
  assert.deepEqual(rowsOf(read), rowsOf(table));
  assert.deepEqual(summarizeEntropy(read, "blocks.1"), summarizeEntropy(table, "blocks.1"));
});

const hasPyarrow = spawnSync("python3", ["-c", "import pyarrow"]).status === 0;
const skip = hasPyarrow ? false : "NOT CHECKED: there is no python3 with pyarrow here";

test("pyarrow reads the same table", { skip }, async () => {
  const table = await attentionEntropy(tinyLuvit(), await maskedImages(layout));
  const path = join(temporaryFolder(), "entropy.arrow");
  await writeTable(path, table);
  const script = `import json, sys, pyarrow as pa
t = pa.ipc.open_file(sys.argv[1]).read_all()
print(json.dumps([t.schema.names, [str(f.type) for f in t.schema], t.to_pylist()]))`;
  const { stdout, stderr } = spawnSync("python3", ["-c", script, path], { encoding: "utf8", maxBuffer: 1e8 });
  assert.equal(stderr, "");
  const [names, types, rows] = JSON.parse(stdout);
  assert.deepEqual(
    names,
    table.schema.fields.map(({ name }) => name),
  );
  const text = "dictionary<values=string, indices=int32, ordered=0>";
  assert.deepEqual(types, [text, "int32", "int32", text, "uint16", "uint16", "float", "bool"]);
  assert.deepEqual(rows, rowsOf(table));
});

test("every engine finds the same entropies", async () => {
  const set = await maskedImages(layout);
  const model = tinyLuvit();
  const [eager, graph] = await Promise.all(
    (["eager", "onnxruntime"] as const).map((engine) =>
      attentionEntropy(model, set, { engine, batchSize: 2 }),
    ),
  );
  const values = (table: EntropyTable) => table.getChild("entropy")!.toArray() as Float32Array;
  assert.equal(graph.numRows, eager.numRows);
  for (const [i, value] of values(eager).entries()) assert.ok(Math.abs(values(graph)[i] - value) < 1e-5);
});

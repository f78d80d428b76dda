import assert from "node:assert/strict";
import { before, test } from "node:test";
import { attentionDistances, cka, massMask, principalComponents, tokenNorms } from "../../../../src/analysis";
import { patchDistances } from "../../../../src/analysis/representations/attentionDistance";
import { median } from "../../../../src/analysis/representations/norms";
import { symmetricEigen } from "../../../../src/analysis/representations/symmetricEigen";
import { Rng } from "../../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../../src/core/tf";
import { type FolderDataset, imageFolder, transforms } from "../../../../src/data";
import { perturb } from "../../models/support";
import { assertClose, isLuvitError } from "../../nn/support";
import { temporaryFolder, writeImages } from "../../train/support";
import { tinyLuvit } from "../support";

before(() => startBackend());

const numbers = (count: number, seed: number) => {
  const rng = new Rng(seed);
  return Float64Array.from({ length: count }, () => rng.normal());
};

test("eigenvectors of a larger matrix are its own: the matrix only stretches them", () => {
  const [n, count] = [60, 5];
  const factor = numbers(n * n, 1);
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++)
      for (let k = 0; k < n; k++) matrix[i * n + j] += factor[i * n + k] * factor[j * n + k];
  const { values, vectors } = symmetricEigen(matrix, n, count);
  for (let k = 0; k < count; k++) {
    const vector = vectors.subarray(k * n, (k + 1) * n);
    const image = Float64Array.from({ length: n }, (_, i) =>
      vector.reduce((sum, x, j) => sum + matrix[i * n + j] * x, 0),
    );
    assertClose(
      image,
      vector.map((x) => x * values[k]),
      1e-5,
    );
    if (k > 0) assert.ok(values[k] <= values[k - 1]);
  }
});

test("the largest channel of a component is positive, whichever way the numbers lie", () => {
  const values = numbers(40 * 8, 2);
  const one = principalComponents(values, 8);
  const turned = principalComponents(
    values.map((x) => -x),
    8,
  );
  assertClose(turned.components, one.components, 1e-9);
  for (let k = 0; k < 3; k++) {
    const component = one.components.subarray(k * 8, (k + 1) * 8);
    assert.ok(Math.max(...component) >= -Math.min(...component));
  }
});

test("rows that are all the same have no variance, and one color", () => {
  const { share, colors } = principalComponents(new Float32Array(12).fill(3), 3);
  assert.deepEqual([...share, ...colors], new Array(3 + 12).fill(0));
});

test("CKA does not see turns, scale and shifts, and is 1 with itself", () => {
  const x = numbers(20 * 2, 3);
  const turned = x.map((_, i) => {
    const [a, b] = [x[i - (i % 2)], x[i - (i % 2) + 1]];
    return 5 + 3 * (i % 2 === 0 ? 0.6 * a - 0.8 * b : 0.8 * a + 0.6 * b);
  });
  const other = numbers(20 * 7, 4);
  for (const debiased of [false, true]) {
    const found = cka(
      [
        { values: x, dim: 2 },
        { values: turned, dim: 2 },
        { values: other, dim: 7 },
      ],
      { debiased },
    );
    assertClose([found[0], found[1], found[4]], [1, 1, 1], 1e-9);
    assert.ok(found[2] < 0.9);
  }
  assert.throws(
    () =>
      cka([
        { values: x, dim: 2 },
        { values: other, dim: 2 },
      ]),
    isLuvitError("bad-argument", "20, 70"),
  );
});

test("patches are as far apart as their centers", () => {
  const between = patchDistances({ rows: 2, columns: 3 }, 8);
  assert.equal(between[0 * 6 + 1], 8);
  assert.equal(between[0 * 6 + 5], Math.fround(8 * Math.hypot(1, 2)));
});

test("the mask holds the mass, the weight that crosses the border with it", () => {
  assert.deepEqual([...massMask([5, 1, 3, 1], 0.5)], [1, 0, 0, 0]);
  assert.deepEqual([...massMask([5, 1, 3, 1], 0.6)], [1, 0, 1, 0]);
});

test("a token that sticks out is found where it is, with the attention it draws", async () => {
  const model = tinyLuvit();
  perturb(model);
  const { pos_embed } = model.encoder;
  const loud = tf.tensor(
    Float32Array.from({ length: 5 * 16 }, (_, i) => (Math.floor(i / 16) === 2 ? 50 : 0)),
    [1, 5, 16],
  );
  pos_embed.value.assign(tf.add(pos_embed.value, loud));
  const set = await imageFolder(await writeImages(temporaryFolder(), 2), {
    transform: transforms.evaluation(16),
  });
  const found = await tokenNorms(model, set, { engine: "eager" });
  const [first] = found.table.toArray();
  assert.equal(first.place, "embed");
  assert.equal(first.layer, "blocks.0");
  assert.equal(first.share, 0.25);
  assert.ok(first.drawn >= 0 && first.drawn <= 1);
  assert.ok(first.largest > 100);
  assert.deepEqual(
    found.table.toArray().map(({ place }) => place),
    ["embed", "blocks.0.out", "fusion.mapper1", "fusion.out"],
  );
  assert.equal(found.norms.get("embed")!.length, 4 * set.length);
  for (const row of found.table.toArray()) {
    const by = byHand(model, set.length, row, await pixelsOf(set));
    assertClose([row.drawn ?? -1, row.classToken ?? -1], by, 1e-5);
  }
  const quiet = await tokenNorms(model, set, { above: [1000], engine: "eager" });
  assert.ok(quiet.table.toArray().every(({ share }) => share === 0));
});

const pixelsOf = async (set: FolderDataset) => {
  const samples = await Promise.all(Array.from({ length: set.length }, (_, i) => set.load(i, new Rng(0))));
  return tf.tensor(Float32Array.from(samples.flatMap(({ image }) => [...image])), [set.length, 3, 16, 16]);
};

/** Shares of the patches' attention to patches above three medians and to the class token, number by number; -1: no layer. */
function byHand(
  { encoder }: ReturnType<typeof tinyLuvit>,
  images: number,
  { place, layer }: { place: string; layer: string | null },
  pixels: Tensor,
): [drawn: number, classToken: number] {
  if (layer === null) return [-1, -1];
  const seen = new Map<string, number[][][][]>();
  tf.tidy(() => {
    encoder.tokens(pixels, {
      positions: "mae",
      tap: (name, value) => void seen.set(name, value.arraySync() as never),
    });
  });
  const pattern = [...seen].find(([name]) => name.startsWith(`${layer}.`) && name.endsWith(".pattern"))![1];
  const tokens = seen.get(place) as unknown as number[][][];
  let [drawn, classToken] = [0, 0];
  for (let image = 0; image < images; image++) {
    const norms = [1, 2, 3, 4].map((token) => Math.hypot(...tokens[image][token]));
    const border = 3 * median(norms);
    for (const rows of pattern[image])
      for (const query of [1, 2, 3, 4]) {
        const part = 1 / (images * pattern[image].length * 4);
        classToken += part * rows[query][0];
        for (const key of [1, 2, 3, 4]) if (norms[key - 1] > border) drawn += part * rows[query][key];
      }
  }
  return [drawn, classToken];
}

test("every head of every layer has a distance, at most the image's diagonal", async () => {
  const set = await imageFolder(await writeImages(temporaryFolder(), 2), {
    transform: transforms.evaluation(16),
  });
  const rows = (await attentionDistances(tinyLuvit(), set, { engine: "eager" })).toArray();
  assert.deepEqual(
    rows.map(({ layer, head }) => `${layer} ${head}`),
    ["blocks.0", "blocks.1", "llama.layers.0"].flatMap((layer) => [`${layer} 0`, `${layer} 1`]),
  );
  for (const { distance, rescaled } of rows) assert.ok(distance <= rescaled && rescaled <= Math.hypot(8, 8));
});

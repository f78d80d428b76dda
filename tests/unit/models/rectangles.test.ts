import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { randomBlock } from "../../../src/models/baselines";
import { create } from "../../../src/models/classifier";
import { Encoder } from "../../../src/models/encoder";
import { through } from "../../../src/models/fusion";
import { resizePositionTable } from "../../../src/nn/positionEmbedding";
import { assertClose, isLuvitError, randomTensor } from "../nn/support";

before(() => startBackend());

const vit = { imageSize: 32, patchSize: 8, dim: 16, depth: 2, heads: 2, mlpRatio: 2 };
const block = () =>
  through(
    randomBlock({
      dim: 24,
      heads: 2,
      hiddenDim: 32,
      normEps: 1e-6,
      ropeTheta: 10000,
      causal: false,
      rope: false,
      rowOrder: "meta",
    }),
  );
const start = { finalNorm: true, positions: "learned", init: "timm", seed: 3 } as const;

for (const [name, fusion] of [
  ["a ViT", undefined],
  ["a LUViT", block],
] as const) {
  test(`${name} makes tokens of a rectangle as a model of a square does whose positions were resized beforehand`, async () => {
    const small = new Encoder({ vit, fusion: fusion?.(), ...start });
    const large = new Encoder({ vit: { ...vit, imageSize: 48 }, fusion: fusion?.(), ...start });
    const state = await small.stateDict();
    const table = state.get("pos_embed")!;
    for (const rule of ["mae", "dino", "timm"] as const) {
      state.set("pos_embed", resizePositionTable(table, { rows: 6, columns: 6 }, 1, rule));
      large.loadStateDict(state);
      const images = randomTensor([2, 3, 48, 48]);
      const [resized, own] = [small.tokens(images, { positions: rule }), large.tokens(images)];
      assertClose(resized.dataSync(), own.dataSync(), 2e-5);
    }
  });
}

test("an encoder takes any height and width that the patch divides, when positions are said", () => {
  const model = new Encoder({ vit, ...start });
  for (const [height, width] of [
    [8, 64],
    [40, 24],
    [16, 16],
  ]) {
    const tokens = model.tokens(randomTensor([1, 3, height, width]), { positions: "mae" });
    assert.deepEqual(tokens.shape, [1, 1 + (height / 8) * (width / 8), 16]);
  }
});

test("other sizes are refused unless positions are said, and then those the patch does not divide", () => {
  const model = create({ encoder: vit, classes: 3 });
  const forward = (shape: number[], positions?: "mae") => () => model.forward(tf.zeros(shape), { positions });
  assert.throws(
    forward([1, 3, 32, 40]),
    isLuvitError("shape-mismatch", "expected [B, 3, 32, 32], got [1, 3, 32, 40]"),
  );
  assert.throws(
    forward([1, 3, 32, 44], "mae"),
    isLuvitError("shape-mismatch", "H and W have to be multiples of 8"),
  );
  assert.throws(forward([1, 1, 32, 32], "mae"), isLuvitError("shape-mismatch", "got [1, 1, 32, 32]"));
  assert.throws(forward([1, 3, 0, 32], "mae"), isLuvitError("shape-mismatch", "got [1, 3, 0, 32]"));
  assert.deepEqual(forward([1, 3, 40, 24], "mae")().shape, [1, 3]);
  assert.deepEqual(forward([1, 3, 32, 32], "mae")().dataSync(), forward([1, 3, 32, 32])().dataSync());
});

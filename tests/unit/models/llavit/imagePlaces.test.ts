import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../../src/core/tf";
import type { LlavitOptions } from "../../../../src/models/llavit/create";
import type { ImageStart } from "../../../../src/models/llavit/imagePlaces";
import type { Llavit } from "../../../../src/models/llavit/llavit";
import { trainableVariables } from "../../../../src/nn/variables";
import { assertClose, isLuvitError, valuesOf } from "../../nn/support";
import { tinyLlavit } from "./support";

before(() => startBackend());

const tokens = 16;
const starts = [3, undefined, 0, 6];

function given(model: Llavit) {
  const { imageSize } = model.vision_tower.config;
  const images = tf.randomNormal([3, 3, imageSize, imageSize], 0, 1, "float32", 5);
  const ids = tf.randomUniform([4, tokens], 1, 200, "int32", 6);
  return { images, ids };
}

/** The sequence of one row alone, with its image where it has one: [T, V]. */
function alone(model: Llavit, { images, ids }: ReturnType<typeof given>, row: number): Float32Array {
  return valuesOf(() => {
    const own = tf.slice(ids, [row, 0], [1, tokens]);
    const at = starts[row];
    if (at === undefined) return model.language.forward(own);
    const image = starts.slice(0, row).filter((start) => start !== undefined).length;
    const shape = [1, ...images.shape.slice(1)] as [number, number, number, number];
    return model.forward({ images: tf.slice(images, [image, 0, 0, 0], shape), ids: own }, at);
  });
}

const models: Partial<LlavitOptions>[] = [
  { visionQkv: "none", visionMask: "causal" },
  { visionQkv: "full", visionMask: "bidirectional" },
  { visionQkv: "lora", visionMask: "none" },
];

for (const options of models) {
  test(`images at different tokens give what each sequence gives alone: ${JSON.stringify(options)}`, async () => {
    const model = await tinyLlavit(options);
    for (const [path, { value }] of model.namedParameters())
      if (/vision_w|lora_B/.test(path))
        value.assign(tf.add(value, tf.randomNormal(value.shape, 0, 0.3, "float32", 7)));
    const inputs = given(model);
    const together = valuesOf(() => model.forward(inputs, starts));
    const size = together.length / starts.length;
    for (const row of starts.keys())
      assertClose(
        together.subarray(row * size, (row + 1) * size),
        alone(model, inputs, row),
        2e-5,
        `sequence ${row}`,
      );
  });
}

test("gradients of images at different tokens are those of the sequences alone, summed", async () => {
  const model = await tinyLlavit({ visionQkv: "full", visionMask: "bidirectional" });
  const inputs = given(model);
  const variables = [...trainableVariables(model).values()];
  const gradientOf = (start: ImageStart, rows: number[]) =>
    valuesOf(() => {
      const loss = () => {
        const parts = rows.map((row) => {
          const ids = tf.slice(inputs.ids, [row, 0], [1, tokens]);
          return [row, ids] as const;
        });
        const logits = model.forward(
          {
            images: tf.concat(
              rows.map((row) => tf.slice(inputs.images, [row / 2, 0, 0, 0], [1, -1, -1, -1])),
              0,
            ),
            ids: tf.concat(
              parts.map(([, ids]) => ids),
              0,
            ),
          },
          start,
        );
        return tf.sum(tf.square(logits)) as tf.Scalar;
      };
      const { grads } = tf.variableGrads(loss, variables);
      return tf.concat(Object.values(grads).map((gradient) => tf.reshape(gradient, [-1])));
    });
  const together = gradientOf([3, 0], [0, 2]);
  const [first, second] = [gradientOf(3, [0]), gradientOf(0, [2])];
  const most = Math.max(...together.map(Math.abs));
  assertClose(
    together,
    first.map((x, i) => x + second[i]),
    5e-5 * Math.max(1, most),
  );
});

test("images that do not fit are refused, all sequences at once", async () => {
  const model = await tinyLlavit();
  const inputs = given(model);
  assert.throws(
    () => tf.tidy(() => model.forward(inputs, [3, undefined, 12, -1])),
    isLuvitError("shape-mismatch", "sequence 2", "sequence 3"),
  );
  assert.throws(
    () => tf.tidy(() => model.forward(inputs, [3, 1, 0, 6])),
    isLuvitError("shape-mismatch", "4 sequences have an image, 3 images"),
  );
  assert.throws(
    () => tf.tidy(() => model.forward(inputs, [3])),
    isLuvitError("shape-mismatch", "1 places of images for 4 sequences"),
  );
});

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { isLuvitError } from "../nn/support";
import { tinyClassifier } from "../train/support";

before(() => startBackend());

const options = { keep: ["embed"], engine: "eager" } as const;

test("what is no batch of images is refused by name, before anything is computed", async () => {
  const model = tinyClassifier();
  const disposed = tf.zeros([1, 3, 16, 16]);
  disposed.dispose();
  const wrong: readonly [value: unknown, code: "bad-argument" | "shape-mismatch", ...texts: string[]][] = [
    [undefined, "bad-argument", "got undefined"],
    [null, "bad-argument", "[B, 3, 16, 16]"],
    [[1, 2, 3], "bad-argument", "[B, 3, 16, 16]"],
    [Promise.resolve(1), "bad-argument", "await"],
    [disposed, "bad-argument", "images"],
    [new Float32Array(100), "shape-mismatch", "768 numbers each", "got 100"],
    [new Float32Array(0), "shape-mismatch", "got 0"],
    [tf.zeros([0, 3, 16, 16]), "shape-mismatch", "no image"],
    [tf.zeros([1, 3, 8, 8]), "shape-mismatch", "imageSize"],
  ];
  for (const [value, code, ...texts] of wrong)
    await assert.rejects(model.trace(value as Tensor, options), isLuvitError(code, ...texts));
  const { shape } = (await model.trace(new Float32Array(2 * 768), options)).get("embed");
  assert.equal(shape[0], 2);
});

test("a forward pass of what is no tensor says what is expected", () => {
  const model = tinyClassifier();
  for (const value of [undefined, Promise.resolve(1), [1, 2]])
    assert.throws(
      () => model.forward(value as unknown as Tensor),
      isLuvitError("bad-argument", "images", "a tensor"),
    );
});
